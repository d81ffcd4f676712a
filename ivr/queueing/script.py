"""The one Lua library that writes queue and agent state, put together from `lua/`.

A library of functions (Redis 7), loaded once into a server: a script would define its hundred functions anew at
each command, which cost more than most commands do.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final

PARTS: Final = ("store", "lines", "agents", "known", "dispatch", "calls", "nodes", "presence", "reap", "site", "main")
MISSING: Final = "Function not found"
"""How Redis says that the library is not loaded."""
_NAME: Final = "@{NAME}"


@cache
def name() -> str:
    """What Redis knows the library and its one function by: another version has another name."""
    return f"standardiste_{hashlib.sha256(_text().encode()).hexdigest()[:16]}"


@cache
def source() -> str:
    """The library as FUNCTION LOAD takes it; each part sees the local names of those before it."""
    return f"#!lua name={name()}\n{_text().replace(_NAME, name())}"


@cache
def _text() -> str:
    folder = resources.files("ivr.queueing") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in PARTS)
