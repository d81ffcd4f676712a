"""`ivr prove`: a plan is proven before a caller meets it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from ivr.settings import Settings


def prove(
    plan: Annotated[Path | None, typer.Argument(help="Dossier du plan ; sinon IVR_PLAN.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Pour un programme : un objet JSON.")] = False,
) -> None:
    """Prouver que tout appel finit par une personne, une réponse ou une promesse. Sortie 0, ou 1 et un récit."""
    from ivr.plan import load_or_raise  # noqa: PLC0415
    from ivr.prove.shown import proof_of  # noqa: PLC0415 - each command imports what it needs

    made, loaded = load_or_raise(plan or Settings().plan)
    found = proof_of(made, loaded.sentences)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), ensure_ascii=False, indent=2) + "\n")
        raise typer.Exit(0 if found.ok else 1)
    figures = f"{found.states} états, {found.transitions} passages, {found.took_s:g} s".replace(".", ",")
    if not found.ok:
        sys.stdout.write(f"{found.story}\n{made.name} : non prouvé ({figures}).\n")
        raise typer.Exit(1)
    for kind, names in found.never.items():
        sys.stdout.write(f"jamais atteint, {kind} : {', '.join(names)}\n")
    sys.stdout.write(
        f"{made.name} : prouvé ({figures}). Sans nouvelle panne, un appel finit en {found.steps} étapes"
        f" et {found.seconds // 60} min au plus, conversation à part.\n"
    )
