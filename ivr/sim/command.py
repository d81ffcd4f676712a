"""What `ivr simulate` does once it has a plan and a Redis: run, show progress, print."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ivr.sim.contrast import compare as compare_plans
from ivr.sim.contrast import prepare
from ivr.sim.erlang import Traffic
from ivr.sim.load import Load
from ivr.sim.parallel import simulate_at_once, straight
from ivr.sim.show import show, show_theory
from ivr.sim.show_contrast import show_contrast
from ivr.sim.sounds import lengths
from ivr.sim.staff import staffed_by
from ivr.sim.theory import compare
from ivr.sim.town import Stretch
from ivr.traffic.gather import joined
from ivr.traffic.month import Period, next_midnight, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from ivr.core.plan import Plan, PromptId
    from ivr.sim.figures import Report
    from ivr.sim.recorded import Side
    from ivr.traffic.month import Month


@dataclass(frozen=True, slots=True)
class Asked:
    """A run as somebody asks for it. `sounds`: the folder of the built prompts, there or not."""

    plan: Plan
    texts: Mapping[PromptId, str]
    sounds: Path
    days: int
    calls: int
    seed: int
    agents: int | None = None
    load: Path | None = None
    record: Path | None = None
    """Where to put the days as a recorded month."""


def plan(urls: Sequence[str], asked: Asked, out: Console, err: Console, *, as_json: bool) -> bool:
    """Simulate a plan and print the report; whether no rule was broken."""
    made = asked.plan if asked.agents is None else staffed_by(asked.plan, asked.agents)
    load = Load.of(asked.plan) if asked.load is None else Load.read(asked.load, asked.plan)
    stretch = Stretch(
        plan=made,
        lengths=lengths(made.prompts, asked.texts, asked.sounds),
        load=load,
        days=asked.days,
        calls=asked.calls,
        seed=asked.seed,
        recorded=asked.record is not None,
    )
    with _progress(err, asked.calls) as tell:
        report = simulate_at_once(urls, stretch, tell)
    if asked.record is not None:
        write(_month_of(report), asked.record)
    if as_json:
        _print(report.facts(), out)
    else:
        show(report, out, made.name)
    return not report.violations


def theory(url: str, text: str, calls: int, seed: int, out: Console, *, as_json: bool) -> bool:
    """Hold the queue against theory and print; whether every wait is the recursion's."""
    traffic = Traffic.read(text)
    with straight(url) as redis:
        found = compare(redis, traffic, calls, seed)
    if as_json:
        _print(found.facts(), out)
    else:
        show_theory(found, out)
    return not found.differing


def _month_of(report: Report) -> Month:
    parts = report.recorded
    period = Period(f"{parts[0].name}..{parts[-1].name}", parts[0].start, next_midnight(parts[-1].start))
    return joined(parts, period)


def against(
    urls: Sequence[str],
    month: Month,
    sides: tuple[Side, Side],
    seed: int,
    out: Console,
    err: Console,
    *,
    as_json: bool,
) -> bool:
    """Live a month on the published plan and on a draft, and print both; whether no rule was broken."""
    published, draft = sides
    asked = prepare(month, published, draft, seed)
    with _progress(err, asked.calls) as tell:
        found = compare_plans(urls, asked, tell)
    if as_json:
        _print(found.facts(), out)
    else:
        show_contrast(found, draft.plan, out)
    return not found.violations


def _print(facts: dict[str, Any], out: Console) -> None:
    out.print(json.dumps(facts, ensure_ascii=False), highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress(err: Console, calls: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    columns = (TextColumn("appels"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("appels", total=calls)
        yield lambda ended: bar.update(task, completed=ended)
