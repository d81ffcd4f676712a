"""The rules of hours, in a copy of Pessac's plan, each with its place and its cure."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ivr.plan import load
from ivr.plan.moments import ZONE

if TYPE_CHECKING:
    from ivr.plan import Fault

pytestmark = pytest.mark.long
PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"
NOW = dt.datetime(2026, 11, 25, 10, tzinfo=ZONE)
LONG = "  longue:\n    weekly: lun-ven 8h-20h\n"
SHORT = "  courte:\n    weekly: lun-ven 9h-12h\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pessac's plan, to be changed."""
    return Path(shutil.copytree(PESSAC, tmp_path / "pessac"))


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text, old
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def schedule(folder: Path, text: str) -> None:
    with (folder / "hours.yaml").open("a", encoding="utf-8") as file:
        file.write(text)


def found(folder: Path) -> list[Fault]:
    return list(load(folder, now=NOW).faults)


def codes(folder: Path) -> list[str]:
    return [fault.code for fault in found(folder)]


def test_pessac_is_sound(folder: Path) -> None:
    assert codes(folder) == []


def test_the_relay_must_answer_as_long_as_the_site(folder: Path) -> None:
    schedule(folder, SHORT)
    edit(folder, "hours.yaml", "relay: mairie ", "relay: courte ")
    (fault,) = found(folder)
    assert (fault.code, fault.severity) == ("relay-shorter", "error")
    assert "8h30-12h30, 13h30-17h30" in fault.message_fr
    assert "relay: mairie" in fault.cure_fr


def test_the_relay_must_answer_as_long_as_any_topic(folder: Path) -> None:
    schedule(folder, LONG)
    edit(folder, "topics.yaml", "  solidarite:\n", "  solidarite:\n    hours: longue\n")
    (fault,) = found(folder)
    assert (fault.code, Path(fault.file).name) == ("relay-shorter", "topics.yaml")
    assert fault.source_line.strip() == "hours: longue"


def test_the_relay_of_a_site_that_always_answers_must_too(folder: Path) -> None:
    edit(folder, "hours.yaml", "site: mairie\n", "")
    assert "relay-shorter" in codes(folder)


def test_a_relay_that_answers_longer_is_welcome(folder: Path) -> None:
    schedule(folder, LONG)
    edit(folder, "hours.yaml", "relay: mairie ", "relay: longue ")
    assert codes(folder) == []


def test_hours_without_those_of_the_relay_are_refused(folder: Path) -> None:
    edit(folder, "hours.yaml", "relay: mairie ", "# relay: mairie ")
    (fault,) = found(folder)
    assert (fault.code, fault.severity) == ("no-relay-hours", "error")


@pytest.mark.parametrize("key", ["closed", "closing"])
def test_a_site_with_hours_says_when_it_is_closed_and_when_it_closes(folder: Path, key: str) -> None:
    prompt = {"closed": "mairie-fermee", "closing": "mairie-ferme-attente"}[key]
    edit(folder, "site.yaml", f"  {key}: {prompt}\n", "")
    assert "no-closed-sentence" in codes(folder)


def test_what_nobody_follows_is_never_open_or_over_is_told(folder: Path) -> None:
    schedule(
        folder, "  jamais:\n    weekly: fermé\n    exceptions:\n      - {on: 2026-01-02, hours: fermé, reason: Pont}\n"
    )
    assert codes(folder) == ["unused-schedule", "never-open", "one-off-past"]
    assert all(fault.severity == "warning" for fault in found(folder))


def test_a_schedule_that_does_not_exist_is_told_where_it_is_named(folder: Path) -> None:
    edit(folder, "topics.yaml", "  solidarite:\n", "  solidarite:\n    hours: mairi\n")
    (fault,) = found(folder)
    assert (fault.code, fault.source_line.strip()) == ("unknown-reference", "hours: mairi")
    assert "« mairie »" in fault.cure_fr


def test_the_end_of_what_is_known_of_school_holidays_is_told_in_time(folder: Path) -> None:
    edit(folder, "hours.yaml", "    public_holidays: fermé\n", "    school_holidays: lun-ven 9h-12h\n")
    assert "school-unknown" not in codes(folder)
    late = dt.datetime(2028, 7, 20, 10, tzinfo=ZONE)
    assert "school-unknown" in [fault.code for fault in load(folder, now=late).faults]
