"""The proof of a plan, with its progress: some seconds, of `ivr prove` and of `ivr plan publish`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ivr.prove.proof import prove

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.core.plan import Plan
    from ivr.prove.proof import Proof


def proof_of(plan: Plan, texts: Mapping[str, str]) -> Proof:
    """Return the proof; `texts`: what prompts say, for its story. The bar is of a terminal, and goes away."""
    columns = (TextColumn("preuve du plan"), BarColumn(), TextColumn("{task.completed} états"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("")
        return prove(plan, texts, on_progress=lambda done, known: bars.update(bar, completed=done, total=known))
