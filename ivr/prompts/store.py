"""Finished prompts on disk: a cache by content, and the folders that Asterisk reads."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.prompts.pipeline import Product

MANIFEST: Final = "prompts.json"
NARROW_SUFFIX: Final = ".alaw"
WIDE_SUFFIX: Final = ".sln16"


def cache_dir() -> Path:
    """Return where finished prompts are kept: $XDG_CACHE_HOME/standardiste/prompts."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "standardiste" / "prompts"


def digest(*parts: str | bytes) -> str:
    """Return a hash of the parts; what one ends with never passes for the next one's beginning."""
    found = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        found.update(len(raw).to_bytes(8, "big") + raw)
    return found.hexdigest()


def write_atomically(path: Path, content: bytes) -> bool:
    """Write a file whole or not at all; False if it held just that already."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        temporary = Path(name)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished prompt and what was measured when it was made."""

    alaw: bytes
    sln16: bytes
    ms: int
    lufs: float
    peak_db: float


class Cache:
    """Finished prompts by the hash of all that they were made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Kept | None:
        """Return what was kept under a key, None if it is absent or damaged."""
        base = self._base(key)
        try:
            facts = json.loads(base.with_suffix(".json").read_bytes())
            kept = Kept(
                alaw=base.with_suffix(NARROW_SUFFIX).read_bytes(),
                sln16=base.with_suffix(WIDE_SUFFIX).read_bytes(),
                ms=int(facts["ms"]),
                lufs=float(facts["lufs"]),
                peak_db=float(facts["peak_db"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return kept if digest(kept.alaw, kept.sln16) == facts.get("digest") else None

    def put(self, key: str, product: Product) -> Kept:
        """Keep a finished prompt; the facts are written last and make it whole."""
        base = self._base(key)
        write_atomically(base.with_suffix(NARROW_SUFFIX), product.alaw)
        write_atomically(base.with_suffix(WIDE_SUFFIX), product.sln16)
        facts = {
            "ms": product.ms,
            "lufs": round(product.lufs, 2),
            "peak_db": round(product.peak_db, 2),
            "digest": digest(product.alaw, product.sln16),
        }
        write_atomically(base.with_suffix(".json"), json.dumps(facts).encode())
        return Kept(product.alaw, product.sln16, product.ms, product.lufs, product.peak_db)

    def _base(self, key: str) -> Path:
        return self.folder / key[:2] / key


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what a folder's prompts were made from, by prompt; empty if nobody says."""
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): facts for name, facts in found.items() if isinstance(facts, dict)}


def write_manifest(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Say what a folder's prompts were made from."""
    text = json.dumps(dict(sorted(entries.items())), ensure_ascii=False, indent=1) + "\n"
    write_atomically(folder / MANIFEST, text.encode())
