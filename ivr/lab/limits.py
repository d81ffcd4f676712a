"""What a program is refused while it runs: room on a disk of its own (a tmpfs), and descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WHOLE: Final = "1g"
_TRIES: Final = 20


class DiskFailed(IvrError):
    """A disk could not be mounted or resized; the sentence says why."""


def no_more_descriptors(pid: int) -> tuple[int, int]:
    """Let a process open nothing more, by a limit below every number that is free; return the limits it had."""
    held = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    free = next(n for n in itertools.count() if n not in held)
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    return resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, most))


def descriptors_as_before(pid: int, limits: tuple[int, int]) -> None:
    """Give a process its limits back."""
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


@contextlib.asynccontextmanager
async def disk(place: Path) -> AsyncIterator[Path]:
    """Mount an empty disk there, and take it away after."""
    place.mkdir(parents=True)
    await _run("mount", "-t", "tmpfs", "-o", f"size={WHOLE}", "ivr-lab", str(place))
    try:
        yield place
    finally:
        await _run("umount", "--lazy", str(place))


async def fill(place: Path) -> None:
    """Leave no room on it, but what its files have already."""
    for _ in range(_TRIES):
        known = os.statvfs(place)
        used = (known.f_blocks - known.f_bfree) * known.f_frsize
        with contextlib.suppress(DiskFailed):  # somebody has just taken more
            await _run("mount", "-o", f"remount,size={max(used, known.f_frsize)}", str(place))
            return
    raise DiskFailed(f"{place} is never full")


async def room(place: Path) -> None:
    """Let it have room again."""
    await _run("mount", "-o", f"remount,size={WHOLE}", str(place))


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    if process.returncode:
        raise DiskFailed(f"{' '.join(argv)}: {told.decode(errors='replace').strip()}")
