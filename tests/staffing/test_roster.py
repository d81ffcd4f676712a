"""Leave and crises reach the queue as they begin and end; whoever came up with an older view is put right."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import Absence, AgentId, CrisisId, CrisisProfile, GroupId, PromptId
from ivr.core.schedule import Crisis
from ivr.core.staffing import USUAL
from ivr.queueing.errors import QueueUnavailable
from ivr.queueing.routing import routing_of
from ivr.staffing import roster as rosters
from ivr.staffing.feeds import Feeds
from ivr.staffing.roster import Roster
from tests.plans import ETAT_CIVIL, small_plan
from tests.polling import until
from tests.queueing.hall import ONE, T0, A, join

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from ivr.core.plan import Plan
    from ivr.queueing.queue import Queue
    from tests.queueing.hall import Hand

pytestmark = pytest.mark.redis
BOB = AgentId("bob")


class Desk:
    """One worker's roster and its queue."""

    def __init__(self, queue: Queue, redis: Redis, clock: Hand, plan: Plan) -> None:
        self.queue, self.plan = queue, plan
        self.crisis: Crisis | None = None
        self.told = self.refused = 0
        self.failing = False
        self.roster = Roster(
            plan=lambda: self.plan,
            clock=clock,
            feeds=Feeds(redis, queue.site, clock),
            crisis=lambda: self.crisis,
        )
        self.roster.tell = self.tell

    async def tell(self) -> None:
        if self.failing:
            self.refused += 1
            raise QueueUnavailable(self.queue.site, "configure", 1)
        await self.queue.configure(routing_of(self.plan, staffing=self.roster.staffing()))
        self.told += 1

    async def bob(self) -> str:
        return (await self.queue.dump()).agents[BOB].state

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.roster.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def desk(queue: Queue, redis: Redis, clock: Hand, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(rosters, "LOOK_S", 0.005)
    plan = small_plan()
    flood = CrisisProfile(CrisisId("crue"), "Crue", PromptId("horaires"), groups=(GroupId("accueil"),))
    agents = dict(plan.agents) | {BOB: replace(plan.agents[BOB], absences=(Absence(T0 + 1_000, T0 + 2_000),))}
    await queue.configure(routing_of(plan))
    await queue.presence(BOB, plan.agents[BOB].groups, A, present=True)
    return Desk(queue, redis, clock, replace(plan, agents=agents, crises={flood.id: flood}))


async def test_a_leave_reaches_the_queue_as_it_begins_and_ends(desk: Desk, clock: Hand) -> None:
    async with desk.running():
        await until(lambda: desk.told == 1)
        assert await desk.bob() == "idle"
        clock.ms = T0 + 1_000
        await until(lambda: desk.told == 2)
        assert await desk.bob() == "away"
        assert not (await join(desk.queue, ONE, ETAT_CIVIL)).staffed
        clock.ms = T0 + 2_000
        await until(lambda: desk.told == 3)
    assert (await desk.queue.dump()).calls[ONE].state == "offered"
    assert desk.roster.staffing() == USUAL


async def test_a_crisis_and_another_plan_are_seen_at_the_next_look(desk: Desk) -> None:
    async with desk.running():
        await until(lambda: desk.told == 1)
        desk.crisis = Crisis(CrisisId("crue"), T0 + 500)
        await until(lambda: desk.told == 2)
        assert desk.roster.staffing().called_in == ("accueil",)
        desk.plan = replace(desk.plan, crises={})
        await until(lambda: desk.told == 3)


async def test_what_the_queue_did_not_take_is_told_again(desk: Desk, clock: Hand) -> None:
    desk.failing = True
    async with desk.running():
        clock.ms = T0 + 1_000
        await until(lambda: desk.refused > 0)
        desk.failing = False
        await until(lambda: desk.told == 1)
    assert await desk.bob() == "away"


async def test_a_worker_with_an_older_view_is_put_right(
    desk: Desk, clock: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "TELL_AGAIN_S", 0.05)
    clock.ms = T0 + 1_000
    async with desk.running():
        await until(lambda: desk.told >= 1)
        await desk.queue.configure(routing_of(desk.plan))
        told = desk.told
        await until(lambda: desk.told > told + 1)
    assert await desk.bob() == "away"
