"""Who is offered to whom, and when: strategies, widening, right of way, overflow, and what agents owe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import EVERYONE, AgentId, GroupId
from ivr.queueing.model import Accepted, CallId, Changed, News, Refused, Routing, Step, TopicRouting
from ivr.queueing.stream import lines
from tests.queueing.hall import ANN, BOB, CIVIL, DESK, ONE, PAPERS, ROADS, T0, THREE, TWO, A, Hand, join, ready, stream

if TYPE_CHECKING:
    from typing import Any

    from redis.asyncio import Redis

    from ivr.queueing.queue import Queue

pytestmark = pytest.mark.redis
CID, DEE = AgentId("cid"), AgentId("dee")
FOUR = CallId("a-1.4")
WIDENING = TopicRouting((Step(0, (CIVIL,)), Step(60_000, (DESK,)), Step(180_000, (EVERYONE,))))


async def routed(queue: Queue, topic: TopicRouting, **durations: Any) -> None:
    await queue.configure(Routing({PAPERS: topic, ROADS: TopicRouting.plain(DESK)}, **durations))


async def events(redis: Redis, queue: Queue, kind: str) -> list[dict[str, str]]:
    return [dict(line.fields) for line in lines(await stream(redis, queue)) if line.type == kind]


# -- several phones at once


async def test_the_first_who_answers_has_the_call_and_no_other_phone_rings(queue: Queue, clock: Hand) -> None:
    await routed(queue, TopicRouting((Step(0, (CIVIL,)),), at_once=3))
    for agent in (ANN, BOB, CID, DEE):
        await ready(queue, agent)
        clock.ms += 1
    offers = (await join(queue, ONE)).offers
    assert [offer.agent for offer in offers] == [ANN, BOB, CID]
    assert (await queue.dump()).calls[ONE].ringing == tuple((offer.token, offer.agent) for offer in offers)
    first = await queue.accept(offers[1].token)
    assert isinstance(first, Accepted)
    assert {gone.token: gone.reason for gone in first.withdrawn} == {
        offers[0].token: "taken",
        offers[2].token: "taken",
    }
    assert await queue.accept(offers[0].token) == Refused(reason="stale")
    dump = await queue.dump()
    assert {agent.id: agent.state for agent in dump.agents.values()} == {
        ANN: "idle",
        BOB: "talking",
        CID: "idle",
        DEE: "idle",
    }
    assert (dump.offers, dump.deadlines, dump.calls[ONE].agent) == ({}, {}, BOB)
    # who was not chosen is next in line as before
    assert [offer.agent for offer in (await join(queue, TWO)).offers] == [ANN, CID, DEE]


async def test_a_second_phone_never_rings_while_somebody_has_none(queue: Queue, clock: Hand) -> None:
    await routed(queue, TopicRouting((Step(0, (CIVIL,)),), at_once=3))
    await join(queue, ONE, ago=9_000)
    await join(queue, TWO, ago=1_000)
    made = [offer.call for agent in (ANN, BOB, CID, DEE) for offer in (await ready(queue, agent)).offers]
    assert made == [ONE, TWO, ONE, ONE]
    # one rings in vain: the call rings on at the others, and its place for one phone more is free
    token = next(offer.token for offer in (await queue.reap()).live if offer.agent == ANN)
    await queue.decline(token, "busy")
    dump = await queue.dump()
    assert [agent for _, agent in dump.calls[ONE].ringing] == [CID, DEE]
    clock.ms += 60_000
    assert [(offer.call, offer.agent) for offer in (await queue.reap()).offers][:1] == [(ONE, ANN)]


async def test_an_order_of_agents_is_kept_whoever_is_idle_for_longest(queue: Queue) -> None:
    ranks = {CIVIL: {BOB: 0, ANN: 1}}
    await routed(queue, TopicRouting((Step(0, (CIVIL,)), Step(10_000, (EVERYONE,))), ordered=True), ranks=ranks)
    for agent in (ANN, BOB, CID):
        await ready(queue, agent)
    called = []
    for call in (ONE, TWO, THREE):
        (offer,) = (await join(queue, call)).offers
        called.append(offer.agent)
    # one without a rank comes after those who have one, and not never
    assert called == [BOB, ANN, CID]


# -- widening


async def test_more_groups_answer_after_a_while_and_an_empty_step_is_skipped(
    queue: Queue, clock: Hand, redis: Redis
) -> None:
    await routed(queue, WIDENING)
    await queue.presence(ANN, (CIVIL,), A, present=True)
    await queue.pause(ANN, "coffee", clock.ms + 300_000)  # there, and not free
    waits = await join(queue, ONE, ago=5_000)
    assert (waits.status, waits.staffed) == ("waiting", True)
    assert (await queue.presence(BOB, (DESK,), A, present=True)).offers == ()
    clock.ms += 60_000
    assert [offer.agent for offer in (await queue.reap()).offers] == [BOB]
    await queue.end(ONE, "left")
    # nobody of the first two steps is there: the third one begins at once
    await queue.presence(ANN, (CIVIL,), A, present=False)
    await queue.presence(BOB, (DESK,), A, present=False)
    await queue.presence(CID, (GroupId("roads"),), A, present=True)
    assert [offer.agent for offer in (await join(queue, TWO)).offers] == [CID]
    widened = await events(redis, queue, "widened")
    assert [(line["call"], line["step"], line["why"]) for line in widened] == [
        (ONE, "1", "time"),
        (TWO, "1", "empty"),
        (TWO, "2", "empty"),
    ]


async def test_a_step_set_anew_by_what_came_due_before_it_still_comes(queue: Queue, clock: Hand) -> None:
    await routed(queue, TopicRouting((Step(0, (CIVIL,)), Step(30_000, (DESK,)), Step(60_000, (EVERYONE,)))))
    await queue.presence(ANN, (CIVIL,), A, present=True)
    await queue.presence(BOB, (DESK,), A, present=True)
    await queue.busy(BOB, busy=True)
    await queue.presence(CID, (GroupId("roads"),), A, present=True)
    assert [offer.agent for offer in (await join(queue, ONE)).offers] == [ANN]
    clock.ms += 31_000  # the offer's end and the second step are due, in one reap
    assert (await queue.reap()).expired == 1
    assert (await queue.dump()).calls[ONE].step == 1
    clock.ms += 29_000
    assert [offer.agent for offer in (await queue.reap()).offers] == [CID]


async def test_the_last_of_a_group_leaves_and_its_callers_go_on_at_once(queue: Queue) -> None:
    await routed(queue, WIDENING)
    await queue.presence(ANN, (CIVIL,), A, present=True)
    await queue.busy(ANN, busy=True)
    await queue.presence(BOB, (DESK,), A, present=True)
    assert (await join(queue, ONE)).offers == ()
    gone = await queue.presence(ANN, (), A, present=False)
    assert [(offer.call, offer.agent) for offer in gone.offers] == [(ONE, BOB)]


async def test_another_widening_counts_for_those_who_wait_already(queue: Queue, clock: Hand, redis: Redis) -> None:
    await routed(queue, WIDENING)
    await queue.presence(ANN, (CIVIL,), A, present=True)
    await queue.busy(ANN, busy=True)
    await queue.presence(BOB, (DESK,), A, present=True)
    await join(queue, ONE)
    clock.ms += 30_000
    sooner = TopicRouting((Step(0, (CIVIL,)), Step(20_000, (DESK,))))
    changed = await queue.configure(Routing({PAPERS: sooner, ROADS: TopicRouting.plain(DESK)}))
    assert [offer.agent for offer in changed.offers] == [BOB]
    assert (await events(redis, queue, "widened"))[-1]["why"] == "plan"


async def test_the_wait_that_a_caller_brings_counts(queue: Queue) -> None:
    await routed(queue, WIDENING)
    await queue.presence(ANN, (CIVIL,), A, present=True)
    await queue.busy(ANN, busy=True)
    await queue.presence(BOB, (DESK,), A, present=True)
    assert [offer.agent for offer in (await join(queue, ONE, since=T0 - 61_000)).offers] == [BOB]


async def test_a_position_counts_all_steps_of_a_topic(queue: Queue, clock: Hand) -> None:
    await routed(queue, WIDENING)
    await queue.presence(ANN, (CIVIL, DESK), A, present=True)
    await queue.busy(ANN, busy=True)
    await join(queue, ONE, ago=1_000)
    clock.ms += 61_000
    await queue.reap()
    assert (await queue.dump()).calls[ONE].step == 1
    assert (await join(queue, TWO)).position == 2
    assert (await join(queue, ONE)).position == 1


# -- right of way


async def test_right_of_way_is_worth_a_bounded_time(queue: Queue, redis: Redis) -> None:
    await join(queue, ONE, ago=121_000)
    await join(queue, TWO, ago=119_000)
    await join(queue, THREE, reason="relay")
    order = []
    for _ in range(3):
        (offer,) = (await ready(queue)).offers or (await queue.resume(ANN)).offers
        await queue.accept(offer.token)
        order.append(offer.call)
        await queue.end(offer.call, "answered")
    assert order == [ONE, THREE, TWO]
    assert [line.get("reason") for line in await events(redis, queue, "offered")] == [None, "relay", None]


async def test_the_third_call_after_two_in_vain_has_the_right_of_way(queue: Queue, clock: Hand, redis: Redis) -> None:
    for call in (ONE, TWO):
        await join(queue, call, caller="r1")
        await queue.end(call, "left")
    await join(queue, FOUR, caller="r2")
    clock.ms += 1_000
    await join(queue, THREE, caller="r1")
    assert (await queue.dump()).calls[THREE].reason == "repeat"
    (offer,) = (await ready(queue)).offers
    assert offer.call == THREE
    await queue.accept(offer.token)
    await queue.end(THREE, "answered")
    assert (await queue.dump()).known == {}


async def test_calls_in_vain_are_forgotten_after_a_day_or_on_demand(queue: Queue, clock: Hand) -> None:
    for call, caller in ((ONE, "r1"), (TWO, "r2")):
        await join(queue, call, caller=caller)
        await queue.end(call, "promised")
    assert (await queue.forget("r1")).changed
    assert not (await queue.forget("r1")).changed
    assert set((await queue.dump()).known) == {"r2|papers"}
    clock.ms += 86_400_000
    await queue.reap()
    dump = await queue.dump()
    assert (dump.known, dump.deadlines) == ({}, {})


# -- when it takes too long, and when nobody is left


async def test_a_long_wait_is_told_once_and_puts_nobody_out(queue: Queue, clock: Hand) -> None:
    await routed(queue, TopicRouting((Step(0, (CIVIL,)),), overflow_wait_ms=40_000))
    await ready(queue)
    await queue.busy(ANN, busy=True)
    await join(queue, ONE)
    told = []
    for _ in range(8):
        clock.ms += 15_000
        told += [(clock.ms - T0, news) for news in (await queue.reap()).news]
    assert told == [(45_000, News(ONE, A, "overflow"))]
    dump = await queue.dump()
    assert (dump.calls[ONE].state, dump.calls[ONE].told, dump.deadlines) == ("waiting", True, {})


async def test_more_callers_than_agents_can_take_are_told(queue: Queue, clock: Hand) -> None:
    await routed(queue, TopicRouting((Step(0, (CIVIL,)),), overflow_ratio=2.0))
    await ready(queue, ANN)
    await queue.busy(ANN, busy=True)
    for call in (ONE, TWO):
        await join(queue, call)
    clock.ms += 15_000
    assert (await queue.reap()).news == ()
    await join(queue, THREE)
    clock.ms += 15_000
    assert {news.call for news in (await queue.reap()).news} == {ONE, TWO, THREE}


async def test_whoever_waits_learns_that_nobody_is_left_unless_somebody_comes_back(queue: Queue, clock: Hand) -> None:
    await ready(queue, ANN)
    await queue.busy(ANN, busy=True)
    await join(queue, ONE)
    await queue.presence(ANN, (), A, present=False)
    clock.ms += 29_999
    assert (await queue.reap()).news == ()
    await ready(queue, BOB)
    await queue.decline((await queue.reap()).live[0].token, "gone")
    clock.ms += 29_999
    assert (await queue.reap()).news == ()
    clock.ms += 1
    assert (await queue.reap()).news == (News(ONE, A, "unstaffed"),)
    assert (await queue.dump()).calls[ONE].state == "waiting"


# -- what agents owe


async def test_two_calls_missed_in_a_row_pause_an_agent_for_a_while(queue: Queue, clock: Hand, redis: Redis) -> None:
    await ready(queue)
    for call in (ONE, TWO):
        (offer,) = (await join(queue, call)).offers
        await queue.decline(offer.token, "miss")
        await queue.end(call, "left")
        clock.ms += 60_000
        await queue.reap()
    ann = (await queue.dump()).agents[ANN]
    assert (ann.state, ann.pause, ann.back) == ("paused", "missed", clock.ms - 60_000 + 900_000)
    assert await events(redis, queue, "notice") == [{"agent": ANN, "reason": "missed"}]
    clock.ms += 840_000
    await queue.reap()
    assert (await queue.dump()).agents[ANN].state == "idle"


async def test_a_phone_that_comes_back_ends_the_pause_for_missed_calls(queue: Queue) -> None:
    await ready(queue)
    for call in (ONE, TWO):
        (offer,) = (await join(queue, call)).offers
        await queue.decline(offer.token, "miss")
        await queue.end(call, "left")
        if call == ONE:
            await queue.busy(ANN, busy=True)
            await queue.busy(ANN, busy=False)
            assert (await queue.presence(ANN, (CIVIL, DESK), A, present=True)).changed is False
            dump = await queue.dump()
            assert dump.agents[ANN].hold == "cooldown"
            await queue.reap()
            await _rested(queue)
    assert (await queue.dump()).agents[ANN].pause == "missed"
    await queue.presence(ANN, (), A, present=False)
    await ready(queue)
    assert (await queue.dump()).agents[ANN].state == "idle"


async def _rested(queue: Queue) -> None:
    queue.clock.ms += 60_000  # type: ignore[attr-defined]
    await queue.reap()


async def talked(queue: Queue, call: CallId = ONE, **facts: Any) -> None:
    (offer,) = (await join(queue, call, **facts)).offers
    await queue.accept(offer.token)
    await queue.release(call)
    await queue.end(call, "answered")


async def test_an_outcome_ends_the_wrap(queue: Queue, redis: Redis) -> None:
    await routed(queue, TopicRouting.plain(CIVIL), wrap_ms=45_000, coded=True)
    await ready(queue)
    assert await queue.outcome(ANN, "1") == Refused(reason="no call")
    await talked(queue, caller="r1")
    assert (await queue.dump()).agents[ANN].state == "wrap"
    assert (await queue.outcome(ANN, "1")).changed  # type: ignore[union-attr]
    assert await queue.outcome(ANN, "1") == Changed(changed=False)
    dump = await queue.dump()
    assert (dump.agents[ANN].state, dump.agents[ANN].code, dump.deadlines, dump.known) == ("idle", "1", {}, {})
    assert [line["code"] for line in await events(redis, queue, "outcome")] == ["1"]
    assert await events(redis, queue, "unresolved") == []


async def test_an_outcome_tells_the_topic_that_was_the_right_one(queue: Queue, redis: Redis) -> None:
    await routed(queue, TopicRouting.plain(CIVIL), wrap_ms=45_000, coded=True)
    await ready(queue)
    await talked(queue, caller="r1")
    assert (await queue.outcome(ANN, "2")).changed  # type: ignore[union-attr]
    assert (await queue.outcome(ANN, "2", to=ROADS)).changed  # type: ignore[union-attr]
    for said in (ROADS, None):
        assert await queue.outcome(ANN, "2", to=said) == Changed(changed=False)
    assert [line.get("to") for line in await events(redis, queue, "outcome")] == [None, ROADS]
    assert (await queue.dump()).agents[ANN].to == ROADS
    await talked(queue, TWO, caller="r1")
    assert (await queue.dump()).agents[ANN].to is None


async def test_nothing_is_owed_about_a_talk_that_was_none(queue: Queue, redis: Redis) -> None:
    await routed(queue, TopicRouting.plain(CIVIL), coded=True)
    await ready(queue)
    (offer,) = (await join(queue, ONE)).offers
    await queue.accept(offer.token)
    await queue.release(ONE, void=True)
    assert await events(redis, queue, "unresolved") == []
    assert await queue.outcome(ANN, "1") == Refused(reason="no call")


async def test_a_wrap_lasts_longer_twice_at_most_and_ends_without_an_outcome(
    queue: Queue, clock: Hand, redis: Redis
) -> None:
    await routed(queue, TopicRouting.plain(CIVIL), wrap_ms=45_000, coded=True)
    await ready(queue)
    assert await queue.extend(ANN) == Refused(reason="no wrap")
    await talked(queue, caller="r1")
    for _ in range(2):
        await queue.extend(ANN)
    assert await queue.extend(ANN) == Refused(reason="extended already")
    assert (await queue.dump()).deadlines["agent:ann"] == T0 + 135_000
    clock.ms += 135_000
    assert (await queue.reap()).rested == 1
    (line,) = await events(redis, queue, "unresolved")
    assert line == {"call": ONE, "agent": ANN, "topic": PAPERS, "caller": "r1"}
    ann = (await queue.dump()).agents[ANN]
    assert (ann.state, ann.uncoded) == ("idle", False)


@pytest.mark.parametrize("paused", ["in the wrap", "in the talk"])
@pytest.mark.parametrize("back", [None, 40_000, 60_000, 3_600_000])
async def test_a_wrap_runs_out_under_a_pause(
    queue: Queue, clock: Hand, redis: Redis, paused: str, back: int | None
) -> None:
    await routed(queue, TopicRouting.plain(CIVIL), wrap_ms=45_000, coded=True)
    await ready(queue)
    (offer,) = (await join(queue, ONE, caller="r1")).offers
    await queue.accept(offer.token)
    until = None if back is None else clock.ms + back
    if paused == "in the talk":
        await queue.pause(ANN, "evening", until)
    await queue.release(ONE)
    await queue.end(ONE, "answered")
    if paused == "in the wrap":
        await queue.pause(ANN, "evening", until)
    clock.ms += 44_999
    await queue.reap()
    assert await events(redis, queue, "unresolved") == []  # they may still say it
    clock.ms += 1
    await queue.reap()
    (line,) = await events(redis, queue, "unresolved")
    assert line == {"call": ONE, "agent": ANN, "topic": PAPERS, "caller": "r1"}
    ann = (await queue.dump()).agents[ANN]
    assert (ann.state, ann.pause, ann.back, ann.hold) == ("paused", "evening", until, None)
    clock.ms += 60_000
    await queue.reap()
    dump = await queue.dump()
    assert (dump.agents[ANN].pause, dump.agents[ANN].staff) == ("evening", False)
    assert "agent:ann" not in dump.deadlines


async def test_what_is_said_under_a_pause_is_not_asked_for_again(queue: Queue, clock: Hand, redis: Redis) -> None:
    await routed(queue, TopicRouting.plain(CIVIL), wrap_ms=45_000, coded=True)
    await ready(queue)
    await talked(queue, caller="r1")
    await queue.pause(ANN, "evening", None)
    await queue.outcome(ANN, "1")
    clock.ms += 45_000
    await queue.reap()
    assert await events(redis, queue, "unresolved") == []


async def test_who_owes_an_answer_no_more_is_as_any_other(queue: Queue, clock: Hand) -> None:
    await routed(queue, TopicRouting.plain(CIVIL))
    await ready(queue, ANN)
    await talked(queue, caller="r1")
    await queue.outcome(ANN, "3", follow_up=True)
    await ready(queue, BOB, (CIVIL,))
    clock.ms += 1
    await queue.pause(ANN, "coffee", None)
    await queue.resume(ANN)  # now Bob is idle for longer
    assert not (await queue.disown("r1", PAPERS, BOB)).changed
    assert not (await queue.disown("r1", ROADS, ANN)).changed
    assert (await queue.disown("r1", PAPERS, ANN)).changed
    assert not (await queue.disown("r1", PAPERS, ANN)).changed
    assert [offer.agent for offer in (await join(queue, TWO, caller="r1")).offers] == [BOB]
    dump = await queue.dump()
    assert (dump.known, [member for member in dump.deadlines if member.startswith("known:")]) == ({}, [])


async def test_who_owes_an_answer_gets_the_caller_back_if_free_and_costs_nobody_a_wait(
    queue: Queue, clock: Hand
) -> None:
    await routed(queue, TopicRouting.plain(CIVIL))
    await ready(queue, ANN)
    await talked(queue, caller="r1")
    await queue.outcome(ANN, "3", follow_up=True)
    await ready(queue, BOB, (CIVIL,))
    clock.ms += 1
    await queue.pause(ANN, "coffee", None)
    await queue.resume(ANN)  # now Bob is idle for longer
    (offer,) = (await join(queue, TWO, caller="r1")).offers
    assert offer.agent == ANN
    (second,) = (await queue.decline(offer.token, "busy")).offers
    assert second.agent == BOB
    await queue.end(TWO, "left")
    (other,) = (await join(queue, THREE, caller="r1")).offers  # Ann rests: not waited for
    assert other.agent == BOB
    await queue.end(THREE, "left")
    await queue.resume(ANN)
    await queue.outcome(ANN, "1")
    assert (await join(queue, FOUR, caller="r9")).offers[0].agent == BOB
