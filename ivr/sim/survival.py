"""How long callers would have waited, from a month in which most were answered first: Kaplan and Meier (1958).

Who hung up while waiting had just that much patience; who was answered, or told that nobody can answer, had at
least that much. Beyond the longest wait that was seen the hazard is taken to stay what it was on the whole.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FOR_EVER_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Patience:
    """The share of callers who still wait just after each of `times` (ms, growing), and the hazard beyond, per ms."""

    times: tuple[int, ...]
    staying: tuple[float, ...]
    hazard: float

    @classmethod
    def of(cls, waits: Iterable[tuple[int, bool]]) -> Self:
        """Estimate from waits (ms) and whether the caller ended each by hanging up."""
        pairs = [(max(0, wait), left) for wait, left in waits]
        if not pairs:
            return cls((), (), 0.0)
        lengths = np.array([wait for wait, _ in pairs], dtype=np.int64)
        left = np.array([gone for _, gone in pairs], dtype=bool)
        times, deaths = np.unique(lengths[left], return_counts=True)
        # Who was answered at the very instant at which another left was still at risk then.
        at_risk = len(lengths) - np.searchsorted(np.sort(lengths), times, side="left")
        staying = np.cumprod(1 - deaths / at_risk)
        exposure = int(lengths.sum())
        return cls(
            tuple(times.tolist()),
            tuple(staying.tolist()),
            int(left.sum()) / exposure if exposure and left.any() else 0.0,
        )

    def share(self, ms: int) -> float:
        """The share of callers who wait longer than that."""
        n = bisect_right(self.times, ms)
        return self.staying[n - 1] if n else 1.0

    def draw(self, chance: float, at_least: int = 0) -> int:
        """Return a patience (ms) longer than `at_least`, as likely as it is among those; `chance` from 0 to below 1."""
        still = self.share(at_least) * (1 - chance)
        # The first time after which no more than `still` wait.
        first = bisect_right(self.times, at_least)
        low, high = first, len(self.times)
        while low < high:
            middle = (low + high) // 2
            if self.staying[middle] <= still:
                high = middle
            else:
                low = middle + 1
        if low < len(self.times):
            return self.times[low]
        if not self.hazard or still <= 0:
            return _FOR_EVER_MS
        last = max(at_least, self.times[-1] if self.times else 0)
        beyond = self.staying[-1] if self.staying else 1.0
        return min(_FOR_EVER_MS, last + round(log(max(beyond / still, 1.0)) / self.hazard) + 1)

    @property
    def median_s(self) -> float | None:
        """The wait after which half are gone; None where that was not seen."""
        return next((time / 1000 for time, stay in zip(self.times, self.staying, strict=True) if stay <= 0.5), None)  # noqa: PLR2004 - half


def observed(waits: Sequence[tuple[int, str]]) -> list[tuple[int, bool]]:
    """Waits by how they ended, as `Patience.of` wants them."""
    return [(wait, end == "left") for wait, end in waits]
