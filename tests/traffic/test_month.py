"""A recorded month as a file, and the days that it has."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from ivr.traffic.errors import TrafficError
from ivr.traffic.month import ZONE, Period, read

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "n'est pas un mois enregistré"),
        ("{}", "ivr month export"),
        ('{"format": "standardiste-month", "version": 2}', "version 2"),
        ('{"format": "standardiste-month", "version": 1, "calls": 3}', "n'est pas un mois enregistré"),
    ],
)
def test_a_file_that_is_no_month_is_told_so(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "mois.json").write_text(content, encoding="utf-8")
    with pytest.raises(TrafficError, match=says):
        read(tmp_path / "mois.json")


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(TrafficError, match="ne peut être lu"):
        read(tmp_path / "mois.json")


def test_a_month_begins_and_ends_at_local_midnights_summer_time_or_not() -> None:
    october = Period.of("2026-10")
    assert datetime.fromtimestamp(october.start / 1000, ZONE).isoformat() == "2026-10-01T00:00:00+02:00"
    assert datetime.fromtimestamp(october.end / 1000, ZONE).isoformat() == "2026-11-01T00:00:00+01:00"
    days = list(october.midnights())
    assert len(days) == 31
    assert max(end - start for start, end in days) == 25 * 3_600_000
    with pytest.raises(TrafficError, match="n'est pas un mois"):
        Period.of("octobre")
