"""Measures of what was heard: tones, silences, and likeness to what should have been heard.

Pure functions of int16 (or float) mono samples. Levels are decibels under full scale (dBFS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING_DB: Final = -120.0
_FULL_SCALE: Final = 32_768.0
_HUM_HZ: Final = 40.0
_SILENT: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a recording, in seconds from its beginning."""

    start: float
    seconds: float

    @property
    def end(self) -> float:
        """Where it ends."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Match:
    """How a reference was found again: 1.0 is the same sound, whatever its level.

    `delay` is where its beginning lies in what was heard (seconds), `skew_ppm` how much slower
    the clock of what was heard ran.
    """

    score: float
    delay: float
    skew_ppm: float


def level_dbfs(pcm: NDArray[Any]) -> float:
    """The mean level; a full-scale sine is about -3."""
    return _db(float(np.mean(_unit(pcm) ** 2))) if len(pcm) else NOTHING_DB


def tone_db_over_rest(pcm: NDArray[Any], rate: int, hz: float) -> float:
    """How far the tone at `hz` stands over all other sound (above 40 Hz), in decibels.

    Both are powers over the whole of `pcm`. -120 when there is nothing.
    """
    return float(_tone_over_rest(_unit(pcm)[np.newaxis, :], rate, hz)[0]) if len(pcm) else NOTHING_DB


def longest_tone(
    pcm: NDArray[Any], rate: int, hz: float, *, over_db: float = 20.0, floor_dbfs: float = -50.0
) -> Stretch:
    """The longest stretch in which the tone is at least `over_db` over the rest, and louder than `floor_dbfs`.

    Looked at in windows of 100 ms, 20 ms apart; a stretch counts from the beginning of its first
    window to the end of its last.
    """
    size, hop = rate // 10, rate // 50
    frames = _frames(_unit(pcm), size, hop)
    if not len(frames):
        return Stretch(0.0, 0.0)
    good = _tone_over_rest(frames, rate, hz) >= over_db
    good &= np.mean(frames**2, axis=1) >= 10 ** (floor_dbfs / 10)
    first, count = _longest_run(good)
    return Stretch(first * hop / rate, ((count - 1) * hop + size) / rate) if count else Stretch(0.0, 0.0)


def longest_silence(pcm: NDArray[Any], rate: int, *, floor_dbfs: float = -55.0) -> Stretch:
    """The longest stretch in which no 20 ms are louder than `floor_dbfs` (to 10 ms)."""
    size, hop = rate // 50, rate // 100
    frames = _frames(_unit(pcm), size, hop)
    if not len(frames):
        return Stretch(0.0, len(pcm) / rate)
    first, count = _longest_run(np.mean(frames**2, axis=1) < 10 ** (floor_dbfs / 10))
    return Stretch(first * hop / rate, ((count - 1) * hop + size) / rate) if count else Stretch(0.0, 0.0)


def correlation(heard: NDArray[Any], reference: NDArray[Any], rate: int = 8_000) -> float:
    """How alike the reference and its best place in what was heard are: 1.0 the same, 0.0 nothing of it."""
    return find(heard, reference, rate).score


def find(heard: NDArray[Any], reference: NDArray[Any], rate: int = 8_000, *, search_ms: int = 25) -> Match:
    """Look for the reference in what was heard.

    Its loudest second gives the delay; from there on both ways, windows of 250 ms are each
    correlated (normalised) at the best lag within `search_ms` of the last good one, so that a
    clock that runs off, a lost packet or A-law coding does not spoil the whole. The score is their mean,
    weighted by the reference's energy. What was not heard at all counts as 0. The reference may begin up to
    a second before what was heard (a phone that misses the first packet): then the delay is negative.
    """
    before = rate
    ref, got = _unit(reference), np.concatenate([np.zeros(before), _unit(heard)])
    size = rate // 4
    count = len(ref) // size
    if not count or len(heard) < size:
        return Match(0.0, 0.0, 0.0)
    energy = np.sum(ref[: count * size].reshape(count, size) ** 2, axis=1)
    if not energy.sum():
        return Match(0.0, 0.0, 0.0)
    span = min(4, count)
    anchor = int(np.argmax(np.convolve(energy, np.ones(span), mode="valid")))
    lag = _place(got, ref[anchor * size : (anchor + span) * size]) - anchor * size
    reach = search_ms * rate // 1000
    scores, lags = np.zeros(count), np.full(count, np.nan)
    for order in (range(anchor, count), range(anchor - 1, -1, -1)):
        near = lag
        for window in order:
            part = ref[window * size : (window + 1) * size]
            score, at = _best(got, part, window * size + near, reach)
            scores[window] = score
            if score > 0.5:  # noqa: PLR2004 - clearly the same sound
                near = at - window * size
                lags[window] = near
    weight = energy / energy.sum()
    delay, skew = _line(lags, weight, size, float(lag))
    return Match(float(scores @ weight), (delay - before) / rate, skew * 1e6)


def _line(lags: NDArray[Any], weight: NDArray[Any], size: int, fallback: float) -> tuple[float, float]:
    """Lag at the reference's beginning and its growth per sample, by weighted least squares."""
    sure = ~np.isnan(lags) & (weight > 0)
    if not sure.any():
        return fallback, 0.0
    at = np.flatnonzero(sure) * float(size)
    if len(at) < 4:  # noqa: PLR2004 - too few for a slope
        return float(np.average(lags[sure], weights=weight[sure])), 0.0
    slope, start = np.polyfit(at, lags[sure], 1, w=np.sqrt(weight[sure]))
    return float(start), float(slope)


def _place(got: NDArray[Any], part: NDArray[Any]) -> int:
    """Where `part` lies best in `got` (normalised cross-correlation over all places)."""
    if len(got) < len(part):
        got = np.concatenate([got, np.zeros(len(part) - len(got))])
    size = 1 << (len(got) + len(part) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(got, size) * np.conj(np.fft.rfft(part, size)), size)
    product = product[: len(got) - len(part) + 1]
    return int(np.argmax(product / np.sqrt(_sliding_energy(got, len(part)) + 1e-6)))


def _best(got: NDArray[Any], part: NDArray[Any], expected: int, reach: int) -> tuple[float, int]:
    """The best normalised correlation of `part` around `expected`, and where."""
    first, last = max(0, expected - reach), min(len(got), expected + len(part) + reach)
    around = got[first:last]
    norm = float(np.sqrt(part @ part))
    if len(around) < len(part) or norm == 0.0:
        return 0.0, expected
    scores = np.correlate(around, part, mode="valid") / (np.sqrt(_sliding_energy(around, len(part))) * norm + 1e-9)
    best = int(np.argmax(scores))
    return max(0.0, float(scores[best])), first + best


def _sliding_energy(samples: NDArray[Any], size: int) -> NDArray[Any]:
    total = np.concatenate([[0.0], np.cumsum(samples**2)])
    energy: NDArray[Any] = np.maximum(total[size:] - total[:-size], 0.0)
    return energy


def _tone_over_rest(frames: NDArray[Any], rate: int, hz: float) -> NDArray[Any]:
    size = frames.shape[1]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    bins = np.fft.rfftfreq(size, 1 / rate)
    near = np.abs(bins - hz) <= max(15.0, 2.5 * rate / size)
    tone = power[:, near].sum(axis=1)
    rest = power[:, ~near & (bins > _HUM_HZ)].sum(axis=1)
    ratio = 10 * np.log10((tone + 1e-15) / (rest + 1e-12))
    return np.clip(np.where(tone + rest > _SILENT, ratio, NOTHING_DB), NOTHING_DB, -NOTHING_DB)


def _frames(samples: NDArray[Any], size: int, hop: int) -> NDArray[Any]:
    if len(samples) < size:
        return np.zeros((0, size))
    return np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]


def _longest_run(flags: NDArray[Any]) -> tuple[int, int]:
    """First index and length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    if not len(edges):
        return 0, 0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    longest = int(np.argmax(lengths))
    return int(starts[longest]), int(lengths[longest])


def _unit(pcm: NDArray[Any]) -> NDArray[Any]:
    samples: NDArray[Any] = np.asarray(pcm, dtype=np.float64)
    return samples / _FULL_SCALE if np.asarray(pcm).dtype.kind == "i" else samples


def _db(power: float) -> float:
    return max(NOTHING_DB, 10 * float(np.log10(power))) if power > 0 else NOTHING_DB
