"""Who is running on this machine, so that what a dead owner left can be cleared away.

Each stack has a lock, which the kernel lets go of when its owner dies, and a record
of what it started and where it keeps its state. Programs die with their owner anyway;
this is for the folders, and for the case that it ever failed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ivr.stack.errors import StateInUseError
from ivr.stack.paths import mounted_below, runtime_dir, try_lock

_LOCK_NAME: Final = ".stack.lock"
_DYING_MS: Final = 2_000


def started_at(pid: int) -> str:
    """Return what tells this process from another that had the same pid; empty when it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The name is in parentheses and may hold anything; the state follows, and 19 fields on the start time.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


@dataclass(slots=True)
class Claim:
    """One live stack's place in the registry, and its hold on its state folder, until `release`."""

    record: Path
    state: Path
    temporary: bool
    _locks: list[int] = field(default_factory=list)
    _pids: dict[str, str] = field(default_factory=dict)

    def note(self, *pids: int) -> None:
        """Record processes that must not outlive the owner."""
        self._pids = {str(pid): started_at(pid) for pid in pids}
        self.write()

    def write(self) -> None:
        """Bring the record up to date."""
        content = {"state": str(self.state), "temporary": self.temporary, "pids": self._pids}
        temporary = self.record.with_suffix(".new")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(self.record)

    def release(self) -> None:
        """Give up the place; a temporary state folder goes with it."""
        if self.temporary:
            shutil.rmtree(self.state, ignore_errors=True)
        self.record.unlink(missing_ok=True)
        self.record.with_suffix(".lock").unlink(missing_ok=True)
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()


def claim(state: Path, *, temporary: bool, folder: Path | None = None) -> Claim:
    """Return the claim of a new stack on `state`; raise `StateInUseError` if a live one has it."""
    folder = folder or runtime_dir() / "stacks"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = try_lock(state / _LOCK_NAME)
    if held is None:
        raise StateInUseError(str(state))
    while True:
        record = folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"
        lock = try_lock(record.with_suffix(".lock"))
        if lock is not None:  # else somebody who clears away was faster
            made = Claim(record, state, temporary, [held, lock])
            made.write()
            return made


def clear_dead(folder: Path | None = None) -> list[str]:
    """End and remove what stacks of dead owners left; return a sentence for each thing done.

    A process is ended only if it is the very one that was recorded, by pid and start time.
    A folder is removed only if it was made for that stack and nothing is mounted in it.
    """
    folder = folder or runtime_dir() / "stacks"
    done: list[str] = []
    for lock_file in sorted(folder.glob("*.lock")):
        lock = try_lock(lock_file)
        if lock is None:
            continue
        try:
            record = lock_file.with_suffix(".json")
            with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
                done += _clear(json.loads(record.read_text(encoding="utf-8")))
            record.unlink(missing_ok=True)
            record.with_suffix(".new").unlink(missing_ok=True)
            lock_file.unlink(missing_ok=True)
        finally:
            os.close(lock)
    return done


def _clear(record: dict[str, Any]) -> list[str]:
    done = [f"ended process {pid}" for pid, start in record["pids"].items() if _end(int(pid), start)]
    state = Path(record["state"])
    if record["temporary"] and state.is_dir():
        if mounted_below(state):
            return [*done, f"left {state} alone: something is mounted there"]
        shutil.rmtree(state, ignore_errors=True)
        done.append(f"removed {state}")
    return done


def _end(pid: int, start: str) -> bool:
    """Kill that very process, if it is there, and return once it is gone; say whether it was there."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not start or started_at(pid) != start:
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], _DYING_MS / 1000)
    except ProcessLookupError:
        return False
    else:
        return True
    finally:
        os.close(handle)


if __name__ == "__main__":
    for sentence in clear_dead():
        print(sentence)
