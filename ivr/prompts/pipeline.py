"""Speech as it leaves an engine or a microphone, to the two files that Asterisk plays.

Telephone band and A-law at 8 kHz for the trunk, 16-bit words at 16 kHz for wideband
phones; one loudness for all, so that no caller reaches for the volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.prompts import alaw
from ivr.prompts.sound import (
    NARROW,
    TELEPHONE,
    WIDE,
    WIDEBAND,
    Audio,
    levelled,
    loudness,
    peak,
    shaped,
    surrounded,
    to_words,
    trimmed,
)

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 1
"""Raised whenever the same speech gives other bytes: it is part of the cache's keys."""
TARGET_LUFS: Final = -16.0
TOLERANCE_LU: Final = 3.0
PEAK_DB: Final = -3.0
HEARD_LUFS: Final = -60.0
"""Below this a sound is taken for none."""
HEAD_MS: Final = 200
TAIL_MS: Final = 300
JOINED_MS: Final = 50
"""Around words that are played one after the other, as numbers are."""


@dataclass(frozen=True, slots=True)
class Product:
    """A finished prompt: the two files' bytes and what was measured on the narrow one."""

    alaw: bytes
    sln16: bytes
    ms: int
    lufs: float
    peak_db: float


def finish(speech: Audio, *, joined: bool = False) -> Product | None:
    """Return the finished prompt, or None when there is nothing to hear."""
    head, tail = (JOINED_MS, JOINED_MS) if joined else (HEAD_MS, TAIL_MS)
    body = trimmed(speech)
    if len(body.samples) == 0:
        return None
    if loudness(shaped(body, NARROW, TELEPHONE)) < HEARD_LUFS:
        return None
    voice = _voice(body, NARROW)
    narrow = surrounded(voice, head, tail)
    wide = surrounded(_voice(body, WIDE), head, tail)
    return Product(
        alaw=alaw.encode(to_words(narrow)).tobytes(),
        sln16=to_words(wide).astype("<i2").tobytes(),
        ms=round(narrow.seconds * 1_000),
        lufs=loudness(voice),
        peak_db=peak(voice),
    )


def _voice(body: Audio, rate: int) -> Audio:
    band = TELEPHONE if rate == NARROW else WIDEBAND
    return levelled(shaped(body, rate, band), TARGET_LUFS, PEAK_DB)


def duration_ms(path: Path) -> int:
    """Return the length of an .alaw or .sln16 file in milliseconds."""
    size = path.stat().st_size
    return size * 1_000 // NARROW if path.suffix == ".alaw" else size * 500 // WIDE
