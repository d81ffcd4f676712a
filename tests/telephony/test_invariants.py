"""What must hold of a site, and what is found when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from ivr.ari.models import Bridge
from ivr.core.caller import CallId
from ivr.core.plan import AgentId, GroupId, TopicId
from ivr.queueing.model import AgentRecord, Dump, NodeId, Offer, Routing, Step, Token, TopicRouting
from ivr.telephony.invariants import Breach, broken

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

TOPIC, NODE = TopicId("voirie"), NodeId("a")
FIRST, THEN = GroupId("voirie"), GroupId("accueil")
ROUTING = Routing({TOPIC: TopicRouting((Step(0, (FIRST,)), Step(60_000, (THEN,))))})


def agent(name: str, group: GroupId = FIRST, state: Any = "idle", token: str | None = None) -> AgentRecord:
    return AgentRecord(
        AgentId(name),
        (group,),
        NODE,
        present=True,
        state=state,
        since=0,
        misses=0,
        token=Token(token) if token else None,
    )


def offer(token: str, call: str, who: str) -> Offer:
    return Offer(Token(token), CallId(call), NODE, AgentId(who), NODE, TOPIC, 0, 0, 0)


def site(*agents: AgentRecord, offers: tuple[Offer, ...] = (), talks: tuple[Offer, ...] = (), **lines: str) -> Dump:
    return Dump(
        agents={each.id: each for each in agents},
        offers={each.token: each for each in offers},
        talks={each.token: each for each in talks},
        waiting={f"{TOPIC}~{line[1:]}": (CallId(call),) for line, call in lines.items()},
    )


def found(held: Dump, *bridges: Bridge) -> set[tuple[str, str]]:
    return {(breach.rule, breach.of) for breach in broken(held, bridges, ROUTING)}


def bridge(name: str, channels: int) -> Bridge:
    members = tuple(f"c{n}" for n in range(channels))
    return Bridge(id=name, technology="", bridge_type="", name="", channels=members, creationtime="")


@pytest.mark.unit
def test_nothing_is_found_of_a_site_that_is_as_it_should_be() -> None:
    talking = agent("alice", state="talking", token="e:1")
    held = site(talking, agent("bob", THEN), talks=(offer("e:1", "c1", "alice"),), _0="c2")
    assert found(held, bridge("br.c1.1", 2), bridge("somebody-else-s", 3)) == set()


@pytest.mark.unit
def test_what_does_not_hold_is_told_by_its_rule() -> None:
    both = (offer("e:1", "c1", "alice"), offer("e:2", "c2", "alice"))
    assert found(site(offers=both)) == {("agent_engaged_twice", "alice")}
    assert found(site(talks=(offer("e:1", "c1", "alice"), offer("e:2", "c1", "bob")))) == {
        ("caller_engaged_twice", "c1")
    }
    assert found(site(agent("alice", state="offered", token="e:9"))) == {("agent_held_by_nothing", "alice")}
    assert found(site(), bridge("br.c1.1", 3)) == {("crowded_bridge", "br.c1.1")}
    assert found(site(agent("alice"), _0="c1")) == {("passed_over", "voirie~0")}
    assert found(site(agent("alice", THEN), _1="c1")) == {("passed_over", "voirie~1")}


@pytest.mark.redis
async def test_what_two_looks_show_is_counted_and_told(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    breach = Breach("passed_over", "voirie~0")
    await hall.worker._reconciler.look()
    monkeypatch.setattr("ivr.telephony.reconciler.broken", lambda *_: frozenset({breach}))
    with capture_logs() as logs:
        await hall.worker._reconciler.look()
        assert _counted(hall) == 0
        await hall.worker._reconciler.look()
    assert _counted(hall) == 1
    assert [(log["rule"], log["of"]) for log in logs if log["log_level"] == "error"] == [(breach.rule, breach.of)]


def _counted(hall: Hall) -> float:
    return hall.metrics.registry.get_sample_value("ivr_violations_total", {"kind": "passed_over"}) or 0.0
