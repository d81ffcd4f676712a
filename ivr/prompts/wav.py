"""WAV files as audio: PCM of any rate, depth and number of channels."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, Final

import numpy as np

from ivr.prompts.errors import PromptError
from ivr.prompts.sound import Audio, to_words

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LOWEST: Final = 4_000
_HIGHEST: Final = 192_000


def read_wav(path: Path, prompt: str = "") -> Audio:
    """Return a PCM WAV file as mono; PromptError when it is none."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise PromptError(prompt or path.stem, f"{path.name} is not a readable PCM WAV file ({error})") from error
    if width not in (1, 2, 3, 4) or not _LOWEST <= rate <= _HIGHEST:
        raise PromptError(prompt or path.stem, f"{path.name}: {8 * width} bits at {rate} Hz cannot be used")
    samples = _floats(raw[: len(raw) - len(raw) % (width * channels)], width)
    return Audio(samples.reshape(-1, channels).mean(axis=1), rate)


def _floats(raw: bytes, width: int) -> NDArray[np.float64]:
    if width == 1:
        return (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) / 128
    if width == 3:  # noqa: PLR2004 - 24 bits
        parts = np.frombuffer(raw, np.uint8).reshape(-1, 3).astype(np.int32)
        words = (parts[:, 0] << 8) | (parts[:, 1] << 16) | (parts[:, 2] << 24)
        return words.astype(np.float64) / 2**31
    kind = "<i2" if width == 2 else "<i4"  # noqa: PLR2004 - 16 bits
    return np.frombuffer(raw, kind).astype(np.float64) / float(2 ** (8 * width - 1))


def write_wav(path: Path, audio: Audio) -> None:
    """Write audio as a 16-bit mono WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.rate)
        file.writeframes(to_words(audio).astype("<i2").tobytes())
