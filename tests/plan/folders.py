"""A small sound folder of plan files, and ways to break it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.plan import load

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.plan import Fault, Loaded

SITE: Final = """\
id: essai
name: Mairie d'essai
numbers: 05 36 49 00 00
relays: 05 36 49 90 01
general: accueil
announcements:
  greeting: bonjour
  invalid: phrase
  no_input: phrase
  to_human: phrase
  queued: phrase
  patience: phrase
  unstaffed: phrase
  leave_message: phrase
  message_kept: phrase
  goodbye: phrase
  fallback: phrase
  fallback_message: phrase
  fallback_kept: phrase
  full_callback: phrase
  full_message: phrase
  overflow: phrase
"""
MENU: Final = """\
root: principal
menus:
  principal:
    prompt: menu-principal
    options:
      1: {topic: etat-civil}
      2: {menu: suite}
      3: {information: phrase}
  suite:
    prompt: menu-suite
    options:
      1: {topic: accueil}
"""
TOPICS: Final = """\
topics:
  accueil:
    label: Accueil
    groups: [accueil]
  etat-civil:
    label: État civil
    groups: [etat-civil]
"""
GROUPS: Final = """\
groups:
  accueil:
    label: Accueil
  etat-civil:
    label: État civil
"""
AGENTS: Final = """\
agents:
  alice:
    name: Alice Martin
    groups: [etat-civil, accueil]
  bob:
    name: Bob Durand
    groups: [etat-civil]
"""
PROMPTS: Final = """\
prompts:
  bonjour: Bonjour.
  phrase: Une phrase.
  menu-principal: Pour un, tapez 1. Pour deux, tapez 2. Pour trois, tapez 3.
  menu-suite: Pour l'accueil, tapez 1.
"""
CONTINUITY: Final = "continuity: [message]\n"
"""Added to the end of a site.yaml that has none, where it moves no line."""
SOUND: Final = {
    "site.yaml": SITE,
    "menu.yaml": MENU,
    "topics.yaml": TOPICS,
    "groups.yaml": GROUPS,
    "agents.yaml": AGENTS,
    "prompts.yaml": PROMPTS,
}


def write(folder: Path, **changed: str | None) -> Path:
    """Write the sound files into `folder`, some replaced (`menu="…"`) or left out (None)."""
    for name, text in SOUND.items():
        new = changed.get(name.removesuffix(".yaml"), text)
        if name == "site.yaml" and new is not None and new.startswith("id: ") and "continuity:" not in new:
            new += CONTINUITY
        if new is not None:
            (folder / name).write_text(new, encoding="utf-8")
    return folder


def broken(folder: Path, file: str, old: str, new: str) -> Loaded:
    """Load the sound files with one replacement in `file`."""
    text = SOUND[file]
    assert old in text
    write(folder, **{file.removesuffix(".yaml"): text.replace(old, new, 1)})
    return load(folder)


def seen(folder: Path, faults: tuple[Fault, ...]) -> list[str]:
    """Return each fault as `file:line:column severity code`."""
    return [
        f"{fault.file.removeprefix(f'{folder}/')}:{fault.line}:{fault.column} {fault.severity} {fault.code}"
        for fault in faults
    ]
