"""What is bad about the days to come, and the smallest change that mends it: who answers besides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from ivr.coverage.demand import HALF_MS
from ivr.coverage.outlook import BAD, slots_at
from ivr.traffic.month import midnight_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ivr.core.plan import AgentId, Plan, TopicId
    from ivr.coverage.demand import Demand
    from ivr.coverage.outlook import Presence, Slot, State, There

_PAIRS_OF: Final = 5
"""Pairs are tried among so many colleagues who would help most."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Colleagues who answer the topic besides, in the hours of the problem; `enough`: then nothing is bad any more.

    `mended`: the topic is not, but `worse` ones become so. `named`: they are substitutes of somebody who is away.
    `wait_s`: the longest wait that is left.
    """

    agents: tuple[AgentId, ...]
    enough: bool
    wait_s: float
    named: bool = False
    mended: bool = True
    worse: tuple[TopicId, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """A topic on one day: the half-hours that are bad in one way."""

    midnight: int
    topic: TopicId
    state: State
    slots: tuple[Slot, ...]
    away: tuple[AgentId, ...] = ()
    remedy: Remedy | None = None

    @property
    def calls(self) -> float:
        """How many callers it concerns."""
        return sum(slot.calls for slot in self.slots)

    @property
    def wait_s(self) -> float:
        """The longest wait to be expected."""
        return max(slot.wait_s for slot in self.slots)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The bad hours."""
        found: list[tuple[int, int]] = []
        for slot in self.slots:
            if found and found[-1][1] == slot.at:
                found[-1] = found[-1][0], slot.at + HALF_MS
            else:
                found.append((slot.at, slot.at + HALF_MS))
        return found

    @property
    def weight(self) -> tuple[int, float]:
        """What makes it worse than another: its kind, then how many wait for how long."""
        return BAD.index(self.state), -sum(slot.calls * slot.wait_s for slot in self.slots)


def problems(slots: Iterable[Slot]) -> list[Problem]:
    """Every topic that is bad on a day, each kind by itself, by day and the worst first."""
    found: dict[tuple[int, TopicId, State], list[Slot]] = {}
    for slot in slots:
        if slot.state in BAD:
            found.setdefault((midnight_of(slot.at), slot.topic, slot.state), []).append(slot)
    made = [Problem(*which, tuple(bad)) for which, bad in found.items()]
    return sorted(made, key=lambda problem: (problem.midnight, problem.weight))


def remedy(
    plan: Plan, demand: Demand, presence: Presence, problem: Problem, first: frozenset[AgentId] = frozenset()
) -> Remedy | None:
    """The fewest colleagues who mend a problem, or help if nothing mends it; of `first`, where it is all the same."""
    bad = [(slot.at, presence.there(slot.at + HALF_MS // 2)) for slot in problem.slots]
    group = plan.topics[problem.topic].groups[0]
    own = set(plan.topics[problem.topic].groups)
    candidates = [
        agent
        for agent in plan.agents
        if all(agent in there for _, there in bad) and not all(own & there[agent] for _, there in bad)
    ]

    def tried(agents: tuple[AgentId, ...]) -> _Tried:
        mended, longest, waiting = True, 0.0, 0.0
        worse: set[TopicId] = set()
        for at, there in bad:
            after = {**there, **{agent: there[agent] | {group} for agent in agents}}
            was = {slot.topic: slot.state for slot in _slots(plan, demand, presence, at, there)}
            for slot in _slots(plan, demand, presence, at, after):
                waiting += slot.calls * slot.wait_s
                if slot.topic == problem.topic:
                    longest = max(longest, slot.wait_s)
                    mended = mended and slot.state not in BAD
                elif slot.state in BAD and was[slot.topic] not in BAD:
                    worse.add(slot.topic)
        return _Tried(mended, tuple(sorted(worse)), longest, waiting)

    now = tried(())
    found: dict[tuple[AgentId, ...], _Tried] = {(agent,): tried((agent,)) for agent in candidates}
    if not any(one.good for one in found.values()):
        helpful = sorted(found, key=lambda agents: found[agents].waiting)[:_PAIRS_OF]
        pairs: list[tuple[AgentId, ...]] = [(one[0], other[0]) for one, other in combinations(helpful, 2)]
        both = {pair: tried(pair) for pair in pairs}
        found |= {pair: one for pair, one in both.items() if one.good}
    return _chosen(found, now, problem, first)


@dataclass(frozen=True, slots=True)
class _Tried:
    """Whether the topic is not bad any more, which others become so, the topic's longest wait, and all the waiting."""

    mended: bool
    worse: tuple[TopicId, ...]
    longest: float
    waiting: float

    @property
    def good(self) -> bool:
        return self.mended and not self.worse


def _chosen(
    found: dict[tuple[AgentId, ...], _Tried], now: _Tried, problem: Problem, first: frozenset[AgentId]
) -> Remedy | None:
    """Whoever mends it; else who does so at another topic's cost; else who makes less waiting. Named ones before."""

    def rank(agents: tuple[AgentId, ...]) -> tuple[object, ...]:
        one = found[agents]
        return not one.good, not one.mended, not set(agents) <= first, one.waiting, agents

    useful = [
        agents
        for agents, one in found.items()
        if one.mended or (one.waiting < now.waiting and (one.longest < now.longest or problem.state != "slow"))
    ]
    if not useful:
        return None
    best = min(useful, key=rank)
    one = found[best]
    return Remedy(
        best, enough=one.good, wait_s=one.longest, named=set(best) <= first, worse=one.worse, mended=one.mended
    )


def _slots(plan: Plan, demand: Demand, presence: Presence, at: int, there: There) -> Sequence[Slot]:
    opened = [topic for topic in plan.topics.values() if presence.is_open(topic.id, at + HALF_MS // 2)]
    return slots_at(demand, at, there, opened)
