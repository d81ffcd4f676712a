"""A house with a crowd of agents: for loads, with the same call served by us and by Asterisk's own queue.

The crowd answers one topic of the plan, by SIPp; the plan's own people are not there,
unless a real phone registers as one of them.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from ivr.core.plan import AgentId
from ivr.errors import IvrError
from ivr.lab import gauges
from ivr.lab.house import House
from ivr.lab.sipp import Agents, Callers, start_agents, start_callers
from ivr.plan import load_or_raise
from ivr.provision.options import Bench, RenderOptions
from ivr.stack.root import ensure_root

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.lab.report import Report
    from ivr.lab.sipp import Sipp
    from ivr.stack.stack import StackConfig

KEY: Final = "1"
"""What a caller presses for the crowd's topic, in the plan's first menu."""
GROUP: Final = "etat-civil"
_NAME: Final = "guichet-{:03d}"
_SETTLE_S: Final = 15.0
_RTP_PORTS_PER_CALL: Final = 4
_MAX_CALLS: Final = re.compile(r"^max_calls:.*\n", re.MULTILINE)
_MANY: Final = 2_000
_COUNTS: Final = re.compile(r"\bC:(\d+), A:(\d+)")


class LoadFailed(IvrError):
    """A measure could not be taken; the sentence says why."""


def crowded(plan_dir: Path, agents: int, out: Path) -> Plan:
    """Write a copy of a plan with so many more agents in the crowd's group, and no bound of calls; return it."""
    shutil.copytree(plan_dir, out)
    site = (out / "site.yaml").read_text(encoding="utf-8")
    (out / "site.yaml").write_text(_MAX_CALLS.sub("", site) + f"\nmax_calls: {_MANY}\n", encoding="utf-8")
    lines = [f"  {name}: {{name: {name}, groups: [{GROUP}]}}\n" for name in names(agents)]
    with (out / "agents.yaml").open("a", encoding="utf-8") as file:
        file.write("\n" + "".join(lines))
    return load_or_raise(out)[0]


def names(agents: int) -> list[str]:
    """Return the names of the crowd."""
    return [_NAME.format(n) for n in range(1, agents + 1)]


class Crowd(House):
    """A house whose `agents_n` SIPp agents are registered, answer and hang up by themselves.

    Above its `rtp_ports` it keeps `rtp_spare` more, that no Asterisk uses yet.
    """

    def __init__(  # noqa: PLR0913 - what a crowd is like, by name
        self,
        plan_dir: Path,
        prompts_dir: Path,
        scratch: Path,
        *,
        agents: int,
        talk_ms: int,
        answer_ms: int = 300,
        rtp_ports: int | None = None,
        rtp_spare: int = 0,
        quiet: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        folder = scratch / "plan"
        plan = crowded(plan_dir, agents, folder)
        super().__init__(plan, folder, prompts_dir, {"IVR_WRAP_MS": "0", **(env or {})}, shape=self._with_bench)
        self._agents_n = agents
        self._talk_ms = talk_ms
        self._answer_ms = answer_ms
        self._rtp_ports = rtp_ports
        self._rtp_spare = rtp_spare
        self._quiet = quiet
        self.bench = Bench()

    def _with_bench(self, config: StackConfig) -> StackConfig:
        def adjust(options: RenderOptions) -> RenderOptions:
            return replace(options, bench=self.bench, rtp_end=options.rtp_end - self._rtp_spare)

        ports = (self._rtp_ports or config.rtp_ports) + self._rtp_spare
        return replace(config, adjust=adjust, amend=self._only_the_crowd, rtp_ports=ports)

    def _only_the_crowd(self, etc: Path) -> None:
        """Leave out of app_queue's queue who is not there: it would be asked in vain at each call."""
        path = etc / "queues.conf"
        here = {f"member => PJSIP/{self.plan.agents[AgentId(name)].endpoint}" for name in names(self._agents_n)}
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith("member") or line.strip() in here]
        path.write_text("".join(kept), encoding="utf-8")

    @property
    def staff(self) -> list[AgentId]:
        """Return the crowd's agents."""
        return [AgentId(name) for name in names(self._agents_n)]

    async def crowd(self) -> Sipp:
        """Register the crowd; to be entered with `async with`."""
        root = await asyncio.to_thread(ensure_root)
        credentials = [
            (self.plan.agents[AgentId(name)].endpoint, self.stack.secrets.agent_password(name))
            for name in names(self._agents_n)
        ]
        spec = Agents(
            credentials=credentials,
            registrar=self.registrar,
            answer_ms=self._answer_ms,
            talk_ms=self._talk_ms,
            quiet=self._quiet,
        )
        agents = await start_agents(root, spec)

        async def known() -> bool:
            held = await self.state()
            return sum(agent.present for agent in held.agents.values()) >= self._agents_n

        try:
            await self.until("the worker knows every agent", known)
        except BaseException:
            await agents.stop()
            raise
        return agents

    async def load(self, number: str, *, calls: int, rate: float, watch: Callable[[float], None]) -> Report:
        """Put calls to `number` and return when each is over; `watch` is told the share done, about."""
        root = await asyncio.to_thread(ensure_root)
        spec = Callers(number=number, registrar=self.registrar, calls=calls, rate=rate, keys=KEY, before_ms=1_000)
        began = time.monotonic()
        async with await start_callers(root, spec) as callers:
            done = asyncio.create_task(callers.done())
            while not done.done():
                await asyncio.wait({done}, timeout=0.5)
                watch(min(1.0, (time.monotonic() - began) * rate / calls))
            return done.result()

    @property
    def public_number(self) -> str:
        """Return the site's number as callers dial it."""
        return self.plan.numbers[0].replace("+33", "0")

    @property
    def bench_number(self) -> str:
        """Return the number that app_queue answers, as callers dial it."""
        return self.bench.number.replace("+33", "0")

    async def metrics(self) -> gauges.Samples:
        """Return the worker's /metrics."""
        return await gauges.metrics(self.env["IVR_HTTP_BIND"])

    def cpu(self, *, worker: bool) -> dict[str, float]:
        """Return the processor time so far of each of our programs, ms."""
        pids = {"asterisk": self.stack.asterisk.pid, "redis": self.stack.redis.pid}
        if worker:
            pids["ivr"] = self.worker.process.pid
        return {name: gauges.cpu_ms(pid) for name, pid in pids.items()}

    async def app_queue_counts(self) -> tuple[int, int]:
        """Return how many calls app_queue brought to an agent, and how many it lost."""
        found = _COUNTS.search(await self.stack.asterisk_cli("queue show bench"))
        if found is None:
            raise LoadFailed("Asterisk does not know the bench's queue")
        return int(found[1]), int(found[2])

    async def forget_agents(self) -> None:
        """Have Asterisk forget what the worker subscribed to, so that nothing of ours costs when it is away."""
        sources = ",".join(f"endpoint:PJSIP/{agent.endpoint}" for agent in self.plan.agents.values())
        auth = aiohttp.BasicAuth(self.stack.ari_user, self.stack.ari_password)
        url = f"{self.stack.ari_url}/applications/{self.stack.app}/subscription"
        async with (
            aiohttp.ClientSession(auth=auth) as session,
            session.delete(url, params={"eventSource": sources}) as reply,
        ):
            if reply.status not in {200, 404, 409}:
                raise LoadFailed(f"the worker's subscriptions stay: {reply.status} {await reply.text()}")

    async def until(self, what: str, holds: Callable[[], Any], seconds: float = _SETTLE_S) -> None:
        """Return once it holds; raise LoadFailed after so many seconds."""
        deadline = time.monotonic() + seconds
        while not await holds():
            if time.monotonic() > deadline:
                raise LoadFailed(f"{what}: not within {seconds:.0f} s")
            await asyncio.sleep(0.1)

    async def left_behind(self) -> Mapping[str, int]:
        """Return how much is there of everything that a call makes; all 0 when nobody calls."""
        held = await self.state()
        deadlines = [name for name in held.deadlines if not name.startswith(("node:", "known:"))]
        return {
            "channels": len(await self.channels()),
            "bridges": len(await self.bridges()),
            "calls": len(held.calls),
            "offers": len(held.offers),
            "talks": len(held.talks),
            "deadlines": len(deadlines),
            "waiting": sum(map(len, held.waiting.values())),
            "actors": int((await self.metrics())["ivr_calls"]),
        }

    async def quiet(self) -> None:
        """Return once nothing of any call is left."""

        async def nothing() -> bool:
            return not any((await self.left_behind()).values())

        try:
            await self.until("nothing of the calls is left", nothing)
        except LoadFailed:
            left = {name: count for name, count in (await self.left_behind()).items() if count}
            raise LoadFailed(f"left behind: {left}") from None
