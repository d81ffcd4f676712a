"""The watchdog on a caller's channel, kept from biting: what takes the caller to the fallback should we be gone.

Asterisk sets a variable of a channel on the thread that plays and records there. While it does either, the request
waits, and on one socket every later request of every call waits with it (seen: 22.10.1, a message of a minute held
the node for as long). So nothing is sent meanwhile: what is due then is sent when it is over, and what would soon be
due is sent before. A prompt may thus be as long as `ivr check` lets it be.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ivr.telephony.line import Line

WATCHDOG_S: Final = 60
RENEWAL_S: Final = 20.0
FRESH_S: Final = 5.0
"""A prompt begins with a watchdog that was renewed so long ago at most."""
AFTER_MESSAGE_S: Final = 15
"""Beyond the longest that a message may be, and the core's own patience with it: it cannot be renewed meanwhile."""


class Watchdog:
    """Of one caller. Serials are those of what plays or records."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._clock: asyncio.TimerHandle | None = None
        self._renewed = 0.0
        self._busy = 0
        self._due = False

    def start(self) -> None:
        """Watch, unless it does."""
        if self._clock is None and not self._due:
            self._renew()

    def adopt(self, *, recording: int) -> None:
        """Watch a call that was there before us: not before what may be playing was ended (`play`, `settled`)."""
        self._busy, self._due = recording, True

    def play(self, serial: int) -> None:
        """A prompt is about to play."""
        self.over(self._busy)
        if self._clock is not None and asyncio.get_running_loop().time() - self._renewed > FRESH_S:
            self._renew()
        self._busy = serial

    def record(self, serial: int, max_ms: int) -> None:
        """A message is about to be recorded: the watchdog waits for as long as it may last."""
        self.over(self._busy)
        self._stop()
        self._line.watchdog(max_ms // 1000 + AFTER_MESSAGE_S)
        self._busy, self._due = serial, True

    def over(self, serial: int) -> None:
        """What had this serial plays or records no more."""
        if serial == self._busy:
            self._busy = 0
            self.settled()

    def settled(self) -> None:
        """Send what is due, if nothing is in its way."""
        if self._due and not self._busy:
            self._renew()

    def end(self) -> None:
        """Watch no more: the caller talks."""
        self.close()
        self._line.watchdog(0)

    def close(self) -> None:
        """Do nothing more."""
        self._stop()
        self._due = False

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _renew(self) -> None:
        self._stop()
        self._due = bool(self._busy)
        if not self._due:
            self._line.watchdog(WATCHDOG_S)
            loop = asyncio.get_running_loop()
            self._renewed = loop.time()
            self._clock = loop.call_later(RENEWAL_S, self._renew)
