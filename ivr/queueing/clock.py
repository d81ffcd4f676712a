"""The site's time: a monotonic clock brought near to Redis' own, never stepped, never back."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Slew:
    """`offset` (ns) is added to the monotonic clock; it moves to `target` by at most `rate`.

    `rate` is ns of correction per ns that passes, below 1: so time never goes back. Pure.
    """

    offset: int
    target: int
    at: int
    rate: float = 0.05

    def offset_at(self, mono: int) -> int:
        """The offset in force at a monotonic instant (ns)."""
        reach = int(max(0, mono - self.at) * self.rate)
        return self.offset + max(-reach, min(reach, self.target - self.offset))

    def learn(self, server: int, sent: int, received: int) -> Slew:
        """Aim at the offset that one exchange with the server shows (all ns).

        The server's clock was read between `sent` and `received`: half of that is the error.
        What is within the error of the aim is no news.
        """
        seen = server - (sent + received) // 2
        doubt = (received - sent) // 2
        if abs(seen - self.target) <= doubt:
            return self
        return replace(self, offset=self.offset_at(received), target=seen, at=received)


class SiteClock:
    """`clock()` is the site's time in Unix ms; it never goes back.

    Before the first exchange it is the machine's own time. The first exchange sets it, later
    ones slew it.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        here = monotonic_ns()
        offset = wall_ns() - here
        self._slew = Slew(offset, offset, here)
        self._learnt = False
        self._last = 0

    def __call__(self) -> int:
        """Now, in ms."""
        mono = self._monotonic_ns()
        self._last = max(self._last, (mono + self._slew.offset_at(mono)) // NS_PER_MS)
        return self._last

    def monotonic_ns(self) -> int:
        """The clock that exchanges are timed by."""
        return self._monotonic_ns()

    @property
    def error_ms(self) -> float:
        """How far the aim still is from the time told."""
        return (self._slew.target - self._slew.offset_at(self._monotonic_ns())) / NS_PER_MS

    def learn(self, server_us: int, sent: int, received: int) -> None:
        """One exchange: the server's time (µs) between two monotonic instants (ns)."""
        server = server_us * 1_000
        if not self._learnt:
            self._learnt = True
            offset = server - (sent + received) // 2
            self._slew = Slew(offset, offset, received)
        else:
            self._slew = self._slew.learn(server, sent, received)
