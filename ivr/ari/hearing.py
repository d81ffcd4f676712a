"""Whether anything comes over a connection that Asterisk took.

Asterisk (seen on 22.10.1, some times in a hundred) can leave an application without a listener:
a socket that opens while another of its name is torn down stays open, its requests are answered
if the name still has subscriptions and else not even that, and no event ever comes
(`app_update` in res/stasis/app.c). No request tells; an event that must come back does.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from ivr.ari.errors import AriDeaf, AriTimeout, Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.ari.resources import Applications, Bridges
    from ivr.ari.wire import Message

PROOF: Final = "BridgeDestroyed"
_TRIES: Final = 3
_DOUBLINGS: Final = 3


class Hearing:
    """Makes an empty bridge, subscribes to it, ends it, and waits for the event that says so.

    The bridge's name is the application's: what a broken connection left is used, and ended, by the next.
    """

    def __init__(self, app: str, bridges: Bridges, applications: Applications, within_ms: int) -> None:
        self.bridge = f"hearing.{app}"
        self.events = 0
        """How many events came, of any kind."""
        self._app = app
        self._bridges = bridges
        self._applications = applications
        self._within_ms = within_ms
        self._proved = asyncio.Event()
        self._in_vain = 0

    @property
    def patience_ms(self) -> int:
        """How long is waited now: twice as long after each time in vain, up to 8 times.

        So an Asterisk that is only slow is not given up for ever.
        """
        return self._within_ms << min(self._in_vain, _DOUBLINGS)

    def note(self, message: Message) -> bool:
        """An event came; True when it is none of anybody else's business."""
        self.events += 1
        if message.type != PROOF:
            return False
        if message.bridge is not None and message.bridge.id == self.bridge:
            self._proved.set()
        return True

    async def begin(self, event_filter: Mapping[str, Any]) -> None:
        """The filter is set and events come; AriDeaf where they do not, other AriErrors as they are."""
        patience_ms = self.patience_ms
        try:
            await self._applications.filter(applicationName=self._app, filter=event_filter, timeout_ms=patience_ms)
        except AriTimeout:
            self._in_vain += 1
            raise AriDeaf(self._app, "answer", patience_ms) from None
        await self.prove()

    async def prove(self) -> None:
        """Events come; AriDeaf when none came although Asterisk had answered, other AriErrors as they are."""
        self._proved.clear()
        for left in reversed(range(_TRIES)):
            try:
                await self._ask()
                break
            except NotFound:  # the end of another connection's bridge came in between
                if not left:
                    raise
        patience_ms = self.patience_ms
        try:
            async with asyncio.timeout(patience_ms / 1000):
                await self._proved.wait()
        except TimeoutError:
            self._in_vain += 1
            raise AriDeaf(self._app, "event", patience_ms) from None
        self._in_vain = 0

    async def stay_sure(self, silence_ms: int) -> None:
        """Events come, for ever: after every silence of that length they are asked to prove it."""
        while True:
            before = self.events
            await asyncio.sleep(silence_ms / 1000)
            if self.events == before:
                await self.prove()

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
