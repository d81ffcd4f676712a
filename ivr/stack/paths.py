"""Where stacks keep what belongs to the machine rather than to one of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.stack.errors import NotPermittedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CAP_SYS_ADMIN: Final = 21


def cache_dir() -> Path:
    """Return the folder of the runtime roots: $XDG_CACHE_HOME/standardiste/roots."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "standardiste" / "roots"


def runtime_dir() -> Path:
    """Return the folder, emptied by a reboot, where running stacks are known: the same for all of them."""
    return Path("/run/standardiste")


def require_privilege() -> None:
    """Raise `NotPermittedError` unless this process may make namespaces and mounts."""
    if os.geteuid() != 0:
        raise NotPermittedError("root", "Run the same command with sudo.")
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    if not int(effective, 16) & (1 << _CAP_SYS_ADMIN):
        raise NotPermittedError("CAP_SYS_ADMIN", "This container is not allowed to: start it with --privileged.")


def try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock `path` until it is closed, or None if somebody holds it.

    The kernel lets go of it when the process dies, however it dies. A lock file that was
    removed between being opened and being locked is no lock: it is opened again.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock `path`; if somebody else holds it, call `waiting` once and wait for it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mounted_below(folder: Path) -> list[Path]:
    """Return what is mounted at or below `folder` in this process's view of the machine."""
    real = folder.resolve()
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        # Spaces and the like are written as \ooo.
        point = Path(line.split()[4].encode("latin-1", "surrogateescape").decode("unicode_escape"))
        if point == real or real in point.parents:
            found.append(point)
    return found
