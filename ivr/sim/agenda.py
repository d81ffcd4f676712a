"""The virtual clock: what will happen, in the order of its instant; what was put first comes first."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Event:
    """Something that will happen unless it is cancelled."""

    __slots__ = ("args", "at", "what")

    def __init__(self, at: int, what: Callable[..., None], args: tuple[Any, ...]) -> None:
        self.at = at
        self.what: Callable[..., None] | None = what
        self.args = args

    def cancel(self) -> None:
        """Let it not happen."""
        self.what = None


class Agenda:
    """Holds the instant, Unix ms, which only `step` moves, and never back."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._order = itertools.count()
        self._heap: list[tuple[int, int, Event]] = []

    def at(self, when: int, what: Callable[..., None], *args: Any) -> Event:
        """Let something happen at an instant, or now if that has passed."""
        event = Event(max(when, self.now), what, args)
        heapq.heappush(self._heap, (event.at, next(self._order), event))
        return event

    def after(self, ms: int, what: Callable[..., None], *args: Any) -> Event:
        """Let something happen so much later."""
        return self.at(self.now + ms, what, *args)

    def next_at(self) -> int | None:
        """The instant of what comes next."""
        heap = self._heap
        while heap and heap[0][2].what is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def step(self) -> None:
        """Let the next thing happen; `next_at` said that there is one."""
        self.now, _, event = heapq.heappop(self._heap)
        if event.what is not None:
            event.what(*event.args)
