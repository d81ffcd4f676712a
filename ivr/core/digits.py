"""The keys of a call."""

from __future__ import annotations

from typing import Final

KEYS: Final = frozenset("0123456789*#")
HISTORY: Final = 64
"""Keys remembered per call."""


def pressed(keys: str, key: str) -> str:
    """Return the history with one more key, the oldest dropped past `HISTORY`."""
    return (keys + key)[-HISTORY:]
