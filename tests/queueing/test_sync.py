"""The driver of the simulator over one connection: the same answers, and the instant at which something is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from ivr.queueing import commands as c
from ivr.queueing.errors import QueueFault
from ivr.queueing.model import Accepted, Joined
from ivr.queueing.sync import SyncQueue
from tests.queueing.hall import ANN, BOB, CIVIL, EPOCH, ONE, PAPERS, ROUTING, T0, TWO, A

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.core.plan import SiteId

pytestmark = pytest.mark.redis


@pytest.fixture
def straight(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, single_connection_client=True) as client:
        yield client


def opened(redis: Redis, site: SiteId) -> SyncQueue:
    queue = SyncQueue(redis, site, node=A)
    queue.found(EPOCH, T0)
    queue.run(c.configure(ROUTING), T0)
    queue.run(c.presence(ANN, (CIVIL,), A, present=True), T0)
    return queue


def due(queue: SyncQueue) -> int | None:
    return queue.due


def test_what_is_due_next_is_told_with_each_answer(straight: Redis, site: SiteId) -> None:
    queue = opened(straight, site)
    assert due(queue) is None
    (offer,) = queue.run(c.join(ONE, A, PAPERS, T0), T0).offers
    assert due(queue) == offer.deadline
    assert isinstance(queue.run(c.accept(offer.token), T0 + 10), Accepted)
    assert due(queue) is None
    queue.run(c.release(ONE), T0 + 1_000)
    rested = T0 + 1_000 + ROUTING.wrap_ms
    assert due(queue) == rested
    assert queue.run(c.reap(), rested).rested == 1
    assert due(queue) is None


def test_a_server_that_lost_the_script_is_taught_it_again(straight: Redis, site: SiteId) -> None:
    queue = opened(straight, site)
    straight.script_flush()
    (offer,) = queue.run(c.join(ONE, A, PAPERS, T0), T0).offers
    assert queue.due == offer.deadline


def test_an_error_leaves_the_connection_usable(straight: Redis, site: SiteId) -> None:
    queue = opened(straight, site)
    with pytest.raises(QueueFault):
        queue.run(c.pause(BOB, "nobody knows him", None), T0)
    straight.set(f"{{{site}}}:calls", "no hash")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        queue.run(c.join(TWO, A, PAPERS, T0), T0)
    straight.delete(f"{{{site}}}:calls")
    assert queue.run(c.join(TWO, A, PAPERS, T0), T0).offers


def test_both_ways_give_the_same_answers(straight: Redis, sync_redis: Redis, site: SiteId) -> None:
    direct = opened(straight, site)
    pooled = SyncQueue(sync_redis, site, node=A)
    pooled.found(EPOCH, T0)
    joined = direct.run(c.join(ONE, A, PAPERS, T0), T0)
    assert isinstance(joined, Joined)
    assert pooled.run(c.join(ONE, A, PAPERS, T0), T0) == joined
    assert pooled.run(c.dump(), T0) == direct.run(c.dump(), T0)
    assert pooled.due is None
