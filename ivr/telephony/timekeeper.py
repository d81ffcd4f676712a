"""What changes by the clock alone: when people answer, and who is on leave. Looked at again all the time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.core.schedule import ALWAYS_OPEN
from ivr.core.staffing import NONE, staffing_at
from ivr.queueing.errors import QueueError
from ivr.queueing.routing import routing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ivr.core.plan import Plan
    from ivr.core.schedule import Calendar
    from ivr.core.staffing import Absences
    from ivr.queueing.model import Routing
    from ivr.telephony.calls import Calls
    from ivr.telephony.settlement import Settlement

LOOK_EVERY_S: Final = 20.0
AGAIN_S: Final = 1.0
"""After a queue that could not be told."""

_log = log.get("timekeeper")


class Timekeeper:
    """Keeps the calendar of calls, and the queue's routing, as the plan has them at this hour.

    `calendar` makes one of a plan for an instant (Unix ms); `feeds` are the absences that calendars elsewhere show.
    """

    def __init__(
        self,
        *,
        wrap_ms: int | None,
        retired: Mapping[str, str] | None,
        calendar: Callable[[Plan, int], Calendar] = lambda _plan, _now: ALWAYS_OPEN,
        feeds: Callable[[], Absences] = lambda: NONE,
    ) -> None:
        self._wrap_ms = wrap_ms
        self._retired = retired
        self._calendar = calendar
        self._feeds = feeds
        self._told: Routing | None = None
        self._changed = asyncio.Event()
        self._again_ms = 0.0

    def begin(self, calls: Calls) -> Routing:
        """Return the routing to begin with; calls have their calendar."""
        self._told = self._look(calls)
        return self._told

    def change(self) -> None:
        """Something was forced, or is no longer: look at once."""
        self._changed.set()

    async def switch(self, calls: Calls, settlement: Settlement, retired: Mapping[str, str]) -> None:
        """Follow another version of the plan. Raises QueueError."""
        self._retired, self._told = retired, None
        await self.look(calls, settlement)

    async def look(self, calls: Calls, settlement: Settlement) -> None:
        """Look once; tell the queue what is new. Raises QueueError, and then it is told at the next look."""
        routing = self._look(calls)
        if routing != self._told:
            await settlement.switch(routing)
            self._told = routing

    def _look(self, calls: Calls) -> Routing:
        plan, now = calls.plans.current, calls.now()
        calendar = self._calendar(plan, now)
        calls.calendar = calendar.near(now)
        staffing = staffing_at(plan, now, self._feeds(), calendar.crisis_at(now))
        self._again_ms = LOOK_EVERY_S * 1000 if staffing.until is None else staffing.until - now
        return routing_of(plan, self._wrap_ms, self._retired, staffing)

    async def run(self, calls: Calls, settlement: Settlement) -> None:
        """Look whenever something ends or begins, and every 20 s."""
        while True:
            self._changed.clear()
            wait_s = LOOK_EVERY_S
            try:
                await self.look(calls, settlement)
                wait_s = min(LOOK_EVERY_S, max(0.0, self._again_ms / 1000))
            except QueueError as error:
                _log.debug("the queue does not know the hour's routing yet", reason=str(error))
                wait_s = AGAIN_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                pass
