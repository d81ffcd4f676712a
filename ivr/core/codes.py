"""The codes that an agent dials when the phone is idle, read against the plan.

`*1` ready, `*2` and a pause's key, `*3` and an outcome's key, `*4` a longer wrap-up, `*9`, the PIN and a digit: a
crisis; here without the star.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ivr.core.plan import OutcomeCode, PauseReason, Plan, TopicId

READY: Final = "1"
PAUSE: Final = "2"
OUTCOME: Final = "3"
LONGER: Final = "4"
ADMIN: Final = "9"
ADMIN_DIGITS: Final = 7


@dataclass(frozen=True, slots=True)
class Ready:
    """The agent takes calls again."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The agent takes no calls, for that reason."""

    reason: PauseReason


@dataclass(frozen=True, slots=True)
class Say:
    """The agent's last call went like that. `to` is the topic that it should have had; no key says it."""

    outcome: OutcomeCode
    to: TopicId | None = None


@dataclass(frozen=True, slots=True)
class Longer:
    """The agent needs more time after the last call."""


@dataclass(frozen=True, slots=True)
class Crisis:
    """Who knows the PIN begins or ends a crisis: six digits, then 0 or the place of a profile."""

    digits: str


Code = Ready | Pause | Say | Longer
Dialled = Code | Crisis
"""A code, or what an admin dials."""


def read(text: str, plan: Plan) -> Dialled | None:
    """Return what a code means, None when the plan has no such code."""
    kind, key = text[:1], text[1:]
    if kind == PAUSE and key in plan.pauses:
        return Pause(plan.pauses[key])
    if kind == OUTCOME and key in plan.outcomes:
        return Say(plan.outcomes[key])
    if kind == ADMIN and len(key) == ADMIN_DIGITS and key.isdecimal() and plan.crises:
        return Crisis(key)
    if text == READY:
        return Ready()
    return Longer() if text == LONGER else None
