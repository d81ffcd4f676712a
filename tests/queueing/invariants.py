"""What must hold of a site after every command."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ivr.queueing.model import Dump
    from tests.queueing.reference import Reference

CALL = attrgetter(
    "node",
    "arrival",
    "state",
    "topic",
    "reason",
    "since",
    "step",
    "caller",
    "told",
    "token",
    "agent",
    "rev",
    "snapshot",
)
AGENT = attrgetter(
    *("groups", "node", "present", "state", "misses", "pause", "back", "busy", "token", "call", "idle", "staff"),
    *("free_at", "code", "to", "uncoded", "extended"),
)


def as_the_reference(dump: Dump, ref: Reference) -> None:
    """The script's state is the reference's, records and sets."""
    assert {known: CALL(call) for known, call in dump.calls.items()} == {
        known: CALL(call) for known, call in ref.calls.items()
    }
    assert {call.call: [token for token, _ in call.ringing] for call in dump.calls.values()} == {
        call.id: call.ringing for call in ref.calls.values()
    }
    assert {known: AGENT(agent) for known, agent in dump.agents.items()} == {
        known: AGENT(agent) for known, agent in ref.agents.items()
    }
    assert dump.deadlines == ref.deadlines()
    assert set(dump.offers) | set(dump.talks) == set(ref.offers)
    assert int(dump.site["clock"]) == ref.clock
    crews = {name: int(count) for name, count in dump.site.items() if name.startswith("crew:")}
    assert {name: count for name, count in crews.items() if count} == {
        f"crew:{topic}~{step}": ref.crew(topic, step) for topic, step in ref.lines() if ref.crew(topic, step)
    }
    known = {tuple(name.split("|")): json.loads(text) for name, text in dump.known.items()}
    assert {key: (list(one["fails"] or []), one.get("owner")) for key, one in known.items()} == {
        key: (one.fails, one.owner) for key, one in ref.known.items()
    }


def the_invariants_hold(dump: Dump, ref: Reference) -> None:
    """One talk or offer each; nobody waits for who is free; nobody is overtaken; the sets are true."""
    both = [*dump.offers.values(), *dump.talks.values()]
    # an agent has one offer or talk, a caller one talk, and both say so
    assert len({offer.agent for offer in both}) == len(both)
    assert len({talk.call for talk in dump.talks.values()}) == len(dump.talks)
    assert not {talk.call for talk in dump.talks.values()} & {offer.call for offer in dump.offers.values()}
    for offer in both:
        assert dump.agents[offer.agent].token == offer.token
    for talk in dump.talks.values():
        assert dump.calls[talk.call].token == talk.token
    assert {(token, agent) for call in dump.calls.values() for token, agent in call.ringing} == {
        (offer.token, offer.agent) for offer in dump.offers.values()
    }
    assert sum(agent.token is not None for agent in dump.agents.values()) == len(both)
    # nobody waits for an agent who is free, nor at a step where nobody is while there is another
    idle = [ref.agents[agent.id] for agent in dump.agents.values() if agent.state == "idle"]
    for call in (ref.calls[call.call] for call in dump.calls.values() if call.state == "waiting"):
        assert call.topic is not None
        assert not [agent.id for agent in idle if ref.can(agent, call)]
        assert ref.crew(call.topic, call.step) or call.step + 1 == len(ref.topics[call.topic]["steps"])
    # the sets are what the records say
    assert {(line, call) for line, calls in dump.waiting.items() for call in calls} == {
        (f"{call.topic}~{call.step}", call.id) for call in ref.calls.values() if ref.room(call)
    }
    assert sorted(member for member in dump.idle if member[0] != "#") == sorted(
        f"{group}|{agent.idle:013d}|{agent.id}"
        for agent in dump.agents.values()
        if agent.state == "idle"
        for group in ref.agents[agent.id].able
    )
    # whoever still waits is not before a caller whom this step offered to an agent of theirs
    for made in ref.made:
        if made.call not in ref.calls or made.token not in ref.calls[made.call].ringing:
            continue
        for other in (ref.calls[call.call] for call in dump.calls.values() if call.state == "waiting"):
            if ref.can(ref.agents[made.agent], other) and ref.preferred.get(made.call) != made.agent:
                assert made.made_for == 0
                assert ref.order(ref.calls[made.call])[1:] < ref.order(other)[1:]
    # every arrival is live or has ended, once
    count = {kind: int(dump.site.get(f"count:{kind}", "0")) for kind in ("arrived", "ended")}
    assert count["arrived"] == count["ended"] + len(dump.calls)
