"""Who calls: what the trunk vouches for, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

CallId = NewType("CallId", str)
CallerRef = NewType("CallerRef", str)
Privacy = Literal["open", "hidden"]
CallerClass = Literal["normal", "relay"]


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller of one call.

    `ref` is a keyed hash of the number (or of the call when hidden): logs and events
    carry it. `number` is E.164, None when the caller hides it or the trunk gave none.
    `relay` callers speak through a relay service for deaf people: no menu, no menu timers.
    """

    ref: CallerRef
    number: str | None
    privacy: Privacy
    klass: CallerClass
