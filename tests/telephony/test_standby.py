"""A standby beside the worker that holds the node: whatever Redis loses, it takes nothing that is not free."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ivr.core.caller import CallId
from ivr.queueing.errors import QueueError
from ivr.queueing.model import NodeId
from ivr.telephony import lease, settlement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis


@pytest.fixture
async def standby(sheltered: Hall, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    """A second worker of the node, which waits for it on another machine."""
    with monkeypatch.context() as patch:
        patch.setattr(lease, "own_name", lambda: "elsewhere/pid:[2]|2|2")
        other = sheltered.again()
    other.start()
    await other.until(lambda: other.queue.sent["lease"] > 1, "it stands by")
    yield other
    await other.stop()


def _is_at(hall: Hall, home: str) -> bool:
    return hall.queue.home == home


async def _polls(standby: Hall) -> None:
    """The standby has asked for the node some times more."""
    before = standby.queue.sent["lease"]
    await standby.until(lambda: standby.queue.sent["lease"] > before + 3, "the standby asks again")


async def test_redis_that_lost_everything_is_told_by_who_holds_the_node(sheltered: Hall, standby: Hall) -> None:
    hall = sheltered
    await hall.agent()
    talking, _ = await hall.talks()
    waiting = await hall.waits()
    for _ in range(3):
        await hall.redis.flushdb()
        with contextlib.suppress(QueueError):
            await standby.queue.reap()  # it is the first to learn of it
        await hall.until(lambda: hall.state_of(waiting, "waiting"))
        await hall.until(lambda: hall.state_of(talking, "talking"))
        await _polls(standby)
    assert not standby.worker.connected
    assert hall.switch.talks(talking)
    assert hall.fake.connections == 1


async def test_the_standby_follows_into_the_emergency_and_home(sheltered: Hall, standby: Hall) -> None:
    hall = sheltered
    await hall.agent()
    talking, _ = await hall.talks()
    waiting = await hall.waits()
    hall.redis.away = True
    for home in ("emergency", "shared"):
        for each in (hall, standby):
            await each.until(partial(_is_at, each, home), f"it moves to the {home} Redis")
        await hall.until(lambda: hall.state_of(waiting, "waiting"))
        await _polls(standby)
        assert not standby.worker.connected
        assert hall.switch.talks(talking)
        hall.redis.away = False
    assert hall.fake.connections == 1


async def _in_the_emergency(hall: Hall, standby: Hall) -> tuple[str, str]:
    """A caller who talks and one who waits, in this node's own Redis; the standby is there too."""
    await hall.agent()
    talking, _ = await hall.talks()
    hall.redis.away = True
    waiting = await hall.waits()
    for each in (hall, standby):
        await each.until(partial(_is_at, each, "emergency"))
    return talking, waiting


async def _brought_home(hall: Hall, standby: Hall, waiting: str) -> None:
    """The shared Redis is back, and the standby has told it of its calls."""
    hall.redis.away = False
    await standby.until(partial(_is_at, standby, "shared"), "it brings the calls home")
    await standby.until(lambda: standby.state_of(waiting, "waiting"))


async def test_it_takes_the_node_in_the_emergency_and_brings_its_calls_home(sheltered: Hall, standby: Hall) -> None:
    hall = sheltered
    talking, waiting = await _in_the_emergency(hall, standby)
    await hall.stop()
    await standby.until(lambda: standby.worker.connected, "the standby has the node")
    await standby.until(lambda: standby.state_of(waiting, "waiting"))
    await _brought_home(hall, standby, waiting)
    assert (await standby.dump()).calls.keys() == {CallId(talking), CallId(waiting)}
    assert hall.switch.talks(talking)


async def test_who_is_replaced_in_the_emergency_leaves_it_to_the_other(sheltered: Hall, standby: Hall) -> None:
    hall = sheltered
    talking, waiting = await _in_the_emergency(hall, standby)
    await standby.until(partial(_robbed, hall, standby), "the standby has the node")
    await hall.until(lambda: not hall.worker._lease.held, "the other steps back")
    await _brought_home(hall, standby, waiting)
    await _polls(hall)
    assert (await standby.dump()).calls.keys() == {CallId(talking), CallId(waiting)}
    assert hall.switch.talks(talking)
    assert standby.worker.connected


async def _robbed(hall: Hall, standby: Hall) -> bool:
    """The holder's lease is over, as after a freeze, until the standby has the node."""
    if not standby.worker._lease.held:
        await hall.queue.unlease(NodeId("a"), hall.worker._lease.id)
    return standby.worker.connected


async def test_a_state_that_nobody_begins_anew_is_begun_by_the_standby(
    sheltered: Hall, standby: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "LEASE_MS", 100)
    hall = sheltered
    await hall.agent()
    talking, _ = await hall.talks()
    await hall.stop()
    await hall.redis.flushdb()
    await standby.until(lambda: standby.worker.connected, "the standby has the node")
    await standby.until(lambda: standby.phase(talking) == "InMenu", "whose talk nobody knows is served anew")
