"""One program of a stack: started in the runtime root, watched until ready, ended by its own pid."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ivr.stack.errors import ConsoleError, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from ivr.stack.root import Root

_POLL_S: Final = 0.01
_TAIL_BYTES: Final = 3_000
# What a probe meets while its server is still starting.
_NOT_YET: Final = (OSError, EOFError, ConsoleError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run and how to tell that it is ready. `probe` raises or says False until then.

    `log` gets what the program prints; `pidfile` its pid as the host sees it.
    """

    name: str
    argv: Sequence[str]
    binds: Mapping[Path, str]
    log: Path
    pidfile: Path
    probe: Callable[[], Awaitable[bool]]
    read_only: Mapping[Path, str] = field(default_factory=dict)


def tail(log: Path) -> str:
    """Return the last lines of a log, for people; nothing if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


class Service:
    """A program that is running or not; every change is asked for here.

    A program that ends by itself stays ended: `ended` tells.
    """

    def __init__(self, root: Root, program: Program) -> None:
        self._root = root
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._handle: int | None = None
        self._wanted = False

    @property
    def name(self) -> str:
        """Return the program's name, for people."""
        return self._program.name

    @property
    def running(self) -> bool:
        """Return whether the process is there (frozen counts)."""
        return self._process is not None and self._process.returncode is None

    @property
    def supervisor_pid(self) -> int | None:
        """Return the pid of the process that watches the program, the parent of `pid`."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def pid(self) -> int:
        """Return the program's own pid as the host sees it; raise `ProcessLookupError` when it is not running."""
        if not self.running:
            raise ProcessLookupError(f"{self.name} is not running")
        return int(self._program.pidfile.read_text(encoding="ascii"))

    async def start(self, ready_timeout_ms: int) -> None:
        """Start the program and return once it is ready; raise `NotReadyError` with its log otherwise."""
        program = self._program
        if self.running:
            return
        self._forget()
        program.pidfile.unlink(missing_ok=True)
        command = self._root.command(
            program.argv, binds=program.binds, read_only=program.read_only, pidfile=program.pidfile
        )
        with program.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        self._wanted = True
        try:
            await self._until_ready(ready_timeout_ms)
        except BaseException:
            await self.kill()
            raise

    async def _until_ready(self, timeout_ms: int) -> None:
        deadline = time.monotonic() + timeout_ms / 1000
        while True:
            left = deadline - time.monotonic()
            if not self.running:
                code = self._process.returncode if self._process else None
                raise NotReadyError(self.name, f"ended with {code} before it was ready.", tail(self._program.log))
            if left <= 0:
                raise NotReadyError(self.name, f"was not ready within {timeout_ms} ms.", tail(self._program.log))
            with contextlib.suppress(*_NOT_YET, TimeoutError):
                async with asyncio.timeout(left):
                    if await self._program.probe():
                        return
            await asyncio.sleep(_POLL_S)

    async def stop(self, timeout_ms: int = 5_000) -> None:
        """End the program: it is asked to, and killed if it has not ended by then. Nothing to do if it is not there."""
        self._wanted = False
        if self._process is None:
            return
        try:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # a frozen program cannot end
            async with asyncio.timeout(timeout_ms / 1000):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End the program as a crash does, at once; return when it is gone."""
        self._wanted = False
        if self._process is not None:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        self._forget()

    def freeze(self) -> None:
        """Stop the program where it is (SIGSTOP), as an overloaded machine does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen program go on."""
        self._signal(signal.SIGCONT)

    async def ended(self) -> int:
        """Return the exit status of a program that ended without being asked to; wait for ever otherwise."""
        while True:
            if self._process is not None:
                code = await self._process.wait()
                if self._wanted:
                    return code
            await asyncio.sleep(0.1)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the program if it is there: by a handle, which can be no other process."""
        if self._process is None or not self.running:
            return
        try:
            if self._handle is None:
                self._handle = os.pidfd_open(self.pid)
            signal.pidfd_send_signal(self._handle, number)
        except (FileNotFoundError, ValueError):
            # There is no program yet: only what would start it, and would take it along.
            self._process.send_signal(number)
        except ProcessLookupError:
            pass

    def _forget(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
