"""Days and times as admins write them: `2026-12-21`, `21/12/2026`, `2026-12-21 14h30`, in the site's own time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

ZONE: Final = ZoneInfo("Europe/Paris")

_MOMENT: Final = re.compile(
    r"\s*(?:(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})|(?P<d2>\d{1,2})/(?P<m2>\d{1,2})/(?P<y2>\d{4}))"
    r"(?:(?:T|\s+(?:à\s+)?)(?P<h>\d{1,2})(?:\s*[hH:]\s*(?P<min>\d{2})?))?\s*"
)
_END_OF_DAY: Final = (24, 0)
_SCHEMA: Final = WithJsonSchema({"type": "string", "examples": ["2026-12-21", "2026-12-21 14h"]})


def moment(text: str, *, last: bool = False) -> datetime | None:
    """Return the instant that a text names, or None; `last`: a day alone is its end, the midnight after it."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    part = found.groupdict()
    year, month, day = (int(part[name] or part[f"{name}2"]) for name in ("y", "m", "d"))
    hour, minute = int(part["h"] or 0), int(part["min"] or 0)
    midnight = part["h"] is None or (last and (hour, minute) == _END_OF_DAY)
    try:
        at = datetime(year, month, day, 0 if midnight else hour, minute, tzinfo=ZONE)
        return at + timedelta(days=1) if last and midnight else at
    except (ValueError, OverflowError):
        return None


def milliseconds_of(at: datetime) -> int:
    """Return an instant as Unix milliseconds."""
    return round(at.astimezone(UTC).timestamp() * 1000)


def _first(value: Any) -> datetime:
    return _read(value, last=False)


def _end(value: Any) -> datetime:
    return _read(value, last=True)


def _read(value: Any, *, last: bool) -> datetime:
    found = moment(value, last=last) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError("bad-moment", "bad moment", {"value": "" if value is None else str(value)[:40]})
    return found


Moment = Annotated[datetime, BeforeValidator(_first), _SCHEMA]
MomentEnd = Annotated[datetime, BeforeValidator(_end), _SCHEMA]
