"""The waiting line that theory knows: C agents, one line, first come first served, callers who may give up.

Two independent accounts of it: closed formulas (Erlang C, and Erlang A for callers who leave), and the
Kiefer-Wolfowitz recursion, which gives every single caller's wait from their arrival, talk and patience.
Instants and durations are whole milliseconds in the recursion, seconds in the formulas.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ivr.sim.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCHES: Final = 20
STUDENT_95: Final = 2.093
"""Student's t for `BATCHES` - 1 degrees of freedom, 95 % on both sides."""
_NEGLIGIBLE: Final = 1e-14


@dataclass(frozen=True, slots=True)
class Traffic:
    """So many arrivals an hour (Poisson), so long a talk and a patience (exponential means, s), so many agents."""

    agents: int
    per_hour: float
    talk_s: float
    patience_s: float | None = None

    def __post_init__(self) -> None:
        given = (self.agents, self.per_hour, self.talk_s, *(() if self.patience_s is None else (self.patience_s,)))
        if not all(value > 0 for value in given):
            raise SimulationError("agents, arrivals, talk and patience must be above zero.")
        if self.patience_s is None and self.erlangs >= self.agents:
            raise SimulationError(
                f"{self.agents} agents cannot carry {self.erlangs:.2f} erlangs: without a patience the line grows "
                "without end. Give more agents, or a patience."
            )

    @property
    def erlangs(self) -> float:
        """The load: talks that would go on at once."""
        return self.per_hour / 3600 * self.talk_s

    @classmethod
    def read(cls, text: str) -> Traffic:
        """The traffic of `C,ARRIVALS_PER_HOUR,AHT_S[,PATIENCE_S]`."""
        try:
            agents, per_hour, talk_s, *patience = text.split(",")
            (patience_s,) = map(float, patience) if patience else (None,)
            return cls(int(agents), float(per_hour), float(talk_s), patience_s)
        except ValueError as error:
            raise SimulationError(
                f"{text!r} is no traffic: write agents,arrivals an hour,talk in s and, if callers give up, "
                "their patience in s, for example 20,330,180,240."
            ) from error


@dataclass(frozen=True, slots=True)
class Sample:
    """Callers one by one: when they come, how long they talk, how long they wait at most (None: for ever)."""

    arrivals: Sequence[int]
    talks: Sequence[int]
    patience: Sequence[int] | None = None


def drawn(traffic: Traffic, calls: int, seed: int) -> Sample:
    """A sample of a traffic; the same for the same seed."""
    chance = np.random.default_rng(seed)
    gaps = chance.exponential(3_600_000 / traffic.per_hour, calls)
    arrivals = np.rint(np.cumsum(gaps)).astype(np.int64)
    talks = np.rint(chance.exponential(traffic.talk_s * 1000, calls)).astype(np.int64)
    if traffic.patience_s is None:
        return Sample(arrivals.tolist(), talks.tolist())
    patience = np.rint(chance.exponential(traffic.patience_s * 1000, calls)).astype(np.int64)
    return Sample(arrivals.tolist(), talks.tolist(), patience.tolist())


@dataclass(frozen=True, slots=True)
class Fates:
    """Each caller's wait (ms), to the talk or to giving up, and whether they gave up."""

    waits: Sequence[int]
    left: Sequence[bool]


def kiefer_wolfowitz(sample: Sample, agents: int) -> Fates:
    """What becomes of each caller, by the recursion over the instants at which agents are free.

    Callers begin in the order of their arrival (of their number, if at the same ms). One begins at the later of
    their arrival and of the instant at which the next agent is free; with a patience p they leave at arrival + p
    unless they have begun by then: who could begin at that very ms does.
    """
    free = [0] * agents
    waits, left = [], []
    patience = sample.patience or [1 << 62] * len(sample.arrivals)
    for arrival, talk, most in zip(sample.arrivals, sample.talks, patience, strict=True):
        wait = max(0, free[0] - arrival)
        leaves = wait > most
        if not leaves:
            heapq.heapreplace(free, arrival + wait + talk)
        waits.append(most if leaves else wait)
        left.append(leaves)
    return Fates(waits, left)


@dataclass(frozen=True, slots=True)
class Formula:
    """The steady state: the mean wait of all callers (s), who has to wait, who gives up (shares)."""

    wait_s: float
    delayed: float
    left: float


def formula(traffic: Traffic) -> Formula:
    """Erlang C (A. K. Erlang, 1917), or Erlang A (C. Palm, 1946) when callers have a patience."""
    lost = 1.0  # Erlang B by its recursion
    for n in range(1, traffic.agents + 1):
        lost = traffic.erlangs * lost / (n + traffic.erlangs * lost)
    if traffic.patience_s is None:
        busy = traffic.erlangs / traffic.agents
        delayed = lost / (1 - busy + busy * lost)
        return Formula(delayed * traffic.talk_s / (traffic.agents - traffic.erlangs), delayed, 0.0)
    arrivals, ends, leaves = traffic.per_hour / 3600, traffic.agents / traffic.talk_s, 1 / traffic.patience_s
    # Weights of 0, 1, 2 … waiting while every agent talks, relative to none waiting.
    weight, weights, waiting, n = 1.0, 1.0, 0.0, 0
    while weight > _NEGLIGIBLE * weights or arrivals > ends + n * leaves:
        n += 1
        weight *= arrivals / (ends + n * leaves)
        weights += weight
        waiting += n * weight
    not_all_busy = 1 / lost - 1
    total = not_all_busy + weights
    return Formula(waiting / total / arrivals, weights / total, waiting / total * leaves / arrivals)


def settled(values: Sequence[int]) -> Sequence[int]:
    """The values without the first twentieth, when the line was still filling."""
    return values[len(values) // 20 :]


def mean_s(waits: Sequence[int]) -> float:
    """The mean of settled waits, in seconds."""
    return float(np.mean(settled(waits))) / 1000


def half_width_s(waits: Sequence[int], student: float = STUDENT_95) -> float:
    """Half the width of the confidence interval of `mean_s`, by batch means: waits in a row are alike."""
    steady = np.asarray(settled(waits), dtype=np.float64)
    size = len(steady) // BATCHES
    if size == 0:
        return math.inf
    means = steady[: size * BATCHES].reshape(BATCHES, size).mean(axis=1) / 1000
    return student * float(means.std(ddof=1)) / math.sqrt(BATCHES)
