"""What an admin sets for a while, beside the plan: a crisis, or open or closed by force. Each has an end.

Kept as fields of one small hash in Redis; one that is over counts for nothing, wherever it still stands, and goes
at the next change.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final, Self

from ivr.core.schedule import Crisis, Forced
from ivr.plan import calendar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.core.plan import CrisisId

CRISIS: Final = "crisis"
FORCED: Final = "forced:"


@dataclass(frozen=True, slots=True)
class CrisisState:
    """The crisis that is on, by the plan's profile `id`, until an instant (Unix ms)."""

    id: CrisisId
    until: int
    by: str = ""
    since: int = 0


State = Forced | CrisisState


@dataclass(frozen=True, slots=True)
class States:
    """Everything that is set now."""

    forced: tuple[Forced, ...] = ()
    crisis: CrisisState | None = None

    @classmethod
    def of(cls, fields: Mapping[str, str], now: int) -> Self:
        """Return what the hash holds and is not over."""
        forced = (Forced(**json.loads(text)) for name, text in sorted(fields.items()) if name.startswith(FORCED))
        crisis = CrisisState(**json.loads(fields[CRISIS])) if CRISIS in fields else None
        return cls(
            tuple(state for state in forced if now < state.until),
            crisis if crisis is not None and now < crisis.until else None,
        )

    def all(self) -> tuple[State, ...]:
        """Return each of them."""
        return (*self.forced, *((self.crisis,) if self.crisis is not None else ()))

    def as_crisis(self) -> Crisis | None:
        """Return the crisis as a calendar holds it."""
        return Crisis(self.crisis.id, self.crisis.until) if self.crisis is not None else None

    def of_calendar(self) -> calendar.States:
        """Return all of it as a calendar is made with."""
        return calendar.States(self.forced, self.as_crisis(), self.crisis.since if self.crisis is not None else 0)


def field_of(state: State) -> str:
    """Return the name that a state is kept by: one crisis at a time, one forced state for each hours or the site."""
    return CRISIS if isinstance(state, CrisisState) else f"{FORCED}{state.hours or ''}"


def to_json(state: State) -> str:
    """Return a state as it is kept."""
    return json.dumps(asdict(state), ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class InForce:
    """What Redis says is in force: the number of the version (0: none is published), and the states."""

    number: int = 0
    content: str = ""
    states: States = field(default_factory=States)
