"""The codes that an agent dials when the phone is idle, read against the plan.

`*1` ready, `*2` and a pause's key, `*3` and an outcome's key, `*4` a longer wrap-up; here without the star.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ivr.core.plan import OutcomeCode, PauseReason, Plan

READY: Final = "1"
PAUSE: Final = "2"
OUTCOME: Final = "3"
LONGER: Final = "4"


@dataclass(frozen=True, slots=True)
class Ready:
    """The agent takes calls again."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The agent takes no calls, for that reason."""

    reason: PauseReason


@dataclass(frozen=True, slots=True)
class Say:
    """The agent's last call went like that."""

    outcome: OutcomeCode


@dataclass(frozen=True, slots=True)
class Longer:
    """The agent needs more time after the last call."""


Code = Ready | Pause | Say | Longer


def read(text: str, plan: Plan) -> Code | None:
    """Return what a code means, None when the plan has no such code."""
    kind, key = text[:1], text[1:]
    if kind == PAUSE and key in plan.pauses:
        return Pause(plan.pauses[key])
    if kind == OUTCOME and key in plan.outcomes:
        return Say(plan.outcomes[key])
    if text == READY:
        return Ready()
    return Longer() if text == LONGER else None
