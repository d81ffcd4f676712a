"""A whole running switchboard, for the demo and the tests: Asterisk, Redis, a worker, and who calls.

Callers come from 127.0.0.2 (the trunk), agents from 127.0.0.3: two processes, two addresses.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final, Self

import redis.asyncio

from ivr.core.plan import AgentId
from ivr.core.schedule import Forced
from ivr.lab.phones import Phone, PhoneBank, PhoneCall
from ivr.ledger.store import Ledger
from ivr.publish.store import Publications
from ivr.queueing.model import Dump, Epoch, NodeId
from ivr.queueing.queue import Queue
from ivr.queueing.routing import routing_of
from ivr.stack.stack import Stack, StackConfig
from ivr.stack.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from ivr.core.plan import Plan

TRUNK: Final = "127.0.0.2"
DESKS: Final = "127.0.0.3"
DAY_MS: Final = 86_400_000
CALLER: Final = "+33639980001"
_OF_HANGUPS: Final = re.compile(r"Playback failed for sound:|Session already DISCONNECTED|Failed to answer channel")


class House:
    """Everything runs inside `async with`; nothing is left after it. `stack`, `worker` are there to be troubled."""

    def __init__(
        self,
        plan: Plan,
        plan_dir: Path,
        prompts_dir: Path,
        env: Mapping[str, str] | None = None,
        shape: Callable[[StackConfig], StackConfig] | None = None,
    ) -> None:
        self.plan = plan
        self._shape = shape
        self.prompts_dir = prompts_dir
        self._env = {"IVR_PLAN": str(plan_dir.absolute()), "IVR_LOG_LEVEL": "info", "IVR_WRAP_MS": "500", **(env or {})}
        self._exit = contextlib.AsyncExitStack()
        self.agents: dict[str, Phone] = {}

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as opening:
            config = StackConfig(plan=self.plan, prompts_dir=self.prompts_dir)
            self.stack = await opening.enter_async_context(Stack(self._shape(config) if self._shape else config))
            self.callers = await opening.enter_async_context(PhoneBank(TRUNK))
            self.desks = await opening.enter_async_context(PhoneBank(DESKS))
            self._redis = redis.asyncio.from_url(self.stack.redis_url)
            opening.push_async_callback(self._redis.aclose)
            self.queue = Queue(self._redis, self.plan.site, routing_of(self.plan).lines, node=NodeId("observer"))
            self.env = {**self.stack.env(), **self._env}
            await self.force(is_open=True)
            self.worker = WorkerProcess(self.env, self.stack.logs / "worker.log")
            opening.push_async_callback(self.worker.stop)
            await self.worker.start()
            await self.worker.ready()
            self._exit = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def force(self, *, is_open: bool) -> None:
        """Have the site open or closed for a day, at whatever hour this runs; what `ivr force` does."""
        now = self.queue.clock()
        held = Publications(self._redis, Ledger("sqlite://"), self.plan.site)
        await held.set(Forced(None, open=is_open, since=now, until=now + DAY_MS, reason="essai"), now)

    async def redis_connections(self) -> int:
        """Return how many connections the shared Redis has, this house's own among them."""
        return len(await self._redis.client_list())

    @property
    def registrar(self) -> str:
        """Return Asterisk's SIP address."""
        return f"{self.stack.sip_host}:{self.stack.sip_port}"

    async def agent(self, name: str, *, answers_ms: int | None = None) -> Phone:
        """Register an agent's phone; it answers by itself after `answers_ms`, or only rings."""
        agent = self.plan.agents[AgentId(name)]
        phone = await self.desks.phone(
            agent.endpoint,
            self.stack.secrets.agent_password(name),
            registrar=self.registrar,
            auto_answer=answers_ms,
        )
        await phone.register()
        self.agents[name] = phone
        return phone

    async def call(self, number: str = CALLER, *, private: bool = False) -> PhoneCall:
        """Call the site's public number; `private` as operators pass it on: asserted, not to be shown."""
        known = next((phone for phone in self.callers.phones if phone.user == number), None)
        phone = known or await self.callers.phone(number, registrar=self.registrar)
        site = self.plan.numbers[0].replace("+33", "0")
        return await phone.dial(f"sip:{site}@{self.registrar}", asserted=number if private else None, private=private)

    async def state(self) -> Dump:
        """Read everything that the queue holds."""
        if self.queue.epoch is None:
            self.queue.epoch = (await self.queue.found(Epoch("observer"))).epoch
        return await self.queue.dump()

    def complaints(self) -> list[str]:
        """Return what Asterisk's log complains of, but for what it always says of a party who hangs up."""
        return [line for line in self.stack.errors() if not _OF_HANGUPS.search(line)]

    async def channels(self) -> list[str]:
        """Return the names of Asterisk's live channels."""
        listing = await self.stack.asterisk_cli("core show channels concise")
        return [line.split("!")[0] for line in listing.splitlines() if "!" in line]

    async def bridges(self) -> list[str]:
        """Return the ids of Asterisk's live bridges."""
        listing = await self.stack.asterisk_cli("bridge show all")
        return [line.split()[0] for line in listing.splitlines()[1:] if line.strip()]
