"""The calendar that calls see: the plan in force, what is forced, and the hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.core.schedule import ALWAYS_OPEN
from ivr.plan.calendar import calendar

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.core.plan import HoursId, Plan
    from ivr.core.schedule import Calendar
    from ivr.publish.states import States

GOOD_FOR_MS: Final = 60_000
"""A calendar is made anew so often: its spans reach further than that."""

_log = log.get("hours")


class HoursNow:
    """Made when it is asked for, and kept for a minute, or until the plan or the states are others.

    `clock` is that of those who look into it, `ahead` by how much it is ahead of the time that people go by.
    `alert` is told how many schedules cannot be worked out, whose hours count as open; that is logged once.
    """

    def __init__(
        self,
        *,
        plan: Callable[[], Plan],
        states: Callable[[], States],
        clock: Callable[[], int],
        ahead: Callable[[], int] = lambda: 0,
        alert: Callable[[int], object] = lambda _count: None,
    ) -> None:
        self._plan = plan
        self._states = states
        self._clock = clock
        self._ahead = ahead
        self._alert = alert
        self._unknown: set[HoursId] = set()
        self._made: Calendar = ALWAYS_OPEN
        self._for: tuple[str, States] | None = None
        self._until = 0

    def __call__(self) -> Calendar:
        """Return what holds now, and in the hours to come."""
        plan, states, now = self._plan(), self._states(), self._clock()
        if now >= self._until or self._for != (plan.version, states):
            self._made = self._work_out(plan, states, now)
            self._for, self._until = (plan.version, states), now + GOOD_FOR_MS
        return self._made

    def _work_out(self, plan: Plan, states: States, now: int) -> Calendar:
        unknown: set[HoursId] = set()

        def told(name: HoursId, why: str) -> None:
            if name not in self._unknown | unknown:
                _log.error("hours cannot be worked out, and count as open", hours=name, reason=why)
            unknown.add(name)

        ahead = self._ahead()
        made = calendar(plan, now - ahead, states.of_calendar(), alert=told).near(now - ahead)
        made = made.shifted(ahead) if ahead else made
        if self._unknown and not unknown:
            _log.info("all hours can be worked out again")
        self._unknown = unknown
        self._alert(len(unknown))
        return made
