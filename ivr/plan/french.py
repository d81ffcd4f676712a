"""What a plan holds, as people in France write it: lengths of time, numbers, dates, hours. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ivr.core.schedule import Hours

_DAYS: Final = {"Mo": "lun", "Tu": "mar", "We": "mer", "Th": "jeu", "Fr": "ven", "Sa": "sam", "Su": "dim"}


def span(ms: int) -> str:
    """Return a duration as an admin writes it."""
    for unit, name in ((86_400_000, "j"), (3_600_000, "h"), (60_000, "min")):
        if ms and ms % unit == 0:
            return f"{ms // unit} {name}"
    return f"{ms / 1000:g} s"


def spaced(number: str) -> str:
    """Return a number (E.164) as it is written in France; one of elsewhere as it is."""
    if not re.fullmatch(r"\+33\d{9}", number):
        return number
    national = f"0{number[3:]}"
    return " ".join(national[at : at + 2] for at in range(0, 10, 2))


def french_date(iso: str) -> str:
    """Return an ISO date as day/month/year."""
    return "/".join(reversed(iso.split("-")))


def week_words(hours: Hours) -> str:
    """Return a schedule's usual week in words."""
    return opening(hours.weekly)


def opening(syntax: str) -> str:
    """Return opening-hours syntax as people write it: lun-ven 8h30-12h, 13h30-17h30."""
    if syntax == "off":
        return "fermé"
    text = re.sub(r"\b(\d\d):(\d\d)\b", _clock, syntax.removeprefix("Mo-Su "))
    text = re.sub(r"\b(?:Mo|Tu|We|Th|Fr|Sa|Su)\b", lambda day: _DAYS[day[0]], text)
    return re.sub(r",(?=\S)", ", ", text).replace("off", "fermé")


def _clock(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), found[2]
    return f"{hour}h" if minute == "00" else f"{hour}h{minute}"
