"""What waits are to be expected, half-hour by half-hour, with the people who will be there. Pure.

Each topic is a line with callers of limited patience (Erlang A). Its agents are those of its own groups, or of the
first widening that has anybody. An agent of several topics is split between them: to each topic in proportion of the
time that the others leave (a fixed point, some rounds). What a widening adds counts from its instant on. What the
month itself shows then sets the scale of each topic (`Demand.factor`). It is an approximation, good enough to find
the bad half-hours; `ivr simulate --without` lives them with the real queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import exp, floor
from typing import TYPE_CHECKING, Final, Literal, Protocol

from ivr.core.plan import EVERYONE
from ivr.coverage.demand import HALF_MS
from ivr.sim.erlang import Traffic, formula
from ivr.traffic.month import ZONE, next_midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ivr.core.plan import AgentId, GroupId, Plan, Topic, TopicId
    from ivr.coverage.demand import Demand

State = Literal["closed", "good", "slow", "relayed", "nobody"]
"""`relayed`: nobody of the topic's own groups is there, others answer; `nobody`: only its continuity chain is left."""
BAD: Final[tuple[State, ...]] = ("nobody", "relayed", "slow")
"""The worst first."""
_ROUNDS: Final = 25
_LITTLE: Final = 1e-6
CLEARLY: Final = 1.1
"""A wait is slow from so many times the usual one on: the forecast knows no better."""
_FEW_CALLS: Final = 0.2
"""A half-hour that expects fewer is never slow."""
There = dict["AgentId", frozenset["GroupId"]]


class Presence(Protocol):
    """Who is there, and what is open; a half-hour is what it is at its middle."""

    def there(self, at: int) -> There:
        """Return who is there at an instant, and the groups that each answers in."""

    def is_open(self, topic: TopicId, at: int) -> bool:
        """Whether a topic's people answer at an instant."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One topic in the half-hour that begins at `at`: how many call, how long they will wait, who answers."""

    at: int
    topic: TopicId
    state: State
    calls: float = 0.0
    wait_s: float = 0.0
    usual_s: float = 0.0
    agents: tuple[AgentId, ...] = ()

    @property
    def heat(self) -> float:
        """The wait as a share of the usual one; 2 and more where nobody is there."""
        if self.state == "nobody":
            return 9.0
        return self.wait_s / self.usual_s if self.usual_s else 0.0


def half_hours(start: int, end: int) -> Iterator[int]:
    """Every half-hour of local time from the midnight before `start` to before `end`."""
    here = start
    while here < end:
        yield here
        here += HALF_MS


def midnights(start: int, days: int) -> list[int]:
    """The first instants of so many days, from the one of `start` on."""
    found = [round(datetime.fromtimestamp(start / 1000, ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
                   .timestamp() * 1000)]  # fmt: skip
    while len(found) < days:
        found.append(next_midnight(found[-1]))
    return found


def outlook(plan: Plan, demand: Demand, presence: Presence, start: int, end: int) -> list[Slot]:
    """Every topic in every half-hour from one instant to before another."""
    slots: list[Slot] = []
    for at in half_hours(start, end):
        middle = at + HALF_MS // 2
        opened = [topic for topic in plan.topics.values() if presence.is_open(topic.id, middle)]
        slots += slots_at(demand, at, presence.there(middle) if opened else {}, opened)
        slots += [Slot(at, topic.id, "closed") for topic in plan.topics.values() if topic not in opened]
    return slots


def slots_at(demand: Demand, at: int, there: There, opened: list[Topic]) -> list[Slot]:
    """Every open topic in one half-hour, with some people there."""
    crews = {topic.id: crews_of(topic, there) for topic in opened}
    loads = {
        topic.id: demand.calls(topic.id, at) * 1000 / HALF_MS * demand.handling_s[topic.id]
        for topic in opened
        if crews[topic.id]
    }
    left = share(loads, {topic: crews[topic][0][1] for topic in loads}, demand.there)
    busy = {agent: sum(part.get(agent, 0.0) for part in left.given.values()) for agent in there}
    slots = []
    for topic in opened:
        calls, usual = demand.calls(topic.id, at), demand.usual_s[topic.id]
        if not crews[topic.id]:
            slots.append(Slot(at, topic.id, "nobody", calls, demand.patience_s, usual))
            continue
        first = crews[topic.id][0][1]
        pooled = [
            (after_s, _wait(demand.there * len(crew), sum(busy[agent] for agent in crew), demand, topic.id))
            for after_s, crew in crews[topic.id][1:]
        ]
        alone = _wait(left.servers[topic.id], loads[topic.id], demand, topic.id)
        wait = demand.factor.get(topic.id, 1.0) * widened(alone, pooled)
        own = any(set(topic.groups) & there[agent] for agent in first)
        slow = wait > usual * CLEARLY and calls >= _FEW_CALLS
        state: State = "relayed" if not own else "slow" if slow else "good"
        slots.append(Slot(at, topic.id, state, calls, wait, usual, tuple(sorted(first))))
    return slots


def widened(alone_s: float, pooled: Sequence[tuple[float, float]]) -> float:
    """The mean wait where others answer too after some time, given what it is without them and among all of them.

    Waits are taken for exponential, and who waits that long is answered by whichever line comes first.
    """
    if alone_s <= 0:
        return alone_s
    wait, still, since, rate = 0.0, 1.0, 0.0, 1 / alone_s
    for after_s, among_all_s in pooled:
        lasts = exp(-rate * max(0.0, after_s - since))
        wait += still * (1 - lasts) / rate
        still, since = still * lasts, max(since, after_s)
        rate = 1 / alone_s + (1 / among_all_s if among_all_s > 0 else 1.0)
    return wait + still / rate


def crews_of(topic: Topic, there: There) -> list[tuple[float, tuple[AgentId, ...]]]:
    """Who may answer a topic, after how long (s): each widening adds; where nobody is there the next begins at once."""
    found: list[tuple[float, tuple[AgentId, ...]]] = []
    groups: set[GroupId] = set()
    for after_ms, more in ((0, topic.groups), *((step.after_ms, step.groups) for step in topic.widen)):
        groups |= set(more)
        crew = tuple(agent for agent, own in there.items() if EVERYONE in groups or groups & own)
        if crew and (not found or len(crew) > len(found[-1][1])):
            found.append((after_ms / 1000 if found else 0.0, crew))
    return found


@dataclass(frozen=True, slots=True)
class Shared:
    """How agents are split: `servers` is how many whole agents each topic has, `given` the load each agent gets."""

    servers: Mapping[TopicId, float]
    given: Mapping[TopicId, Mapping[AgentId, float]]


def share(loads: Mapping[TopicId, float], crews: Mapping[TopicId, tuple[AgentId, ...]], there: float) -> Shared:
    """Split every topic's load (erlangs) over its crew, more to whom the others leave more time."""
    given: dict[TopicId, dict[AgentId, float]] = {topic: dict.fromkeys(crew, 0.0) for topic, crew in crews.items()}
    total: dict[AgentId, float] = {agent: 0.0 for crew in crews.values() for agent in crew}

    def free_for(topic: TopicId, agent: AgentId) -> float:
        return max(_LITTLE, there - (total[agent] - given[topic][agent]))

    for _ in range(_ROUNDS):
        for topic, load in loads.items():
            free = {agent: free_for(topic, agent) for agent in crews[topic]}
            all_free = sum(free.values())
            for agent, time in free.items():
                part = load * time / all_free
                total[agent] += part - given[topic][agent]
                given[topic][agent] = part
    servers = {topic: sum(free_for(topic, agent) for agent in crew) for topic, crew in crews.items()}
    return Shared(servers, given)


def _wait(servers: float, erlangs: float, demand: Demand, topic: TopicId) -> float:
    per_hour = erlangs * 3600 / demand.handling_s[topic]
    return wait_s(round(servers, 2), round(per_hour, 2), round(demand.handling_s[topic]), round(demand.patience_s))


@lru_cache(maxsize=100_000)
def wait_s(servers: float, per_hour: float, handling_s: float, patience_s: float) -> float:
    """The mean wait of a line (s), between those of the whole numbers of agents around; without any, the patience."""
    if per_hour <= 0:
        return 0.0 if servers > 0 else patience_s
    below = floor(servers)
    part = servers - below

    def whole(agents: int) -> float:
        return formula(Traffic(agents, per_hour, handling_s, patience_s)).wait_s if agents else patience_s

    return whole(below) * (1 - part) + (whole(below + 1) * part if part else 0.0)
