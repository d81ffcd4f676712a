"""Whether events still come over a connection that carries requests.

Asterisk (seen on 22.10.1) can leave an application without a listener: while a socket under its
name is torn down, another that opens finds the name taken away, is told nothing, has its
requests answered and never gets an event (`app_update` in res/stasis/app.c). No request tells;
an event that must come back does.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from ivr.ari.errors import AriDeaf, Conflict, NotFound

if TYPE_CHECKING:
    from ivr.ari.resources import Applications, Bridges
    from ivr.ari.wire import Message

PROOF: Final = "BridgeDestroyed"
_TRIES: Final = 3
_DOUBLINGS: Final = 3


class Hearing:
    """Makes an empty bridge, subscribes to it, ends it, and waits for the event that says so.

    The bridge's name is the application's: what a broken connection left is used, and ended, by the next.
    """

    def __init__(self, app: str, bridges: Bridges, applications: Applications) -> None:
        self.bridge = f"hearing.{app}"
        self.events = 0
        """How many events came, of any kind."""
        self._app = app
        self._bridges = bridges
        self._applications = applications
        self._proved = asyncio.Event()
        self._in_vain = 0

    def note(self, message: Message) -> bool:
        """An event came; True when it is none of anybody else's business."""
        self.events += 1
        if message.type != PROOF:
            return False
        if message.bridge is not None and message.bridge.id == self.bridge:
            self._proved.set()
        return True

    async def prove(self, within_ms: int) -> None:
        """Events come; AriDeaf when none came so long after Asterisk had answered all, other AriErrors as they are.

        After each proof in vain the next may take twice as long, up to 8 times: an Asterisk that is only slow is
        not given up for ever.
        """
        within_ms <<= min(self._in_vain, _DOUBLINGS)
        self._proved.clear()
        for left in reversed(range(_TRIES)):
            try:
                await self._ask()
                break
            except NotFound:  # the end of another connection's bridge came in between
                if not left:
                    raise
        try:
            async with asyncio.timeout(within_ms / 1000):
                await self._proved.wait()
        except TimeoutError:
            self._in_vain += 1
            raise AriDeaf(self._app, within_ms) from None
        self._in_vain = 0

    async def stay_sure(self, silence_ms: int, within_ms: int) -> None:
        """Events come, for ever: after every silence of that length they are asked to prove it."""
        while True:
            before = self.events
            await asyncio.sleep(silence_ms / 1000)
            if self.events == before:
                await self.prove(within_ms)

    async def _ask(self) -> None:
        made = self._bridges.createWithId(bridgeId=self.bridge, type="mixing", lane=self.bridge)
        known = self._applications.subscribe(
            applicationName=self._app, eventSource=f"bridge:{self.bridge}", lane=self.bridge
        )
        ended = self._bridges.destroy(bridgeId=self.bridge, lane=self.bridge)
        with contextlib.suppress(Conflict):  # left over
            await made
        await known
        await ended
