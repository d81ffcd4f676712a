"""Calendars of agents: their busy times and nothing else, in the site's time, within bounds."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from ivr.core.plan import Absence, AgentId
from ivr.plan import load, load_or_raise
from ivr.plan.calendars import is_feed
from ivr.plan.ical import MAX_BYTES, CalendarError, busy
from ivr.plan.moments import ZONE, milliseconds_of, moment
from tests.plan.folders import AGENTS, seen, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
NOW: Final = datetime(2026, 12, 1, 9, 0, tzinfo=ZONE)


def calendar(*events: str) -> bytes:
    """An iCal file of these events, each the lines of one."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//essai//FR"]
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}@essai", "DTSTAMP:20261101T000000Z", *event.split("\n"), "END:VEVENT"]
    return ("\r\n".join([*lines, "END:VCALENDAR"]) + "\r\n").encode()


def spans(*events: str, days: int = 30) -> list[tuple[str, str]]:
    found = busy(calendar(*events), NOW, NOW + timedelta(days=days))
    assert all(absence.reason == "" for absence in found)
    return [
        (f"{datetime.fromtimestamp(one.start / 1000, ZONE):%m-%d %H:%M}",
         f"{datetime.fromtimestamp(one.end / 1000, ZONE):%m-%d %H:%M}")
        for one in found
    ]  # fmt: skip


def test_whole_days_are_those_of_the_site() -> None:
    days = "DTSTART;VALUE=DATE:20261203\nDTEND;VALUE=DATE:20261205\nSUMMARY:Rendez-vous chez le médecin"
    assert spans(days) == [("12-03 00:00", "12-05 00:00")]


def test_a_series_comes_back_but_for_its_exceptions_and_keeps_its_hour_over_the_change_of_time() -> None:
    weekly = (
        "DTSTART;TZID=Europe/Paris:20261019T140000\nDTEND;TZID=Europe/Paris:20261019T150000\n"
        "RRULE:FREQ=WEEKLY;COUNT=9\nEXDATE;TZID=Europe/Paris:20261207T140000"
    )
    assert spans(weekly) == [("12-14 14:00", "12-14 15:00")]
    found = busy(calendar(weekly), NOW - timedelta(days=60), NOW)
    assert {datetime.fromtimestamp(one.start / 1000, ZONE).hour for one in found} == {14}


def test_what_meets_is_one_absence_and_a_time_without_a_zone_is_the_site_s() -> None:
    morning = "DTSTART:20261203T090000\nDTEND:20261203T120000"
    noon = "DTSTART:20261203T110000Z\nDTEND:20261203T130000Z"
    assert spans(noon, morning) == [("12-03 09:00", "12-03 14:00")]


@pytest.mark.parametrize(
    "line", ["TRANSP:TRANSPARENT", "STATUS:CANCELLED", "STATUS:TENTATIVE", "X-MICROSOFT-CDO-BUSYSTATUS:FREE"]
)
def test_what_takes_no_time_is_no_absence(line: str) -> None:
    assert spans(f"DTSTART:20261203T090000\nDTEND:20261203T120000\n{line}") == []


@pytest.mark.parametrize("broken", ["DTSTART:20261301T000000", "DTSTART:20261201T000000\nRRULE:nonsense"])
def test_an_event_that_cannot_be_read_hides_no_other(broken: str) -> None:
    assert spans(broken, "DTSTART;VALUE=DATE:20261203") == [("12-03 00:00", "12-04 00:00")]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe nothing",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n",
        calendar("DTSTART:20261201T000000\nRRULE:FREQ=SECONDLY"),
        calendar("DTSTART:20261201T000000\nRRULE:FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=1,2,3"),
        calendar(*["DTSTART:20200101T000000\nRRULE:FREQ=DAILY"] * 30),
        calendar("DTSTART:00010101T000000\nRRULE:FREQ=DAILY"),
        calendar(*["DTSTART:20261201T000000"] * 3_001),
        b"x" * (MAX_BYTES + 1),
    ],
)
def test_what_is_no_calendar_or_asks_too_much_is_refused_soon(raw: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(CalendarError):
        busy(raw, NOW, NOW + timedelta(days=400))
    assert time.monotonic() - began < 2


def test_meetings_of_many_years_are_no_trouble() -> None:
    weekly = "DTSTART:20140106T090000\nDTEND:20140106T100000\nRRULE:FREQ=WEEKLY;BYDAY=MO,TH"
    began = time.monotonic()
    assert spans(*[weekly] * 30, days=7) == [("12-03 09:00", "12-03 10:00"), ("12-07 09:00", "12-07 10:00")]
    assert time.monotonic() - began < 5


def test_a_calendar_of_the_folder_is_part_of_the_plan(tmp_path: Path) -> None:
    write(tmp_path, agents=AGENTS + "    calendar: agendas/bob.ics\n")
    (tmp_path / "agendas").mkdir()
    file = tmp_path / "agendas" / "bob.ics"
    file.write_bytes(calendar("DTSTART;VALUE=DATE:20261203\nSUMMARY:Secret"))
    first, loaded = load_or_raise(tmp_path, now=NOW)
    assert loaded.faults == ()
    bob = first.agents[AgentId("bob")]
    day = milliseconds_of(datetime(2026, 12, 3, tzinfo=ZONE))
    assert bob.absences == (Absence(day, day + 86_400_000),)
    assert bob.feed is None
    assert "Secret" not in repr(first)
    file.write_bytes(calendar("DTSTART;VALUE=DATE:20261204"))
    assert load_or_raise(tmp_path, now=NOW)[0].version != first.version
    file.write_bytes(b"nothing")
    assert seen(tmp_path, load(tmp_path, now=NOW).faults) == ["agents.yaml:8:15 error calendar-unreadable"]


def test_a_feed_is_named_and_not_read_with_the_plan(tmp_path: Path) -> None:
    write(tmp_path, agents=AGENTS + "    calendar: https://agenda.example/bob.ics?key=1\n")
    plan, loaded = load_or_raise(tmp_path, now=NOW)
    assert loaded.faults == ()
    assert plan.agents[AgentId("bob")].feed == "https://agenda.example/bob.ics?key=1"


def test_only_https_is_a_feed() -> None:
    assert is_feed("https://agenda.example/a.ics")
    assert not any(map(is_feed, ("http://agenda.example/a.ics", "https://me@agenda.example/", "file:///etc/passwd")))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-12-21", (21, 0, 0), (22, 0, 0)),
        ("21/12/2026", (21, 0, 0), (22, 0, 0)),
        ("2026-12-21 14h", (21, 14, 0), (21, 14, 0)),
        ("2026-12-21 à 14 h 30", (21, 14, 30), (21, 14, 30)),
        ("2026-12-21T08:05", (21, 8, 5), (21, 8, 5)),
        ("2026-12-21 24h", None, (22, 0, 0)),
        ("2026-12-21 25h", None, None),
        ("2026-02-30", None, None),
        ("demain", None, None),
    ],
)
def test_days_and_times_are_read_as_people_write_them(
    text: str, first: tuple[int, int, int] | None, last: tuple[int, int, int] | None
) -> None:
    def of(at: datetime | None) -> tuple[int, int, int] | None:
        return (at.day, at.hour, at.minute) if at is not None else None

    assert of(moment(text)) == first
    assert of(moment(text, last=True)) == last
