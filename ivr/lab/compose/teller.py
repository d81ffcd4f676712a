"""Runs commands, says how far things are, and keeps all that was said in one log."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.markup import escape

from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import IO

_TAIL: Final = 12
_WIDTH: Final = 90
_LIMIT_S: Final = 60.0
_GRACE_S: Final = 5.0
# Where no line can be written over: said after 2 s, then every quarter of a minute.
_QUIET_S: Final = 2.0
_AGAIN_S: Final = 15.0


class ComposeTestError(IvrError):
    """The test cannot be done, or the switchboard in Docker does not do its job; the sentence says why."""


class CommandError(ComposeTestError):
    """A command failed; the sentence quotes its last lines."""

    def __init__(self, argv: Sequence[str], code: int, tail: Sequence[str]) -> None:
        self.tail = "\n".join(tail)
        super().__init__(f"`{' '.join(argv[:6])}{' …' if len(argv) > 6 else ''}` ended with {code}:\n{self.tail}")  # noqa: PLR2004 - enough to know it by


class Teller:
    """Steps on the terminal, each with the last line of what it does; everything else in `log`."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self._file = log.open("w", encoding="utf-8")
        self._console = Console()
        self._status = self._console.status("")
        self._lock = threading.Lock()
        self._what = ""
        self._last = ""
        self.began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def say(self, text: str, style: str = "") -> None:
        """Print a line, and keep it."""
        with self._lock:
            self._file.write(f"=== {text}\n")
            self._file.flush()
            self._print(text, style)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show `what` while it lasts, and how long it took once it is done."""
        began = time.monotonic()
        with self._lock:
            self._file.write(f"=== {what}\n")
        self._what, self._last = what, ""
        self._status.update(escape(what))
        live = self._console.is_terminal
        done = threading.Event()
        told = threading.Thread(target=self._remind, args=(what, began, done), daemon=True)
        if live:
            self._status.start()
        else:
            told.start()
        try:
            yield
        finally:
            done.set()
            if live:
                self._status.stop()
            else:
                told.join()
        self.say(f"  {what}: {time.monotonic() - began:.1f} s")

    def hear(self, line: str) -> None:
        """Keep a line of a command's output, and show it as what is going on."""
        text = line.strip()[:_WIDTH]
        with self._lock:
            self._file.write(f"{line}\n")
            self._last = text or self._last
        if text:
            self._status.update(f"{escape(self._what)} [dim]{escape(text)}[/dim]")

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        limit_s: float = _LIMIT_S,
    ) -> str:
        """Return what a command printed; raise `CommandError` when it fails or takes longer than `limit_s`.

        It is ended, with all that it started in its session, if we are.
        """
        self.hear(f"$ {' '.join(argv)}")
        lines: list[str] = []
        late = threading.Event()
        with subprocess.Popen(
            argv,
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            limit = threading.Timer(limit_s, _end_late, (process, late))
            limit.start()
            try:
                for raw in process.stdout or ():
                    line = raw.decode(errors="replace").rstrip()
                    lines.append(line)
                    self.hear(line)
                code = process.wait()
            except BaseException:
                end(process)
                raise
            finally:
                limit.cancel()
        if late.is_set():
            lines.append(f"(ended: not done within {limit_s:.0f} s)")
        if code != 0 or late.is_set():
            raise CommandError(argv, code, [line for line in lines if line.strip()][-_TAIL:])
        return "\n".join(lines)

    def succeeds(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, limit_s: float = _LIMIT_S) -> bool:
        """Return whether a command can be run and succeeds in time."""
        try:
            self.run(argv, env=env, limit_s=limit_s)
        except (CommandError, OSError):
            return False
        return True

    def _remind(self, what: str, began: float, done: threading.Event) -> None:
        """Say that `what` goes on, for those who read no terminal."""
        if done.wait(_QUIET_S):
            return
        with self._lock:
            self._print(f"  {what} …")
        while not done.wait(_AGAIN_S):
            with self._lock:
                self._print(f"  {what} … {time.monotonic() - began:.0f} s  {self._last}", "dim")

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started in its session: asked first, then killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)


def _end_late(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    end(process)
