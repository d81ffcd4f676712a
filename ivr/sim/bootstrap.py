"""How sure a difference between two runs of the same days is: days are drawn again, and again, as they came.

Days are the blocks: calls of one day hang together. A day is drawn for both runs at once, so that what makes it busy
or quiet is in neither's favour (B. Efron, 1979; paired, by blocks; percentile interval).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS: Final = 1_000
LEVEL: Final = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Contrast:
    """A figure before and after, and the change with its interval of 95 %; None where there is nothing to measure."""

    before: float | None
    after: float | None
    low: float | None = None
    high: float | None = None

    @property
    def change(self) -> float | None:
        """After less before."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def sure(self) -> bool:
        """Whether the interval leaves no change out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Bootstrap:
    """Draws of so many days, the same for every figure that is measured on them."""

    def __init__(self, days: int, seed: int, draws: int = DRAWS) -> None:
        self._days = days
        chance = np.random.default_rng((seed, 2))
        picked = chance.integers(0, max(days, 1), (draws, max(days, 1)))
        times = [np.bincount(row, minlength=max(days, 1)) for row in picked]
        self._times: Floats = np.asarray(times, dtype=np.float64)

    def share(self, before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]) -> Contrast:
        """A ratio of sums, each day's given as (how many, of how many)."""
        return self._contrast(
            _ratio(np.ones((1, self._days)), before), _ratio(np.ones((1, self._days)), after),
            _ratio(self._times, before), _ratio(self._times, after),
        )  # fmt: skip

    def quantile(self, q: float, before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> Contrast:
        """A quantile of all values together, each day's given apart."""
        once = np.ones((1, self._days))
        return self._contrast(
            _quantile(once, q, before), _quantile(once, q, after),
            _quantile(self._times, q, before), _quantile(self._times, q, after),
        )  # fmt: skip

    def _contrast(self, one: Floats, other: Floats, ones: Floats, others: Floats) -> Contrast:
        before, after = _value(one[0]), _value(other[0])
        changes = others - ones
        changes = changes[~np.isnan(changes)]
        if before is None or after is None or self._days < 2 or not len(changes):  # noqa: PLR2004 - one day varies not
            return Contrast(before, after)
        low, high = np.percentile(changes, LEVEL)
        return Contrast(before, after, float(low), float(high))


def _value(number: np.float64) -> float | None:
    return None if np.isnan(number) else float(number)


def _ratio(times: Floats, days: Sequence[tuple[float, float]]) -> Floats:
    """The ratio for each row of `times`, which says how often each day counts; nan of nothing."""
    sums: Floats = times @ np.asarray(days, dtype=np.float64).reshape(-1, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)
    return found


def _quantile(times: Floats, q: float, days: Sequence[Sequence[float]]) -> Floats:
    """The smallest value that a share `q` of all does not exceed, for each row of `times`; nan of nothing."""
    values = np.concatenate([np.asarray(day, dtype=np.float64) for day in days]) if days else np.zeros(0)
    if not len(values):
        return np.full(len(times), np.nan)
    owner = np.repeat(np.arange(len(days)), [len(day) for day in days])
    order = np.argsort(values, kind="stable")
    values, owner = values[order], owner[order]
    found = np.full(len(times), np.nan)
    for n, row in enumerate(times):
        weights = np.cumsum(row[owner])
        if weights[-1] > 0:
            found[n] = values[min(np.searchsorted(weights, q * weights[-1], side="left"), len(values) - 1)]
    return found
