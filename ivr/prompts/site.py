"""A whole site's sounds: its prompts in every language it has texts for, numbers, the beep, music."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.core.plan import BEEP
from ivr.plan.faults import Place, fault
from ivr.plan.recorded import hash_of, is_mark
from ivr.prompts import music, store
from ivr.prompts.build import RECORDED, BuildReport, build
from ivr.prompts.errors import PromptError
from ivr.prompts.numbers import number_texts
from ivr.prompts.recordings import read_recording
from ivr.prompts.store import digest, read_manifest, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivr.core.plan import PromptId
    from ivr.plan.faults import Fault
    from ivr.plan.loader import Loaded
    from ivr.prompts.build import Progress
    from ivr.prompts.engines import Synthesiser

MUSIC: Final = "music/hold.alaw"


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What was built for a site; `changed` are all the files that were written."""

    languages: tuple[BuildReport, ...]
    music: Path
    changed: tuple[Path, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is worth a word about any prompt."""
        return tuple(found for report in self.languages for found in report.warnings)


def site_texts(loaded: Loaded, language: str) -> dict[PromptId, str]:
    """Return what must be heard in a language: numbers, and the site's prompts over them.

    A prompt that is only a recording has an empty text.
    """
    texts = dict(number_texts(language))
    for prompt, by_language in loaded.texts.items():
        recorded = (loaded.recorded_dir / language / f"{prompt}.wav").is_file()
        if language in by_language or language == loaded.language or recorded:
            texts[prompt] = by_language.get(language, "")
    return texts


def languages(loaded: Loaded) -> tuple[str, ...]:
    """Return the languages that a site has texts for, or that its callers can choose, its own first."""
    chosen = loaded.plan.languages if loaded.plan is not None else ()
    others = {*chosen, *(language for texts in loaded.texts.values() for language in texts)} - {loaded.language}
    return loaded.language, *sorted(others)


def build_site(
    loaded: Loaded,
    out_dir: Path,
    synthesiser: Synthesiser,
    progress: Progress | None = None,
    *,
    others: Mapping[str, Synthesiser] | None = None,
    cache_dir: Path | None = None,
) -> SiteReport:
    """Build all that callers of a site can hear, hold music included. `others`: who speaks a language instead."""
    reports = tuple(
        build(
            site_texts(loaded, language),
            language,
            out_dir,
            loaded.recorded_dir,
            (others or {}).get(language, synthesiser),
            progress,
            cache_dir=cache_dir,
        )
        for language in languages(loaded)
    )
    path, written = build_music(out_dir, cache_dir=cache_dir)
    changed = [path for report in reports for path in report.changed]
    beeps = [_sound(out_dir / report.language, BEEP) for report in reports]
    changed += [beep for beep in beeps if write_atomically(beep, music.beep_alaw())]
    return SiteReport(reports, path, (*changed, path) if written else tuple(changed))


def build_music(out_dir: Path, *, cache_dir: Path | None = None) -> tuple[Path, bool]:
    """Write the hold music; return its path, and whether it was written anew."""
    path = out_dir / MUSIC
    kept = (cache_dir or store.cache_dir()) / f"hold-{music.VERSION}.alaw"
    content = kept.read_bytes() if kept.is_file() else b""
    if not content:
        content = music.hold_alaw()
        write_atomically(kept, content)
    return path, write_atomically(path, content)


def missing(loaded: Loaded, out_dir: Path) -> list[Fault]:
    """Return a fault for every prompt without its sound, or whose sound is not that of its text.

    So too for the beep, in each language, and for the music: a caller hears neither from a text.
    """
    found: list[Fault] = []
    here = Place(str(loaded.folder))
    if not _is_there(out_dir / MUSIC):
        found.append(fault("music-not-built", here))
    for language in languages(loaded):
        folder = out_dir / language
        if not _is_there(_sound(folder, BEEP)):
            found.append(fault("prompt-not-built", here, prompt=BEEP, language=language))
        manifest = read_manifest(folder)
        for prompt, text in site_texts(loaded, language).items():
            place = loaded.places.get(prompt, here)
            path = _sound(folder, prompt)
            code = _state(path, manifest.get(prompt), text, loaded.recorded_dir / language)
            if code:
                found.append(fault(code, place, prompt=prompt, language=language))
    return found


def _sound(folder: Path, prompt: PromptId) -> Path:
    return folder / f"{prompt}{store.NARROW_SUFFIX}"


def _is_there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _state(path: Path, facts: Mapping[str, object] | None, text: str, recorded: Path) -> str:
    if not _is_there(path):
        return "prompt-not-built"
    recording = recorded / f"{path.stem}.wav"
    raw = recording.read_bytes() if recording.is_file() else None
    good = {digest(text)} if raw is None else {hash_of(raw)}
    if raw is not None and is_mark(raw):  # where it is lost, its text is spoken
        good.add(digest(text))
    return "" if facts is not None and facts.get("from") in good else "prompt-outdated"


def unusable_recordings(loaded: Loaded) -> list[Fault]:
    """Return a fault for every recording that callers could not follow or that nobody asked for."""
    found: list[Fault] = []
    for path in sorted(loaded.recorded_dir.glob("*/*.wav")):
        name = f"{RECORDED}/{path.parent.name}/{path.name}"
        try:
            flaws = read_recording(path).flaws
        except PromptError as error:
            found.append(_unusable(path, name, f"le fichier est illisible ({error.reason})", error.reason))
            continue
        found += [_unusable(path, name, flaw.fr, flaw.en) for flaw in flaws]
        if path.stem not in loaded.texts:
            reason = "aucun message ne porte ce nom", "no prompt has this name"
            found.append(_unusable(path, name, *reason))
    return found


def _unusable(path: Path, name: str, reason_fr: str, reason_en: str) -> Fault:
    return fault("recording-unusable", Place(str(path)), name=name, reason_fr=reason_fr, reason_en=reason_en)
