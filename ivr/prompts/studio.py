"""Makes a site's sounds on this machine: chooses the voice, shows the progress.

The voice is Piper where `IVR_PIPER_VOICE` names a model file for the language, else pico: this machine's
own `pico2wave` where there is one, else that of the runtime root.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from ivr.plan import load_or_raise
from ivr.prompts.engines import Pico, Piper, Synthesiser
from ivr.prompts.site import build_site, languages
from ivr.settings import Settings
from ivr.stack.root import ensure_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from ivr.prompts.site import SiteReport


@dataclass(frozen=True, slots=True)
class _ThisMachine:
    """pico2wave as it is installed here, in the shape of a runtime root."""

    packages: Mapping[str, str]

    def command(self, argv: Sequence[str], *, binds: Mapping[Path, str] | None = None) -> list[str]:
        """Return `argv` with the places inside of a root put back to those of the host."""
        outside = {inside: str(path) for path, inside in (binds or {}).items()}
        return [outside.get(word, word) for word in argv]


def voice(settings: Settings, language: str, own: str) -> Synthesiser:
    """Return the voice that this machine speaks a language with; `own` is the site's."""
    if model := settings.piper_voice_of(language, own):
        return Piper(Path(settings.piper), Path(model))
    if shutil.which("pico2wave"):
        return Pico(_ThisMachine({"libttspico-utils": "of this machine"}))
    return Pico(ensure_root())


def make_sounds(plan_dir: Path, out: Path, console: Console) -> SiteReport:
    """Build everything that callers of a site can hear into `out`; done before: takes no time."""
    settings = Settings()
    _, loaded = load_or_raise(plan_dir, published=True)  # what may be published is not asked here
    voices = {language: voice(settings, language, loaded.language) for language in languages(loaded)}
    out.mkdir(parents=True, exist_ok=True)
    with Progress(console=console, transient=True) as bars:
        bar = bars.add_task("prompts", total=None)
        report = build_site(
            loaded,
            out,
            voices[loaded.language],
            lambda done, total, _name: bars.update(bar, completed=done, total=total),
            others=voices,
        )
    for warning in report.warnings:
        console.print(f"[yellow]{warning}[/yellow]", highlight=False)
    return report
