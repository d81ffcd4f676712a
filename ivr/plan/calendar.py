"""When people answer, worked out: the layers of a plan's hours, and what admins set for now, as a core Calendar.

The strongest layer that says something of a day wins: a one-off, the school holidays, a public holiday, the week;
what is forced and a crisis stand above all days, between instants. Wall times are of the site's time zone: in the night
that an hour is missing or comes twice, it is open whenever the clock on the wall says so. Holidays are those of France;
of the school holidays the library knows some years ahead, and `school_known_until` says how far.

An hour that cannot be worked out is open, layer "error", and told: nobody finds a closed door by mistake.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import holidays
import opening_hours
from opening_hours import OpeningHours
from vacances_scolaires_france import SchoolHolidayDates, UnsupportedYearException

from ivr.core.schedule import NEVER, Calendar, Crisis, Forced, Hours, Layer, Span, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ivr.core.plan import HoursId, Plan, PromptId

COUNTRY: Final = "FR"
ZONE: Final = ZoneInfo("Europe/Paris")
HOUR_MS: Final = 3_600_000
BEFORE: Final = dt.timedelta(days=2)
AHEAD: Final = dt.timedelta(days=40)
"""How many days around now a calendar knows: a worker makes a new one every day at the latest."""

_UNREADABLE: Final[tuple[type[Exception], ...]] = (
    opening_hours.ParserError,  # type: ignore[attr-defined]
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Whatever three libraries with data of their own may raise: a step of a call must not meet it."""


@dataclass(frozen=True, slots=True)
class States:
    """What admins set for now."""

    forced: tuple[Forced, ...] = ()
    crisis: Crisis | None = None
    crisis_since: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a schedule: its layer, what the admin or the calendar calls it, and the ranges of wall time."""

    date: dt.date
    layer: Layer
    reason: str
    ranges: tuple[tuple[dt.datetime, dt.datetime], ...] = field(default=())
    prompt: PromptId | None = None


def calendar(
    plan: Plan,
    now: int,
    set_now: States | None = None,
    *,
    alert: Callable[[HoursId, str], None] = lambda _hours, _why: None,
    zone: ZoneInfo = ZONE,
) -> Calendar:
    """Return the calendar of a plan for the days around `now` (Unix ms); `alert` is told what cannot be worked out."""
    first = dt.datetime.fromtimestamp(now / 1000, zone).date() - BEFORE
    return calendar_of(plan, first, first + BEFORE + AHEAD, set_now, alert=alert, zone=zone)


def calendar_of(
    plan: Plan,
    first: dt.date,
    last: dt.date,
    set_now: States | None = None,
    *,
    alert: Callable[[HoursId, str], None] = lambda _hours, _why: None,
    zone: ZoneInfo = ZONE,
) -> Calendar:
    """Return the calendar of a plan from the first day's beginning to the last one's end."""
    states = set_now or States()
    known = {
        name: with_states(timeline(hours, first, last, alert=alert, zone=zone), name, states)
        for name, hours in plan.schedules.items()
    }
    always = with_states(Timeline(), None, states)
    return Calendar(
        site=known.get(plan.hours, always) if plan.hours is not None else always,
        topics={topic.id: topic.hours for topic in plan.topics.values() if topic.hours is not None},
        hours=known,
        crisis=states.crisis,
    )


def timeline(
    hours: Hours,
    first: dt.date,
    last: dt.date,
    *,
    alert: Callable[[HoursId, str], None] = lambda _hours, _why: None,
    zone: ZoneInfo = ZONE,
) -> Timeline:
    """Return what holds from the first day's beginning to the last one's end."""
    spans: list[Span] = []
    for each in days(hours, first, last, alert=alert):
        spans += _spans(each, zone)
    return Timeline(_joined(spans))


def days(
    hours: Hours, first: dt.date, last: dt.date, *, alert: Callable[[HoursId, str], None] = lambda _hours, _why: None
) -> Iterator[Day]:
    """Yield every day from the first to the last; one that cannot be worked out is open, layer "error"."""
    date = first
    while date <= last:
        try:
            yield _day(hours, date)
        except _UNREADABLE as error:
            alert(hours.id, f"{date}: {error}")
            yield Day(date, "error", "", (_whole(date),))
        date += dt.timedelta(days=1)


def _day(hours: Hours, date: dt.date) -> Day:
    # The last one that names the day: what was added later is meant to change what stands above.
    for one in reversed(hours.one_offs):
        if one.first <= date.isoformat() <= one.last:
            return Day(date, "one-off", one.reason, _ranges(one.hours, date), one.prompt)
    holiday = public_holiday(date)
    if hours.school_holidays is not None and (name := school_holiday(date, hours.zone)):
        text = hours.school_holidays if holiday is None else hours.public_holidays
        return Day(date, "school", name if holiday is None else f"{name}, {holiday}", _ranges(text, date))
    if holiday is not None:
        return Day(date, "holiday", holiday, _ranges(hours.public_holidays, date))
    return Day(date, "weekly", "", _ranges(hours.weekly, date))


def _whole(date: dt.date) -> tuple[dt.datetime, dt.datetime]:
    midnight = dt.datetime.combine(date, dt.time())
    return midnight, midnight + dt.timedelta(days=1)


def _ranges(text: str, date: dt.date) -> tuple[tuple[dt.datetime, dt.datetime], ...]:
    start, end = _whole(date)
    found = _syntax(text).intervals(start, end)
    return tuple((begin, until) for begin, until, state, _ in found if state == opening_hours.State.OPEN)


@cache
def _syntax(text: str) -> OpeningHours:
    return OpeningHours(text)


def public_holiday(date: dt.date) -> str | None:
    """Return the French name of a public holiday, None on any other day."""
    return _public(date.year).get(date)


@cache
def _public(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays(COUNTRY, years=year, language="fr")


def school_holiday(date: dt.date, zone: str) -> str | None:
    """Return the name of the school holidays of a zone that a day is in; None outside, and where they are not known."""
    return _school(date.year, zone).get(date)


@cache
def _school(year: int, zone: str) -> dict[dt.date, str]:
    try:
        known = SchoolHolidayDates().holidays_for_year_and_zone(year, zone)
    except UnsupportedYearException:
        return {}
    return {date: str(about["nom_vacances"]) for date, about in known.items()}


def school_known_until() -> dt.date:
    """Return the last day of which the library knows whether there is school."""
    last: dt.date = max(SchoolHolidayDates().data)
    return last


def instant(wall: dt.datetime, zone: ZoneInfo = ZONE) -> int:
    """Return the Unix ms of a wall time; of one that comes twice the first, of one that is missing the hour after."""
    return round(wall.replace(tzinfo=zone).timestamp() * 1000)


def _changing(day: Day, zone: ZoneInfo) -> Iterator[Span]:
    """Yield the spans of a day on which the clock changes: at each instant what the clock on the wall says.

    Clocks change on the hour, so that cutting at every hour, and at each end of a range whichever way it is read,
    leaves pieces within which nothing changes.
    """
    start, end = (instant(wall, zone) for wall in _whole(day.date))
    ends = (wall.replace(fold=fold) for ranged in day.ranges for wall in ranged for fold in (0, 1))
    cuts = sorted({start, end, *range(start, end, HOUR_MS), *(instant(wall, zone) for wall in ends)})
    inside = [cut for cut in cuts if start <= cut <= end]
    for here, there in pairwise(inside):
        wall = dt.datetime.fromtimestamp(here / 1000, zone).replace(tzinfo=None)
        is_open = any(begin <= wall < until for begin, until in day.ranges)
        yield Span(here, there, is_open, day.layer, day.reason, day.prompt)


def _spans(day: Day, zone: ZoneInfo) -> Iterator[Span]:
    start, end = _whole(day.date)
    if start.replace(tzinfo=zone).utcoffset() != end.replace(tzinfo=zone).utcoffset():
        yield from _changing(day, zone)
        return
    here = start
    for begin, until in day.ranges:
        if begin > here:
            yield _span(day, here, begin, zone, is_open=False)
        yield _span(day, begin, until, zone, is_open=True)
        here = until
    if here < end:
        yield _span(day, here, end, zone, is_open=False)


def _span(day: Day, start: dt.datetime, end: dt.datetime, zone: ZoneInfo, *, is_open: bool) -> Span:
    return Span(instant(start, zone), instant(end, zone), is_open, day.layer, day.reason, day.prompt)


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans without those of no length, like neighbours as one."""
    found: list[Span] = []
    for span in spans:
        if span.end <= span.start:
            continue
        if found and _same(found[-1], span):
            found[-1] = _cut(found[-1], found[-1].start, span.end)
        else:
            found.append(span)
    return tuple(found)


def _same(one: Span, other: Span) -> bool:
    return one.end == other.start and _cut(one, 0, 0) == _cut(other, 0, 0)


def _cut(span: Span, start: int, end: int) -> Span:
    return Span(start, end, span.open, span.layer, span.reason, span.prompt)


def with_states(known: Timeline, name: HoursId | None, states: States) -> Timeline:
    """Return a timeline with what is forced and a crisis laid over it; the later of two forced ones wins."""
    over = [
        Span(forced.since, forced.until, forced.open, "forced", forced.reason, forced.prompt)
        for forced in sorted(states.forced, key=lambda each: each.since)
        if forced.hours is None or forced.hours == name
    ]
    if states.crisis is not None:
        over.append(Span(states.crisis_since, states.crisis.until, open=True, layer="crisis", reason=states.crisis.id))
    spans = known.spans or (Span(-NEVER, NEVER, open=True, layer="error"),)
    for span in over:
        spans = _over(spans, span)
    return Timeline(_joined(spans))


def _over(spans: tuple[Span, ...], top: Span) -> tuple[Span, ...]:
    if top.end <= top.start:
        return spans
    below = [_cut(span, span.start, min(span.end, top.start)) for span in spans if span.start < top.start]
    above = [_cut(span, max(span.start, top.end), span.end) for span in spans if span.end > top.end]
    return (*below, top, *above)
