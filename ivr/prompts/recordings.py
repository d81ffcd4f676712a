"""What people record: read, and judged before callers hear it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ivr.prompts.sound import Audio, loudness, peak, trimmed
from ivr.prompts.wav import read_wav

if TYPE_CHECKING:
    from pathlib import Path

_CLIPPED: Final = 0.997
_CLIPPED_RUN: Final = 4
_QUIET_LUFS: Final = -45.0
_SHORT_S: Final = 0.15
_LONG_S: Final = 50.0


class Flaw(NamedTuple):
    """Why a recording should be made again."""

    fr: str
    en: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording and what is wrong with it."""

    audio: Audio
    flaws: tuple[Flaw, ...]


def read_recording(path: Path, prompt: str = "") -> Recording:
    """Return a recording with its flaws; PromptError when it cannot be read."""
    audio = read_wav(path, prompt)
    return Recording(audio, tuple(_flaws(audio)))


def _flaws(audio: Audio) -> list[Flaw]:
    found: list[Flaw] = []
    speech = trimmed(audio)
    if speech.seconds < _SHORT_S:
        return [Flaw("on n'y entend rien", "nothing is heard in it")]
    if speech.seconds > _LONG_S:
        found.append(Flaw(f"il dure {speech.seconds:.0f} s", f"it lasts {speech.seconds:.0f} s"))
    if loudness(speech) < _QUIET_LUFS:
        found.append(Flaw("il est trop faible", "it is too quiet"))
    if peak(audio) > -0.05 and _clipped(audio):  # noqa: PLR2004 - dB under full scale
        found.append(Flaw("le son sature", "the sound clips"))
    return found


def _clipped(audio: Audio) -> bool:
    """Tell whether several samples in a row stand at full scale."""
    full = np.abs(audio.samples) >= _CLIPPED
    run = np.convolve(full.astype(np.int64), np.ones(_CLIPPED_RUN, np.int64), "valid")
    return bool(np.any(run == _CLIPPED_RUN))
