"""The queue's facts in French words: states, reasons, durations, hours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.queueing.model import AgentRecord

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
STATES: Final = {
    "idle": "libre",
    "offered": "sonne",
    "talking": "en ligne",
    "wrap": "après l'appel",
    "cooldown": "n'a pas répondu",
    "paused": "en pause",
    "busy": "autre appel",
    "away": "absent",
}
NEVER: Final = "jamais vu"
MISSED: Final = "missed"
"""The reason of the pause that two missed calls bring."""


def state(record: AgentRecord | None, plan: Plan) -> str:
    """Return how an agent is; a pause with its reason."""
    if record is None:
        return NEVER
    word = STATES.get(record.state, record.state)
    return f"{word} : {reason(record.pause, plan)}" if record.state == "paused" and record.pause else word


def reason(pause: str, plan: Plan) -> str:
    """Return a pause's label, its id for one that the plan no longer has."""
    if pause == MISSED:
        return "deux appels manqués"
    return next((known.label for known in plan.pauses.values() if known.id == pause), pause)


def lasting(ms: int) -> str:
    """Return a duration as one reads it at a glance: 45 s, 12 min, 2 h 05, 3 j."""
    if ms < MINUTE_MS:
        return f"{max(0, ms) // 1_000} s"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS} min"
    if ms < DAY_MS:
        return f"{ms // HOUR_MS} h {ms % HOUR_MS // MINUTE_MS:02}"
    return f"{ms // DAY_MS} j"


def clock(ms: int) -> str:
    """Return an instant as an hour of this machine's time zone."""
    return datetime.fromtimestamp(ms / 1_000, UTC).astimezone().strftime("%H:%M")


def clock_s(ms: int) -> str:
    """Return an instant as `clock`, to the second."""
    return datetime.fromtimestamp(ms / 1_000, UTC).astimezone().strftime("%H:%M:%S")


def back(record: AgentRecord | None, now: int) -> str:
    """Return when an agent is expected back, empty where nobody waits for it."""
    if record is None or not record.pause or record.back is None:
        return ""
    late = now - record.back
    return f"{clock(record.back)}, retard {lasting(late)}" if late >= MINUTE_MS else clock(record.back)


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: 1 appel, 3 appels."""
    return f"{count} {one if count < 2 else many or one + 's'}"  # noqa: PLR2004 - French: the plural begins at 2
