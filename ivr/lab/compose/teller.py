"""Runs commands, says how far things are, and keeps all that was said in one log."""

from __future__ import annotations

import contextlib
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
        self._console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show `what` while it lasts, and how long it took once it is done."""
        began = time.monotonic()
        with self._lock:
            self._file.write(f"=== {what}\n")
        self._what = what
        self._status.update(escape(what))
        live = self._console.is_terminal
        if live:
            self._status.start()
        try:
            yield
        finally:
            if live:
                self._status.stop()
        self.say(f"  {what}: {time.monotonic() - began:.1f} s")

    def hear(self, line: str) -> None:
        """Keep a line of a command's output, and show it as what is going on."""
        with self._lock:
            self._file.write(f"{line}\n")
        if text := line.strip():
            self._status.update(f"{escape(self._what)} [dim]{escape(text[:_WIDTH])}[/dim]")

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
    ) -> str:
        """Return what a command printed; raise `CommandError` when it fails. It is ended if we are."""
        self.hear(f"$ {' '.join(argv)}")
        lines: list[str] = []
        with subprocess.Popen(
            argv, env=env, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            try:
                for raw in process.stdout or ():
                    line = raw.decode(errors="replace").rstrip()
                    lines.append(line)
                    self.hear(line)
                code = process.wait()
            except BaseException:
                process.terminate()
                raise
        if code != 0:
            raise CommandError(argv, code, [line for line in lines if line.strip()][-_TAIL:])
        return "\n".join(lines)

    def succeeds(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> bool:
        """Return whether a command can be run and succeeds."""
        try:
            self.run(argv, env=env)
        except (CommandError, OSError):
            return False
        return True
