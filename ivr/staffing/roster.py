"""Brings leave, substitutes and crises to the queue at the instant at which they begin and end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.core.staffing import Staffing, staffing_at
from ivr.queueing.errors import QueueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ivr.core.plan import Plan
    from ivr.core.schedule import Crisis
    from ivr.staffing.feeds import Feeds

LOOK_S: Final = 0.25
"""Between two looks whether something began or ended."""
TELL_AGAIN_S: Final = 30.0
"""The queue is told anew, whoever told it otherwise: a worker that came up with an older copy of a calendar."""
READ_EVERY_S: Final = 10.0
"""Between two looks at what other workers learnt from the feeds, and whether one of them is due."""

_log = log.get("roster")


async def _nobody() -> None:
    """There is no queue yet."""


class Roster:
    """Who is there now. `staffing` is what holds at this instant; `run` tells the queue of each change.

    `plan` and `crisis` are asked at each look. `tell`, to be set before `run`, puts the routing of what `staffing`
    returns in force.
    """

    def __init__(
        self,
        *,
        plan: Callable[[], Plan],
        clock: Callable[[], int],
        feeds: Feeds,
        crisis: Callable[[], Crisis | None] = lambda: None,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._feeds = feeds
        self.tell: Callable[[], Awaitable[None]] = _nobody
        self._crisis = crisis
        self._told: Staffing | None = None

    def staffing(self) -> Staffing:
        """Return who is on leave, who stands in and who is called in now."""
        plan = self._plan()
        return staffing_at(plan, self._clock(), self._feeds.absences(plan), self._crisis())

    async def run(self) -> None:
        """Tell the queue whenever what holds is another than it was told, and now and then. For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read())
            group.create_task(self._watch())

    async def _read(self) -> None:
        while True:
            await self._feeds.read()
            await self._feeds.refresh(self._plan())
            await asyncio.sleep(READ_EVERY_S)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        due = 0.0
        while True:
            now = self.staffing()
            if now != self._told or loop.time() >= due:
                try:
                    await self.tell()
                except QueueError as error:
                    _log.debug("the queue does not know yet who is there", reason=str(error))
                else:
                    self._say(now)
                    self._told, due = now, loop.time() + TELL_AGAIN_S
            await asyncio.sleep(LOOK_S)

    def _say(self, now: Staffing) -> None:
        if self._told is None or (now.leave.keys(), now.called_in) != (self._told.leave.keys(), self._told.called_in):
            _log.info("who is there", on_leave=sorted(now.leave), called_in=list(now.called_in))
