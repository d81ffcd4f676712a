"""Callers whom the dialplan's fallback serves while no worker does: a crash of Asterisk is to lose none of them.

They are in no application, so no event tells of them and no record holds them: who they are is noted at each look at
Asterisk's channels, and a moment after they left our application.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.ari import AriError, NotFound
from ivr.ari.models import instant_ms
from ivr.core.caller import CallId
from ivr.telephony.ids import parse
from ivr.telephony.messages import left_by
from ivr.telephony.resync import in_application

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.ari import AriClient
    from ivr.ari.models import Channel

CONTEXTS: Final = frozenset({"caller", "fallback"})
"""Of extensions.conf: a caller on the way to a worker, and one whom the fallback has."""
MOMENT_S: Final = 1.0
"""From a caller's leaving our application until it is seen whether they are there still."""
CALLED, NUMBER, PRESENTATION = "IVR_CALLED", "IVR_CALLER", "IVR_PRES"


@dataclass(frozen=True, slots=True)
class Guest:
    """A caller whom the fallback serves: the words of extensions.conf; `arrival`: Unix ms, by Asterisk's clock."""

    call: CallId
    called: str
    number: str
    presentation: str
    arrival: int


class FallbackCallers:
    """Those of one node."""

    def __init__(self, ari: AriClient, app: str) -> None:
        self._ari = ari
        self._app = app
        self._known: dict[CallId, Guest] = {}
        self._left: set[CallId] = set()
        self._stirred = asyncio.Event()

    @property
    def known(self) -> frozenset[CallId]:
        """Return who is known to be there."""
        return frozenset(self._known)

    async def watch(self) -> None:
        """Note, for ever, who is there of those that left our application: they were given back, or taken from us."""
        while True:
            await self._stirred.wait()
            await asyncio.sleep(MOMENT_S)
            self._stirred.clear()
            left, self._left = self._left, set()
            for call in left:
                with contextlib.suppress(AriError):  # gone; or the look at the next connect sees them
                    await self._see(call)

    def left(self, call: CallId) -> None:
        """Note that a channel left our application: it is gone, or the dialplan has it."""
        self._left.add(call)
        self._stirred.set()

    async def look(self, channels: Sequence[Channel]) -> None:
        """Know who is there, and nobody else, from a list of Asterisk's channels. Raises AriError."""
        there = {CallId(channel.id): channel for channel in channels if served(channel, self._app)}
        for call in self._known.keys() - there.keys():
            del self._known[call]
        new = [(call, channel) for call, channel in there.items() if call not in self._known]
        for guest in await asyncio.gather(*(self._introduced(call, channel) for call, channel in new)):
            if guest is not None:
                self._known[guest.call] = guest

    def forget(self, call: CallId) -> None:
        """Forget one whom a worker has from now on, or who is gone."""
        self._left.discard(call)
        self._known.pop(call, None)

    async def cut_off(self) -> tuple[Guest, ...]:
        """Return those who had left no message when Asterisk ended; nobody is known any more. Raises AriError."""
        if not self._known:
            return ()
        left = [left_by(stored.name) for stored in await self._ari.recordings.listStored()]
        spoke = {each[0] for each in left if each is not None}
        known, self._known = self._known, {}
        return tuple(guest for call, guest in known.items() if call not in spoke)

    async def _see(self, call: CallId) -> None:
        channel = await self._ari.channels.get(channelId=call)
        if served(channel, self._app) and (guest := await self._introduced(call, channel)) is not None:
            self._known[call] = guest

    async def _introduced(self, call: CallId, channel: Channel) -> Guest | None:
        """Return who it is; None where the dialplan has not said it yet, or the caller is gone."""
        ask = self._ari.channels.getChannelVar
        said = [ask(channelId=call, variable=name) for name in (CALLED, NUMBER, PRESENTATION)]
        try:
            called, number, presentation = [(await reply).value for reply in said]
        except NotFound:
            return None
        return Guest(call, called, number, presentation, instant_ms(channel.creationtime))


def served(channel: Channel, app: str) -> bool:
    """Return whether the dialplan has that caller, on the way to our application or in the fallback."""
    return parse(channel.id) is None and channel.dialplan.context in CONTEXTS and not in_application(channel, app)
