"""What systemd is told of us (sd_notify(3)): ready, alive, stopping. Nobody, where there is no $NOTIFY_SOCKET."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Final

from ivr import log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EVERY_S: Final = 1.0
"""How soon it is known that we are ready; a watchdog of less than twice as long is fed more often."""

_log = log.get("notify")


class Notifier:
    """A line to the service manager, by the variables that it gives to the process it starts."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of an abstract address.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        fed = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.watchdog_s = int(fed) / 1_000_000 if fed.isdecimal() and ours else 0.0
        self._said = False

    def tell(self, *lines: str) -> None:
        """Send assignments ("READY=1") in one datagram. What cannot be sent is logged once: it stops nothing."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as line:
                line.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._said:
                _log.warning("the service manager cannot be told how we are", reason=str(error))
            self._said = True

    async def run(self, state: Callable[[], tuple[bool, str]]) -> None:
        """Tell for ever how we are: `state` gives whether we are ready, and a sentence for `systemctl status`.

        The watchdog is fed from here, so from the event loop: when that stands still, systemd starts another worker.
        """
        if not self._address:
            return
        every_s = min(EVERY_S, self.watchdog_s / 2) if self.watchdog_s else EVERY_S
        ready = False
        told = ""
        while True:
            able, sentence = state()
            lines = ["WATCHDOG=1"] if self.watchdog_s else []
            if able and not ready:
                ready = True
                lines.append("READY=1")
            if sentence != told:
                told = sentence
                lines.append(f"STATUS={sentence}")
            if lines:
                self.tell(*lines)
            await asyncio.sleep(every_s)
