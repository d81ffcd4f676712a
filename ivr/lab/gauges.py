"""What a process costs and holds, read from outside: /proc, and a worker's /metrics."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UTIME_FIELD: Final = 11
"""Index of `utime` among the fields of /proc/PID/stat that follow the command (proc(5)); `stime` is the next."""
_SAMPLE: Final = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'="([^"]*)"')

Samples = dict[str, float]


def cpu_ms(pid: int) -> float:
    """Return the processor time of a process since its start, user and system, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[_UTIME_FIELD]) + int(fields[_UTIME_FIELD + 1])) * 1000 / _TICKS


def descriptors(pid: int) -> list[str]:
    """Return what the open file descriptors of a process are: paths, or "socket:[…]" and the like (proc(5))."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(descriptor.readlink()))
    return found


async def metrics(bind: str) -> Samples:
    """Return the samples of a worker's /metrics by their full name, labels included."""
    async with (
        aiohttp.ClientSession(headers={"Connection": "close"}) as session,
        session.get(f"http://{bind}/metrics") as reply,
    ):
        text = await reply.text()
    return {name: float(value) for name, value in _SAMPLE.findall(text)}


def labelled(samples: Mapping[str, float], name: str) -> dict[str, float]:
    """Return the samples of one family with one label, by the label's value."""
    found = {sample: value for sample, value in samples.items() if sample.startswith(f"{name}{{")}
    return {_LABEL.findall(sample)[0]: value for sample, value in found.items()}


def grown(before: Mapping[str, float], after: Mapping[str, float]) -> Samples:
    """Return by how much each sample grew; one that was not there before began at nothing."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}
