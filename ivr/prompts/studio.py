"""Makes a site's sounds on this machine: chooses the voice, shows the progress.

The voice is Piper where `IVR_PIPER_VOICE` names a model file, else pico: this machine's own
`pico2wave` where there is one, else that of the runtime root.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.progress import Progress

from ivr.plan import load_or_raise
from ivr.prompts.engines import Pico, Piper, Synthesiser
from ivr.prompts.site import build_site
from ivr.stack.root import ensure_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from ivr.prompts.site import SiteReport

PIPER_VOICE: Final = "IVR_PIPER_VOICE"


@dataclass(frozen=True, slots=True)
class _ThisMachine:
    """pico2wave as it is installed here, in the shape of a runtime root."""

    packages: Mapping[str, str]

    def command(self, argv: Sequence[str], *, binds: Mapping[Path, str] | None = None) -> list[str]:
        """Return `argv` with the places inside of a root put back to those of the host."""
        outside = {inside: str(path) for path, inside in (binds or {}).items()}
        return [outside.get(word, word) for word in argv]


def voice() -> Synthesiser:
    """Return the voice that this machine speaks with."""
    if model := os.environ.get(PIPER_VOICE):
        return Piper(Path(os.environ.get("IVR_PIPER", "piper")), Path(model))
    if shutil.which("pico2wave"):
        return Pico(_ThisMachine({"libttspico-utils": "of this machine"}))
    return Pico(ensure_root())


def make_sounds(plan_dir: Path, out: Path, console: Console) -> SiteReport:
    """Build everything that callers of a site can hear into `out`; done before: takes no time."""
    _, loaded = load_or_raise(plan_dir)
    out.mkdir(parents=True, exist_ok=True)
    with Progress(console=console, transient=True) as bars:
        bar = bars.add_task("prompts", total=None)
        report = build_site(
            loaded, out, voice(), lambda done, total, _name: bars.update(bar, completed=done, total=total)
        )
    for warning in report.warnings:
        console.print(f"[yellow]{warning}[/yellow]", highlight=False)
    return report
