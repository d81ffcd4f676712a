"""Recordings by their content: a version that is laid out where they are not has their hashes in their place."""

from __future__ import annotations

import hashlib
from typing import Final

_MARK: Final = b"sha256 "


def hash_of(raw: bytes) -> str:
    """Return the hash of a recording's content; of a mark, the one that it names."""
    return raw.removeprefix(_MARK).decode("ascii") if is_mark(raw) else hashlib.sha256(raw).hexdigest()


def is_mark(raw: bytes) -> bool:
    """Tell whether this stands for a recording that is elsewhere."""
    return raw.startswith(_MARK)


def mark(content: str) -> bytes:
    """Return what stands for the recording of that hash."""
    return _MARK + content.encode("ascii")
