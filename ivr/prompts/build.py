"""Texts and recordings to the files that Asterisk plays: recorded first, then the voice.

Every prompt is found in the cache by the content that it was made from, so that a second
build takes no time and a changed sentence is the only one spoken again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ivr.core.plan import PromptId
from ivr.plan.recorded import hash_of, is_mark
from ivr.prompts import pipeline, store
from ivr.prompts.errors import PromptError
from ivr.prompts.numbers import is_number
from ivr.prompts.pipeline import TARGET_LUFS, finish
from ivr.prompts.recordings import read_recording
from ivr.prompts.store import Cache, digest, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ivr.prompts.engines import Synthesiser
    from ivr.prompts.sound import Audio
    from ivr.prompts.store import Kept

    Progress = Callable[[int, int, str], None]

RECORDED: Final = "recorded"


@dataclass(frozen=True, slots=True)
class Built:
    """One prompt's files: `path` is the .alaw one, `source` the engine or "recorded"."""

    prompt: PromptId
    path: Path
    ms: int
    lufs: float
    peak_db: float
    source: str
    cached: bool

    @property
    def even(self) -> bool:
        """Tell whether it is about as loud as the others."""
        return abs(self.lufs - TARGET_LUFS) <= pipeline.TOLERANCE_LU


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did, prompt by prompt."""

    language: str
    prompts: tuple[Built, ...] = ()
    changed: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def made(self) -> int:
        """Return how many prompts were not in the cache."""
        return sum(not built.cached for built in self.prompts)

    @property
    def recorded(self) -> int:
        """Return how many prompts are recordings."""
        return sum(built.source == RECORDED for built in self.prompts)


def build(
    texts: Mapping[PromptId, str],
    language: str,
    out_dir: Path,
    recorded_dir: Path | None,
    synthesiser: Synthesiser,
    progress: Progress | None = None,
    *,
    cache_dir: Path | None = None,
) -> BuildReport:
    """Write `<out_dir>/<language>/<prompt>.alaw` and `.sln16` for every prompt.

    An empty text stands for a prompt that exists only as `<recorded_dir>/<language>/<prompt>.wav`.
    `progress(done, total, prompt)` is called after each. PromptError names the first prompt
    that has no sound; what was finished before it stays.
    """
    work = _Build(texts, language, out_dir / language, Cache(cache_dir or store.cache_dir()), progress)
    work.record(recorded_dir / language if recorded_dir is not None else None)
    work.speak(synthesiser)
    return work.report()


def _key(prompt: str, *origin: str) -> str:
    """Return the cache's key of a prompt made from this."""
    return digest(*origin, str(pipeline.VERSION), "joined" if is_number(prompt) else "alone")


class _Build:
    """One build under way: what is done, what is still to be spoken."""

    def __init__(
        self,
        texts: Mapping[PromptId, str],
        language: str,
        folder: Path,
        cache: Cache,
        progress: Progress | None,
    ) -> None:
        self.texts = texts
        self.language = language
        self.folder = folder
        self.cache = cache
        self.progress = progress
        self.done: dict[PromptId, Built] = {}
        self.changed: list[Path] = []
        self.warnings: list[str] = []
        self.manifest = store.read_manifest(folder)

    def record(self, recorded: Path | None) -> None:
        """Take what was recorded by hand."""
        if recorded is None:
            return
        for prompt in self.texts:
            path = recorded / f"{prompt}.wav"
            if not path.is_file():
                continue
            raw = path.read_bytes()
            origin = hash_of(raw)
            key = _key(prompt, RECORDED, origin)
            kept = self.cache.get(key)
            cached = kept is not None
            if kept is None and is_mark(raw):
                self.warnings.append(f"{prompt}: its recording is no longer here, so the voice speaks it")
                continue
            if kept is None:
                recording = read_recording(path, prompt)
                self.warnings += [f"{prompt}: {flaw.en}" for flaw in recording.flaws]
                kept = self._finish(key, prompt, recording.audio, RECORDED)
            self._place(prompt, kept, RECORDED, origin, cached=cached)

    def speak(self, synthesiser: Synthesiser) -> None:
        """Speak what is neither recorded nor in the cache."""
        identity = synthesiser.identity
        keys: dict[PromptId, str] = {}
        for prompt, text in self.texts.items():
            if prompt in self.done:
                continue
            if not text.strip():
                raise PromptError(prompt, f"there is neither a text nor {RECORDED}/{self.language}/{prompt}.wav")
            key = _key(prompt, text, self.language, identity)
            kept = self.cache.get(key)
            if kept is None:
                keys[prompt] = key
            else:
                self._place(prompt, kept, identity, digest(text), cached=True)

        # One sound for each content: two prompts may say the same.
        first: dict[str, PromptId] = {}
        for prompt, key in keys.items():
            first.setdefault(key, prompt)

        def spoken(name: str, audio: Audio) -> None:
            key = keys[PromptId(name)]
            kept = self._finish(key, name, audio, identity)
            for prompt in (prompt for prompt, other in keys.items() if other == key):
                self._place(prompt, kept, identity, digest(self.texts[prompt]), cached=False)

        if first:
            try:
                synthesiser.speak({prompt: self.texts[prompt] for prompt in first.values()}, self.language, spoken)
            finally:
                store.write_manifest(self.folder, self.manifest)
        for prompt in keys:
            if prompt not in self.done:
                raise PromptError(prompt, f"{identity} gave no sound")

    def report(self) -> BuildReport:
        """Return what was done, in the order of the texts."""
        store.write_manifest(self.folder, self.manifest)
        ordered = tuple(self.done[prompt] for prompt in self.texts)
        uneven = [
            f"{built.prompt}: {built.lufs:.1f} LUFS, the others {TARGET_LUFS:.0f}"
            for built in ordered
            if not built.even
        ]
        return BuildReport(self.language, ordered, tuple(self.changed), (*self.warnings, *uneven))

    def _finish(self, key: str, prompt: str, audio: Audio, source: str) -> Kept:
        product = finish(audio, joined=is_number(prompt))
        if product is None:
            raise PromptError(prompt, f"{source} gave silence")
        return self.cache.put(key, product)

    def _place(self, prompt: PromptId, kept: Kept, source: str, origin: str, *, cached: bool) -> None:
        path = self.folder / f"{prompt}{store.NARROW_SUFFIX}"
        for target, content in ((path, kept.alaw), (path.with_suffix(store.WIDE_SUFFIX), kept.sln16)):
            if write_atomically(target, content):
                self.changed.append(target)
        self.manifest[prompt] = {"from": origin, "source": source, "ms": kept.ms, "lufs": round(kept.lufs, 1)}
        self.done[prompt] = Built(prompt, path, kept.ms, kept.lufs, kept.peak_db, source, cached)
        if self.progress is not None:
            self.progress(len(self.done), len(self.texts), prompt)
