"""Until when an answer is owed: working days of a French town hall."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from holidays import country_holidays

PARIS: Final = ZoneInfo("Europe/Paris")
_SATURDAY: Final = 5
_CLOSED: Final = country_holidays("FR", language="fr")
"""The eleven public holidays (Code du travail, L3133-1); grows by a year when one is asked for."""


def due(opened_ms: int, working_days: int) -> int:
    """The same time of day in Paris, `working_days` later: week-ends and public holidays left out."""
    when = datetime.fromtimestamp(opened_ms / 1000, PARIS)
    while working_days > 0:
        when += timedelta(days=1)
        if when.weekday() < _SATURDAY and when.date() not in _CLOSED:
            working_days -= 1
    return int(when.timestamp() * 1000)
