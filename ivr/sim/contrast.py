"""A month on two plans, side by side: what changes, and how sure that is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ivr.sim.bootstrap import Bootstrap
from ivr.sim.figures import BRIEF_MS, SERVICE_MS, Tally
from ivr.sim.parallel import live_at_once
from ivr.sim.recorded import Replay
from ivr.traffic.month import date_of, midnight_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ivr.sim.bootstrap import Contrast
    from ivr.sim.figures import Day
    from ivr.sim.parallel import Job
    from ivr.sim.recorded import Notes, Side
    from ivr.traffic.month import Month

FEW_DAYS: Final = 5
TIMES: Final = 12
"""About how many days are lived where there are fewer than `FEW_DAYS`."""
_WAITS: Final = {"wait_p50_s": 0.5, "wait_p90_s": 0.9}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to be lived: `days` by their midnights, each `times` over, before and after in the same order."""

    month: Month
    days: tuple[int, ...]
    times: int
    before: tuple[Job, ...]
    after: tuple[Job, ...]
    notes: tuple[Notes, Notes]
    seed: int

    @property
    def calls(self) -> int:
        """How many calls will be lived, on both plans and as often as it takes."""
        return sum(len(job.visitors) for job in (*self.before, *self.after))


def prepare(month: Month, published: Side, draft: Side, seed: int) -> Prepared:
    """Draw what is to be lived. Where there are few days, each is lived several times, by different chances."""
    replay = Replay(month, seed)
    days = days_that_differ(replay, published, draft)
    times = 1 if len(days) >= FEW_DAYS else -(-TIMES // len(days))
    before, after = [], []
    notes = None
    for n in range(times):
        again = replay if n == 0 else Replay(month, seed + n)
        first, notes_before = again.jobs(published, f"before-{n}", days)
        second, notes_after = again.jobs(draft, f"after-{n}", days)
        before += first
        after += second
        notes = notes or (notes_before, notes_after)
    assert notes is not None  # noqa: S101 - lived once at least
    return Prepared(month, tuple(days), times, tuple(before), tuple(after), notes, seed)


@dataclass(frozen=True, slots=True)
class Compared:
    """The figures of both, of everybody and by topic; `recorded`: those of the month itself, on the days lived."""

    asked: Prepared
    recorded: dict[str, float | None]
    figures: dict[str, Contrast]
    topics: dict[str, dict[str, Contrast]]
    violations: int
    first_violations: tuple[str, ...]
    wall_s: float

    @property
    def month(self) -> Month:
        """The month that was lived again."""
        return self.asked.month

    @property
    def calls(self) -> int:
        """How many calls were recorded on the days that were lived."""
        return len(self.asked.before) and self.asked.calls // 2 // self.asked.times

    def facts(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        before, after = self.asked.notes
        return {
            "month": self.month.name,
            "site": self.month.site,
            "calls": self.calls,
            "days": [date_of(midnight) for midnight in self.asked.days],
            "times": self.asked.times,
            "recorded": {name: None if value is None else round(value, 4) for name, value in self.recorded.items()},
            "figures": {name: _facts(contrast) for name, contrast in self.figures.items()},
            "topics": {
                topic: {name: _facts(contrast) for name, contrast in found.items()}
                for topic, found in self.topics.items()
            },
            "misrouted": misrouted(self.month),
            "published_notes": _notes(before),
            "draft_notes": _notes(after),
            "month_notes": self.month.notes,
            "violations": self.violations,
            "first_violations": list(self.first_violations),
            "wall_s": round(self.wall_s, 2),
        }


def compare(urls: Sequence[str], asked: Prepared, tell: Callable[[int], None] | None = None) -> Compared:
    """Live the days on both plans, each by itself, and hold them against each other."""
    began = time.monotonic()
    lived = live_at_once(urls, [*asked.before, *asked.after], tell)
    first, second = lived[: len(asked.before)], lived[len(asked.before) :]
    boot = Bootstrap(len(first), asked.seed)
    topics = sorted({topic for day in lived for topic in day.tallies})
    broken = [violation for day in lived for violation in day.first_violations]
    return Compared(
        asked=asked,
        recorded=measured(asked.month, asked.days),
        figures=_overall(boot, first, second),
        topics={topic: _of_topic(boot, topic, first, second) for topic in topics},
        violations=sum(day.violations for day in lived),
        first_violations=tuple(f"{one.invariant}: {one.what}" for one in broken[:10]),
        wall_s=time.monotonic() - began,
    )


def days_that_differ(replay: Replay, published: Side, draft: Side) -> list[int]:
    """The days worth living: all of them, or those of which it is asked who is away where nothing else differs."""
    if published.plan.version == draft.plan.version and draft.without:
        return [midnight for midnight in replay.days if midnight in draft.without]
    return replay.days


def measured(month: Month, days: Sequence[int]) -> dict[str, float | None]:
    """What the month itself shows, by the same measures: how far its reliving may be believed."""
    lived = set(days)
    calls = [call for call in month.calls if midnight_of(call.at) in lived]
    waits = [call.waited / 1000 for call in calls if call.end == "answered" and call.waited is not None]
    joined = sum(call.waited is not None for call in calls)
    long_enough = sum(call.waited is not None and (call.end == "answered" or call.waited >= BRIEF_MS) for call in calls)
    found = {
        "answer_rate": len(waits) / joined if joined else None,
        "service_level": sum(wait <= SERVICE_MS / 1000 for wait in waits) / long_enough if long_enough else None,
        **{name: float(np.quantile(waits, q)) if waits else None for name, q in _WAITS.items()},
    }
    for outcome in ("informed", "left", "promised"):
        found[outcome] = sum(call.outcome == outcome for call in calls) / len(calls) if calls else None
    return found


def _overall(boot: Bootstrap, before: Sequence[Day], after: Sequence[Day]) -> dict[str, Contrast]:
    figures = {
        "answer_rate": boot.share(*_each(before, after, _answered)),
        "service_level": boot.share(*_each(before, after, _in_time)),
    }
    for name, q in _WAITS.items():
        figures[name] = boot.quantile(q, *_each(before, after, lambda day: _waits(day.tallies.values())))
    for outcome in ("informed", "left", "promised"):
        # Bound now: the loop goes on before it is called.
        figures[outcome] = boot.share(
            *_each(before, after, lambda day, one=outcome: (day.outcomes[one], day.outcomes.total()))  # type: ignore[misc]
        )
    return figures


def _of_topic(boot: Bootstrap, topic: str, before: Sequence[Day], after: Sequence[Day]) -> dict[str, Contrast]:
    def tally(day: Day) -> Tally:
        return day.tallies.get(topic) or Tally()

    figures = {
        "asked": boot.share(*_each(before, after, lambda day: (tally(day).asked, 1))),
        "answer_rate": boot.share(*_each(before, after, lambda day: (len(tally(day).answered), tally(day).asked))),
        "promised": boot.share(*_each(before, after, lambda day: (tally(day).promised, tally(day).asked))),
    }
    for name, q in _WAITS.items():
        figures[name] = boot.quantile(q, *_each(before, after, lambda day: _waits([tally(day)])))
    return figures


def _each(before: Sequence[Day], after: Sequence[Day], of: Callable[[Day], Any]) -> tuple[list[Any], list[Any]]:
    return [of(day) for day in before], [of(day) for day in after]


def _answered(day: Day) -> tuple[int, int]:
    return day.outcomes["answered"], sum(tally.asked for tally in day.tallies.values())


def _in_time(day: Day) -> tuple[int, int]:
    tallies = day.tallies.values()
    return sum(tally.in_time for tally in tallies), sum(tally.asked - tally.brief for tally in tallies)


def _waits(tallies: Iterable[Tally]) -> list[float]:
    return [wait / 1000 for tally in tallies for wait in tally.answered]


def _facts(contrast: Contrast) -> dict[str, float | bool | None]:
    def told(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "before": told(contrast.before),
        "after": told(contrast.after),
        "change": told(contrast.change),
        "low": told(contrast.low),
        "high": told(contrast.high),
        "sure": contrast.sure,
    }


def _notes(notes: Notes) -> dict[str, Any]:
    return {
        "moved": notes.moved,
        "unreached": dict(notes.unreached),
        "like": dict(notes.like),
        "never_there": list(notes.unknown),
        "gone": list(notes.gone),
    }


def misrouted(month: Month) -> dict[str, dict[str, int]]:
    """By topic: of how many answered callers it is known, by a word of the agent or a second call, that they erred."""
    found: dict[str, dict[str, int]] = {}
    for call in month.calls:
        if call.topic and call.end == "answered":
            of = found.setdefault(call.topic, {"answered": 0, "misrouted": 0})
            of["answered"] += 1
            of["misrouted"] += call.misrouted
    return found
