"""A-law as ITU-T G.711 defines it: 16-bit linear samples to 8-bit codes and back.

13-bit sign and magnitude, 8 segments of 16 steps, the even bits of the code inverted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EVEN_BITS: Final = 0x55
_POSITIVE: Final = 0x80
SILENCE: Final = _POSITIVE ^ _EVEN_BITS
"""The code of the smallest positive sample."""


def _decoding() -> NDArray[np.int16]:
    """Return the value of each code: the middle of its interval, scaled to 16 bits."""
    code = np.arange(256) ^ _EVEN_BITS
    segment, step = (code >> 4) & 7, code & 15
    # In units of 1/4096 of full scale, doubled so that a middle is a whole number.
    middle = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    magnitude = middle * 8
    return np.where(code & _POSITIVE, magnitude, -magnitude).astype(np.int16)


def _encoding() -> NDArray[np.uint8]:
    """Return the code of each 16-bit sample, indexed by the sample as an unsigned word."""
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int64)
    # Below zero the intervals mirror those above: -1 lies in the first.
    magnitude = np.where(sample >= 0, sample, -sample - 1) >> 4  # 0 … 2047
    segment = np.maximum(0, np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int64) - 3)
    step = np.where(segment == 0, magnitude, magnitude >> np.maximum(segment - 1, 0)) & 15
    code = (segment << 4) | step | np.where(sample >= 0, _POSITIVE, 0)
    codes: NDArray[np.uint8] = np.asarray(code ^ _EVEN_BITS, dtype=np.uint8)
    return codes


_DECODING: Final = _decoding()
_ENCODING: Final = _encoding()


def encode(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return one code per 16-bit sample."""
    codes: NDArray[np.uint8] = _ENCODING[samples.view(np.uint16)]
    return codes


def decode(codes: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the 16-bit value of each code."""
    samples: NDArray[np.int16] = _DECODING[codes]
    return samples
