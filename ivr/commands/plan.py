"""`ivr plan`: what a draft would change, its publication, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

plan_app = typer.Typer(
    help="Le plan d'appel : ce qu'un brouillon changerait, sa publication, le retour en arrière.", no_args_is_help=True
)

PlanFolder = Annotated[Path | None, typer.Argument(help="Dossier du brouillon ; par défaut IVR_PLAN.")]
Note = Annotated[str, typer.Option(help="Pourquoi, en une phrase.")]
Author = Annotated[str, typer.Option(help="Qui publie ; par défaut l'utilisateur de la machine.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Sans demander.")]


@plan_app.command("test")
def rehearse(plan: PlanFolder = None) -> None:
    """Jouer les cas de tests.yaml : un par ligne, et ce qui ne va pas."""
    from ivr.commands import rehearsing  # noqa: PLC0415 - each command imports what it needs

    rehearsing.rehearse(plan)


@plan_app.command("diff")
def diff(plan: PlanFolder = None) -> None:
    """Dire en français ce que le brouillon changerait de ce qui est publié."""
    from ivr.commands import publishing  # noqa: PLC0415 - each command imports what it needs

    publishing.diff(plan)


@plan_app.command("publish")
def publish(plan: PlanFolder = None, note: Note = "", author: Author = "", *, yes: Yes = False) -> None:
    """Publier le brouillon : vérifié, montré, puis servi par tous ; les appels en cours finissent sur leur version."""
    from ivr.commands import publishing  # noqa: PLC0415

    publishing.publish(plan, note, author, yes=yes)


@plan_app.command("rollback")
def rollback(
    version: Annotated[int | None, typer.Argument(help="Numéro ; par défaut la version d'avant.")] = None,
    note: Note = "",
    author: Author = "",
    *,
    yes: Yes = False,
) -> None:
    """Revenir à une version : elle est publiée de nouveau, sous un nouveau numéro."""
    from ivr.commands import publishing  # noqa: PLC0415

    publishing.rollback(version, note, author, yes=yes)


@plan_app.command("history")
def history(last: Annotated[int, typer.Option(help="Combien.")] = 20) -> None:
    """Les versions publiées, la plus récente d'abord."""
    from ivr.commands import publishing  # noqa: PLC0415

    publishing.history(last)


@plan_app.command("show")
def show(
    version: Annotated[int, typer.Argument(help="Numéro de la version.")],
    out: Annotated[Path | None, typer.Option(help="Dossier (nouveau) où écrire ses fichiers.")] = None,
) -> None:
    """Une version : qui, quand, pourquoi, ce qu'elle a changé ; avec --out, ses fichiers."""
    from ivr.commands import publishing  # noqa: PLC0415

    publishing.show(version, out)
