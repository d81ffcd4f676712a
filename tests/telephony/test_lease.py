"""How a worker knows that its hold on the node is no longer sure."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ivr.core.plan import SiteId
from ivr.queueing.errors import QueueUnavailable
from ivr.queueing.model import Leased, NodeId
from ivr.telephony import lease as of_lease
from ivr.telephony.lease import LEASE_MS, Loss, NodeLease

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.unit


class Scene:
    """A clock that is set by hand, and a queue that does at each question what the next of `answers` says.

    The node is there to be taken, at first and after each loss.
    """

    def __init__(self, *answers: Callable[[Scene], bool], freezes_at: int = 0) -> None:
        self.now = 100.0
        self.freezes_at = freezes_at
        self.readings = 0
        self.answers = [granted, *answers]
        self.asked = 0
        self.lost: list[Loss] = []
        self.over = asyncio.Event()

    def clock(self) -> float:
        self.readings += 1
        if self.readings == self.freezes_at:
            self.now += LEASE_MS / 1000
        return self.now

    async def lease(self, *_: Any) -> Leased:
        self.asked += 1
        if not self.answers:
            self.over.set()
            await asyncio.Event().wait()
        return Leased(granted=self.answers.pop(0)(self), holder=None)

    async def play(self) -> list[Loss]:
        async def lost(why: Loss) -> None:
            self.lost.append(why)
            assert not lease.sure or why == "taken"
            self.answers.insert(0, granted)
            await lease.take()

        lease = NodeLease(self, NodeId("a"), monotonic=self.clock)  # type: ignore[arg-type]
        await lease.take()
        assert lease.sure
        keeping = asyncio.create_task(lease.keep(lost))
        await self.over.wait()
        keeping.cancel()
        await asyncio.wait({keeping})
        return self.lost


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_lease, "LEASE_EVERY_S", 0.0)


def granted(_: Scene) -> bool:
    return True


def refused(_: Scene) -> bool:
    return False


def late(scene: Scene) -> bool:
    scene.now += LEASE_MS / 1000 + 1
    return True


def away(scene: Scene) -> bool:
    scene.now += 2.0
    raise QueueUnavailable(SiteId("s"), "lease", 1)


async def test_renewed_in_time_nothing_is_lost() -> None:
    assert await Scene(granted, granted, granted).play() == []


async def test_an_answer_that_was_long_on_its_way_is_asked_for_again_and_is_no_freeze() -> None:
    scene = Scene(granted, late, granted, granted)
    assert await scene.play() == []
    assert scene.asked == 6


async def test_redis_that_does_not_answer_for_as_long_as_the_lease_lasts() -> None:
    assert await Scene(granted, away, away, away, granted).play() == ["redis away"]


async def test_another_worker_has_it() -> None:
    assert await Scene(granted, refused, granted).play() == ["taken"]


async def test_a_process_that_stood_still_knows_it() -> None:
    """The clock is read at the start, twice, and then before and after each sleep and each question."""
    assert await Scene(granted, granted, granted, freezes_at=8).play() == ["frozen"]
