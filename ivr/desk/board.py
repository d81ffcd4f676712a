"""The wallboard's facts, out of what the queue holds at one instant. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ivr.desk import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.core.plan import AgentId, Plan, TopicId
    from ivr.queueing.model import AgentRecord, CallRecord, Dump

ORDER: Final = ("talking", "offered", "idle", "wrap", "cooldown", "paused", "busy", "away")
"""The states as a supervisor looks for them: who works, who could, who does not."""
COUNTS: Final = {
    "arrived": "appels arrivés",
    "accepted": "décrochés par un agent",
    "withdrawn": "sonneries non décrochées",
    "left": "partis de la file",
    "overflow": "messages proposés",
    "unstaffed": "motifs sans personne",
    "ended": "appels terminés",
    "notice": "mises en pause d'office",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A topic's line: how many wait, how many ring at an agent's, since when the first has called (ms ago)."""

    label: str
    waiting: int
    ringing: int
    oldest_ms: int | None


@dataclass(frozen=True, slots=True)
class Talk:
    """A talk that goes on."""

    agent: str
    topic: str
    ms: int | None


@dataclass(frozen=True, slots=True)
class People:
    """The agents in one state: each one's name, for how long, and what else there is to say."""

    state: str
    who: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One Asterisk's share of the calls; `served`: a worker holds it now."""

    name: str
    calls: int
    served: bool


@dataclass(frozen=True, slots=True)
class Board:
    """Everything at the instant `now`. `counts` have grown since the state was founded."""

    name: str
    now: int
    lines: tuple[Line, ...]
    talks: tuple[Talk, ...]
    people: tuple[People, ...]
    nodes: tuple[Node, ...]
    counts: tuple[tuple[str, int], ...]
    in_menus: int


def board(plan: Plan, dump: Dump, now: int) -> Board:
    """Return the board; topics and agents that the plan no longer has are shown by their ids."""
    calls = tuple(dump.calls.values())
    return Board(
        name=plan.name,
        now=now,
        lines=_lines(plan, dump, now),
        talks=_talks(plan, dump, now),
        people=_people(plan, dump.agents, now),
        nodes=_nodes(dump.site, calls, now),
        counts=tuple((word, int(dump.site.get(f"count:{name}", 0))) for name, word in COUNTS.items()),
        in_menus=sum(call.state == "held" for call in calls),
    )


def _label(plan: Plan, topic: TopicId | None) -> str:
    known = plan.topics.get(topic) if topic is not None else None
    return known.label if known is not None else str(topic or "")


def _lines(plan: Plan, dump: Dump, now: int) -> tuple[Line, ...]:
    """The busiest first, then in the plan's order; topics where nobody waits come last."""
    by_topic: dict[TopicId, list[CallRecord]] = {topic: [] for topic in plan.topics}
    for call in dump.calls.values():
        if call.state in {"waiting", "offered"} and call.topic is not None:
            by_topic.setdefault(call.topic, []).append(call)
    made = [
        Line(
            label=_label(plan, topic),
            waiting=sum(call.state == "waiting" for call in calls),
            ringing=sum(call.state == "offered" for call in calls),
            oldest_ms=max((now - call.arrival for call in calls), default=None),
        )
        for topic, calls in by_topic.items()
    ]
    return tuple(sorted(made, key=lambda line: -(line.oldest_ms if line.oldest_ms is not None else -1)))


def _talks(plan: Plan, dump: Dump, now: int) -> tuple[Talk, ...]:
    begun = {offer.call: offer.accepted for offer in dump.talks.values()}
    made = []
    for call in dump.calls.values():
        if call.state == "talking" and call.agent is not None:
            agent, since = plan.agents.get(call.agent), begun.get(call.call)
            name = agent.name if agent is not None else call.agent
            made.append(Talk(name, _label(plan, call.topic), None if since is None else now - since))
    return tuple(sorted(made, key=lambda talk: -(talk.ms or 0)))


def _people(plan: Plan, agents: Mapping[AgentId, AgentRecord], now: int) -> tuple[People, ...]:
    """Every agent of the plan once, the longest in a state first; one whom the queue has never seen is away."""
    found: dict[str, list[tuple[int, str, AgentRecord | None]]] = {state: [] for state in ORDER}
    for agent in plan.agents.values():
        record = agents.get(agent.id)
        state, since = (record.state, record.since) if record is not None else ("away", now)
        found.setdefault(state, []).append((since, agent.name, record))
    return tuple(
        People(
            state, tuple(_person(plan, record, name, now) for _, name, record in sorted(who, key=lambda one: one[:2]))
        )
        for state, who in found.items()
        if who
    )


def _person(plan: Plan, record: AgentRecord | None, name: str, now: int) -> tuple[str, str, str]:
    if record is None:
        return name, "", ""
    more = ""
    if record.state == "paused" and record.pause:
        back = words.back(record, now)
        more = words.reason(record.pause, plan) + (f", retour {back}" if back else "")
    return name, words.lasting(now - record.since), more


def _nodes(site: Mapping[str, str], calls: tuple[CallRecord, ...], now: int) -> tuple[Node, ...]:
    held: dict[str, bool] = {}
    for name, raw in site.items():
        if name.startswith("lease:"):
            lease = msgspec.json.decode(raw)
            held[name.removeprefix("lease:")] = bool(lease.get("worker")) and lease.get("free_at", 0) > now
    count = dict.fromkeys(held, 0)
    for call in calls:
        count[call.node] = count.get(call.node, 0) + 1
    return tuple(Node(name, calls_there, held.get(name, False)) for name, calls_there in sorted(count.items()))
