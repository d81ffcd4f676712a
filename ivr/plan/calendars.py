"""The calendars of agents: files of the site's folder are read with the plan, feeds beside it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ivr.plan.faults import fault
from ivr.plan.ical import MAX_BYTES, CalendarError, busy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from ivr.core.plan import Absence
    from ivr.plan.models import AgentEntry
    from ivr.plan.source import Source

BEFORE: Final = timedelta(days=1)
AFTER: Final = timedelta(days=400)
"""How far a calendar's file is read ahead: past the life of any version of a plan."""

_FEED: Final = re.compile(r"https://[^\s/@]+(?:/\S*)?", re.IGNORECASE)
_FILE: Final = re.compile(r"(?:[\w-]+/)*[\w.-]+\.ics", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileCalendar:
    """A calendar that is a file of the folder: its busy times, and what its content was."""

    busy: tuple[Absence, ...]
    digest: str


def is_feed(text: str) -> bool:
    """Tell whether a calendar is an address to be read beside the plan."""
    return _FEED.fullmatch(text) is not None


def read_calendars(
    folder: Path, agents: Mapping[str, AgentEntry], sources: Mapping[str, Source], now: datetime
) -> dict[str, FileCalendar]:
    """Return each agent's calendar that is a file; what cannot be read is a fault of agents.yaml."""
    found: dict[str, FileCalendar] = {}
    for name, entry in agents.items():
        if entry.calendar is None or is_feed(entry.calendar):
            continue
        source = sources["agents.yaml"]
        at = source.value(("agents", name, "calendar"))
        if not _FILE.fullmatch(entry.calendar) or ".." in entry.calendar:
            source.faults.append(fault("bad-calendar", at, value=entry.calendar))
            continue
        try:
            found[name] = _read(folder / entry.calendar, now)
        except CalendarError as error:
            reasons = {"reason_fr": error.reason_fr, "reason_en": error.reason_en}
            source.faults.append(fault("calendar-unreadable", at, value=entry.calendar, **reasons))
    return found


def _read(path: Path, now: datetime) -> FileCalendar:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CalendarError("le fichier n'existe pas", "the file does not exist") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CalendarError(reason, reason) from error
    return FileCalendar(busy(raw, now - BEFORE, now + AFTER), hashlib.sha256(raw).hexdigest())
