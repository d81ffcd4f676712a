"""A private redis-server for these tests, on a unix socket; each test has a site of its own."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from ivr.core.plan import SiteId
from ivr.queueing.connect import connect
from tests.queueing.hall import EPOCH, ROUTING, Hand, queue_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis as AsyncRedis

    from ivr.queueing.queue import Queue

_sites = itertools.count(1)


def _server(folder: Path) -> list[str]:
    """The server to start: the named one (IVR_TEST_REDIS), else the runtime root's."""
    named = os.environ.get("IVR_TEST_REDIS")
    options = ["--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning"]
    if named:
        return [*shlex.split(named), *options, "--dir", str(folder), "--unixsocket", str(folder / "redis.sock")]
    from ivr.stack.root import ensure_root  # noqa: PLC0415 - only needed without a named server

    inside = ["--dir", "/run/redis", "--unixsocket", "/run/redis/redis.sock"]
    return ensure_root(None).command(["redis-server", *options, *inside], binds={folder: "/run/redis"})


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="ivr-q-"))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_server(folder), stdout=log, stderr=log)
    url = f"unix://{folder}/redis.sock"
    try:
        client = Redis.from_url(url)
        deadline = time.monotonic() + 20
        while True:
            try:
                client.ping()
                break
            except RedisAway:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"redis-server did not start: {(folder / 'log').read_text()}")
                time.sleep(0.01)
        client.close()
        yield url
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


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
