"""`ivr doctor`, as town staff see it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from ivr.doctor.finding import SECTIONS, Finding, plural
from ivr.settings import Settings

_OUT: Final = Console(highlight=False)
_ERR: Final = Console(stderr=True, highlight=False)
_MARKS: Final = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "fault": ("✗", "bold red")}


def doctor(
    *,
    call: Annotated[bool, typer.Option("--call", help="Appeler aussi le numéro du site, par la vraie ligne.")] = False,
    prompts: Annotated[
        Path | None, typer.Option(help="Dossier des messages construits ; sinon celui d'Asterisk.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="En JSON, pour un programme.")] = False,
) -> None:
    """Examiner toute l'installation : ce qui ne va pas, où, et quoi taper. Ne change rien ; 1 s'il y a une panne."""
    found = asyncio.run(_examine(Settings(), call=call, prompts=prompts, as_json=as_json))
    faults = sum(finding.level == "fault" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    if as_json:
        report = {"ok": not faults, "findings": [asdict(finding) for finding in found]}
        _OUT.print(json.dumps(report, ensure_ascii=False, indent=2), markup=False, soft_wrap=True)
    elif faults or warnings:
        _OUT.print(f"{plural(faults, 'panne')}, {plural(warnings, 'avertissement')}.")
    else:
        _OUT.print("Tout va bien.")
    if faults:
        raise typer.Exit(1)


async def _examine(settings: Settings, *, call: bool, prompts: Path | None, as_json: bool) -> list[Finding]:
    from ivr.doctor.examine import examine  # noqa: PLC0415 - each command imports what it needs

    everything: list[Finding] = []
    with _ERR.status("…") as status:
        parts = examine(
            settings,
            prompts=prompts,
            call=call,
            looking=lambda section: status.update(f"{SECTIONS[section]} …"),
        )
        async for findings in parts:
            everything += findings
            if not as_json:
                for finding in findings:
                    _OUT.print(shown(finding), soft_wrap=True)
    return everything


def shown(finding: Finding) -> Text:
    """A finding as lines of a terminal."""
    mark, style = _MARKS[finding.level]
    text = Text.assemble((f"{mark} ", style), (f"{SECTIONS[finding.section]} : ", "bold"), finding.what)
    if finding.where:
        text.append(f"  [{finding.where}]", style="dim")
    if finding.cure:
        text.append(f"\n    → {finding.cure}")
    return text
