"""The versions that this machine has laid out as folders, and which one it served last.

A worker that starts while Redis and the ledger are away serves that one; a call that is adopted finds its own here.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ivr.plan import load
from ivr.publish.version import Files, Published, Version

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.plan import Loaded

_LAST: Final = "last.json"
_KEPT: Final = 20


class Shelf:
    """Folders below one of ours, each of one content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lay(self, published: Published) -> Loaded:
        """Return a version as it loads from its folder, laid out if it was not."""
        return self.lay_files(published.version.digest, published.files, published.version.at)

    def lay_files(self, name: str, files: Files, at: int | None = None) -> Loaded:
        """Return files as they load from a folder of that name.

        `at`: when they were found good. What a day that has come since makes a fault of (an absence that leaves a
        topic without anybody) keeps no published plan from being served.
        """
        folder = self._folder / name
        if not folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            new = tempfile.mkdtemp(dir=self._folder)
            made = self._folder / new
            files.lay(made)
            try:
                made.rename(folder)
            except OSError:  # another worker of this machine was first
                shutil.rmtree(made)
            self._tidy()
        loaded = load(folder, published=True)
        if loaded.plan is not None or at is None:
            return loaded
        return load(folder, now=datetime.fromtimestamp(at / 1000, UTC), published=True)

    def remember(self, published: Published) -> None:
        """Note what is served now."""
        self._folder.mkdir(parents=True, exist_ok=True)
        content = {"version": published.version.to_json(), "files": published.files.to_json()}
        part = self._folder / f"{_LAST}.{os.getpid()}"
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(self._folder / _LAST)

    def last(self) -> Published | None:
        """Return what was served last; None if nothing was, or if it cannot be read."""
        try:
            found = json.loads((self._folder / _LAST).read_text(encoding="utf-8"))
            return Published(Version.from_json(found["version"]), Files.from_json(found["files"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _tidy(self) -> None:
        """Keep the newest folders only: every version is in the store."""
        folders = sorted(
            (path for path in self._folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
        )
        for old in folders[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
