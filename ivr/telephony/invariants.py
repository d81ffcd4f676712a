"""What must hold of a site at every instant, looked at while it serves. Pure.

`broken` takes what Redis and Asterisk hold; the reconciler counts what two looks in a row show.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ivr.core.plan import EVERYONE, GroupId, TopicId
from ivr.telephony.ids import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ivr.ari.models import Bridge
    from ivr.queueing.model import AgentRecord, Dump, Routing

Rule = Literal["agent_engaged_twice", "caller_engaged_twice", "agent_held_by_nothing", "crowded_bridge", "passed_over"]
"""An agent, or a caller, has more than one talk; an agent is held by an offer that is no more; a bridge of ours holds
more than two; a caller waits while an agent who may take the call is free."""

PARTIES: Final = 2


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule that does not hold of an agent, a call, a bridge or a line."""

    rule: Rule
    of: str


def broken(held: Dump, bridges: Sequence[Bridge], routing: Routing) -> frozenset[Breach]:
    """Return what does not hold; what a command is about to change may differ for a moment."""
    both = (*held.offers.values(), *held.talks.values())
    found = {Breach("agent_engaged_twice", agent) for agent in _twice(str(offer.agent) for offer in both)}
    found |= {Breach("caller_engaged_twice", call) for call in _twice(str(talk.call) for talk in held.talks.values())}
    known = {offer.token for offer in both}
    agents = held.agents.values()
    found |= {Breach("agent_held_by_nothing", agent.id) for agent in agents if agent.token and agent.token not in known}
    found |= {
        Breach("crowded_bridge", bridge.id)
        for bridge in bridges
        if parse(bridge.id) is not None and len(bridge.channels) > PARTIES
    }
    free = set[GroupId]().union(*(_groups(agent, routing) for agent in agents if agent.state == "idle"))
    for line, calls in held.waiting.items():
        topic, _, step = line.rpartition("~")
        if calls and free & _answering(TopicId(topic), int(step), routing):
            found.add(Breach("passed_over", line))
    return frozenset(found)


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _groups(agent: AgentRecord, routing: Routing) -> set[GroupId]:
    return {*agent.groups, *routing.stands_in.get(agent.id, ()), EVERYONE}


def _answering(topic: TopicId, step: int, routing: Routing) -> set[GroupId]:
    """Return who answers a line; nobody is known to answer one that is not of this routing."""
    known = routing.topics.get(topic)
    return {group for each in known.steps[: step + 1] for group in each.groups} if known is not None else set()
