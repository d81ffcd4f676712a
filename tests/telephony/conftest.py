"""A whole worker against a fake Asterisk over real sockets, a real redis-server and a real ledger."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from ivr.ari import AriClient, Backoff
from ivr.core.caller import CallId
from ivr.core.plan import AgentId
from ivr.core.staffing import USUAL
from ivr.ledger.store import Ledger
from ivr.queueing.listener import OfferListener
from ivr.queueing.model import NodeId
from ivr.queueing.queue import Queue
from ivr.queueing.retry import Retry
from ivr.queueing.routing import routing_of
from ivr.telephony import lease, settlement, worker
from ivr.telephony.metrics import Metrics
from ivr.telephony.worker import EVENTS, Worker
from tests.ari.fake import FakeAri
from tests.plans import small_plan
from tests.queueing import conftest as of_queueing
from tests.telephony.switch import APP, Switch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from ivr.ari import Event, State
    from ivr.core.plan import Plan, SiteId
    from ivr.queueing.model import AgentRecord, CallRecord, Dump

QUICK = Backoff(first_ms=1, factor=2, max_ms=4, jitter=0)
LONG_S = 10.0
redis, redis_url, site = of_queueing.redis, of_queueing.redis_url, of_queueing.site


class Shaky:
    """A Redis client that can be away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.away = False
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        if self.away:
            self.refused += 1
            raise RedisAway("away")
        return getattr(self._redis, name)


class Hall:
    """One worker and everything around it. `until` waits for a condition, by looking often."""

    worker: Worker

    def __init__(
        self,
        switch: Switch,
        redis: Shaky,
        ledger: Ledger,
        plan: Plan,
        recordings: Path,
        emergency: Shaky | None = None,
    ) -> None:
        self.emergency = emergency
        self.switch = switch
        self.fake = switch.fake
        self.redis = redis
        self.ledger = ledger
        self.plan = plan
        self.recordings = recordings
        self.metrics = Metrics()
        self.staffing = USUAL
        self.queue = self.new_queue(redis)
        self.complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.complaints.append(context))
        self.ari = AriClient(
            self.fake.url,
            self.fake.user,
            self.fake.password,
            APP,
            event_filter=EVENTS,
            on_event=self._event,
            on_state=self._state,
            on_connect=self._connect,
            backoff=QUICK,
            rng=Random(1),
        )
        self.worker = Worker(
            ari=self.ari,
            queue=self.queue,
            listener=lambda node, tell, on: OfferListener(redis._redis, self.queue.keys, node, tell, on),
            ledger=ledger,
            plan=plan,
            node="a",
            app=APP,
            sounds="/sounds",
            ref_key=b"k",
            metrics=self.metrics,
            recordings=recordings,
            staffing=lambda: self.staffing,
        )
        self.running: asyncio.Task[None] | None = None

    def _event(self, event: Event) -> None:
        self.worker.on_event(event)

    def _state(self, state: State) -> None:
        self.worker.on_state(state)

    async def _connect(self, client: AriClient) -> None:
        await self.worker.on_connect(client)

    def again(self) -> Hall:
        """Return another worker on all that this one stands on."""
        return Hall(self.switch, self.redis, self.ledger, self.plan, self.recordings, self.emergency)

    def new_queue(self, redis: Any) -> Queue:
        retry = Retry(attempts=2, first_ms=1)
        lines, emergency = routing_of(self.plan).lines, cast("Redis | None", self.emergency)
        return Queue(redis, self.plan.site, lines, node=NodeId("a"), retry=retry, emergency=emergency)

    def start(self) -> None:
        self.running = asyncio.create_task(self.worker.run())

    async def stop(self) -> None:
        if self.running is not None:
            self.running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.running

    async def until(self, holds: Callable[[], Any], what: str = "") -> None:
        """Returns once the condition, or the awaitable that it returns, is true; fails after some seconds."""
        deadline = time.monotonic() + LONG_S
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            if self.running is not None and self.running.done():
                self.running.result()
                pytest.fail("the worker ended")
            if time.monotonic() > deadline:
                asked = [f"{asked.method} {asked.path}" for asked in self.fake.wanted]
                pytest.fail(f"{what or 'it'} did not happen\n{await self.queue.dump()}\n{asked[-30:]}")
            await asyncio.sleep(0.002)

    # Steps that many tests take

    async def agent(self, name: str = "alice") -> None:
        """An agent whose phone registers here."""
        self.switch.registers(name)
        await self.until(lambda: self._present(name), f"{name} is present")

    async def _present(self, name: str) -> bool:
        agent = (await self.queue.dump()).agents.get(AgentId(name))
        return agent is not None and agent.present and agent.node == "a"

    async def in_menu(self, **who: str) -> str:
        """A caller who heard the menu and thinks."""
        call = self.switch.calls(**who)
        await self.until(lambda: self.phase(call) == "InMenu" and not self.play(call), "the menu was heard")
        return call

    async def waits(self, key: str = "1") -> str:
        """A caller who waits in a line."""
        call = await self.in_menu()
        self.switch.presses(call, key)
        await self.until(lambda: self.phase(call) == "Waiting", "the caller waits")
        return call

    async def speaks(self) -> tuple[str, str]:
        """A caller who leaves a message, since nobody is there; returns the recording's name too."""
        call = await self.in_menu()
        self.switch.presses(call, "1")
        await self.until(lambda: call in self.switch.recording.values(), "the message is being recorded")
        return call, next(name for name, of in self.switch.recording.items() if of == call)

    async def rings(self, call: str, besides: str = "") -> str:
        """The leg that rings for a call."""
        await self.until(lambda: set(self.switch.legs(call)) - {besides}, f"an agent's phone rings for {call}")
        return (set(self.switch.legs(call)) - {besides}).pop()

    async def talks(self) -> tuple[str, str]:
        """A caller and an agent who talk."""
        call = await self.waits()
        leg = await self.rings(call)
        self.switch.answers(leg)
        await self.until(lambda: self.switch.talks(call), "they talk")
        await self.until(lambda: self.state_of(call, "talking"), "the queue knows of the talk")
        return call, leg

    # What is so

    def phase(self, call: str) -> str:
        actor = self.worker.calls.get(call)
        return "" if actor is None else type(actor.call.phase).__name__

    def play(self, call: str) -> int:
        actor = self.worker.calls.get(call)
        return 0 if actor is None else getattr(actor.call.phase, "play", 0)

    async def dump(self) -> Dump:
        return await self.queue.dump()

    async def record(self, call: str) -> CallRecord | None:
        return (await self.dump()).calls.get(CallId(call))

    async def state_of(self, call: str, state: str) -> bool:
        record = await self.record(call)
        return record is not None and record.state == state

    async def agent_record(self, name: str = "alice") -> AgentRecord:
        return (await self.dump()).agents[AgentId(name)]

    async def idle(self, name: str = "alice") -> bool:
        return (await self.agent_record(name)).state == "idle"

    async def nothing_left(self) -> None:
        """No call, offer, talk, leg, bridge or actor, and no complaint of a handler."""

        async def gone() -> bool:
            dump = await self.dump()
            held = [dump.calls, dump.offers, dump.talks, dump.waiting, self.switch.legs(), self.switch.bridges]
            return not any(held) and not len(self.worker.calls) and not len(self.worker.codes)

        await self.until(gone, "nothing is left")
        assert self.complaints == []

    async def still(self) -> None:
        """Everything that was sent so far was taken in, and what follows from it was sent."""
        for _ in range(3):
            await self.ari.asterisk.ping()
            await self.queue.dump()


@pytest.fixture
def plan(site: SiteId) -> Plan:
    return replace(small_plan(), site=site)


@pytest.fixture
def quick_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease's own times, shortened."""
    monkeypatch.setattr(lease, "LEASE_EVERY_S", 0.02)
    monkeypatch.setattr(worker, "REAP_EVERY_S", 0.02)
    monkeypatch.setattr(settlement, "LOOK_S", 0.02)


@pytest.fixture
async def shaky(redis: Redis) -> Shaky:
    return Shaky(redis)


@pytest.fixture
async def hall(
    request: pytest.FixtureRequest, shaky: Shaky, plan: Plan, tmp_path: Path, quick_lease: None
) -> AsyncIterator[Hall]:
    """A worker that serves; `indirect` parameters replace fields of the plan."""
    plan = replace(plan, **getattr(request, "param", {}))
    async with serving(shaky, plan, tmp_path) as hall:
        yield hall


@pytest.fixture
async def sheltered(shaky: Shaky, redis_url: str, plan: Plan, tmp_path: Path, quick_lease: None) -> AsyncIterator[Hall]:
    """A worker that serves, with an emergency Redis of its own: another database of the same server."""
    async with Redis.from_url(redis_url, db=1) as other, serving(shaky, plan, tmp_path, Shaky(other)) as hall:
        yield hall


@contextlib.asynccontextmanager
async def serving(shaky: Shaky, plan: Plan, tmp_path: Path, emergency: Shaky | None = None) -> AsyncIterator[Hall]:
    async with FakeAri() as fake, Switch(fake) as switch, Ledger(f"sqlite+aiosqlite:///{tmp_path}/l.sqlite") as ledger:
        hall = Hall(switch, shaky, ledger, plan, tmp_path / "calls", emergency)
        hall.start()
        try:
            await hall.until(lambda: hall.worker.connected, "connected")
            yield hall
        finally:
            shaky.away = False
            await hall.stop()
