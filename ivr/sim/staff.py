"""When the agents are there: days, lunch, absences and pauses, drawn beforehand; and how they work, drawn on the way.

Each agent has a chance of their own for each day, so that one more agent, or one less, changes nothing in
the others' days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Final, Literal

from ivr.core.plan import Agent, AgentId
from ivr.sim.errors import SimulationError
from ivr.sim.load import Spread

if TYPE_CHECKING:
    from ivr.core.plan import Plan

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_PAUSE: Final = Spread(540, 0.35)
_ANSWER: Final = Spread(5, 0.5)
_WRAP: Final = Spread(25, 0.7)
_NOTICES: Final = Spread(180, 0.7)

What = Literal["comes", "goes", "pauses", "is back"]


@dataclass(frozen=True, slots=True)
class Habits:
    """How agents work. Durations in seconds; shares are of days (absences) or of rings (misses).

    `open`: the spans of a day in which the town hall answers, in hours.
    """

    open: tuple[tuple[float, float], ...] = ((8.5, 12.5), (13.5, 17.0))
    away_all_day: float = 0.07
    away_some_hours: float = 0.06
    pauses_a_day: int = 2
    pause: Spread = _PAUSE
    pause_told_s: int = 600
    answer: Spread = _ANSWER
    misses: float = 0.03
    phone_engaged: float = 0.003
    wrap: Spread = _WRAP
    notices: Spread = _NOTICES


@dataclass(frozen=True, slots=True)
class Move:
    """One agent comes, goes, pauses or is back at an instant."""

    at: int
    agent: AgentId
    what: What


class Worker:
    """One agent's own chance for one day."""

    def __init__(self, seed: int, agent: AgentId, midnight: int, habits: Habits) -> None:
        self._agent = agent
        self._midnight = midnight
        self._chance = Random(f"{seed}/{agent}/{midnight}")  # noqa: S311 - a model, no secret
        self._habits = habits

    def draw(self, spread: Spread) -> int:
        """A duration in ms."""
        variance = math.log1p(spread.cv**2)
        mu = math.log(spread.mean_s) - variance / 2
        return round(1000 * self._chance.lognormvariate(mu, math.sqrt(variance)))

    def happens(self, share: float) -> bool:
        """Whether something of that share happens."""
        return self._chance.random() < share

    def pick(self, several: int) -> int:
        """One of several, all alike."""
        return self._chance.randrange(several)

    def moves(self) -> list[Move]:
        """When they come, go, pause and are back."""
        habits, chance, agent, midnight = self._habits, self._chance, self._agent, self._midnight
        if self.happens(habits.away_all_day):
            return []
        spans = [
            (
                midnight + round(begin * _HOUR) + round(chance.uniform(-8, 3) * _MINUTE),
                midnight + round(end * _HOUR) + round(chance.uniform(0, 4) * _MINUTE),
            )
            for begin, end in habits.open
        ]
        if spans and self.happens(habits.away_some_hours):
            since = round(chance.uniform(spans[0][0], spans[-1][1]))
            spans = _without(spans, since, since + round(chance.uniform(1, 3) * _HOUR))
        moves: list[Move] = []
        for begin, end in spans:
            moves += [Move(begin, agent, "comes"), Move(end, agent, "goes")]
        for _ in range(habits.pauses_a_day if spans else 0):
            begin, end = spans[chance.randrange(len(spans))]
            length = self.draw(habits.pause)
            if end - begin > length + 4 * _MINUTE:
                since = round(chance.uniform(begin + _MINUTE, end - length - _MINUTE))
                moves += [Move(since, agent, "pauses"), Move(since + length, agent, "is back")]
        return moves


def _without(spans: list[tuple[int, int]], since: int, until: int) -> list[tuple[int, int]]:
    """The spans less one stretch; what is left of less than five minutes is not worth coming for."""
    pieces = [piece for begin, end in spans for piece in ((begin, min(end, since)), (max(begin, until), end))]
    return [(begin, end) for begin, end in pieces if end - begin > 5 * _MINUTE]


def staffed_by(plan: Plan, agents: int) -> Plan:
    """The plan with so many agents: the first of them, or theirs and others like them in turn."""
    known = list(plan.agents.values())
    if agents < 1 or not known:
        raise SimulationError("a simulation needs at least one agent, and a plan that has one.")
    chosen = {agent.id: agent for agent in known[:agents]}
    for n in range(len(known), agents):
        like, copy = known[n % len(known)], n // len(known) + 1
        chosen[AgentId(f"{like.id}-{copy}")] = Agent(AgentId(f"{like.id}-{copy}"), f"{like.name} {copy}", like.groups)
    groups = {
        group.id: replace(group, agents=tuple(who for who, agent in chosen.items() if group.id in agent.groups))
        for group in plan.groups.values()
    }
    return replace(plan, agents=chosen, groups=groups)
