"""Hours as people write them, and the calendar that comes of them, held against published dates."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opening_hours import OpeningHours, State

from ivr.core.plan import CrisisId, HoursId, TopicId
from ivr.core.schedule import ALWAYS_OPEN, Crisis, Forced, Hours, OneOff, Timeline
from ivr.plan.calendar import (
    ZONE,
    States,
    calendar,
    days,
    instant,
    public_holiday,
    school_holiday,
    school_known_until,
    timeline,
)
from ivr.plan.hours import FRENCH, HoursError, Week, spoken_minutes, week
from tests.plans import small_plan

if TYPE_CHECKING:
    from ivr.core.schedule import Span

pytestmark = pytest.mark.long
MAIRIE = HoursId("mairie")
ORDINARY = Hours(MAIRIE, "Mo-Fr 08:30-12:00,13:30-17:00; Sa 09:00-12:00")


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("lun-ven 8h30-12h, 13h30-17h30; sam 9h-12h", "Mo-Fr 08:30-12:00,13:30-17:30; Sa 09:00-12:00"),
        (
            "du lundi au vendredi de 8h30 à 12h et de 13h30 à 17h30, samedi 9h-12h",
            "Mo-Fr 08:30-12:00,13:30-17:30; Sa 09:00-12:00",
        ),
        ("Mo-Fr 08:30-12:00,13:30-17:00; Sa 09:00-12:00", "Mo-Fr 08:30-12:00,13:30-17:00; Sa 09:00-12:00"),
        ("Lundi : 8h - midi", "Mo 08:00-12:00"),
        ("lundi, jeudi 8h-12h mardi 9h-12h", "Mo,Th 08:00-12:00; Tu 09:00-12:00"),
        ("7j/7 24h/24", "Mo-Su 00:00-24:00"),
        ("tous les jours 8:30-20:00", "Mo-Su 08:30-20:00"),
        ("ven-lun 9h-minuit", "Mo,Fr-Su 09:00-24:00"),
        ("8h30-12h", "Mo-Su 08:30-12:00"),
        ("monday to friday 9h-17h", "Mo-Fr 09:00-17:00"),
        ("lun-ven 8h-12h; mercredi fermé", None),
        ("fermé", "off"),
    ],
)
def test_what_people_write(text: str, syntax: str | None) -> None:
    if syntax is None:
        with pytest.raises(HoursError, match="hours-day-twice"):
            week(text)
    else:
        assert week(text).syntax == syntax


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("lum-ven 8h-12h", "hours-unknown-day", 0),
        ("lun-ven 17h-8h", "hours-inverted", 8),
        ("lun 8h-12h, 11h-14h", "hours-overlap", 12),
        ("lun 14h-18h, 8h-12h", "hours-order", 13),
        ("lun 25h-26h", "hours-bad-time", 4),
        ("lun 8h75-12h", "hours-bad-time", 4),
        ("lun 8-12", "hours-bare-number", 4),
        ("lun 8h", "hours-one-time", 4),
        ("lun", "hours-no-times", 0),
        ("lun 8h-8h", "hours-empty-range", 4),
        ("lun 8h-12h; lundi 14h-18h", "hours-day-twice", 12),
        ("lun 8h-12h !", "hours-unknown", 11),
        ("   ", "hours-empty", 0),
    ],
)
def test_what_cannot_be_understood_is_told_where_it_stands(text: str, code: str, at: int) -> None:
    with pytest.raises(HoursError) as told:
        week(text)
    assert (told.value.code, told.value.offset) == (code, at)


@st.composite
def weeks(draw: st.DrawFn) -> Week:
    """Any week of ranges that neither meet nor overlap."""

    def ranges() -> tuple[tuple[int, int], ...]:
        cuts = sorted(draw(st.sets(st.integers(0, 1_440), min_size=0, max_size=6)))
        return tuple(zip(cuts[::2], cuts[1::2], strict=False))

    return Week(tuple(ranges() for _ in range(7)))


@given(weeks())
def test_a_text_means_what_its_syntax_means(hours: Week) -> None:
    said = "; ".join(
        f"{FRENCH[day]} " + ", ".join(f"{spoken_minutes(a)}-{spoken_minutes(b)}" for a, b in ranges)
        for day, ranges in enumerate(hours.days)
        if ranges
    )
    assert week(said or "fermé") == hours
    assert week(hours.syntax) == hours
    monday = dt.datetime(2026, 6, 1)  # noqa: DTZ001 - wall time, as opening hours are
    found = OpeningHours(hours.syntax).intervals(monday, monday + dt.timedelta(days=7))
    open_minutes = sum((end - start).total_seconds() // 60 for start, end, state, _ in found if state == State.OPEN)
    assert open_minutes == sum(b - a for ranges in hours.days for a, b in ranges)


@given(st.text(alphabet="lunmarvesdi 0123456789hH:-,;àé'/", max_size=40))
def test_any_text_is_hours_or_an_error_with_a_place(text: str) -> None:
    try:
        found = week(text)
    except HoursError as error:
        outside = not 0 <= error.offset <= len(text)
        assert not outside
    else:
        assert week(found.syntax) == found


PUBLIC = {
    # service-public.fr, the eleven legal holidays
    2026: "01-01 04-06 05-01 05-08 05-14 05-25 07-14 08-15 11-01 11-11 12-25",
    2027: "01-01 03-29 05-01 05-06 05-08 05-17 07-14 08-15 11-01 11-11 12-25",
    2028: "01-01 04-17 05-01 05-08 05-25 06-05 07-14 08-15 11-01 11-11 12-25",
}


@pytest.mark.parametrize("year", PUBLIC)
def test_public_holidays_are_the_published_ones(year: int) -> None:
    first = dt.date(year, 1, 1)
    every_day = [first + dt.timedelta(days=n) for n in range(366 if year == 2028 else 365)]
    assert [f"{day:%m-%d}" for day in every_day if public_holiday(day)] == PUBLIC[year].split()


@pytest.mark.parametrize(
    ("first", "last"),
    [
        # education.gouv.fr, zone A (Bordeaux): the first day without school, the last
        ("2026-02-07", "2026-02-22"),
        ("2026-04-04", "2026-04-19"),
        ("2026-10-17", "2026-11-01"),
        ("2026-12-19", "2027-01-03"),
        ("2027-02-13", "2027-02-28"),
        ("2027-04-10", "2027-04-25"),
    ],
)
def test_school_holidays_of_zone_a_are_the_published_ones(first: str, last: str) -> None:
    begin, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    day = dt.timedelta(days=1)
    assert school_holiday(begin, "A")
    assert school_holiday(end, "A")
    assert not school_holiday(end + day, "A")
    assert not school_holiday(begin - 2 * day, "A")  # the Saturday before may count already
    assert school_known_until() >= dt.date(2028, 8, 1)


def at(text: str) -> int:
    return instant(dt.datetime.fromisoformat(text))


def span(hours: Hours, text: str) -> Span:
    day = dt.datetime.fromisoformat(text).date()
    return timeline(hours, day - dt.timedelta(days=1), day + dt.timedelta(days=1)).at(at(text))


def test_layers_the_strongest_first() -> None:
    hours = replace(
        ORDINARY,
        school_holidays="Mo-Fr 09:00-12:00",
        one_offs=(
            OneOff("2026-12-24", "2026-12-24", "Mo-Su 08:30-11:00", "Veille de Noël"),
            OneOff("2027-08-15", "2027-08-20", "off", "Travaux"),
        ),
    )
    weekly, school = span(hours, "2026-11-26T16:00"), span(hours, "2026-12-22T16:00")
    assert (weekly.open, weekly.layer) == (True, "weekly")
    assert (school.open, school.layer, school.reason) == (False, "school", "Vacances de Noël")
    one_off = span(hours, "2026-12-24T11:30")
    assert (one_off.open, one_off.layer, one_off.reason) == (False, "one-off", "Veille de Noël")
    assert span(hours, "2026-12-24T10:59").open
    christmas = span(hours, "2026-12-25T10:00")
    assert (christmas.open, christmas.layer) == (False, "school")
    assert "Noël" in christmas.reason
    ascension = span(hours, "2027-05-06T10:00")
    assert (ascension.open, ascension.reason.split(", ")[-1]) == (False, "Ascension")
    assert span(hours, "2027-08-17T10:00").reason == "Travaux"


def test_a_later_exception_changes_what_stands_above() -> None:
    one_offs = (
        OneOff("2026-11-26", "2026-11-27", "off", "Pont"),
        OneOff("2026-11-27", "2026-11-27", "Mo-Su 9:00-10:00"),
    )
    hours = replace(ORDINARY, one_offs=one_offs)
    assert not span(hours, "2026-11-26T09:30").open
    assert span(hours, "2026-11-27T09:30").open


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31"])
def test_the_nights_of_the_clock_change_have_no_gap_and_no_overlap(night: str) -> None:
    day = dt.date.fromisoformat(night)
    always = replace(ORDINARY, weekly="Mo-Su 00:00-24:00")
    (whole,) = timeline(always, day, day).spans
    assert whole.end - whole.start == (23 if day.month == 3 else 25) * 3_600_000
    through = timeline(replace(ORDINARY, weekly="Mo-Su 02:30-03:30,8:00-12:00"), day - dt.timedelta(1), day)
    for one, other in zip(through.spans, through.spans[1:], strict=False):
        assert one.end == other.start
        assert one.start < one.end
    assert through.at(at(f"{night}T09:00")).open
    assert not through.at(at(f"{night}T07:59")).open


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31"])
@given(hours=weeks())
def test_in_the_nights_of_the_clock_change_it_is_open_when_the_clock_says_so(night: str, hours: Week) -> None:
    day = dt.date.fromisoformat(night)
    known = timeline(Hours(MAIRIE, hours.syntax, public_holidays=hours.syntax), day, day)
    library = OpeningHours(hours.syntax)
    for start in range(at(f"{night}T00:00"), at(f"{night}T06:00"), 5 * 60_000):
        wall = dt.datetime.fromtimestamp(start / 1000, ZONE).replace(tzinfo=None)
        assert known.at(start).open == library.is_open(wall), wall
    for one, other in zip(known.spans, known.spans[1:], strict=False):
        assert one.end == other.start


@given(weeks(), st.integers(0, 2_000), st.integers(0, 86_399))
def test_an_instant_is_open_when_the_library_says_so(hours: Week, day: int, second: int) -> None:
    date = dt.date(2026, 1, 1) + dt.timedelta(days=day)
    wall = dt.datetime.combine(date, dt.time()) + dt.timedelta(seconds=second)
    aware = wall.replace(tzinfo=ZONE)
    if aware.astimezone(dt.UTC).astimezone(ZONE).replace(tzinfo=None) != wall:
        return  # an hour that the clock skips
    plain = Hours(MAIRIE, hours.syntax, public_holidays=hours.syntax)
    assert timeline(plain, date, date).at(instant(wall)).open == OpeningHours(hours.syntax).is_open(wall)


def test_what_is_forced_stands_above_the_days_and_a_crisis_above_all() -> None:
    now = at("2026-11-26T10:00")
    hour = 3_600_000
    plan = small_plan(hours=MAIRIE, schedules={MAIRIE: ORDINARY})
    closed = Forced(MAIRIE, open=False, since=now, until=now + hour, reason="Alarme")
    made = calendar(plan, now, States((closed,)))
    assert (made.site.at(now).open, made.site.at(now).layer, made.site.at(now).reason) == (False, "forced", "Alarme")
    assert made.site.at(now + hour).open
    assert made.site.opens(now) == now + hour
    night = at("2026-11-26T22:00")
    crisis = Crisis(CrisisId("inondation"), night + hour)
    made = calendar(plan, night, States((replace(closed, since=night, until=night + 2 * hour),), crisis, night))
    assert (made.site.at(night).open, made.site.at(night).layer) == (True, "crisis")
    assert (made.site.at(night + hour).open, made.site.at(night + hour).layer) == (False, "forced")
    assert made.crisis_at(night) == crisis
    assert made.crisis_at(night + hour) is None


def test_a_site_without_hours_is_open_and_can_be_forced_closed() -> None:
    now = at("2026-11-26T03:00")
    assert calendar(small_plan(), now) == ALWAYS_OPEN
    made = calendar(small_plan(), now, States((Forced(None, open=False, since=now, until=now + 1, reason="Essai"),)))
    assert not made.site.at(now).open
    assert made.site.at(now + 1).open


def test_a_topic_has_its_own_hours_or_the_sites() -> None:
    desk = HoursId("guichet")
    plan = small_plan(hours=MAIRIE, schedules={MAIRIE: ORDINARY, desk: Hours(desk, "We 14:00-16:00")})
    topics = {**plan.topics, TopicId("accueil"): replace(plan.topics[TopicId("accueil")], hours=desk)}
    made = calendar(replace(plan, topics=topics), at("2026-11-26T10:00"))
    assert made.of(TopicId("etat-civil")).at(at("2026-11-26T10:00")).open
    assert not made.of(TopicId("accueil")).at(at("2026-11-26T10:00")).open
    assert made.of(TopicId("accueil")).opens(at("2026-11-26T10:00")) == at("2026-12-02T14:00")


def test_what_cannot_be_worked_out_is_open_and_told() -> None:
    told: list[str] = []
    broken = replace(ORDINARY, weekly="Zz 99:99")
    day = dt.date(2026, 11, 26)
    found = list(days(broken, day, day + dt.timedelta(days=1), alert=lambda name, why: told.append(f"{name} {why}")))
    assert [each.layer for each in found] == ["error", "error"]
    assert len(told) == 2
    assert timeline(broken, day, day).at(at("2026-11-26T03:00")).open
    assert Timeline(()).at(0).open


@pytest.mark.parametrize("error", [KeyError, AttributeError, TypeError, NotImplementedError, OSError])
def test_a_library_that_fails_is_open_and_told(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fails(_date: dt.date) -> str | None:
        raise error("not what it was")

    monkeypatch.setattr("ivr.plan.calendar.public_holiday", fails)
    told: list[str] = []
    now = at("2026-11-26T03:00")
    plan = small_plan(hours=MAIRIE, schedules={MAIRIE: ORDINARY})
    made = calendar(plan, now, alert=lambda name, _why: told.append(name))
    assert (made.site.at(now).open, made.site.at(now).layer) == (True, "error")
    assert set(told) == {MAIRIE}
