"""Promises that wait for a ledger that is away: lines of JSON on this machine, each on its disk before it is heard.

Numbers of callers whom an agent answered wait beside them.

The folder holds one file per process, locked (flock) while that process lives and readable by its user alone, for
it holds numbers. A file's room is taken beforehand, as zeros: a disk that is full meanwhile refuses no promise. What
is brought into the ledger is overwritten by zeros, and the file of a process that is gone is removed then. A line
with zeros in it is debris of a write, or of an overwriting, that was cut short: no caller heard of the first, the
ledger has the second.

Who brings lines into the ledger, or erases a number in them, holds the folder's own lock; who appends needs none.
Calls here block on the disk: for threads.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import threading
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from ivr import log
from ivr.ledger.errors import JournalBusy
from ivr.ledger.store import File, Met

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

ROOM: Final = 1 << 20
"""Bytes taken beforehand: about 2,500 promises."""
ENDING: Final = ".jsonl"
DAMAGED: Final = ".damaged"
"""What is added to the name of a file with lines that cannot be read: it is kept for somebody to look at."""
_LOOK_AGAIN_S: Final = 0.02
_NAMES: Final = frozenset(field.name for field in fields(File))

_log = log.get("journal")


@dataclass(frozen=True, slots=True)
class Entry:
    """A promise that waits; `number` is None when the caller's is not known, or was erased."""

    file: File
    number: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """What one file held when it was read: its first `size` bytes; `damaged` of its lines cannot be read."""

    path: Path
    entries: tuple[Entry | Met, ...]
    size: int
    damaged: int
    ours: bool


class Journal:
    """One process's way into the journal of a folder. Every method but `append` also sees what others wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own: tuple[Path, int] | None = None
        self._end = 0
        self._turn = threading.Lock()

    def prepare(self) -> None:
        """Take the room for promises now, while the disk has it. Raises OSError."""
        with self._turn:
            if self._own is None:
                self._own, self._end = self._begin(), 0

    def append(self, file: File, number: str | None) -> None:
        """Put a promise on the disk; it is there when this returns. Raises OSError, and then nothing is promised."""
        self._put(_line({"file": asdict(file), "number": number}))

    def meet(self, callers: Iterable[Met]) -> None:
        """Put numbers of callers who were answered on the disk, as `append` does. Raises OSError."""
        self._put(b"".join(_line({"met": asdict(each)}) for each in callers))

    def _put(self, line: bytes) -> None:
        with self._turn:
            if self._own is None:
                self._own, self._end = self._begin(), 0
            fd = self._own[1]
            try:
                _write(fd, line, self._end)
                os.fdatasync(fd)
            except OSError:
                # What there is of the line must not stand before the next: another file begins there.
                with contextlib.suppress(OSError):
                    _write(fd, bytes(len(line)), self._end)
                self._leave()
                raise
            self._end += len(line)

    def count(self) -> int:
        """How many promises wait in the folder, whoever wrote them. Raises OSError."""
        return len(self.entries())

    def entries(self) -> list[Entry]:
        """Every promise that waits. Raises OSError."""
        found = (entry for path in self._files(ENDING) for entry in _read(_content(path))[0])
        return [entry for entry in found if isinstance(entry, Entry)]

    @contextlib.contextmanager
    def alone(self, patience_s: float = 0.0) -> Iterator[None]:
        """Nobody else brings in or erases meanwhile; JournalBusy when somebody does for longer. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            until = time.monotonic() + patience_s
            while not _locked(fd):
                if time.monotonic() > until:
                    raise JournalBusy(self.folder)
                time.sleep(_LOOK_AGAIN_S)
            yield
        finally:
            os.close(fd)

    def parts(self) -> Generator[Part]:
        """What waits in our file and in those of processes that are gone, file by file; within `alone`.

        Each is let go when the next is asked for: `shorten` it before. Raises OSError.
        """
        for path in self._files(ENDING):
            ours = self._own is not None and self._own[0] == path
            fd = None if ours else _opened(path)
            if fd is None and not ours:
                continue
            try:
                if fd is None or _locked(fd):
                    with self._turn:
                        content = _content(path)[: self._end] if ours else _content(path)
                    yield Part(path, *_read(content), ours)
            finally:
                if fd is not None:
                    os.close(fd)

    def shorten(self, part: Part) -> None:
        """What was read is in the ledger: it stands here no more. Raises OSError; then it is brought in again."""
        if part.damaged:
            _log.error(
                "promises in the journal cannot be read; the file is kept beside: see what it says, then remove it",
                lines=part.damaged,
                file=f"{part.path}{DAMAGED}",
            )
            with self._turn:
                part.path.rename(f"{part.path}{DAMAGED}")
                if part.ours:
                    self._leave()
            return
        if not part.ours:
            fd = _opened(part.path)
            if fd is not None:
                try:
                    _write(fd, bytes(part.size), 0)
                    os.fdatasync(fd)
                finally:
                    os.close(fd)
                part.path.unlink(missing_ok=True)
            return
        with self._turn:
            if self._own is None or self._own[0] != part.path or part.size == 0:
                return
            _write(self._own[1], bytes(part.size), 0)
            os.fdatasync(self._own[1])
            if self._end == part.size:
                self._end = 0

    def erase(self, texts: Iterable[str]) -> bool:
        """Overwrite values (a number, a recording) wherever they stand, within `alone`; whether any did. OSError."""
        found = False
        for path in (*self._files(ENDING), *self._files(ENDING + DAMAGED)):
            fd = _opened(path)
            if fd is None:
                continue
            try:
                content = _content(path)
                for text in texts:
                    value = json.dumps(text).encode()
                    at = content.find(value)
                    while at >= 0:
                        # Blanks, in place: the line stays one, whenever this is cut short.
                        _write(fd, b" " * (len(value) - 2), at + 1)
                        found = True
                        at = content.find(value, at + len(value))
                os.fsync(fd)
            finally:
                os.close(fd)
        return found

    def close(self) -> None:
        """The process appends no more; its file is for others to bring in, or is gone if nothing waits in it."""
        with self._turn:
            if self._own is not None:
                with contextlib.suppress(OSError):
                    if self._end == 0:
                        self._own[0].unlink()
            self._leave()

    def _files(self, ending: str) -> list[Path]:
        return sorted(self.folder.glob(f"*{ending}"))

    def _leave(self) -> None:
        if self._own is not None:
            os.close(self._own[1])
        self._own, self._end = None, 0

    def _begin(self) -> tuple[Path, int]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            path = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}{ENDING}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                if not _locked(fd) or os.fstat(fd).st_nlink == 0:
                    # Somebody who looks for what was left behind came between.
                    os.close(fd)
                    continue
                os.posix_fallocate(fd, 0, ROOM)
                os.fsync(fd)
                _sync_folder(self.folder)
            except OSError:
                os.close(fd)
                with contextlib.suppress(OSError):
                    path.unlink()
                raise
            return path, fd


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def _read(content: bytes) -> tuple[tuple[Entry | Met, ...], int, int]:
    """What waits, the bytes that it takes with what is debris, and how many lines are neither."""
    entries: list[Entry | Met] = []
    damaged = 0
    *lines, rest = content.split(b"\n")
    for raw in lines:
        line = raw.lstrip(b"\0")
        if not line or b"\0" in line:
            continue
        try:
            said = json.loads(line)
            entries += _met(said["met"]) if "met" in said else (_entry(said),)
        except (ValueError, TypeError, KeyError, AttributeError):
            # What an overwriting that was cut short left of a line begins with zeros.
            damaged += len(line) == len(raw)
    return tuple(entries), len(content) - len(rest) + len(rest.rstrip(b"\0")), damaged


def _met(said: Any) -> tuple[Met, ...]:
    """The caller who was answered; none whose number was erased."""
    number = said["number"].strip()
    return (Met(said["ref"], number, int(said["at"])),) if number else ()


def _entry(said: Any) -> Entry:
    words: dict[str, Any] = {
        name: value.strip() if isinstance(value, str) else value
        for name, value in said["file"].items()
        if name in _NAMES
    }
    return Entry(File(**words), (said["number"] or "").strip() or None)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # brought in and removed meanwhile


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None


def _write(fd: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(fd, content, at)
        content, at = content[written:], at + written


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
