"""`ivr check`: everything that is wrong with a plan, for a person, an editor or a code host."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.commands.terminal import OUT
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.core.plan import Plan
    from ivr.plan import Fault


class Language(StrEnum):
    """The language of the sentences."""

    FR = "fr"
    EN = "en"


class Form(StrEnum):
    """How faults are written: for people and editors, as JSON, as annotations of GitHub, as GitLab's code quality."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"


def check(
    plan: Annotated[Path | None, typer.Argument(help="Dossier du plan ; par défaut IVR_PLAN.")] = None,
    *,
    language: Annotated[Language, typer.Option(help="Langue des phrases.")] = Language.FR,
    strict: Annotated[bool, typer.Option("--strict", help="Un avertissement arrête aussi.")] = False,
    form: Annotated[Form, typer.Option("--format", help="text, json, github ou gitlab.")] = Form.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="Comme --format json.")] = False,
    prompts: Annotated[
        Path | None, typer.Option(help="Dossier des sons construits : vérifier aussi qu'ils y sont tous.")
    ] = None,
) -> None:
    """Dire tout ce qui ne va pas dans un plan : fichier, ligne, colonne, et quoi faire. Sortie 0 ou 1."""
    from ivr.plan import load  # noqa: PLC0415 - each command imports what it needs: `ivr --help` is quick
    from ivr.plan.rehearsal import rehearse_all  # noqa: PLC0415

    loaded = load(plan or Settings().plan, now=datetime.now(UTC))
    faults = list(loaded.faults)
    if loaded.plan is not None:
        faults += rehearse_all(loaded)
        if prompts is not None:
            from ivr.prompts import missing  # noqa: PLC0415

            faults += missing(loaded, prompts)
    errors = sum(fault.severity == "error" for fault in faults)
    ok = loaded.plan is not None and not errors and not (strict and faults)
    _print(faults, Form.JSON if as_json else form, language.value, loaded.plan, ok=ok)
    if not ok:
        raise typer.Exit(1)


def _print(faults: Sequence[Fault], form: Form, language: str, plan: Plan | None, *, ok: bool) -> None:
    from ivr.plan import report  # noqa: PLC0415

    match form:
        case Form.TEXT:
            for line in report.lines(faults, language):
                OUT.print(line.text, style=line.style if OUT.is_terminal else None, markup=False, soft_wrap=True)
            OUT.print(report.summary(faults, plan, language, ok=ok), markup=False, soft_wrap=True)
        case Form.JSON:
            typer.echo(report.as_json(faults, ok=ok))
        case Form.GITHUB:
            typer.echo("\n".join(report.as_github(faults, language)))
        case Form.GITLAB:
            typer.echo(report.as_gitlab(faults, language))
