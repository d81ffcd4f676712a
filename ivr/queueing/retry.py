"""How often a command is tried, and how long after each failure: data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` tries in all; before the n-th repetition a pause of first · factorⁿ, capped.

    None is begun once `within_ms` have passed: a Redis that stands still uses up its time-out at each.

    Every command is safe to repeat, so a lost answer is a reason to try again.
    """

    attempts: int = 4
    first_ms: int = 20
    factor: float = 3.0
    max_ms: int = 500
    within_ms: int = 1_500

    def pause_s(self, failures: int) -> float:
        """The pause after this many failures (from 1), in seconds."""
        return min(self.max_ms, self.first_ms * self.factor ** (failures - 1)) / 1_000
