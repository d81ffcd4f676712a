"""From a real stream to a real ledger: nothing is lost, nothing comes twice, whatever is away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from ivr.ledger.projector import Projector
from ivr.ledger.store import File, Ledger, Met
from ivr.queueing.clock import SiteClock
from ivr.queueing.errors import QueueUnavailable
from ivr.queueing.model import Epoch, WorkerId
from ivr.queueing.queue import Queue
from ivr.queueing.retry import Retry
from ivr.queueing.script import source
from ivr.queueing.stream import KEPT
from ivr.telephony import projection
from ivr.telephony.liveness import own_name
from ivr.telephony.projection import PROJECTOR, Projection
from tests.ledger.conftest import Look, address
from tests.ledger.lines import T0, Script
from tests.polling import until
from tests.queueing import conftest as of_queueing
from tests.telephony.conftest import Shaky

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from redis.asyncio import Redis

    from ivr.core.plan import SiteId
    from ivr.queueing.stream import Line

pytestmark = pytest.mark.redis
redis, redis_url, site = of_queueing.redis, of_queueing.redis_url, of_queueing.site
QUICK = Retry(first_ms=1, factor=1, max_ms=1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return await address(request, tmp_path)


class Site:
    """A stream, its queue, a ledger, and the way between them."""

    def __init__(self, redis: Redis, ledger: Ledger, site: SiteId, look: Look) -> None:
        self.shaky = Shaky(redis)
        self.redis = redis
        self.ledger = ledger
        self.look = look
        self.key = f"{{{site}}}:events"
        self.script = Script()
        client: Any = self.shaky
        clock = SiteClock(lambda: 0, lambda: T0 * 1_000_000)  # the site's time is the script's
        self.queue = Queue(client, site, ("etat-civil",), retry=Retry(attempts=1), clock=clock)
        self.projection = self.another(WorkerId("w1"))

    def another(self, worker: WorkerId) -> Projection:
        projector = Projector(self.ledger, self.queue.site, 2)
        redis: Any = self.shaky
        return Projection(redis, self.queue, projector, worker=worker, retry=QUICK, every_s=0.001)

    async def found(self) -> None:
        await self.queue.found(Epoch("e1"))
        await self.redis.delete(self.key)

    async def write(self, call: str) -> None:
        """A call's lines."""
        await self.put(self.script.call(call))

    async def put(self, lines: list[Line]) -> None:
        """Lines, in one step and with the site's time, as the queue's script writes."""
        async with self.redis.pipeline(transaction=True) as step:
            for line in lines:
                words = {"type": line.type, "at": line.at, "epoch": line.epoch, **line.fields}
                step.xadd(self.key, words, id=line.id)  # type: ignore[arg-type]
            step.hset(self.key.replace("events", "site"), "clock", str(self.script.at))
            await step.execute()

    async def left(self) -> list[str]:
        raw: Any = await self.redis.xrange(self.key)
        return [line.type for line in projection.readable(raw) if line.type not in {"lease", "unlease"}]

    async def events(self) -> int:
        ((count,),) = await self.look.rows("SELECT count(*) FROM events WHERE type NOT IN ('lease', 'unlease')")
        return int(count)

    async def calls(self) -> list[str]:
        return [id_ for (id_,) in await self.look.rows("SELECT id FROM calls ORDER BY id")]


@pytest.fixture
async def place(redis: Redis, url: str, site: SiteId, look: Look) -> AsyncIterator[Site]:
    async with Ledger(url) as ledger:
        place = Site(redis, ledger, site, look)
        await place.found()
        yield place


@contextlib.asynccontextmanager
async def running(*works: Projection) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work.run()) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_what_is_committed_leaves_the_stream(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "BATCH", 4)
    await place.write("a-1.1")
    assert await place.projection.step()
    assert await place.left() == ["accepted", "released", "ended"]
    while await place.projection.step():
        pass
    assert await place.left() == []
    assert await place.events() == 7
    assert await place.calls() == ["a-1.1"]


async def test_killed_between_commit_and_trim_each_line_is_there_once(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.write("a-1.1")

    async def killed(*args: Any, **how: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(type(place.redis), "xtrim", killed)
        with pytest.raises(asyncio.CancelledError):
            await place.projection.step()
    assert len(await place.left()) == await place.events() == 7
    await place.write("a-1.2")
    await place.projection.step()
    assert await place.left() == []
    assert await place.events() == 14
    assert await place.look.rows("SELECT DISTINCT talk_ms, keys FROM calls") == [(60_000, "1")]


async def test_one_worker_copies_and_another_takes_over_a_lease_given_back(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "BATCH", 4)
    other = place.another(WorkerId("w2"))
    await place.write("a-1.1")
    await place.projection.step()
    assert not await other.step()
    assert len(await place.left()) == 3
    await place.queue.unlease(PROJECTOR, WorkerId("w1"))
    await other.step()
    assert await place.left() == []
    assert other.copied == 4  # the lease is a line too


async def test_the_lease_of_a_dead_worker_is_not_waited_for(place: Site) -> None:
    home, pid, started = own_name().split("|")
    dead = place.another(WorkerId(f"{home}|{pid}|{int(started) - 1}"))
    await dead.step()
    await place.write("a-1.1")
    await place.projection.step()
    assert await place.calls() == ["a-1.1"]


async def test_two_who_both_think_the_lease_theirs_do_no_harm(place: Site) -> None:
    other = place.another(WorkerId("w2"))
    other._held_until = place.projection._held_until = float("inf")
    async with running(place.projection, other):
        for n in range(10):
            await place.write(f"a-1.{n}")
        await until(lambda: _all(place, 70))
    assert await place.look.rows("SELECT DISTINCT talk_ms, keys FROM calls") == [(60_000, "1")]
    assert await place.left() == []


async def _all(place: Site, count: int) -> bool:
    return await place.events() == count


async def test_the_ledger_away_keeps_the_lines_and_is_told_once(place: Site) -> None:
    await place.write("a-1.1")
    await place.look.rows("ALTER TABLE calls RENAME TO gone")
    with capture_logs() as logged:
        async with running(place.projection):
            await until(lambda: _more_than(0, lambda: len(logged)))
            assert len(await place.left()) == 7
            await place.look.rows("ALTER TABLE gone RENAME TO calls")
            await until(lambda: _all(place, 7))
            await until(lambda: _more_than(1, lambda: len(logged)))
    assert [entry["log_level"] for entry in logged] == ["error", "info"]
    assert "calls" in logged[0]["reason"]
    assert await place.left() == []


async def _more_than(count: int, seen: Callable[[], int]) -> bool:
    return seen() > count


async def test_redis_away_is_told_once_and_then_nothing_is_missing(place: Site) -> None:
    with capture_logs() as logged:
        async with running(place.projection):
            place.shaky.away = True
            await until(lambda: _more_than(5, lambda: place.shaky.refused))
            await place.write("a-1.1")
            place.shaky.away = False
            await until(lambda: _all(place, 7))
            await until(lambda: _more_than(1, lambda: len(logged)))
    assert [entry["log_level"] for entry in logged] == ["error", "info"]


async def test_lines_that_will_be_lost_soon_are_told_once(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "NEAR", 10)
    await place.write("a-1.1")
    await place.look.rows("ALTER TABLE calls RENAME TO gone")
    with capture_logs() as logged:
        async with running(place.projection):
            await until(lambda: _more_than(0, lambda: len(logged)))
            await place.write("a-1.2")
            await until(lambda: _more_than(1, lambda: len(logged)))
            await place.look.rows("ALTER TABLE gone RENAME TO calls")
            await until(lambda: _more_than(3, lambda: len(logged)))
    told = [f"{entry['log_level']}: {entry['event'].partition(':')[0]}" for entry in logged]
    assert told[:2] == ["error: history is not copied to the ledger; its lines are kept", told[1]]
    assert told[1] == "error: history is about to be lost"
    assert sorted(told[2:]) == ["info: history is copied to the ledger again", "info: history is in no danger any more"]
    assert (logged[1]["limit"], logged[1]["lines"]) == (100_000, 15)  # a lease is a line too


def test_the_limit_is_the_scripts() -> None:
    assert f"EVENTS_KEPT = '{KEPT}'" in source()


async def test_an_agent_whom_the_queue_paused_is_told_of_once(place: Site) -> None:
    heard: list[str] = []
    projector = Projector(place.ledger, place.queue.site, 2)
    copies = Projection(place.redis, place.queue, projector, alone=True, noticed=lambda: heard.append("notice"))
    words = {"type": "notice", "at": T0, "epoch": "e1", "agent": "ann", "reason": "missed"}
    await place.redis.xadd(place.key, words)  # type: ignore[arg-type]
    with capture_logs() as logs:
        await copies.step()
        await copies.step()
    (warned,) = (line for line in logs if line["log_level"] == "warning")
    assert (warned["agent"], warned["reason"], heard) == ("ann", "missed", ["notice"])


async def test_who_copies_also_forgets_old_numbers_once_an_hour(place: Site) -> None:
    now, passed = place.script.at, 0.0
    place.projection._monotonic = lambda: passed
    old = now - projection.KEEP_NUMBERS_MS - 1
    for n in range(2):
        await place.ledger.promise(
            File(f"a-1.{n}", "s", "message", "t", "group:g", f"r{n}", "", old, old, closed_ms=old), "+33639980001"
        )
        await place.projection.step()
        assert len(await place.ledger.numbers()) == n
    passed = projection.TIDY_EVERY_S
    await place.projection.step()
    assert await place.ledger.numbers() == {}


async def test_a_number_is_forgotten_only_when_no_line_waits_that_may_need_it(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copied late, after days without a ledger, an agent's word still finds its caller."""
    await place.ledger.met([Met("r1", "+33639980001", place.script.at - projection.KEEP_MET_MS - 1)])
    monkeypatch.setattr(projection, "BATCH", 7)
    await place.write("a-1.1")
    await place.put([place.script("outcome", call="a-1.1", agent="alice", code="rappel", caller="r1", follow_up="1")])
    assert await place.projection.step()
    assert not await place.projection.step()
    (file,) = await place.ledger.files()
    assert set(await place.ledger.numbers()) == {file.caller_ref}


async def test_stopped_it_gives_the_lease_back_and_says_nothing(place: Site) -> None:
    with capture_logs() as logged:
        async with running(place.projection):
            await place.write("a-1.1")
            await until(lambda: _all(place, 7))
    assert logged == []
    assert (await place.queue.lease(PROJECTOR, WorkerId("w2"), 1_000)).granted


async def test_a_stream_that_began_anew_with_smaller_ids_is_read_whole(place: Site) -> None:
    await place.write("a-1.1")
    await place.projection.step()
    await place.redis.delete(place.key)
    place.script = Script(epoch="e2", at=place.script.at - 3_600_000)
    await place.write("a-2.1")
    await place.projection.step()
    assert await place.calls() == ["a-1.1", "a-2.1"]


async def test_a_line_that_is_none_holds_up_nothing(place: Site) -> None:
    await place.redis.xadd(place.key, {"song": "la", b"\xff": b"\xfe"}, id="5-1")
    await place.redis.xadd(place.key, {"type": "arrived", "at": "noon"}, id="5-2")
    await place.write("a-1.1")
    await place.projection.step()
    assert await place.left() == []
    odd = await place.look.rows("SELECT id, type, at FROM events WHERE type = 'unreadable' ORDER BY id")
    assert odd == [("5-1", "unreadable", 5), ("5-2", "unreadable", 5)]


async def test_a_lost_state_of_the_queue_is_waited_out(place: Site) -> None:
    await place.redis.flushdb()
    place.queue.epoch = None
    with pytest.raises(Exception, match="state lost"):
        await place.projection.step()
    place.shaky.away = True
    with pytest.raises(QueueUnavailable):
        await place.projection.step()
