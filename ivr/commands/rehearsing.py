"""The work of `ivr plan test`: the cases of a plan, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ivr.commands.terminal import ERR, OUT
from ivr.plan import format_faults, has_errors, load
from ivr.plan.rehearsal import rehearse_all, results
from ivr.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def rehearse(plan: Path | None) -> None:
    """Play every case; exit 1 if one does not come out as it says, or if the plan itself is at fault."""
    loaded = load(plan or Settings().plan)
    if loaded.plan is None or has_errors(loaded.faults):
        ERR.print(format_faults(loaded.faults), markup=False, soft_wrap=True)
        raise typer.Exit(1)
    if not loaded.cases:
        OUT.print(f"Aucun cas : {loaded.folder}/tests.yaml n'existe pas, ou est vide.", markup=False)
        return
    good = 0
    for result in results(loaded):
        good += result.wrong is None
        OUT.print("[green]✓[/green] " if result.wrong is None else "[red]✗[/red] ", end="")
        OUT.print(result.case.name, markup=False)
    faults = rehearse_all(loaded)
    if faults:
        ERR.print(format_faults(faults), markup=False, soft_wrap=True)
    OUT.print(f"{good} cas sur {len(loaded.cases)} donnent ce qu'ils attendent.")
    if faults:
        raise typer.Exit(1)
