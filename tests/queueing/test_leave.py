"""People on leave, who stands in for them, whom a crisis calls in: live, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import Absence, Agent, AgentId, CrisisId, CrisisProfile, Group, GroupId, PromptId, TopicId
from ivr.core.schedule import Crisis
from ivr.core.staffing import staffing_at
from ivr.queueing.model import News, Routing, TopicRouting
from ivr.queueing.routing import routing_of
from tests.plans import ACCUEIL, ETAT_CIVIL, small_plan
from tests.queueing.hall import ANN, BOB, CIVIL, DESK, ONE, PAPERS, ROADS, ROUTING, THREE, TWO, A, join, ready, stream

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from ivr.core.plan import Plan
    from ivr.queueing.queue import Queue
    from tests.queueing.hall import Hand

pytestmark = pytest.mark.redis
ANN_AWAY = replace(ROUTING, leave=frozenset({ANN}))


async def test_who_is_on_leave_is_nobodys_staff_and_gets_no_offer(queue: Queue) -> None:
    await ready(queue)
    await queue.configure(ANN_AWAY)
    joined = await join(queue, ONE)
    assert (joined.status, joined.staffed, joined.offers) == ("waiting", False, ())
    ann = (await queue.dump()).agents[ANN]
    assert (ann.present, ann.state, ann.staff) == (True, "away", False)


async def test_the_end_of_a_leave_offers_the_caller_who_waits(queue: Queue, redis: Redis) -> None:
    await ready(queue)
    await queue.configure(ANN_AWAY)
    await join(queue, ONE)
    changed = await queue.configure(ROUTING)
    assert [(offer.call, offer.agent) for offer in changed.offers] == [(ONE, ANN)]
    told = [fields[b"reason"] for _, fields in await stream(redis, queue) if fields[b"type"] == b"agent"]
    assert told == [b"present", b"leave", b"back"]


async def test_a_phone_that_registers_on_leave_changes_nothing(queue: Queue) -> None:
    await queue.configure(ANN_AWAY)
    await join(queue, ONE)
    assert (await ready(queue)).offers == ()
    assert not (await queue.status(ONE)).place.staffed


async def test_callers_learn_that_the_last_agent_has_left_on_leave(queue: Queue, clock: Hand) -> None:
    await ready(queue)
    await queue.busy(ANN, busy=True)
    await join(queue, ONE)
    await queue.configure(ANN_AWAY)
    clock.ms += 30_000
    assert (await queue.reap()).news == (News(ONE, A, "unstaffed"),)


async def test_who_is_rung_still_is_not_told_that_nobody_is_there(queue: Queue, clock: Hand) -> None:
    two = replace(TopicRouting.plain(CIVIL), at_once=2)
    await queue.configure(Routing({PAPERS: two}, empty_grace_ms=5_000))
    await ready(queue, ANN, (CIVIL,))
    joined = await join(queue, ONE)
    (offer,) = joined.offers
    await queue.configure(Routing({PAPERS: replace(two, steps=TopicRouting.plain(DESK).steps)}, empty_grace_ms=5_000))
    await join(queue, TWO)
    clock.ms += 5_000
    assert (await queue.reap()).news == (News(TWO, A, "unstaffed"),)
    await queue.leave(TWO, "told")
    await queue.decline(offer.token, "failed")
    clock.ms += 5_000
    assert (await queue.reap()).news == (News(ONE, A, "unstaffed"),)


async def test_a_substitute_answers_in_the_groups_of_whom_they_stand_in_for(queue: Queue) -> None:
    await ready(queue, ANN, (CIVIL,))
    await ready(queue, BOB, (DESK,))
    only = Routing({PAPERS: TopicRouting.plain(CIVIL), ROADS: TopicRouting.plain(DESK)})
    await queue.configure(replace(only, leave=frozenset({ANN}), stands_in={BOB: (CIVIL,)}))
    joined = await join(queue, ONE)
    assert joined.staffed
    assert [offer.agent for offer in joined.offers] == [BOB]
    await queue.end(ONE, "left")
    await queue.configure(only)
    assert [offer.agent for offer in (await join(queue, TWO)).offers] == [ANN]
    assert [offer.agent for offer in (await join(queue, THREE, ROADS)).offers] == [BOB]


async def test_a_leave_touches_no_talk_no_pause_and_no_waiting_caller(queue: Queue) -> None:
    await ready(queue)
    await ready(queue, BOB)
    (offer,) = (await join(queue, ONE)).offers
    await queue.accept(offer.token)
    await queue.pause(BOB, "lunch", None)
    await join(queue, TWO)
    before = await queue.dump()
    await queue.configure(replace(ROUTING, leave=frozenset({ANN, BOB})))
    during = await queue.dump()
    assert during.calls == before.calls
    assert during.agents[ANN].state == "talking"
    assert (during.agents[BOB].state, during.agents[BOB].pause) == ("away", "lunch")
    await queue.configure(ROUTING)
    after = await queue.dump()
    assert (after.calls, after.talks, after.waiting) == (before.calls, before.talks, before.waiting)
    assert (after.agents[BOB].state, after.agents[BOB].pause) == ("paused", "lunch")
    await queue.release(ONE)
    assert (await queue.dump()).agents[ANN].state == "wrap"


def planned() -> Plan:
    """The small plan: bob's leave is stood in for by chloe; a crisis calls the firemen in."""
    plan = small_plan()
    crew = GroupId("crise")
    dave = Agent(AgentId("dave"), "Dave", (crew,))
    agents = dict(plan.agents) | {dave.id: dave}
    for name in ("alice", "bob"):
        who = AgentId(name)
        agents[who] = replace(agents[who], substitutes=(AgentId("chloe"),), absences=(Absence(1_000, 2_000),))
    flood = CrisisProfile(CrisisId("crue"), "Crue", PromptId("horaires"), groups=(crew,))
    groups = dict(plan.groups) | {crew: Group(crew, "Crise", (dave.id,))}
    return replace(plan, agents=agents, groups=groups, crises={flood.id: flood})


async def test_the_plan_says_who_is_offered_at_each_instant(queue: Queue) -> None:
    plan = planned()
    for agent in plan.agents.values():
        await queue.presence(agent.id, agent.groups, A, present=True)
    seen = []
    for now, call in ((999, ONE), (1_000, TWO), (2_000, THREE)):
        await queue.configure(routing_of(plan, staffing=staffing_at(plan, now)))
        seen += [offer.agent for offer in (await join(queue, call, ETAT_CIVIL)).offers]
        await queue.end(call, "left")
    assert seen == ["alice", "chloe", "alice"]


async def test_a_crisis_calls_its_groups_in_for_every_topic_until_it_ends(queue: Queue) -> None:
    plan = planned()
    await queue.presence(AgentId("dave"), (GroupId("crise"),), A, present=True)
    crisis = Crisis(CrisisId("crue"), 5_000)
    on, off = staffing_at(plan, 4_999, crisis=crisis), staffing_at(plan, 5_000, crisis=crisis)
    await queue.configure(routing_of(plan, staffing=on))
    for call, topic in ((ONE, ETAT_CIVIL), (TWO, ACCUEIL)):
        assert [offer.agent for offer in (await join(queue, call, topic)).offers] == ["dave"]
        await queue.end(call, "left")
    await queue.configure(routing_of(plan, staffing=off))
    joined = await join(queue, THREE, TopicId("accueil"))
    assert (joined.staffed, joined.offers) == (False, ())
