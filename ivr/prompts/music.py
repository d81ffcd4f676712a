"""What is heard and not said, made by this program, so free of any right: the music of the wait, and the beep.

The music is soft chords. It loops without a seam: what rings past the end is heard at the beginning.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from ivr.prompts import alaw
from ivr.prompts.sound import NARROW, TELEPHONE, Audio, levelled, to_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION: Final = 1
LUFS: Final = -23.0
_PEAK_DB: Final = -9.0
_BEAT_S: Final = 0.8
_BEATS_A_CHORD: Final = 6
# A bass and three voices per chord, as MIDI notes, in D major throughout.
_CHORDS: Final = (
    (50, 62, 66, 69), (49, 61, 64, 69), (47, 62, 66, 69), (43, 62, 66, 71),
    (52, 62, 67, 71), (45, 62, 64, 67), (54, 61, 64, 69), (43, 62, 64, 71),
    (47, 62, 66, 71), (52, 62, 66, 67), (45, 61, 64, 69), (50, 61, 66, 69),
    (43, 59, 66, 74), (45, 61, 67, 76),
)  # fmt: skip
_ARPEGGIO: Final = (1, 2, 3, 2, 3, 1)
_BEEP_HZ: Final = 1_000
_BEEP_S: Final = 0.3
_BEEP_FADE_S: Final = 0.02
_BEEP_PEAK: Final = 8_000
_PARTIALS: Final = ((1, 1.0, 1.0), (2, 0.32, 1.4), (3, 0.14, 2.0), (4, 0.05, 2.6))


def beep_alaw() -> bytes:
    """Return the tone after which a message is recorded, as A-law."""
    at = np.arange(int(NARROW * _BEEP_S)) / NARROW
    fade = np.minimum(1, np.minimum(at, at[::-1]) / _BEEP_FADE_S)
    return alaw.encode((_BEEP_PEAK * fade * np.sin(2 * np.pi * _BEEP_HZ * at)).astype(np.int16)).tobytes()


def hold_music() -> Audio:
    """Return the loop: 67 s at 8 kHz, at -23 LUFS."""
    chord_s = _BEAT_S * _BEATS_A_CHORD
    size = round(len(_CHORDS) * chord_s * NARROW)
    track = np.zeros(size)
    pad, bell = cache(_pad), cache(_bell)  # the same few notes come back
    for index, chord in enumerate(_CHORDS):
        start = index * chord_s
        for note in chord:
            _add(track, start - 0.35, pad(note, chord_s + 1.2), 0.13 if note < chord[1] else 0.1)
        for beat, voice in enumerate(_ARPEGGIO):
            _add(track, start + beat * _BEAT_S, bell(chord[voice] + 12, 2.6), 0.16)
    spectrum = np.fft.rfft(track) * TELEPHONE.response(np.fft.rfftfreq(size, 1 / NARROW))
    return levelled(Audio(np.fft.irfft(spectrum, size), NARROW), LUFS, _PEAK_DB)


def hold_alaw() -> bytes:
    """Return the loop as A-law."""
    return alaw.encode(to_words(hold_music())).tobytes()


def _add(track: NDArray[np.float64], at_s: float, sound: NDArray[np.float64], gain: float) -> None:
    """Add a sound at a time, past the end round to the beginning."""
    places = (round(at_s * NARROW) + np.arange(len(sound))) % len(track)
    track[places] += gain * sound


def _frequency(note: int) -> float:
    return 440.0 * 2 ** ((note - 69) / 12)


def _pad(note: int, seconds: float) -> NDArray[np.float64]:
    """Return a held note that swells and fades, slightly doubled."""
    time = np.arange(round(seconds * NARROW)) / NARROW
    envelope = np.sin(np.pi * time / seconds) ** 0.8
    pitch = _frequency(note)
    voices = sum(
        np.sin(2 * np.pi * pitch * (1 + detune) * part * time) / part**1.7
        for detune in (-0.0012, 0.0012)
        for part in (1, 2, 3, 4)
    )
    result: NDArray[np.float64] = envelope * voices / 2
    return result


def _bell(note: int, seconds: float) -> NDArray[np.float64]:
    """Return a soft struck note."""
    time = np.arange(round(seconds * NARROW)) / NARROW
    pitch = _frequency(note)
    attack = np.minimum(time / 0.012, 1)
    sound = sum(
        gain * np.sin(2 * np.pi * pitch * part * time) * np.exp(-decay * 1.9 * time)
        for part, gain, decay in _PARTIALS
        if pitch * part < NARROW / 2
    )
    fade = np.minimum((seconds - time) / 0.3, 1)
    result: NDArray[np.float64] = attack * fade * sound
    return result
