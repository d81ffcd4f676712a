"""A-law tones: every sound of a test is one frequency, so that what a phone hears has a name."""

from __future__ import annotations

import math
from typing import Final

RATE: Final = 8_000
FRAME: Final = 160
SILENCE: Final = 0xD5


def _encode(sample: int) -> int:
    """Return the A-law octet of a 16-bit sample (ITU-T G.711)."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(abs(sample), 32_767) >> 4
    if magnitude < 32:
        return ((magnitude >> 1) | sign) ^ 0x55
    exponent = magnitude.bit_length() - 5
    return (((exponent << 4) | ((magnitude >> exponent) & 0x0F)) | sign) ^ 0x55


def _decode(octet: int) -> int:
    octet ^= 0x55
    exponent, mantissa = (octet >> 4) & 7, octet & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return magnitude if octet & 0x80 else -magnitude


DECODED: Final = tuple(_decode(octet) for octet in range(256))


def tone(frequency: int, seconds: float) -> bytes:
    """Return a tone as raw A-law."""
    turn = 2 * math.pi * frequency / RATE
    return bytes(_encode(int(8_000 * math.sin(turn * n))) for n in range(int(RATE * seconds)))


def strongest(payload: bytes, frequencies: tuple[int, ...]) -> int:
    """Return the frequency that dominates a frame, 0 when none of them does."""
    samples = [DECODED[octet] for octet in payload]
    total = sum(sample * sample for sample in samples)
    if total < 1_000 * len(samples):
        return 0
    powers = {frequency: _power(samples, frequency) for frequency in frequencies}
    best = max(powers, key=lambda frequency: powers[frequency])
    return best if powers[best] > 0.5 * total else 0


def _power(samples: list[int], frequency: int) -> float:
    turn = 2 * math.pi * frequency / RATE
    real = sum(sample * math.cos(turn * n) for n, sample in enumerate(samples))
    imaginary = sum(sample * math.sin(turn * n) for n, sample in enumerate(samples))
    return 2 * (real * real + imaginary * imaginary) / len(samples)
