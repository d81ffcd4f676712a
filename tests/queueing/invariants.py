"""What must hold of a site after every command."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ivr.queueing.model import Dump
    from tests.queueing.reference import Reference

CALL = attrgetter("node", "arrival", "state", "topic", "klass", "token", "agent", "rev", "snapshot")
AGENT = attrgetter(
    "groups", "node", "present", "state", "misses", "pause", "back", "busy", "token", "call", "idle", "staff"
)


def as_the_reference(dump: Dump, ref: Reference) -> None:
    """The script's state is the reference's, records and sets."""
    assert {known: CALL(call) for known, call in dump.calls.items()} == {
        known: CALL(call) for known, call in ref.calls.items()
    }
    assert {known: AGENT(agent) for known, agent in dump.agents.items()} == {
        known: AGENT(agent) for known, agent in ref.agents.items()
    }
    deadlines = {f"offer:{offer.token}": offer.deadline for offer in ref.offers.values() if not offer.accepted}
    deadlines |= {f"agent:{agent.id}": agent.due for agent in ref.agents.values() if agent.due is not None}
    assert dump.deadlines == deadlines
    assert set(dump.offers) | set(dump.talks) == set(ref.offers)
    assert int(dump.site["clock"]) == ref.clock
    present = {group for agent in ref.agents.values() for group in agent.groups}
    for group in present:
        staff = sum(group in agent.groups for agent in ref.agents.values() if agent.staff)
        assert int(dump.site.get(f"staff:{group}", "0")) == staff


def the_invariants_hold(dump: Dump, ref: Reference) -> None:
    """One talk or offer each; nobody waits for who is free; nobody is overtaken; the sets are true."""
    both = [*dump.offers.values(), *dump.talks.values()]
    # one agent, one caller, and both say so
    assert len({offer.agent for offer in both}) == len({offer.call for offer in both}) == len(both)
    for offer in both:
        assert dump.agents[offer.agent].token == dump.calls[offer.call].token == offer.token
    engaged = sum(agent.token is not None for agent in dump.agents.values())
    assert engaged == len(both) == sum(call.token is not None for call in dump.calls.values())
    # nobody waits for an agent who is free
    free = {group for agent in dump.agents.values() if agent.state == "idle" for group in agent.groups}
    assert not [topic for topic in dump.waiting if free & set(ref.topics[topic])]
    # the sets are what the records say
    assert {call for line in dump.waiting.values() for call in line} == {
        call.call for call in dump.calls.values() if call.state == "waiting"
    }
    assert sorted(dump.idle) == sorted(
        f"{group}|{agent.idle:013d}|{agent.id}"
        for agent in dump.agents.values()
        if agent.state == "idle"
        for group in agent.groups
    )
    # whoever still waits is not older than a caller whom this step offered to an agent of theirs
    for made in ref.made:
        call, agent = dump.calls[made.call], dump.agents[made.agent]  # type: ignore[index]
        for other in dump.calls.values():
            if other.state == "waiting" and other.klass == call.klass:
                able = set(agent.groups) & set(ref.topics[other.topic or ""])
                assert not able or (call.arrival, call.call) < (other.arrival, other.call)
    # every arrival is live or has ended, once
    count = {kind: int(dump.site.get(f"count:{kind}", "0")) for kind in ("arrived", "ended")}
    assert count["arrived"] == count["ended"] + len(dump.calls)
