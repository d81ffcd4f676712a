"""A private redis-server for these tests, on a unix socket; each test has a site of its own."""

from __future__ import annotations

import itertools
import os
import shlex
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from ivr.core.plan import SiteId
from ivr.queueing.connect import connect
from ivr.stack.private import private_redis
from tests.queueing.hall import EPOCH, ROUTING, Hand, queue_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis as AsyncRedis

    from ivr.queueing.queue import Queue

_sites = itertools.count(1)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The runtime root's server, or the one that IVR_TEST_REDIS names."""
    with private_redis(shlex.split(os.environ.get("IVR_TEST_REDIS", ""))) as url:
        yield url


@pytest.fixture
def sync_redis(redis_url: str) -> Iterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[AsyncRedis]:
    client = connect(redis_url, timeout_s=5)
    yield client
    await client.aclose()


@pytest.fixture
def site() -> SiteId:
    return SiteId(f"mairie-{next(_sites)}")


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
async def queue(redis: AsyncRedis, site: SiteId, clock: Hand) -> Queue:
    queue = queue_on(redis, site, clock)
    await queue.found(EPOCH)
    await queue.configure(ROUTING)
    return queue
