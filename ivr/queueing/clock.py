"""The site's time: a monotonic clock brought near to Redis' own, never back, and never behind the site's.

The site's own clock is the latest `now` that any command came with: no function lets it go back. Redis' TIME may:
its machine is an hour ahead for a while, and is mended. Then the site's time is ahead of the true one, and every
worker goes on from there: offers, wraps and leases go by it and last as long as ever. It comes down to the true
time slowly (`Slew.rate`). What is said to people is by the true time at once: see `true_ms` and `ahead_ms`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NS_PER_MS: Final = 1_000_000
NEAR_MS: Final = 1_000
"""The site's time may be so far from the true one and count as true."""


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
    ones slew it; where the site is ahead of it, it jumps there.
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

    def true_ms(self) -> int:
        """Return the time as Redis last told it, in ms: for hours, due dates and leaves. It may go back."""
        return (self._monotonic_ns() + self._slew.target) // NS_PER_MS

    def ahead_ms(self) -> int:
        """Return how far the site's time is ahead of the true one (or, below 0, behind); 0 when they are near."""
        ahead = self() - self.true_ms()
        return ahead if abs(ahead) > NEAR_MS else 0

    def reached(self, site_ms: int) -> None:
        """Take note of the site's own clock, as a reply told it: time goes on from there, if it is ahead of ours."""
        if site_ms > self():
            mono = self._monotonic_ns()
            self._slew = replace(self._slew, offset=site_ms * NS_PER_MS - mono, at=mono)

    def learn(self, server_us: int, sent: int, received: int) -> None:
        """One exchange: the server's time (µs) between two monotonic instants (ns)."""
        server = server_us * 1_000
        if not self._learnt:
            self._learnt = True
            offset = server - (sent + received) // 2
            self._slew = Slew(offset, offset, received)
        else:
            self._slew = self._slew.learn(server, sent, received)
