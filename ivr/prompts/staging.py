"""Sounds that are finished beside those that callers hear, and put in their place only when they are wanted."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.prompts.store import MANIFEST, read_manifest, write_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = ".next-"


class Staging:
    """A folder inside of that of the sounds: what is in it has room there, and is put in place in one rename each."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder = folder
        self._out = out

    def add(self) -> None:
        """Put in place what is new: no version that is served has these sounds."""
        for path, target in self._files():
            if not target.exists():
                self._move(path, target)

    def replace(self) -> None:
        """Put in place all the rest, and say what it was made from."""
        for path, target in self._files():
            if not target.exists() or path.read_bytes() != target.read_bytes():
                self._move(path, target)
        for manifest in self.folder.glob(f"*/{MANIFEST}"):
            folder = self._out / manifest.parent.name
            write_manifest(folder, {**read_manifest(folder), **read_manifest(manifest.parent)})

    def _files(self) -> list[tuple[Path, Path]]:
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.name != MANIFEST]
        return [(path, self._out / path.relative_to(self.folder)) for path in files]

    def _move(self, path: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Staging]:
    """Return a staging folder for the sounds in `out`, gone after. OSError where nothing can be written there."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=out) as folder:
        yield Staging(Path(folder), out)
