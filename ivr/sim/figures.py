"""What a run comes to: how many were answered, how long they waited, how busy the agents were."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ivr.sim.books import KEPT
from ivr.sim.levels import Level
from ivr.sim.load import QUARTER_MS, QUARTERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivr.sim.entries import Violation
    from ivr.traffic.month import Month

SERVICE_MS: Final = 60_000
BRIEF_MS: Final = 10_000
"""Who leaves a line sooner has not waited: left out of the service level, and counted apart."""


class _Stay:
    """One caller's time in line."""

    __slots__ = ("ended", "since", "topic")

    def __init__(self, topic: str, since: int) -> None:
        self.topic = topic
        self.since = since
        self.ended: int | None = None


@dataclass(slots=True)
class Tally:
    """The callers of one topic: how many asked for it, were answered, left at once, and how long they waited (ms)."""

    asked: int = 0
    brief: int = 0
    in_time: int = 0
    promised: int = 0
    answered: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)

    def add(self, more: Tally) -> None:
        """Count those of another day too."""
        self.asked += more.asked
        self.brief += more.brief
        self.in_time += more.in_time
        self.promised += more.promised
        self.answered += more.answered
        self.others += more.others


class Figures:
    """Hears of joins, bridges and ends; a wait runs from the first join to the bridge, or to the end of the wait."""

    def __init__(self, midnight: int) -> None:
        self._stays: dict[str, _Stay] = {}
        self.waiting = Level(midnight)
        self.tallies: dict[str, Tally] = {}

    def joined(self, call: str, topic: str, now: int) -> None:
        """A caller waits for people; only the first time counts."""
        if call not in self._stays:
            self._stays[call] = _Stay(topic, now)
            self.waiting.add(1, now)

    def bridged(self, call: str, now: int) -> None:
        """A caller is answered."""
        self._ends(call, now, answered=True)

    def stopped(self, call: str, now: int) -> None:
        """A caller waits no more: gone, or told that nobody can answer."""
        self._ends(call, now, answered=False)

    def over(self, call: str, outcome: str, now: int) -> None:
        """The call is over."""
        self.stopped(call, now)
        if outcome == "promised" and (stay := self._stays.get(call)) is not None:
            self.tallies[stay.topic].promised += 1

    def _ends(self, call: str, now: int, *, answered: bool) -> None:
        stay = self._stays.get(call)
        if stay is None or stay.ended is not None:
            return
        stay.ended = now
        self.waiting.add(-1, now)
        wait = now - stay.since
        tally = self.tallies.setdefault(stay.topic, Tally())
        tally.asked += 1
        tally.in_time += answered and wait <= SERVICE_MS
        tally.brief += not answered and wait < BRIEF_MS
        (tally.answered if answered else tally.others).append(wait)


def spread(waits: Sequence[int]) -> dict[str, float]:
    """Mean and percentiles in seconds; zeros of nobody."""
    if not waits:
        return {"mean": 0.0, "p50": 0.0, "p90": 0.0, "p99": 0.0}
    values = np.asarray(waits) / 1000
    p50, p90, p99 = np.percentile(values, (50, 90, 99))
    return {
        "mean": round(float(values.mean()), 2),
        "p50": round(float(p50), 2),
        "p90": round(float(p90), 2),
        "p99": round(float(p99), 2),
    }


@dataclass(slots=True)
class Day:
    """What one day came to, or several: days add up. Sums over time are in unit x ms."""

    outcomes: Counter[str] = field(default_factory=Counter)
    violations: int = 0
    first_violations: list[Violation] = field(default_factory=list)
    overtakings: Counter[str] = field(default_factory=Counter)
    tallies: dict[str, Tally] = field(default_factory=dict)
    arrivals: list[int] = field(default_factory=lambda: [0] * QUARTERS)
    waiting: list[int] = field(default_factory=lambda: [0] * QUARTERS)
    staff: list[int] = field(default_factory=lambda: [0] * QUARTERS)
    present: int = 0
    busy: int = 0
    talking: int = 0
    peak_waiting: int = 0
    missed: int = 0
    commands: int = 0
    month: Month | None = None
    """The day as it was recorded, if it was; days do not add theirs up."""

    def add(self, more: Day) -> None:
        """Count another day too."""
        self.outcomes += more.outcomes
        self.violations += more.violations
        self.first_violations += more.first_violations
        self.overtakings += more.overtakings
        for topic, tally in more.tallies.items():
            self.tallies.setdefault(topic, Tally()).add(tally)
        for name in ("arrivals", "waiting", "staff"):
            ours, theirs = getattr(self, name), getattr(more, name)
            setattr(self, name, [one + other for one, other in zip(ours, theirs, strict=True)])
        for name in ("present", "busy", "talking", "missed", "commands"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.peak_waiting = max(self.peak_waiting, more.peak_waiting)


@dataclass(frozen=True, slots=True)
class Report:
    """Simulated days of a town hall, all together."""

    days: int
    agents: int
    calls: int
    all: Day
    wall_s: float
    recorded: tuple[Month, ...] = ()

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many calls ended in each way."""
        return self.all.outcomes

    @property
    def violations(self) -> int:
        """How often an invariant did not hold."""
        return self.all.violations

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """The callers by topic."""
        return self.all.tallies

    @property
    def occupancy(self) -> float:
        """The share of the agents' presence that calls take: ringing, talk and wrap-up."""
        return self.all.busy / max(1, self.all.present)

    @property
    def talking(self) -> float:
        """The share of the agents' presence that talks take."""
        return self.all.talking / max(1, self.all.present)

    def mean_day(self, name: Literal["arrivals", "waiting", "staff"]) -> list[float]:
        """Calls, waiting callers or present agents by quarter of an hour of the mean day."""
        unit = 1 if name == "arrivals" else QUARTER_MS
        return [value / unit / self.days for value in getattr(self.all, name)]

    def _all(self, name: Literal["answered", "others"]) -> list[int]:
        return [wait for tally in self.tallies.values() for wait in getattr(tally, name)]

    @property
    def joined(self) -> int:
        """Callers who waited for people."""
        return sum(tally.asked for tally in self.tallies.values())

    @property
    def brief(self) -> int:
        """Of them, those who left within 10 s."""
        return sum(tally.brief for tally in self.tallies.values())

    @property
    def service_level(self) -> float:
        """Answered within 60 s of joining, of all who joined but those who left within 10 s."""
        return sum(tally.in_time for tally in self.tallies.values()) / max(1, self.joined - self.brief)

    @property
    def answer_rate(self) -> float:
        """Answered by a person, of all who waited for one (the State's measure: the menu is left out)."""
        return self.outcomes.get("answered", 0) / max(1, self.joined)

    def facts(self) -> dict[str, Any]:
        """Everything, ready for JSON; answered, informed, left and promised sum to calls."""
        return {
            "calls": self.calls,
            **{name: self.outcomes.get(name, 0) for name in ("answered", "informed", "left", "promised")},
            "violations": self.violations,
            "overtakings_unexplained": self.all.overtakings["unexplained"],
            "overtakings": {name: n for name, n in sorted(self.all.overtakings.items()) if name != "unexplained"},
            "wait_s": spread(self._all("answered")),
            "wait_of_others_s": spread(self._all("others")),
            "service_level": round(self.service_level, 4),
            "service_level_of": self.joined - self.brief,
            "joined": self.joined,
            "left_within_10_s": self.brief,
            "answer_rate": round(self.answer_rate, 4),
            "occupancy": round(self.occupancy, 4),
            "talking": round(self.talking, 4),
            "agents": self.agents,
            "days": self.days,
            "missed_rings": self.all.missed,
            "peak_waiting": self.all.peak_waiting,
            "topics": {topic: self._of(tally) for topic, tally in sorted(self.tallies.items())},
            "first_violations": [
                {"invariant": broken.invariant, "at": broken.at, "what": broken.what}
                for broken in self.all.first_violations[:KEPT]
            ],
            "queue_commands": self.all.commands,
            "wall_s": round(self.wall_s, 2),
        }

    def _of(self, tally: Tally) -> dict[str, Any]:
        return {"joined": tally.asked, "answered": len(tally.answered), "wait_s": spread(tally.answered)}
