"""Whether a worker of this machine is dead for sure: then its lease need not be waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

_PID_NAMESPACE: Final = "/proc/self/ns/pid"
_START_TIME_FIELD: Final = 19
"""Index of `starttime` among the fields of /proc/PID/stat that follow the command (proc(5))."""


def _started(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[_START_TIME_FIELD]


def own_name() -> str:
    """Return a name that no other worker has or will have: host and pid namespace, pid, start time."""
    namespace = Path(_PID_NAMESPACE).readlink()
    return f"{socket.gethostname()}/{namespace}|{os.getpid()}|{_started(os.getpid())}"


def is_dead(name: str) -> bool:
    """Return True only when the worker ran in our pid namespace and its process is gone."""
    home, _, process = own_name().partition("|")
    other_home, _, other = name.partition("|")
    pid, _, started = other.partition("|")
    return bool(process) and other_home == home and pid.isdecimal() and _started(int(pid)) != started
