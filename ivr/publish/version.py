"""A published version: what the folder held, who published it, when, why, and what it changed.

Sounds recorded by hand stay in the folder, and are built into the prompts of each machine: a version knows them by
the hash of their content alone. Everything else that the plan is made of travels with it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from ivr.errors import IvrError
from ivr.plan.draft import RECORDED
from ivr.plan.recorded import hash_of, mark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIXES: Final = frozenset({".yaml", ".yml", ".ics"})
SYSTEM: Final = "système"
"""The author of the first version, which is the folder as it was found."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a folder held: texts by path below it, and the hash of each recording. Odd bytes survive (PEP 383)."""

    texts: Mapping[str, str]
    sounds: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read a folder; hidden files and all that is no part of a plan are left out."""
        texts, sounds = {}, {}
        # Named apart, as the loader does: `recorded` may be a link to a folder, which rglob() does not enter.
        for path in sorted({*folder.rglob("*"), *(folder / RECORDED).glob("*/*.wav")}):
            name = path.relative_to(folder).as_posix()
            if not path.is_file() or any(part.startswith(".") for part in name.split("/")):
                continue
            if name.startswith(f"{RECORDED}/"):
                if path.suffix == ".wav":
                    sounds[name] = hash_of(path.read_bytes())
            elif path.suffix in SUFFIXES:
                texts[name] = path.read_bytes().decode("utf-8", "surrogateescape")
        return cls(texts, sounds)

    @property
    def digest(self) -> str:
        """Return a hash of every byte; two folders of the same are the same."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def lay(self, folder: Path, heard: Path | None = None, *, marks: bool = True) -> None:
        """Write the files into `folder`; a recording is only a mark there, which says what it was.

        `heard`: the admin's own folder; the recordings that are still the same there are whole. Without `marks` there
        are no others.
        """
        root = folder.resolve()
        content = {name: text.encode("utf-8", "surrogateescape") for name, text in self.texts.items()}
        if marks:
            content |= {name: mark(sound) for name, sound in self.sounds.items()}
        if heard is not None:
            there = Files.of(heard).sounds
            same = [name for name, sound in self.sounds.items() if there.get(name) == sound]
            content |= {name: (heard / name).read_bytes() for name in same}
        for name, raw in content.items():
            path = (root / name).resolve()
            if not path.is_relative_to(root):
                raise IvrError(f"{name}: not a path inside of a plan")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)

    def to_json(self) -> str:
        """Return it as text; the same files, the same text."""
        return json.dumps({"texts": dict(self.texts), "sounds": dict(self.sounds)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Version:
    """One publication. `number` counts from 1 in each site; `parent` is the one before it, 0 for none.

    `content` is the plan's own version, the hash of what it means; `digest` that of every byte of its files.
    `at`: Unix ms (UTC). `retired`: each topic that some earlier version had and this one has not, with the topic
    whose people answer who still waits there.
    """

    site: str
    number: int
    content: str
    digest: str
    author: str
    at: int
    note: str = ""
    parent: int = 0
    diff: tuple[str, ...] = ()
    retired: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` wrote."""
        found: dict[str, Any] = json.loads(text)
        return cls(**{**found, "diff": tuple(found["diff"])})


@dataclass(frozen=True, slots=True)
class Published:
    """A version and its files."""

    version: Version
    files: Files
