"""Doubled, late, stale and concurrent commands, lost answers and lost state, on a real redis-server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from ivr.core.plan import AgentId, SiteId
from ivr.queueing.clock import SiteClock
from ivr.queueing.connect import connect
from ivr.queueing.errors import QueueUnavailable, StateLost
from ivr.queueing.model import (
    Accepted,
    CallId,
    Changed,
    Dump,
    Epoch,
    Talk,
    Token,
    WorkerId,
)
from ivr.queueing.queue import Queue
from ivr.queueing.retry import Retry
from tests.queueing.hall import (
    ANN,
    DESK,
    EPOCH,
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
)

if TYPE_CHECKING:
    from redis.asyncio import Redis

pytestmark = pytest.mark.redis


async def test_a_redis_that_is_busy_with_a_script_is_away(queue: Queue, redis: Redis, redis_url: str) -> None:
    other = connect(redis_url, timeout_s=20)
    await redis.config_set("busy-reply-threshold", "1")
    endless = asyncio.ensure_future(other.eval("while true do end", 0))
    try:

        async def busy() -> bool:
            try:
                await redis.ping()
            except ResponseError as refusal:
                return "BUSY" in str(refusal)
            return False

        while not await busy():
            pass
        with pytest.raises(QueueUnavailable):
            await ready(queue)
        with pytest.raises(QueueUnavailable):
            await Queue(redis, queue.site).learn_clock()
    finally:
        await redis.script_kill()
        with pytest.raises(ResponseError, match="kill"):
            await endless
        await redis.config_set("busy-reply-threshold", "5000")
        await other.aclose()
    assert (await ready(queue)).changed


async def test_doubled_commands_change_nothing(queue: Queue, redis: Redis) -> None:
    async def still() -> tuple[Dump, int]:
        return await queue.dump(), await redis.xlen(queue.keys.name("events"))

    await ready(queue)
    first = await join(queue, ONE)
    before = await still()
    again = await join(queue, ONE)
    assert (again.offers, again.status) == (first.offers, "offered")
    assert await ready(queue) == Changed()
    assert not (await queue.configure(ROUTING)).changed
    assert not (await queue.found(Epoch("e9"))).created
    assert await still() == before
    token = first.offers[0].token
    accepted = await queue.accept(token)
    before = await still()
    assert await queue.accept(token) == accepted
    assert await still() == before
    await queue.end(ONE, "answered")
    before = await still()
    assert (await queue.end(ONE, "answered"), await queue.release(ONE), await queue.leave(ONE, "x")) == (
        Changed(), Changed(), Changed(),
    )  # fmt: skip
    assert (await join(queue, ONE)).status == "ended"
    assert not (await queue.save(ONE, A, "late", T0)).changed
    assert await still() == before


async def test_numbered_commands_that_come_late_change_nothing(queue: Queue) -> None:
    await queue.join(ONE, A, PAPERS, T0, snapshot="one", rev=1)
    await queue.leave(ONE, "callback", "two", rev=2)
    late = await queue.join(ONE, A, PAPERS, T0, snapshot="one", rev=1)
    assert late.status == "held"
    record = (await queue.status(ONE)).record
    assert record is not None
    assert (record.state, record.snapshot, record.rev) == ("held", "two", 2)


async def test_two_workers_at_once_never_offer_twice(redis_url: str, site: SiteId, queue: Queue) -> None:
    clients = [connect(redis_url, timeout_s=5) for _ in range(2)]
    workers = [queue_on(client, site, Hand(), node) for client, node in zip(clients, (A, B), strict=True)]
    for worker in workers:
        await worker.found(Epoch("other"))
        assert worker.epoch == EPOCH
    agents = [AgentId(f"agent-{n}") for n in range(40)]
    callers = [CallId(f"c.{n}") for n in range(60)]
    commands: list[Any] = []
    for n in range(60):
        commands += [workers[n % 2].join(callers[n], (A, B)[n % 2], PAPERS, T0 + n)]
        commands += [worker.presence(agents[n % 40], (DESK,), A, present=True) for worker in workers]
    replies = await asyncio.gather(*commands)
    tokens = [offer.token for reply in replies for offer in reply.offers]
    dump = await queue.dump()
    assert set(tokens) == set(dump.offers)
    assert len(dump.offers) == 40
    assert len({offer.call for offer in dump.offers.values()}) == 40
    assert len({offer.agent for offer in dump.offers.values()}) == 40
    both = await asyncio.gather(
        *(worker.accept(token) for token in dump.offers for worker in workers),
        *(worker.decline(Token(f"{EPOCH}:{n}"), "miss") for n in range(20) for worker in workers),
    )
    assert sum(isinstance(reply, Accepted) for reply in both) == 80
    after = await queue.dump()
    assert len(after.talks) == 40
    assert int(after.site["count:accepted"]) == 40
    for client in clients:
        await client.aclose()


@pytest.mark.parametrize("command", ["join", "presence", "reap", "accept", "lease", "status", "dump"])
@pytest.mark.parametrize("epoch_in_force", [None, "other"])
async def test_lost_state_refuses_everything_and_writes_nothing(
    redis: Redis, site: SiteId, queue: Queue, command: str, epoch_in_force: str | None
) -> None:
    await redis.delete(*(await redis.keys(f"{{{site}}}:*")))
    if epoch_in_force:
        await redis.hset(queue.keys.name("site"), "epoch", epoch_in_force)
    before = await redis.keys(f"{{{site}}}:*")
    run = {
        "join": lambda: join(queue, ONE),
        "presence": lambda: ready(queue),
        "reap": queue.reap,
        "accept": lambda: queue.accept(Token("e1:1")),
        "lease": lambda: queue.lease(A, WorkerId("w"), 1_000),
        "status": lambda: queue.status(ONE),
        "dump": queue.dump,
    }[command]
    with pytest.raises(StateLost) as lost:
        await run()
    assert (lost.value.site, lost.value.found) == (site, epoch_in_force)
    assert await redis.keys(f"{{{site}}}:*") == before
    if epoch_in_force:
        assert await redis.hgetall(queue.keys.name("site")) == {b"epoch": b"other"}


async def test_what_workers_hold_is_rebuilt_under_a_new_epoch(queue: Queue, redis: Redis, clock: Hand) -> None:
    await ready(queue)
    (offer,) = (await join(queue, ONE, ago=9_000)).offers
    await queue.accept(offer.token, "talks")
    await join(queue, TWO, ago=5_000)
    await join(queue, THREE, ROADS, ago=7_000, reason="relay")
    old = await queue.dump()
    await redis.delete(*(await redis.keys(f"{{{queue.site}}}:*")))
    clock.ms += 500
    founded = await queue.found(Epoch("e2"))
    assert (founded.created, founded.epoch) == (True, "e2")
    await queue.configure(ROUTING)
    await queue.join(TWO, A, PAPERS, T0 - 5_000, since=T0, snapshot=f"{TWO} waits")
    (wrong,) = (await ready(queue)).offers
    assert wrong.call == TWO
    talk = Talk(ONE, A, PAPERS, T0 - 9_000, ANN, A, offer.token)
    restored = await queue.restore(talk, "talks")
    assert [gone.token for gone in restored.withdrawn] == [wrong.token]
    assert not (await queue.restore(talk, "talks")).changed
    await queue.join(THREE, A, ROADS, T0 - 7_000, reason="relay", since=T0, snapshot=f"{THREE} waits")
    new = await queue.dump()
    talk_was = replace(old.calls[ONE], since=None)  # a talk's wait is over
    assert (new.calls, new.waiting) == ({**old.calls, ONE: talk_was}, old.waiting)
    assert new.agents[ANN].token == offer.token
    await queue.release(ONE)
    assert (await queue.resume(ANN)).offers[0].call == THREE


class Lossy:
    """A client whose first answers to commands are lost after they were carried out."""

    def __init__(self, redis: Redis, losses: int) -> None:
        self._redis = redis
        self.losses = losses

    async def fcall(self, *args: Any) -> Any:
        raw = await self._redis.fcall(*args)
        if self.losses:
            self.losses -= 1
            raise RedisAway("lost")
        return raw


async def test_a_lost_answer_is_asked_for_again(queue: Queue, redis: Redis, clock: Hand) -> None:
    lossy = Lossy(redis, 0)
    shaky = queue_on(lossy, queue.site, clock, retry=Retry(first_ms=0))  # type: ignore[arg-type]
    await shaky.found(EPOCH)
    await ready(queue)
    lossy.losses = 2
    joined = await join(shaky, ONE)
    assert [offer.agent for offer in joined.offers] == [ANN]
    lossy.losses = 1
    assert isinstance(await shaky.accept(joined.offers[0].token), Accepted)
    assert (await queue.dump()).site["count:offered"] == "1"
    lossy.losses = 9
    with pytest.raises(QueueUnavailable) as away:
        await shaky.reap()
    assert (away.value.command, away.value.tries) == ("reap", 4)


async def test_redis_away_is_said_after_the_policys_tries(site: SiteId, clock: Hand) -> None:
    nowhere = connect("unix:///nonexistent/redis.sock")
    queue = queue_on(nowhere, site, clock, retry=Retry(attempts=2, first_ms=0))
    with pytest.raises(QueueUnavailable):
        await queue.found(EPOCH)
    await nowhere.aclose()


async def test_a_forgotten_script_is_loaded_again(queue: Queue, redis: Redis) -> None:
    await redis.script_flush()
    assert (await join(queue, ONE)).position == 1


@pytest.mark.parametrize("command", ["found", "lease", "reap", "dump"])
async def test_time_goes_on_from_a_site_that_is_an_hour_ahead(
    redis: Redis, queue: Queue, clock: Hand, command: str
) -> None:
    clock.ms += 3_600_000  # as by a machine that was ahead, and is mended
    await ready(queue)
    (offer,) = (await join(queue, ONE)).offers
    mono = 0
    true = SiteClock(lambda: mono, lambda: T0 * 1_000_000)
    worker = queue_on(redis, queue.site, true)
    worker.epoch = EPOCH
    await {
        "found": lambda: worker.found(EPOCH),
        "lease": lambda: worker.lease(B, WorkerId("w"), 1_000),
        "reap": worker.reap,
        "dump": worker.dump,
    }[command]()
    assert (true(), true.true_ms()) == (T0 + 3_600_000, T0)
    mono = 40_000 * 1_000_000
    assert [gone.token for gone in (await worker.reap()).withdrawn] == [offer.token]


async def test_the_clock_is_learnt_from_redis(redis: Redis, site: SiteId) -> None:
    queue = Queue(redis, site, [])
    await queue.learn_clock()
    seconds, micros = await redis.time()
    assert abs(queue.clock() - (seconds * 1_000 + micros // 1_000)) < 1_000
