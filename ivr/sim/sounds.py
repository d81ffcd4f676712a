"""How long a site's sentences last: as they were built, else as long as their text takes to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ivr.core.plan import PromptId

CHARS_PER_S: Final = 15
UNKNOWN_MS: Final = 3_000
_BYTES_PER_MS: Final = 8
"""A-law at 8 kHz."""


def spoken(text: str) -> int:
    """How long a text takes to say, ms."""
    return round(len(" ".join(text.split())) / CHARS_PER_S * 1000)


def lengths(
    prompts: Iterable[PromptId], texts: Mapping[PromptId, str], built: Path | None = None
) -> dict[PromptId, int]:
    """The length (ms) of every prompt; `built` is the folder of a language's finished sounds, if there is one."""
    found: dict[PromptId, int] = {}
    for prompt in sorted(prompts):
        sound = built / f"{prompt}.alaw" if built is not None else None
        if sound is not None and sound.is_file():
            found[prompt] = sound.stat().st_size // _BYTES_PER_MS
        else:
            text = texts.get(prompt, "")
            found[prompt] = spoken(text) if text else UNKNOWN_MS
    return found
