"""The busy times of an iCal calendar, and nothing else of it: titles and guests are nobody's business."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

import icalendar
import recurring_ical_events  # type: ignore[import-untyped]

from ivr.core.plan import Absence
from ivr.errors import IvrError
from ivr.plan.moments import ZONE, milliseconds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_BYTES: Final = 1024 * 1024
MAX_EVENTS: Final = 3_000
MAX_OCCURRENCES: Final = 60_000
"""So many, from the beginning of each series on, are worked out in about a second."""
_NEVER_SO_OFTEN: Final = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})
_NEVER_SO_FINE: Final = ("BYSECOND", "BYMINUTE", "BYHOUR")
_FREE: Final = frozenset({"FREE", "TENTATIVE", "WORKINGELSEWHERE"})


class CalendarError(IvrError):
    """The bytes are no calendar that can be followed; `reason_fr` and `reason_en` say why."""

    def __init__(self, reason_fr: str, reason_en: str) -> None:
        self.reason_fr, self.reason_en = reason_fr, reason_en
        super().__init__(reason_en)


def busy(raw: bytes, begin: datetime, end: datetime) -> tuple[Absence, ...]:
    """Return the busy times of a calendar that touch `begin` to `end`, in order and joined where they meet.

    Days and times without a zone are the site's own. CalendarError if it cannot be read or asks for too much.
    """
    if len(raw) > MAX_BYTES:
        raise CalendarError("il dépasse 1 Mo", "it is larger than 1 MB")
    if raw.upper().count(b"BEGIN:VEVENT") > MAX_EVENTS:
        raise CalendarError("il a trop d'événements", "it has too many events")
    try:
        calendar = icalendar.Calendar.from_ical(raw)
        events = list(calendar.walk("VEVENT"))
        _bounded(events, end)
        found = recurring_ical_events.of(calendar, skip_bad_series=True).between(begin, end)
        spans = [_span(event) for event in found if _takes_time(event)]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise CalendarError("ce n'est pas un agenda iCal lisible", "it is no readable iCal calendar") from error
    if not isinstance(calendar, icalendar.Calendar):
        raise CalendarError("ce n'est pas un agenda iCal", "it is no iCal calendar")
    return joined(Absence(*span) for span in spans if span[0] < span[1])


def joined(absences: Iterable[Absence]) -> tuple[Absence, ...]:
    """Return absences in order, those of one reason that meet as one."""
    found: list[Absence] = []
    for absence in sorted(absences, key=lambda one: (one.start, one.end)):
        last = found[-1] if found else None
        if last is not None and absence.start <= last.end and absence.reason == last.reason:
            found[-1] = Absence(last.start, max(last.end, absence.end), last.reason)
        else:
            found.append(absence)
    return tuple(found)


def _bounded(events: list[Any], end: datetime) -> None:
    """Refuse what would take for ever: a calendar is somebody else's."""
    occurrences = len(events)
    for event in events:
        start = _start(event)
        if start is None:
            continue  # left out when the others are worked out
        for rule in _rules(event):
            often = {str(each).upper() for each in rule.get("FREQ", [])}
            if often & _NEVER_SO_OFTEN or any(part in rule for part in _NEVER_SO_FINE):
                raise CalendarError("un événement revient trop souvent", "an event comes back too often")
            days = max(1, (end - start).days)
            if often == {"WEEKLY"}:
                days = days * len(rule.get("BYDAY", [""])) // 7
            occurrences += min([days, *(int(count) for count in rule.get("COUNT", []))])
    if occurrences > MAX_OCCURRENCES:
        raise CalendarError("il a trop d'événements", "it has too many events")


def _start(event: Any) -> datetime | None:
    try:
        return _instant(event["DTSTART"].dt)
    except (ValueError, AttributeError, KeyError, TypeError):
        return None


def _rules(event: Any) -> Iterator[Any]:
    rules = event.get("RRULE", [])
    yield from rules if isinstance(rules, list) else [rules]


def _takes_time(event: Any) -> bool:
    """Tell whether its owner is away meanwhile."""
    if str(event.get("STATUS", "")).upper() in {"CANCELLED", "TENTATIVE"}:
        return False
    status = str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper()
    if status:
        return status not in _FREE
    return str(event.get("TRANSP", "")).upper() != "TRANSPARENT"


def _span(event: Any) -> tuple[int, int]:
    begin, end = event["DTSTART"].dt, event["DTEND"].dt
    return milliseconds_of(_instant(begin)), milliseconds_of(_instant(end))


def _instant(at: date | datetime) -> datetime:
    if not isinstance(at, datetime):
        return datetime.combine(at, time(), ZONE)
    return (at if at.tzinfo is not None else at.replace(tzinfo=ZONE)).astimezone(UTC)
