"""What `ivr simulate` does once it has a plan and a Redis: run, show progress, print."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ivr.sim.erlang import Traffic
from ivr.sim.load import Load
from ivr.sim.parallel import simulate_at_once, straight
from ivr.sim.show import show, show_theory
from ivr.sim.sounds import lengths
from ivr.sim.staff import staffed_by
from ivr.sim.theory import compare
from ivr.sim.town import Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from ivr.core.plan import Plan, PromptId


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
    )
    with _progress(err, asked.calls) as tell:
        report = simulate_at_once(urls, stretch, tell)
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


def _print(facts: dict[str, Any], out: Console) -> None:
    out.print(json.dumps(facts, ensure_ascii=False), highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress(err: Console, calls: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    columns = (TextColumn("appels"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("appels", total=calls)
        yield lambda ended: bar.update(task, completed=ended)
