"""`python -m ivr.stack.root [--rebuild]`: makes the runtime root and says how far it is."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from ivr.errors import IvrError
from ivr.stack.root import Root, ensure_root

if TYPE_CHECKING:
    from ivr.stack.build import Progress


class _Lines:
    """Progress for a log: a line for each step and each fifth, none when there is nothing to do."""

    def __init__(self) -> None:
        self._seen: set[str | int] = set()

    def __call__(self, progress: Progress) -> None:
        fifth = int(progress.done * 5)
        if progress.step not in self._seen or fifth not in self._seen:
            self._seen |= {progress.step, fifth}
            print(f"runtime root: {progress.done:4.0%} {progress.step}", flush=True)

    def close(self) -> None:
        """Have nothing to put back."""


class _Bar:
    """Progress for a terminal: a bar, shown from the first report on."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("runtime root (once)"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        self._task = self._bar.add_task("", total=1.0)

    def __call__(self, progress: Progress) -> None:
        self._bar.start()
        self._bar.update(self._task, completed=progress.done, description=progress.step)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()


def ensure_root_aloud(*, rebuild: bool = False) -> Root:
    """Return the runtime root, telling the terminal (a bar) or the log (lines) while it is built."""
    shown = _Bar() if sys.stdout.isatty() else _Lines()
    try:
        return ensure_root(shown, rebuild=rebuild)
    finally:
        shown.close()


def main() -> int:
    """Return the exit status: 0 when the root is there, 1 when it cannot be, with the reason told."""
    started = time.monotonic()
    try:
        root = ensure_root_aloud(rebuild="--rebuild" in sys.argv[1:])
    except IvrError as error:
        print(f"runtime root: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("runtime root: stopped; what was half built is gone", file=sys.stderr)
        return 130
    for warning in root.warnings:
        print(f"runtime root: warning: {warning}", file=sys.stderr)
    version = ".".join(map(str, root.asterisk))
    print(f"runtime root: ready, Asterisk {version} ({time.monotonic() - started:.1f} s)")
    return 0
