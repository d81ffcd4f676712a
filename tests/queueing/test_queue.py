"""The queue's promises, one by one, on a real redis-server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from ivr.core.plan import AgentId, TopicId
from ivr.queueing.errors import QueueFault
from ivr.queueing.model import (
    Accepted,
    CallId,
    Changed,
    Epoch,
    Refused,
    Routing,
    TopicRouting,
    WorkerId,
)
from ivr.queueing.queue import AT_ONCE
from ivr.queueing.replies import text
from ivr.queueing.retry import Retry
from tests.queueing.hall import (
    ANN,
    BOB,
    CIVIL,
    DESK,
    ONE,
    PAPERS,
    ROADS,
    ROUTING,
    T0,
    THREE,
    TWO,
    A,
    B,
    Hand,
    join,
    queue_on,
    ready,
    stream,
)

if TYPE_CHECKING:
    from ivr.core.plan import SiteId
    from ivr.queueing.queue import Queue

pytestmark = pytest.mark.redis


async def test_a_caller_meets_an_agent_and_nothing_is_left(queue: Queue, clock: Hand, redis: Redis) -> None:
    await queue.save(ONE, A, "menu", T0)
    waits = await join(queue, ONE)
    assert (waits.status, waits.position, waits.staffed, waits.offers) == ("waiting", 1, False, ())
    (offer,) = (await ready(queue)).offers
    assert (offer.call, offer.agent, offer.node, offer.agent_node) == (ONE, ANN, A, A)
    assert (offer.ring_until, offer.deadline) == (T0 + 20_000, T0 + 25_000)
    assert offer.token == f"e1:{offer.number}"
    clock.ms += 4_000
    accepted = await queue.accept(offer.token, "talks")
    assert isinstance(accepted, Accepted)
    assert accepted.offer.accepted == T0 + 4_000
    (record,) = await queue.calls_of(A)
    assert (record.state, record.agent, record.snapshot) == ("talking", ANN, "talks")
    assert await queue.calls_of(B) == ()
    clock.ms += 60_000
    assert (await queue.release(ONE, "follow-up")).changed
    dump = await queue.dump()
    assert dump.agents[ANN].state == "wrap"
    assert dump.deadlines == {"agent:ann": clock.ms + 3_000}
    assert (await queue.end(ONE, "answered")).changed
    clock.ms += 3_000
    assert (await queue.reap()).rested == 1
    dump = await queue.dump()
    assert (dump.calls, dump.offers, dump.talks, dump.deadlines, dump.waiting) == ({}, {}, {}, {}, {})
    assert dump.agents[ANN].state == "idle"
    left = {text(key).rpartition(":")[2] for key in await redis.keys(f"{{{queue.site}}}:*")}
    assert left == {"site", "agents", "events", "idle"}
    await queue.presence(ANN, (), A, present=False)
    assert (await queue.dump()).idle == ()


async def test_every_change_has_its_line_in_the_stream(queue: Queue, clock: Hand, redis: Redis) -> None:
    await join(queue, ONE)
    (offer,) = (await ready(queue)).offers
    await queue.decline(offer.token, "miss")
    clock.ms += 1
    (offer,) = (await ready(queue, BOB)).offers
    await queue.accept(offer.token)
    await queue.end(ONE, "answered")
    lines = [fields for _, fields in await stream(redis, queue)]
    assert [(line[b"type"], line.get(b"agent"), line.get(b"reason")) for line in lines] == [
        (b"founded", None, None),
        (b"configured", None, None),
        (b"arrived", None, None),
        (b"joined", None, None),
        (b"agent", b"ann", b"present"),
        (b"offered", b"ann", None),
        (b"withdrawn", b"ann", b"miss"),
        (b"agent", b"ann", b"miss"),
        (b"agent", b"bob", b"present"),
        (b"offered", b"bob", None),
        (b"accepted", b"bob", None),
        (b"released", b"bob", None),
        (b"ended", None, None),
    ]
    assert int(lines[-1][b"at"]) == T0 + 1


async def test_a_miss_gives_the_caller_to_the_next_agent_at_once(queue: Queue, clock: Hand) -> None:
    await ready(queue, ANN)
    clock.ms += 10
    await ready(queue, BOB)
    (offer,) = (await join(queue, ONE, ago=500)).offers
    assert offer.agent == ANN
    clock.ms += 20_000
    declined = await queue.decline(offer.token, "miss", "rang in vain")
    assert isinstance(declined, Changed)
    (second,) = declined.offers
    assert (second.agent, second.call, declined.withdrawn) == (BOB, ONE, ())
    dump = await queue.dump()
    assert (dump.calls[ONE].arrival, dump.calls[ONE].snapshot) == (T0 - 500, "rang in vain")
    ann = dump.agents[ANN]
    assert (ann.state, ann.misses, ann.free_at) == ("cooldown", 1, clock.ms + 60_000)


async def test_a_phone_that_comes_back_ends_the_cool_down(queue: Queue) -> None:
    await ready(queue)
    (offer,) = (await join(queue, ONE)).offers
    await queue.decline(offer.token, "miss")
    assert (await ready(queue)).changed is False
    await queue.presence(ANN, (), A, present=False)
    (again,) = (await ready(queue)).offers
    assert (again.agent, again.call) == (ANN, ONE)


async def test_an_offer_of_a_dead_worker_dies_of_itself(queue: Queue, clock: Hand, redis: Redis) -> None:
    await ready(queue, ANN)
    (offer,) = (await join(queue, ONE)).offers
    await ready(queue, BOB)
    other = queue_on(redis, queue.site, clock, B)
    await other.found(Epoch("e2"))
    clock.ms += 24_999
    reaped = await other.reap()
    assert (reaped.expired, reaped.live, reaped.next_due) == (0, (offer,), T0 + 25_000)
    clock.ms += 1
    reaped = await other.reap()
    assert [gone.token for gone in reaped.withdrawn] == [offer.token]
    assert [new.agent for new in reaped.offers] == [BOB] == [live.agent for live in reaped.live]
    assert (await queue.dump()).agents[ANN].misses == 1
    refused = await queue.accept(offer.token, "late")
    assert refused == Refused(reason="stale")


async def test_order_is_right_of_way_then_arrival_over_all_topics(queue: Queue) -> None:
    await join(queue, ONE, PAPERS, ago=1_000)
    await join(queue, TWO, ROADS, ago=2_000)
    await join(queue, THREE, PAPERS, ago=0, reason="relay")
    assert (await queue.status(ONE)).place.position == 2
    order = []
    for _ in range(3):
        changed = await queue.presence(ANN, (CIVIL, DESK), A, present=True)
        (offer,) = changed.offers or (await queue.resume(ANN)).offers
        await queue.accept(offer.token)
        order.append(offer.call)
        await queue.end(offer.call, "answered")
    assert order == [THREE, TWO, ONE]


async def test_longest_idle_first_and_a_caller_who_leaves_costs_no_place(queue: Queue, clock: Hand) -> None:
    for agent in (BOB, ANN):
        await ready(queue, agent)
        clock.ms += 10
    (offer,) = (await join(queue, ONE)).offers
    assert offer.agent == BOB
    left = await queue.leave(ONE, "hungup")
    assert [gone.token for gone in left.withdrawn] == [offer.token]
    clock.ms += 10
    (offer,) = (await join(queue, TWO)).offers
    assert offer.agent == BOB
    assert (await queue.dump()).agents[BOB].misses == 0


async def test_nobody_gets_callers_of_another_group(queue: Queue) -> None:
    await ready(queue, ANN, (CIVIL,))
    joined = await join(queue, ONE, ROADS)
    assert (joined.offers, joined.staffed) == ((), False)
    assert (await join(queue, TWO, PAPERS)).offers[0].call == TWO


async def test_staffed_means_somebody_is_there_whatever_they_do(queue: Queue, clock: Hand) -> None:
    await ready(queue)
    await join(queue, ONE)
    assert (await join(queue, TWO)).staffed
    assert (await join(queue, TWO)).position == 1
    await queue.pause(ANN, "coffee", clock.ms + 120_000)
    assert (await join(queue, TWO)).staffed
    clock.ms += 120_000
    await queue.reap()
    assert not (await join(queue, TWO)).staffed
    await queue.pause(ANN, "lunch", clock.ms + 3_600_000)
    assert not (await join(queue, TWO)).staffed
    (offer,) = (await queue.resume(ANN)).offers
    assert offer.call == ONE
    assert (await join(queue, TWO)).staffed


async def test_a_lost_phone_keeps_its_talk_but_not_its_offer(queue: Queue) -> None:
    await ready(queue)
    (offer,) = (await join(queue, ONE)).offers
    lost = await queue.presence(ANN, (), A, present=False)
    assert [gone.reason for gone in lost.withdrawn] == ["gone"]
    assert (await queue.presence(ANN, (), A, present=False)).changed is False
    (offer,) = (await ready(queue)).offers
    await queue.accept(offer.token)
    assert (await queue.presence(ANN, (), B, present=False)).changed is False
    await queue.presence(ANN, (), A, present=False)
    dump = await queue.dump()
    assert (dump.agents[ANN].state, dump.calls[ONE].state) == ("talking", "talking")
    await queue.release(ONE)
    assert (await queue.dump()).agents[ANN].state == "away"


async def test_busy_elsewhere_takes_no_calls(queue: Queue) -> None:
    await ready(queue)
    await queue.busy(ANN, busy=True)
    assert (await join(queue, ONE)).offers == ()
    (offer,) = (await queue.busy(ANN, busy=False)).offers
    await queue.busy(ANN, busy=True)
    assert isinstance(await queue.accept(offer.token), Accepted)


async def test_a_talk_that_never_began_sends_the_caller_back_in_place(queue: Queue) -> None:
    await ready(queue)
    await join(queue, ONE, ago=900)
    await join(queue, TWO, ago=500)
    token = (await queue.reap()).live[0].token
    await queue.accept(token)
    assert await queue.decline(token, "gone") == Refused(reason="answered")
    assert (await join(queue, ONE)).status == "talking"
    await queue.release(ONE)
    back = await queue.join(ONE, A, PAPERS, T0)
    assert back.position == 1
    assert (await queue.status(ONE)).record is not None
    assert (await queue.dump()).waiting == {"papers~0": (ONE, TWO)}


async def test_the_clock_of_a_site_never_goes_back(queue: Queue, clock: Hand, redis: Redis) -> None:
    clock.ms = T0 + 60_000
    await ready(queue)
    clock.ms = T0
    (offer,) = (await join(queue, ONE)).offers
    assert offer.made == T0 + 60_000
    ids = [int(text(line).split("-")[0]) for line, _ in await stream(redis, queue)]
    assert ids == sorted(ids)
    clock.ms = T0 + 70_000
    await queue.end(ONE, "left")
    assert (await queue.dump()).site["clock"] == str(T0 + 70_000)


async def test_numbers_of_offers_grow_over_epochs(queue: Queue, redis: Redis, clock: Hand) -> None:
    await ready(queue)
    (first,) = (await join(queue, ONE)).offers
    await redis.delete(*(await redis.keys(f"{{{queue.site}}}:*")))
    clock.ms += 1
    await queue.found(Epoch("e2"))
    await queue.configure(ROUTING)
    await ready(queue)
    (second,) = (await join(queue, ONE)).offers
    assert int(second.number) > int(first.number)


async def test_the_snapshot_is_stored_in_the_same_step_byte_for_byte(queue: Queue, redis: Redis) -> None:
    opaque = '{"v":1,"n":12345678901234567890,"e":[],"o":{},"s":"é\\n\\"\\u0000"}\nand a second line'
    await queue.join(ONE, A, PAPERS, T0, snapshot=opaque)
    (record,) = await queue.calls_of(A)
    assert record.snapshot == opaque
    await queue.join(TWO, A, PAPERS, T0)
    records = {record.call: record.snapshot for record in await queue.calls_of(A)}
    assert records == {ONE: opaque, TWO: ""}
    await queue.leave(ONE, "hungup")
    (status, gone) = (await queue.status(ONE), await queue.status(CallId("none")))
    assert status.record is not None
    assert status.record.snapshot == opaque
    assert (gone.record, gone.place.status) == (None, "ended")


async def test_one_worker_holds_a_node(queue: Queue, clock: Hand) -> None:
    one, two = WorkerId("w1"), WorkerId("w2")
    assert (await queue.lease(A, one, 5_000)).granted
    clock.ms += 4_000
    kept = await queue.lease(A, one, 5_000)
    assert (kept.granted, kept.term, kept.until) == (True, 1, clock.ms + 5_000)
    refused = await queue.lease(A, two, 5_000)
    assert (refused.granted, refused.holder, refused.until) == (False, one, clock.ms + 5_000)
    assert (await queue.lease(B, two, 5_000)).granted
    assert not (await queue.unlease(A, two)).changed
    clock.ms += 5_000
    taken = await queue.lease(A, two, 5_000)
    assert (taken.granted, taken.term) == (True, 2)
    assert (await queue.unlease(A, two)).changed
    assert (await queue.lease(A, one, 5_000)).term == 3


async def test_another_workers_topics_are_learnt_on_the_way(queue: Queue, redis: Redis, clock: Hand) -> None:
    older = queue_on(redis, queue.site, clock, B)
    await older.found(Epoch("x"))
    school = TopicId("school")
    await queue.configure(Routing({PAPERS: TopicRouting.plain(CIVIL), school: TopicRouting.plain(CIVIL)}))
    await queue.join(ONE, A, school, T0)
    (offer,) = (await ready(older, ANN, (CIVIL,))).offers
    assert offer.call == ONE
    assert "school~0" in older.keys.lines


async def test_a_topic_lives_until_its_last_call(queue: Queue) -> None:
    await join(queue, ONE, ROADS)
    without = Routing({PAPERS: TopicRouting.plain(CIVIL)})
    await queue.configure(without)
    (offer,) = (await ready(queue, ANN, (DESK,))).offers
    assert offer.call == ONE
    await queue.end(ONE, "left")
    await queue.configure(without)
    with pytest.raises(QueueFault, match="unknown topic"):
        await join(queue, TWO, ROADS)
    assert (await join(queue, ONE, ROADS)).status == "ended"


async def test_a_changed_routing_lets_free_agents_meet_waiting_callers(queue: Queue) -> None:
    await ready(queue, ANN, (CIVIL,))
    assert (await join(queue, ONE, ROADS)).offers == ()
    changed = await queue.configure(
        Routing({PAPERS: TopicRouting.plain(CIVIL), ROADS: TopicRouting.plain(DESK, CIVIL)})
    )
    assert [offer.call for offer in changed.offers] == [ONE]


async def test_faults_name_themselves(queue: Queue) -> None:
    with pytest.raises(QueueFault, match="unknown agent"):
        await queue.pause(AgentId("nobody"), "x", None)
    with pytest.raises(ValueError, match="must not be empty"):
        await queue.presence(AgentId("a|b"), (DESK,), A, present=True)


async def test_who_ended_and_comes_again_is_a_new_call(queue: Queue) -> None:
    await queue.join(ONE, A, PAPERS, T0)
    await queue.end(ONE, "handed")
    assert not (await queue.save(ONE, A, "late", T0)).changed
    assert (await queue.save(ONE, A, "again", T0 - 5, again=True)).changed
    joined = await queue.join(ONE, A, PAPERS, T0 - 5)
    assert (joined.status, joined.position) == ("waiting", 1)
    assert (await queue.end(ONE, "left")).changed
    assert (await queue.join(ONE, A, PAPERS, T0)).status == "ended"


async def test_a_repair_is_one_line_of_a_calls_history_however_often_it_is_told(queue: Queue, redis: Redis) -> None:
    assert (await queue.repair(ONE, "stray_leg", A, "n1")).changed
    assert not (await queue.repair(ONE, "stray_leg", A, "n1")).changed
    for n in range(200):
        await queue.repair(TWO, "stray_leg", A, f"{n:08x}")
    assert (await queue.repair(ONE, "crash", A, "n2")).changed
    told = [fields for _, fields in await stream(redis, queue) if fields[b"type"] == b"repair"]
    assert len(told) == 202
    assert {name: told[0][name] for name in (b"call", b"kind", b"node")} == {
        b"call": ONE.encode(),
        b"kind": b"stray_leg",
        b"node": A.encode(),
    }
    assert len((await queue.dump()).site["repairs"]) <= 1152
    assert (await queue.dump()).calls == {}


async def test_hundreds_of_commands_at_once_need_no_hundreds_of_connections(
    queue: Queue, redis_url: str, site: SiteId, clock: Hand
) -> None:
    async with Redis.from_url(redis_url, max_connections=AT_ONCE) as few:
        crowd = queue_on(few, site, clock, retry=Retry(attempts=1))
        crowd.epoch = queue.epoch
        await asyncio.gather(*(crowd.save(CallId(f"a-1.{n}"), A, "menu", T0) for n in range(300)))
    assert len(await queue.calls_of(A)) == 300
