"""An answer is owed in working days of Paris."""

from __future__ import annotations

from datetime import datetime

import pytest

from ivr.ledger.workdays import PARIS, due

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("opened", "days", "expected"),
    [
        ("2026-11-23 09:00", 2, "2026-11-25 09:00"),  # Monday
        ("2026-11-27 09:00", 2, "2026-12-01 09:00"),  # Friday
        ("2026-11-28 09:00", 1, "2026-11-30 09:00"),  # Saturday
        ("2026-11-23 09:00", 0, "2026-11-23 09:00"),
        ("2026-11-10 09:00", 1, "2026-11-12 09:00"),  # 1918
        ("2026-04-03 09:00", 1, "2026-04-07 09:00"),  # Good Friday is worked, Easter Monday is not
        ("2026-05-13 09:00", 2, "2026-05-18 09:00"),  # Ascension
        ("2026-12-24 16:30", 2, "2026-12-29 16:30"),  # Christmas is a Friday
        ("2026-12-31 09:00", 1, "2027-01-04 09:00"),  # into a year that nobody asked for yet
        ("2026-10-23 09:00", 1, "2026-10-26 09:00"),  # the clocks go back in between
        ("2026-11-09 23:30", 1, "2026-11-10 23:30"),  # still the 9th in Paris
    ],
)
def test_due_counts_working_days(opened: str, days: int, expected: str) -> None:
    def ms(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp() * 1000)

    assert due(ms(opened), days) == ms(expected)
