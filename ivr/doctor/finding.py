"""What the doctor says: one thing that is so, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["ok", "warning", "fault"]
"""A fault keeps callers from being served, or will; a warning is worth a look this week."""

SECTIONS: Final = {
    "plan": "Plan d'appels",
    "versions": "Versions",
    "ari": "Asterisk",
    "modules": "Modules d'Asterisk",
    "codecs": "Codecs",
    "rtp": "Ports audio",
    "redis": "Redis",
    "emergency": "Redis de secours",
    "clock": "Horloge",
    "ledger": "Registre",
    "secrets": "Secrets",
    "prompts": "Messages",
    "disk": "Disques",
    "call": "Appel d'essai",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """In French, for whoever runs the switchboard. `cure` is what to type or to do; nothing where all is well."""

    section: str
    level: Level
    what: str
    where: str = ""
    cure: str = ""


def well(section: str, what: str, where: str = "") -> Finding:
    """All is well."""
    return Finding(section, "ok", what, where)


def worth(section: str, what: str, where: str, cure: str) -> Finding:
    """Worth a look."""
    return Finding(section, "warning", what, where, cure)


def wrong(section: str, what: str, where: str, cure: str) -> Finding:
    """Keeps callers from being served, or will."""
    return Finding(section, "fault", what, where, cure)


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: 1 appel, 3 appels."""
    return f"{count} {one if count < 2 else many or one + 's'}"  # noqa: PLR2004 - French: the plural begins at 2


def decimal(number: float) -> str:
    """A number with one decimal, as French writes it: 2,5."""
    return f"{number:.1f}".replace(".", ",")
