"""Speech as arrays: rate, band, level, loudness. Pure; float samples, 1.0 is full scale.

Filters are linear-phase, done in the frequency domain on the whole prompt at once:
prompts are short, and nothing rings or drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float64]
    Frequencies = NDArray[np.floating[Any]]

NARROW: Final = 8_000
WIDE: Final = 16_000
FLOOR_DB: Final = -120.0


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono samples and their rate in Hz."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        """Return the length in seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class Band:
    """A band-pass: full between `low` and `high`, none below `stop_low` and above `stop_high` (Hz)."""

    stop_low: float
    low: float
    high: float
    stop_high: float

    def response(self, frequencies: Frequencies) -> Samples:
        """Return the gain at each frequency: raised cosines between the edges."""
        up = np.clip((frequencies - self.stop_low) / (self.low - self.stop_low), 0, 1)
        down = np.clip((self.stop_high - frequencies) / (self.stop_high - self.high), 0, 1)
        gain: Samples = np.asarray(
            (0.5 - 0.5 * np.cos(np.pi * up)) * (0.5 - 0.5 * np.cos(np.pi * down)), dtype=np.float64
        )
        return gain


TELEPHONE: Final = Band(120, 200, 3_400, 3_700)
WIDEBAND: Final = Band(60, 100, 7_000, 7_600)


def decibels(ratio: float) -> float:
    """Return an amplitude as dB, never below FLOOR_DB."""
    return max(FLOOR_DB, 20 * float(np.log10(ratio))) if ratio > 0 else FLOOR_DB


def peak(audio: Audio) -> float:
    """Return the highest sample in dBFS."""
    return decibels(float(np.max(np.abs(audio.samples), initial=0)))


def shaped(audio: Audio, rate: int, band: Band) -> Audio:
    """Return the audio at another rate, limited to a band; the length is kept to a sample."""
    step = audio.rate // gcd(audio.rate, rate)
    # Silence on both sides, so that the ends do not touch round the transform's corner.
    pad = audio.rate // 4
    size = len(audio.samples) + 2 * pad
    size += -size % step
    padded = np.zeros(size)
    padded[pad : pad + len(audio.samples)] = audio.samples
    spectrum = np.fft.rfft(padded) * band.response(np.fft.rfftfreq(size, 1 / audio.rate))
    new_size = size * rate // audio.rate
    wanted = new_size // 2 + 1
    fitted = np.zeros(wanted, dtype=np.complex128)
    shared = min(wanted, len(spectrum))
    fitted[:shared] = spectrum[:shared]
    result = np.fft.irfft(fitted, new_size) * (new_size / size)
    start = round(pad * rate / audio.rate)
    return Audio(result[start : start + round(len(audio.samples) * rate / audio.rate)], rate)


def trimmed(audio: Audio, below_peak_db: float = 45.0, keep_ms: int = 20) -> Audio:
    """Return the audio without the silence at its ends; nothing is left of silence alone."""
    frame = max(1, audio.rate // 100)
    count = len(audio.samples) // frame
    if count == 0:
        return Audio(audio.samples[:0], audio.rate)
    energy = np.sqrt(np.mean(audio.samples[: count * frame].reshape(count, frame) ** 2, axis=1))
    loud = np.nonzero(energy > max(energy.max() * 10 ** (-below_peak_db / 20), 10 ** (-70 / 20)))[0]
    if len(loud) == 0:
        return Audio(audio.samples[:0], audio.rate)
    keep = audio.rate * keep_ms // 1_000
    first = max(0, int(loud[0]) * frame - keep)
    return Audio(audio.samples[first : (int(loud[-1]) + 1) * frame + keep], audio.rate)


def levelled(audio: Audio, loudness_lufs: float, peak_db: float) -> Audio:
    """Return the audio at a loudness, its peaks bent below `peak_db`, never cut square."""
    now = loudness(audio)
    if now <= FLOOR_DB:
        return audio
    gain = 10 ** ((loudness_lufs - now) / 20)
    return Audio(_bent(audio.samples * gain, 10 ** (peak_db / 20)), audio.rate)


def _bent(samples: Samples, ceiling: float) -> Samples:
    """Return samples as they are up to 70 % of the ceiling, then approaching it smoothly."""
    knee = 0.7 * ceiling
    over = np.abs(samples) - knee
    bent = knee + (ceiling - knee) * np.tanh(np.maximum(over, 0) / (ceiling - knee))
    result: Samples = np.where(over > 0, np.sign(samples) * bent, samples)
    return result


def surrounded(audio: Audio, head_ms: int, tail_ms: int) -> Audio:
    """Return the audio with silence before and after it."""
    head, tail = (np.zeros(audio.rate * ms // 1_000) for ms in (head_ms, tail_ms))
    return Audio(np.concatenate((head, audio.samples, tail)), audio.rate)


def to_words(audio: Audio) -> NDArray[np.int16]:
    """Return 16-bit samples."""
    return np.clip(np.round(audio.samples * 32_768), -32_768, 32_767).astype(np.int16)


def from_words(samples: NDArray[np.int16], rate: int) -> Audio:
    """Return the audio of 16-bit samples."""
    return Audio(samples.astype(np.float64) / 32_768, rate)


_BLOCK_S: Final = 0.4
_ABSOLUTE_GATE: Final = -70.0
_RELATIVE_GATE: Final = -10.0


def loudness(audio: Audio) -> float:
    """Return the integrated loudness in LUFS (ITU-R BS.1770-4, mono), FLOOR_DB for silence.

    Shorter than one block of 400 ms, the whole is one block.
    """
    size = len(audio.samples)
    if size == 0:
        return FLOOR_DB
    weighted = np.fft.irfft(np.fft.rfft(audio.samples) * _k_weighting(np.fft.rfftfreq(size, 1 / audio.rate)), size)
    block = min(size, int(audio.rate * _BLOCK_S))
    starts = range(0, size - block + 1, max(1, block // 4))
    power = np.array([np.mean(weighted[start : start + block] ** 2) for start in starts])
    blocks = -0.691 + 10 * np.log10(np.maximum(power, 1e-15))
    heard = power[blocks > _ABSOLUTE_GATE]
    if len(heard) == 0:
        return FLOOR_DB
    gate = -0.691 + 10 * np.log10(np.mean(heard)) + _RELATIVE_GATE
    kept = power[(blocks > _ABSOLUTE_GATE) & (blocks > gate)]
    return -0.691 + 10 * float(np.log10(np.mean(kept)))


def _k_weighting(frequencies: Frequencies) -> Samples:
    """Return the gain of BS.1770's two filters, whose coefficients are given at 48 kHz."""
    z = np.exp(-2j * np.pi * frequencies / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    gain: Samples = np.abs(shelf * high_pass)
    return gain
