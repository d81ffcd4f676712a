"""What a phone heard, on a time axis: samples where sound came, zeros where nothing came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RATE: Final = 8_000
_SLACK_MS: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Sound as it came: `pcm` is int16 at `rate`; sample i is at `start_ns` + i/rate (CLOCK_MONOTONIC).

    Where packets were missing for more than 60 ms the samples are zeros, so that a
    hole in the media is as long here as it was for the ear.
    """

    pcm: NDArray[np.int16]
    start_ns: int
    rate: int = RATE

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.pcm) / self.rate

    @property
    def end_ns(self) -> int:
        """The instant after the last sample."""
        return self.instant(len(self.pcm))

    def instant(self, index: int) -> int:
        """When sample `index` came."""
        return self.start_ns + index * 1_000_000_000 // self.rate

    def index(self, instant_ns: int) -> int:
        """The sample of that instant, within what there is."""
        return min(max(0, (instant_ns - self.start_ns) * self.rate // 1_000_000_000), len(self.pcm))

    def between(self, from_ns: int, to_ns: int | None = None) -> Heard:
        """What was heard from one instant to another (or to the end)."""
        first = self.index(from_ns)
        last = len(self.pcm) if to_ns is None else max(first, self.index(to_ns))
        return Heard(self.pcm[first:last], self.instant(first), self.rate)


def on_time_axis(chunks: Sequence[tuple[int, int]], pcm: bytes) -> Heard:
    """Lay chunks (instant at which the chunk was complete, its number of samples) out in time."""
    samples = np.frombuffer(pcm, dtype="<i2")
    if not chunks:
        return Heard(np.zeros(0, dtype=np.int16), 0)
    first_ns, first_count = chunks[0]
    start_ns = first_ns - first_count * 1_000_000_000 // RATE
    slack = _SLACK_MS * RATE // 1000
    parts: list[NDArray[np.int16]] = []
    laid = taken = 0
    for instant_ns, count in chunks:
        missing = (instant_ns - start_ns) * RATE // 1_000_000_000 - laid - count
        if missing > slack:
            parts.append(np.zeros(missing, dtype=np.int16))
            laid += missing
        parts.append(samples[taken : taken + count])
        taken += count
        laid += count
    return Heard(np.concatenate(parts), start_ns)
