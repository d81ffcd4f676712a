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
    from ivr.plan import load_or_raise  # noqa: PLC0415 - each command imports what it needs
    from ivr.prove.proof import prove as proven  # noqa: PLC0415

    made, loaded = load_or_raise(plan or Settings().plan)
    found = proven(made, texts=loaded.sentences, on_progress=None if as_json else _progress)
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


def _progress(done: int, known: int) -> None:
    sys.stderr.write(f"… {done} états vus sur {known} connus\n")
