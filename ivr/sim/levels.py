"""How many there are of something, summed over time: in all, and by the quarter of an hour of the day."""

from __future__ import annotations

from ivr.sim.load import DAY_MS, QUARTER_MS, QUARTERS


class Level:
    """A number that changes at instants. `total` and `quarters` are its integrals, in unit x ms."""

    __slots__ = ("_midnight", "_since", "peak", "quarters", "total", "value")

    def __init__(self, midnight: int) -> None:
        self._midnight = midnight
        self._since = midnight
        self.value = self.peak = self.total = 0
        self.quarters = [0] * QUARTERS

    def add(self, change: int, now: int) -> None:
        """Change the number."""
        if self.value and now > self._since:
            self.total += self.value * (now - self._since)
            begin = self._since - self._midnight
            end = now - self._midnight
            while begin < end:
                stop = min(end, begin - begin % QUARTER_MS + QUARTER_MS)
                self.quarters[begin % DAY_MS // QUARTER_MS] += self.value * (stop - begin)
                begin = stop
        self._since = now
        self.value += change
        self.peak = max(self.peak, self.value)
