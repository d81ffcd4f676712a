"""Whoever is cancelled stops, at whatever instant of a command it happens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ivr.queueing.listener import OfferListener
from ivr.queueing.model import NodeId

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from ivr.queueing.queue import Queue

pytestmark = pytest.mark.redis


async def ends(task: asyncio.Task[None], turns: int) -> bool:
    """Cancel the task after so many turns of the loop; tell whether it ended by it."""
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=2)
    task.cancel()
    return bool(done) and task.cancelled()


@pytest.mark.parametrize("turns", range(1, 16))
async def test_in_a_command(queue: Queue, turns: int) -> None:
    async def for_ever() -> None:
        while True:
            await queue.reap()

    await queue.reap()
    assert await ends(asyncio.create_task(for_ever()), turns)
    assert (await queue.reap()).expired == 0  # the next command reads its own answer


@pytest.mark.parametrize("turns", range(1, 16))
async def test_while_listening(queue: Queue, redis: Redis, turns: int) -> None:
    listener = OfferListener(redis, queue.keys, NodeId("a"), lambda _: None, lambda: None)
    assert await ends(asyncio.create_task(listener.run()), turns)
