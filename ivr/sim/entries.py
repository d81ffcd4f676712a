"""What the books of a simulation write down: of agents, of lines, of callers."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ivr.core.plan import TopicId

Place = tuple[int, str]
"""Where a caller stands in a line: by arrival less what their right of way is worth, then by name."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant (its number in the design; 0: the queue's own account differs) that did not hold."""

    invariant: int
    at: int
    what: str


class AgentEntry:
    """What the books know of one agent: `held` until that instant by a wrap or a cool-down, `rests` by a pause."""

    __slots__ = ("free", "held", "here", "lines", "misses", "paused", "phone", "rests", "short", "staff", "token")

    def __init__(self, lines: tuple[LineEntry, ...]) -> None:
        self.lines = lines
        self.here = self.paused = self.short = self.free = self.staff = False
        self.held = self.rests = self.misses = 0
        self.token = self.phone = ""


class LineEntry:
    """The callers of a topic at one step of its widening: `free` and `crew` count who may answer them."""

    __slots__ = ("apart", "crew", "free", "name", "next", "next_ms", "ringing", "topic", "waiting")

    def __init__(self, topic: TopicId, step: int) -> None:
        self.topic = topic
        self.name = f"{topic}~{step}"
        self.next: LineEntry | None = None
        self.next_ms = 0
        self.waiting: list[Place] = []
        self.ringing: list[Place] = []
        self.free = self.crew = 0
        self.apart: int | None = None


class CallerEntry:
    """What the books know of one caller; `stands` while nobody rings for them. A token maps to whether they talk."""

    __slots__ = ("arrival", "bridge", "heard", "line", "outcome", "place", "promised", "reason", "ringing", "since",
                 "stands", "talked", "tokens")  # fmt: skip

    def __init__(self, call: str, arrival: int) -> None:
        self.arrival = arrival
        self.place: Place = (arrival, call)
        self.reason = ""
        self.since = 0
        self.line: LineEntry | None = None
        self.ringing: LineEntry | None = None
        self.stands = False
        self.tokens: dict[str, bool] = {}
        self.bridge = self.outcome = ""
        self.talked = self.heard = self.promised = False


def remove(line: list[Place], item: Place) -> None:
    """Take an item out of a sorted list, if it is there."""
    n = bisect_left(line, item)
    if n < len(line) and line[n] == item:
        del line[n]
