"""What the connection is, how it comes back, and what was counted on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause before the n-th attempt in a row: first * factor^(n-1), capped, then spread by ± jitter.

    The cap is short: whoever waits in an Asterisk that is back hears nothing of us until we are.
    """

    first_ms: int = 100
    factor: float = 2.0
    max_ms: int = 2_000
    jitter: float = 0.2

    def delay_ms(self, attempt: int, rng: Random) -> int:
        """At least 1 ms, so that no fault becomes a spin; `attempt` counts from 1."""
        steps = min(attempt - 1, 64)
        delay = min(float(self.max_ms), self.first_ms * self.factor**steps)
        return max(1, round(delay * (1 + self.jitter * rng.uniform(-1, 1))))


@dataclass(frozen=True, slots=True)
class Connected:
    """Events flow and requests are carried; `count` is 1 for the first connection of this client."""

    count: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended, or could not be made.

    `attempt` counts the failures since the last `Connected`; the next try comes in `retry_ms`, or, when that
    is None (after `suspend()`), not before `resume()`.
    """

    reason: str
    attempt: int
    retry_ms: int | None


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another client took the application's name: both sockets are closed, nothing is sent before `resume()`."""


State = Connected | Disconnected | Replaced


@dataclass(slots=True)
class Stats:
    """Counters since the client was made; they only grow."""

    connections: int = 0
    requests: int = 0
    timeouts: int = 0
    late_answers: int = 0
    """Answers to nothing that waits: doubled, or after their timeout."""
    events: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    """Events by type that nobody asked for or that are not known here."""
    malformed: int = 0
    deaf: int = 0
    """Connections given up because Asterisk sent no events over them."""
    handler_errors: int = 0
    """Exceptions out of `on_event`, `on_state` or `on_connect`: each one a bug above."""
