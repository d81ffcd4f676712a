"""Agents of one node and callers of another, and what a node that is gone for good leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from ivr.queueing.model import CallId, Epoch, WorkerId
from tests.queueing.hall import ANN, BOB, CIVIL, DESK, ONE, PAPERS, T0, A, B, Hand, join, queue_on, ready

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from ivr.queueing.queue import Queue

pytestmark = pytest.mark.redis

W: Final = WorkerId("w")
LEASE_MS: Final = 5_000
GONE_MS: Final = LEASE_MS + 30_000


async def test_the_phone_that_another_node_rings_is_busy_and_still_offered(queue: Queue) -> None:
    """What the agent's node sees of it changes nothing for the caller's: no offer is withdrawn, none is missed."""
    await queue.presence(ANN, (CIVIL,), B, present=True)
    (offer,) = (await join(queue, ONE)).offers
    assert (offer.node, offer.agent_node) == (A, B)
    ringing = await queue.busy(ANN, busy=True)
    assert (ringing.offers, ringing.withdrawn) == ((), ())
    assert (await queue.dump()).agents[ANN].state == "offered"
    await queue.accept(offer.token)
    assert (await queue.dump()).agents[ANN].state == "talking"
    await queue.end(ONE, "answered")
    await queue.busy(ANN, busy=False)
    agent = (await queue.dump()).agents[ANN]
    assert (agent.state, agent.busy, agent.misses) == ("wrap", False, 0)


async def test_a_phone_that_moved_is_busy_only_where_it_is(queue: Queue) -> None:
    await ready(queue)
    await queue.busy(ANN, busy=True)
    await queue.presence(ANN, (CIVIL,), B, present=True)
    assert (await queue.dump()).agents[ANN].state == "idle"
    await queue.presence(ANN, (CIVIL,), A, present=True, busy=True)
    assert (await queue.dump()).agents[ANN].state == "busy"
    await queue.presence(ANN, (CIVIL,), A, present=False, busy=False)
    await queue.presence(ANN, (CIVIL,), A, present=True)
    assert (await queue.dump()).agents[ANN].state == "busy"
    await queue.presence(ANN, (CIVIL,), A, present=True, busy=False)
    assert (await queue.dump()).agents[ANN].state == "idle"


@pytest.mark.parametrize("given_back", [False, True])
async def test_agents_of_a_node_without_a_worker_are_away_in_the_end(
    queue: Queue, clock: Hand, given_back: bool
) -> None:
    await queue.lease(A, W, LEASE_MS)
    await queue.lease(B, W, LEASE_MS)
    await queue.presence(BOB, (DESK,), B, present=True)
    await queue.presence(ANN, (CIVIL,), A, present=True)
    if given_back:
        clock.ms += LEASE_MS
        await queue.unlease(B, W)
    clock.ms = T0 + GONE_MS - 1
    await queue.lease(A, W, LEASE_MS)
    await queue.reap()
    assert (await queue.dump()).agents[BOB].state == "idle"
    clock.ms += 1
    await queue.reap()
    agents = (await queue.dump()).agents
    assert (agents[BOB].state, agents[ANN].state) == ("away", "idle")
    await queue.lease(B, W, LEASE_MS)
    await queue.presence(BOB, (DESK,), B, present=True)
    assert (await queue.dump()).agents[BOB].state == "idle"


async def test_a_caller_who_is_offered_to_an_agent_of_a_gone_node_is_offered_to_another(
    queue: Queue, clock: Hand
) -> None:
    await queue.lease(B, W, LEASE_MS)
    await queue.presence(BOB, (DESK,), B, present=True)
    await queue.pause(BOB, "lunch", None)
    await queue.presence(ANN, (CIVIL,), A, present=True)
    await queue.pause(ANN, "lunch", None)
    clock.ms += GONE_MS - 1_000
    await join(queue, ONE)
    (offer,) = (await queue.resume(BOB)).offers
    assert offer.agent == BOB
    await queue.resume(ANN)
    clock.ms += 1_000
    reaped = await queue.reap()
    assert [(gone.token, gone.reason) for gone in reaped.withdrawn] == [(offer.token, "gone")]
    assert [made.agent for made in reaped.offers] == [ANN]


@pytest.mark.parametrize("last", ["free", "gone", "moves"])
async def test_an_agent_is_free_of_the_talk_of_a_node_that_is_gone(
    queue: Queue, redis: Redis, clock: Hand, last: str
) -> None:
    """Once the caller's node is gone and the agent's phone, at another, is free; whatever comes last."""
    other = queue_on(redis, queue.site, clock, B)
    other.epoch = queue.epoch
    theirs = CallId("b-1.1")
    await queue.lease(B, W, LEASE_MS)
    await queue.presence(ANN, (CIVIL,), B if last == "moves" else A, present=True)
    (offer,) = (await other.join(theirs, B, PAPERS, T0, snapshot="talk")).offers
    await other.accept(offer.token)
    await queue.busy(ANN, busy=True)
    if last == "gone":
        await queue.busy(ANN, busy=False)
    clock.ms += GONE_MS
    assert (await queue.dump()).agents[ANN].state == "talking"
    await queue.reap()
    if last == "free":
        assert (await queue.dump()).agents[ANN].state == "talking"
        await queue.busy(ANN, busy=False)
    if last == "moves":
        assert (await queue.dump()).agents[ANN].state == "talking"
        await queue.presence(ANN, (CIVIL,), A, present=True)
    dump = await queue.dump()
    assert (dump.agents[ANN].state, dump.talks) == ("wrap", {})
    (record,) = await queue.calls_of(B)
    assert (record.call, record.state, record.snapshot) == (theirs, "held", "talk")


async def test_a_talk_of_a_node_that_lives_is_left_alone(queue: Queue, clock: Hand) -> None:
    await queue.lease(A, W, LEASE_MS)
    await queue.presence(ANN, (CIVIL,), B, present=True)
    (offer,) = (await join(queue, ONE)).offers
    await queue.accept(offer.token)
    clock.ms += LEASE_MS + 20_000
    await queue.busy(ANN, busy=True)
    await queue.busy(ANN, busy=False)
    await queue.reap()
    assert (await queue.dump()).agents[ANN].state == "talking"


async def test_who_begins_an_epoch_has_the_node_before_anybody_can_ask_for_it(queue: Queue, redis: Redis) -> None:
    standby, other = WorkerId("standby"), queue_on(redis, queue.site, Hand())
    await redis.delete(queue.keys.name("site"))
    assert (await queue.found(Epoch("e2"), A, W, LEASE_MS)).created
    assert not (await other.found(Epoch("e3"), A, standby, LEASE_MS)).created
    leased = await other.lease(A, standby, LEASE_MS)
    assert (leased.granted, leased.holder) == (False, W)
    assert (await queue.lease(A, W, LEASE_MS)).granted
