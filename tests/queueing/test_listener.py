"""Offers that a worker's command makes for another node reach that node's worker."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import AgentId, GroupId, TopicId
from ivr.queueing.listener import OfferListener
from ivr.queueing.model import CallId, Epoch, News, NodeId, Offer, Routing, TopicRouting, Withdrawn
from ivr.queueing.queue import Queue
from ivr.queueing.retry import Retry

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from ivr.core.plan import SiteId

pytestmark = pytest.mark.redis

A, B = NodeId("a"), NodeId("b")
PAPERS, DESK, ANN = TopicId("papers"), GroupId("desk"), AgentId("ann")


async def test_offers_of_others_are_heard_also_after_a_cut(redis: Redis, site: SiteId) -> None:
    here, there = (Queue(redis, site, [PAPERS], node=node) for node in (A, B))
    for queue in (here, there):
        await queue.found(Epoch("e1"))
    await here.configure(Routing({PAPERS: TopicRouting.plain(DESK)}))
    heard: asyncio.Queue[Offer | Withdrawn | News | str] = asyncio.Queue()
    listener = OfferListener(
        redis, here.keys, A, heard.put_nowait, lambda: heard.put_nowait("listening"), retry=Retry(first_ms=1)
    )
    task = asyncio.create_task(listener.run())
    assert await heard.get() == "listening"

    await here.join(CallId("a.1"), A, PAPERS, 1)
    made = await there.presence(ANN, (DESK,), B, present=True)
    assert [await heard.get()] == list(made.offers)
    lost = await there.presence(ANN, (DESK,), B, present=False)
    assert [await heard.get()] == list(lost.withdrawn)

    await redis.client_kill_filter(_type="pubsub")
    assert await heard.get() == "listening"
    made = await there.presence(ANN, (DESK,), B, present=True)
    assert [await heard.get()] == list(made.offers)

    # what the node's own worker set moving is in its replies, and not heard
    await here.leave(CallId("a.1"), "hungup")
    await here.join(CallId("a.2"), A, PAPERS, 2)
    await here.leave(CallId("a.2"), "hungup")
    await there.join(CallId("b.1"), B, PAPERS, 3)
    await here.join(CallId("a.3"), A, PAPERS, 4)
    made = await there.end(CallId("b.1"), "left")
    assert [offer.call for offer in made.offers] == ["a.3"]
    assert [await heard.get()] == list(made.offers)
    assert heard.empty()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
