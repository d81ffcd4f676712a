"""Rules of hours: every schedule exists and serves, and deaf callers are answered as long as the others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ivr.core.plan import HoursId, PromptId
from ivr.core.schedule import Hours, OneOff
from ivr.plan.calendar import days, school_known_until
from ivr.plan.faults import fault, warning
from ivr.plan.hours import ALL_HOURS, CLOSED, FRENCH, spoken_minutes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from ivr.plan.calendar import Day
    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault, Place
    from ivr.plan.timetable import ScheduleEntry

COMPARED: Final = timedelta(days=400)
"""How far ahead the hours of the relay are compared with the site's: every kind of day comes within a year."""
SCHOOL_WARNING: Final = timedelta(days=60)
FILE: Final = "hours.yaml"
_ALL_HOURS: Final = Hours(HoursId("toujours"), ALL_HOURS, public_holidays=ALL_HOURS)


def hours_of(name: str, entry: ScheduleEntry, zone: str) -> Hours:
    """Return a schedule as the core knows it."""
    one_offs = tuple(
        OneOff(one.first.isoformat(), one.last.isoformat(), one.hours, one.reason, _prompt(one.prompt))
        for one in entry.exceptions
    )
    return Hours(HoursId(name), entry.weekly, entry.public_holidays, entry.school_holidays, zone, one_offs)


def _prompt(name: str | None) -> PromptId | None:
    return None if name is None else PromptId(name)


def named_by_hours(draft: Draft) -> Iterator[tuple[str, str, Place]]:
    """Yield every id that hours name, and every schedule that is named: its file, the id, where it is named."""
    for name, place in _followers(draft):
        yield FILE, name, place
    for name, entry in draft.hours.schedules.items() if draft.hours is not None else ():
        for index, one in enumerate(entry.exceptions):
            if one.prompt is not None:
                place = draft.sources[FILE].value(("schedules", name, "exceptions", index, "prompt"))
                yield "prompts.yaml", one.prompt, place


def schedules(draft: Draft) -> Iterator[Fault]:
    """Every schedule is followed by somebody and open some time; what is over, or will not be known, is told."""
    file = draft.hours
    if file is None or FILE not in draft.sources:
        return
    used = {name for name, _ in _followers(draft)}
    source = draft.sources[FILE]
    for name, entry in file.schedules.items():
        at = source.key(("schedules", name))
        if name not in used and {FILE, "topics.yaml"} <= draft.whole:
            yield warning("unused-schedule", at, name=name)
        if entry.weekly == CLOSED:
            yield warning("never-open", source.value(("schedules", name, "weekly")), name=name)
        for index, one in enumerate(entry.exceptions):
            if one.last < draft.today:
                place = source.key(("schedules", name, "exceptions", index))
                yield warning("one-off-past", place, last=one.last.isoformat())
        if entry.school_holidays is not None and school_known_until() - draft.today < SCHOOL_WARNING:
            place = source.key(("schedules", name, "school_holidays"))
            yield warning("school-unknown", place, last=school_known_until().isoformat())


def _followers(draft: Draft) -> Iterator[tuple[str, Place]]:
    """Yield every name of a schedule that somebody follows, and where."""
    file = draft.hours
    if file is not None and FILE in draft.sources:
        for key in ("site", "relay"):
            if name := getattr(file, key):
                yield name, draft.sources[FILE].value((key,))
    for topic, entry in draft.topics.topics.items() if draft.topics is not None else ():
        if entry.hours is not None:
            yield entry.hours, draft.sources["topics.yaml"].value(("topics", topic, "hours"))


def sentences(draft: Draft) -> Iterator[Fault]:
    """Who calls when it is closed, or waits when it closes, is told so."""
    if draft.site is None or draft.hours is None or "site.yaml" not in draft.whole:
        return
    if draft.hours.site is None and not any(name for name, _ in _followers(draft)):
        return
    for key in ("closed", "closing"):
        if getattr(draft.site.announcements, key) is None:
            yield fault("no-closed-sentence", draft.sources["site.yaml"].key(("announcements",)), key=key)


def relay(draft: Draft) -> Iterator[Fault]:
    """The relay for deaf callers answers whenever the telephone does (law of 7 October 2016, article 105).

    Of a site whose hours are not given the telephone answers at all hours, and so must the relay.
    """
    file = draft.hours
    if file is None or FILE not in draft.sources or FILE not in draft.whole:
        return
    source = draft.sources[FILE]
    followed = [(name, place) for name, place in _phones(draft) if name in file.schedules]
    if file.relay is None:
        if followed:
            yield fault("no-relay-hours", followed[0][1], site=followed[0][0])
        return
    if file.relay not in file.schedules:
        return
    theirs = hours_of(file.relay, file.schedules[file.relay], file.zone)
    ours = [(hours_of(name, file.schedules[name], file.zone), place) for name, place in followed if name != file.relay]
    if file.site is None:
        ours.append((_ALL_HOURS, source.value(("relay",))))
    for schedule, place in ours:
        short = _shorter(schedule, theirs, draft.today)
        if short is not None:
            phone = ", ".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in short.ranges)
            day = FRENCH[short.date.weekday()]
            yield fault("relay-shorter", place, day=day, date=short.date.isoformat(), phone=phone, site=schedule.id)


def _phones(draft: Draft) -> Iterator[tuple[str, Place]]:
    """Yield every schedule by which the telephone answers, and where that is said."""
    relay_at = draft.sources[FILE].value(("relay",))
    yield from ((name, place) for name, place in _followers(draft) if place != relay_at)


def _shorter(phone: Hours, other: Hours, today: date) -> Day | None:
    """Return the first day on which the telephone answers at a time when the relay does not."""
    last = today + COMPARED
    for ours, theirs in zip(days(phone, today, last), days(other, today, last), strict=True):
        if any(not any(a <= begin and end <= b for a, b in theirs.ranges) for begin, end in ours.ranges):
            return ours
    return None


def _clock(at: object) -> str:
    minutes = getattr(at, "hour", 0) * 60 + getattr(at, "minute", 0)
    return spoken_minutes(minutes)
