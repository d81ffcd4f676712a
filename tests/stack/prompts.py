"""A folder of prompts that Asterisk accepts: a second of silence and hold music, no sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def silent_prompts(folder: Path) -> Path:
    (folder / "music").mkdir(parents=True)
    (folder / "music" / "hold.alaw").write_bytes(b"\xd5" * 8_000)
    return folder
