"""The one Lua script that writes queue and agent state, put together from `lua/`."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final

PARTS: Final = ("store", "lines", "agents", "known", "dispatch", "calls", "presence", "reap", "site", "main")


@cache
def source() -> str:
    """The whole script; each part sees the local names of those before it."""
    folder = resources.files("ivr.queueing") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in PARTS)


@cache
def sha() -> str:
    """The name under which Redis keeps the script."""
    return hashlib.sha1(source().encode(), usedforsecurity=False).hexdigest()
