"""A line under a steady load that can be troubled: a crowd with a relay to ARI, standbys, callers who come on and on.

Most callers press the crowd's key and wait for an agent; one in ten asks for what nobody answers, and is owed a
file. The agents are in groups whose talks differ in length, so that they do not end all at once; the last group's
phones are `frail`: theirs die or fall mute.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from typing import TYPE_CHECKING, Final, Self

import aiohttp
import aiosqlite
import numpy as np
import redis.asyncio
from redis.exceptions import RedisError

from ivr.core.plan import AgentId
from ivr.lab import gauges, notes
from ivr.lab.agreement import disagreements
from ivr.lab.chaos_load import (
    ANSWER_MS,
    CHUNK_S,
    FILL_RATE,
    NOBODYS_KEY,
    NOBODYS_SHARE,
    PATIENCE_MS,
    STAFF_MS,
    Crew,
    Group,
    Shape,
    narrowed,
)
from ivr.lab.crowd import KEY, Crowd, names
from ivr.lab.limits import disk
from ivr.lab.relay import Relay
from ivr.lab.silence import Capture, Ears
from ivr.lab.sipp import Agents, Callers, start_agents, start_callers
from ivr.prompts import alaw
from ivr.queueing.errors import QueueError
from ivr.queueing.model import Epoch
from ivr.stack.root import ensure_root
from ivr.stack.stack import split_bind
from ivr.stack.worker import WorkerProcess

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from ivr.queueing.model import Dump

TRUNK: Final = "127.0.0.2"
_VOICE_HZ: Final = 620
_UP: Final = 200


class ChaosLine:
    """Everything runs inside `async with`; `house`, `worker`, `relay`, `redis` are there to be troubled."""

    def __init__(self, plan_dir: Path, prompts: Path, scratch: Path, shape: Shape) -> None:
        self.shape = shape
        self.relay = Relay(lambda: split_bind(self.house.stack.ari_url.split("/")[2]))
        self.ears = Ears(TRUNK)
        self.groups: list[Group] = []
        self.crews: list[Crew] = []
        self.loops: list[asyncio.subprocess.Process] = []
        self.ledger_lock: sqlite3.Connection | None = None
        self.descriptors = (0, 0)
        self._plan_dir, self._prompts, self._scratch = plan_dir, prompts, scratch
        self.ledger = scratch / "ledger" / "ledger.sqlite"
        self._exit = contextlib.AsyncExitStack()
        self._standby: WorkerProcess | None = None
        self._binds: dict[WorkerProcess, str] = {}
        self._workers = 1
        self._next_number = 0
        self._taps: list[asyncio.Task[None]] = []
        self._frail: list[str] = []
        self.judged = time.time()
        """Until when callers have been judged (Unix seconds)."""
        self.dropped: set[str] = set()
        """Numbers of callers whose calls a fault dropped by its nature."""
        self.crashes: list[float] = []
        """When Asterisk crashed (Unix seconds)."""

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as opening:
            self.root = await asyncio.to_thread(ensure_root)
            await opening.enter_async_context(self.relay)
            await opening.enter_async_context(disk(self.ledger.parent))
            plan = await asyncio.to_thread(narrowed, self._plan_dir, self._scratch / "narrowed")
            self.house = Crowd(
                plan,
                self._prompts,
                self._scratch,
                agents=self.shape.agents,
                talk_ms=self.shape.talk_ms,
                rtp_ports=self.shape.rtp_ports,
                rtp_spare=self.shape.rtp_ports,
                env={
                    "IVR_ARI_URL": f"http://127.0.0.1:{self.relay.port}/ari",
                    "IVR_LEDGER_URL": f"sqlite:///{self.ledger}",
                },
            )
            await opening.enter_async_context(self.house)
            self.worker = self.house.worker
            self._binds[self.worker] = self.house.env["IVR_HTTP_BIND"]
            opening.push_async_callback(self._end_workers)
            self.redis = redis.asyncio.from_url(self.house.stack.redis_url, socket_timeout=2, decode_responses=True)
            opening.push_async_callback(self.redis.aclose)
            opening.push_async_callback(self._end_load)
            await self._listen(opening)
            self._exit = opening.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._exit.aclose()

    # -- workers

    async def add_standby(self) -> None:
        """Start a second worker of the node, and return once it stands by."""
        self._workers += 1
        bind = f"127.0.0.1:{self.house.stack.ports.spare[self._workers]}"
        standby = WorkerProcess({**self.house.env, "IVR_HTTP_BIND": bind}, self.house.stack.logs / "standby.log")
        self._binds[standby] = bind
        self._standby = standby
        await standby.start()

        async def up() -> bool:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with aiohttp.ClientSession() as session, session.get(f"http://{bind}/healthz") as reply:
                    return reply.status == _UP
            return False

        await self.house.until("the standby is up", up)
        await asyncio.sleep(1.0)  # it asks for the lease a few times

    async def promote_standby(self) -> None:
        """End the first worker; the standby is the line's worker from here on."""
        if self._standby is None:
            return
        await self.worker.stop()
        self._binds.pop(self.worker)
        self.worker, self._standby = self._standby, None
        await self.worker.ready()

    async def _end_workers(self) -> None:
        for worker in list(self._binds):
            await worker.stop()

    async def counts(self) -> gauges.Samples:
        """Return the metrics of every worker that answers, added up."""
        total: gauges.Samples = {}
        for bind in self._binds.values():
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(2.0):
                    for name, value in (await gauges.metrics(bind)).items():
                        total[name] = total.get(name, 0.0) + value
        return total

    # -- people

    def _spec(self, agents: list[str], talk_s: float, *, answer_ms: int, bind: str) -> Agents:
        plan, secrets = self.house.plan, self.house.stack.secrets
        known = [(plan.agents[AgentId(name)].endpoint, secrets.agent_password(name)) for name in agents]
        at = np.arange(8_000) / 8_000
        voice = alaw.encode((6_000 * np.sin(2 * np.pi * _VOICE_HZ * at)).astype(np.int16)).tobytes()
        return Agents(
            credentials=known,
            registrar=self.house.registrar,
            answer_ms=answer_ms,
            talk_ms=round(talk_s * 1_000),
            bind=bind,
            voice=voice,
        )

    async def _phones(self, agents: list[str], talk_s: float, *, answer_ms: int = ANSWER_MS) -> Group:
        bind = f"127.0.0.{10 + len(self.groups)}"
        group = Group(await start_agents(self.root, self._spec(agents, talk_s, answer_ms=answer_ms, bind=bind)), talk_s)
        self.groups.append(group)
        return group

    async def begin(self) -> None:
        """Return once agents talk, callers wait, and more come: as steady as it is from here on."""
        await self._only_wait()
        shape = self.shape
        self._taps = [
            asyncio.create_task(self._tap(KEY, shape.rate * (1 - NOBODYS_SHARE)), name="callers"),
            asyncio.create_task(self._tap(NOBODYS_KEY, shape.rate * NOBODYS_SHARE), name="callers whom nobody answers"),
        ]
        began = time.monotonic()
        for n, name in enumerate(names(shape.agents)):
            await asyncio.sleep(began + n * shape.talk_ms / 1_000 / shape.agents - time.monotonic())
            await self.house.queue.resume(AgentId(name))

    async def _only_wait(self) -> None:
        """Return once callers wait, for agents who all pause."""
        shape = self.shape
        everybody = names(shape.agents)
        size = -(-len(everybody) // len(shape.variety))
        for n, share in enumerate(shape.variety):
            self._frail = everybody[n * size : (n + 1) * size]
            await self._phones(self._frail, shape.talk_ms * share / 1_000)
        await self.house.until("the worker knows every agent", self._all_known)
        for name in everybody:
            await self.house.queue.pause(AgentId(name), "chaos", self.house.queue.clock() + STAFF_MS)
        await self.call(shape.waiting, FILL_RATE)
        await self.house.until("everybody waits", self._all_wait, seconds=30 + 2 * shape.waiting / FILL_RATE)

    async def top_up(self) -> None:
        """Have as many callers wait as the shape says, where fewer do."""
        held = await self.look()
        missing = self.shape.waiting - (sum(map(len, held.waiting.values())) if held else self.shape.waiting)
        if missing > 0:
            await self.call(missing, FILL_RATE)
            await asyncio.sleep(missing / FILL_RATE + 2.0)

    async def _all_known(self) -> bool:
        held = await self.look()
        return held is not None and sum(agent.present for agent in held.agents.values()) >= self.shape.agents

    async def _all_wait(self) -> bool:
        held = await self.look()
        return held is not None and sum(map(len, held.waiting.values())) >= self.shape.waiting

    async def _tap(self, key: str, rate: float) -> None:
        while True:
            await self.call(round(rate * CHUNK_S), rate, key)
            await asyncio.sleep(CHUNK_S)

    async def call(self, calls: int, rate: float, key: str = KEY) -> None:
        """Callers begin to call, each with a number of their own."""
        first, self._next_number = self._next_number, self._next_number + calls
        spec = Callers(
            number=self.house.public_number,
            registrar=self.house.registrar,
            calls=calls,
            rate=rate,
            keys=key,
            patience_ms=PATIENCE_MS,
            # Who is asked to speak sends silence as it is: five seconds of it end a message.
            quiet_ms=20 if key == NOBODYS_KEY else self.shape.quiet_ms,
            notes=True,
            bind=TRUNK,
            numbers=[f"063998{n % 10_000:04d}" for n in range(first, first + calls)],
        )
        self.crews.append(Crew(await start_callers(self.root, spec), time.monotonic() + calls / rate))

    async def no_more(self) -> None:
        """No caller comes from here on; return once the last has gone."""
        for tap in self._taps:
            tap.cancel()
        await asyncio.gather(*self._taps, return_exceptions=True)
        self._taps.clear()
        for crew in self.crews:
            # Told so when it begins no more calls anyway, SIPp drops those that it has.
            if time.monotonic() + 2.0 < crew.last:
                crew.sipp.ease()
        waiting = [asyncio.create_task(crew.sipp.done()) for crew in self.crews]
        await asyncio.wait(waiting, timeout=PATIENCE_MS / 1_000 + 30)
        for crew in self.crews:
            await crew.sipp.kill()  # whose call nobody ends
        await asyncio.gather(*waiting)

    async def kill_frail(self) -> None:
        """The frail phones die; nobody says goodbye."""
        group = self.groups[-1]
        await group.sipp.kill()
        group.died = time.time()

    async def replace_frail(self, *, mute: bool) -> None:
        """The frail agents register other phones, which never answer, or do; talks on the old ones go on."""
        answer_ms = 600_000 if mute else ANSWER_MS
        await self._phones(self._frail, self.groups[-1].talk_s, answer_ms=answer_ms)

    async def _end_load(self) -> None:
        for tap in self._taps:
            tap.cancel()
        await asyncio.gather(*self._taps, return_exceptions=True)
        for loop in self.loops:
            loop.kill()
            await loop.wait()
        if self.ledger_lock is not None:
            self.ledger_lock.close()
        for sipp in (*(crew.sipp for crew in self.crews), *(group.sipp for group in self.groups)):
            async with sipp:
                pass

    # -- what is so

    def lives(self) -> list[notes.Life]:
        """Return every caller's call so far, by their phones."""
        found: list[notes.Life] = []
        for crew in self.crews:
            if crew.over is None and crew.sipp.over:
                crew.over = time.time()
            found += notes.lives(crew.sipp.log(), crew.sipp.errors(), over=crew.over)
        return found

    def desks(self) -> list[notes.Desks]:
        """Return every talk so far, by the agents' phones."""
        return [
            notes.desks(group.sipp.log(), group.talk_s, died=group.died, crashes=self.crashes) for group in self.groups
        ]

    async def promised(self) -> set[str]:
        """Return the numbers of callers who are owed an answer: in the ledger, or recorded by the fallback."""
        async with aiosqlite.connect(self.ledger) as ledger:
            rows = await ledger.execute_fetchall(
                "SELECT number FROM numbers JOIN files ON files.caller_ref = numbers.caller_ref"
            )
        found = {notes.plain(str(number)) for (number,) in rows}
        folder = self.house.stack.spool / "recording" / "fallback"
        return found | {notes.plain(path.stem.rpartition("-")[2]) for path in folder.glob("*.wav")}

    async def look(self) -> Dump | None:
        """Return what the queue holds; None where it cannot be asked, or has nothing yet."""
        queue = self.house.queue
        try:
            epoch = await self.redis.hget(queue.keys.name("site"), "epoch")
            if epoch is None:
                return None
            queue.epoch = Epoch(str(epoch))
            return await queue.dump()
        except (RedisError, QueueError, OSError):
            return None

    async def discrepancies(self) -> set[str]:
        """Return what Redis and Asterisk do not agree on now, as sentences."""
        held = await self.look()
        listing = await self.house.stack.asterisk_cli("core show channels concise")
        rows = [line.split("!") for line in listing.splitlines() if "!" in line]
        bridges = await self.house.stack.asterisk_cli("bridge show all")
        if held is None:
            return {"Redis does not answer, or holds nothing"}
        return disagreements(held, rows, bridges, self.house.stack.app)

    async def never_in_fallback(self) -> list[str]:
        """Return the callers who have been in our application for a minute without having met the fallback."""
        listing = await self.house.stack.asterisk_cli("core show channels concise")
        found = []
        for row in (line.split("!") for line in listing.splitlines() if "!" in line):
            app, seconds, bridge, name = row[5], int(row[11] or 0), row[12], row[0]
            if app == "Stasis" and seconds > 60 and bridge in {"", "(None)"} and "/trunk" in name:  # noqa: PLR2004 - a minute
                shown = await self.house.stack.asterisk_cli(f"core show channel {name}")
                if "IVR_NEXT=begin" in shown:
                    found.append(row[13])
        return found

    def keep(self, folder: Path) -> None:
        """Copy all logs, notes and the ledger so far into a folder, for whoever asks why."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.house.stack.logs, folder)
        for part in self.ledger.parent.glob(f"{self.ledger.name}*"):
            shutil.copy(part, folder)
        sipps = {f"callers-{n}": crew.sipp for n, crew in enumerate(self.crews)}
        sipps |= {f"agents-{n}": group.sipp for n, group in enumerate(self.groups)}
        for name, sipp in sipps.items():
            text = "\n".join((*sipp.log(), *sipp.errors()))
            (folder / f"{name}.notes").write_text(text + "\n", encoding="utf-8")

    # -- ears

    async def _listen(self, opening: contextlib.AsyncExitStack) -> None:
        argv = ["tcpdump", "-i", "lo", "-n", "-s", "0", "-U", "-B", "32768", "-Z", "root", "-w", "-"]
        argv.append(f"udp and host {TRUNK} and (dst host {TRUNK} or port {self.house.stack.sip_port})")
        process = await asyncio.create_subprocess_exec(
            *self.root.command(argv, privileged=True),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )

        async def hear() -> None:
            assert process.stdout is not None  # noqa: S101 - asked for above
            capture = Capture()
            while piece := await process.stdout.read(262_144):
                for packet in capture.feed(piece):
                    self.ears.hear(packet)

        hearing = asyncio.create_task(hear(), name="ears")

        async def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            await hearing

        opening.push_async_callback(end)

    async def left(self) -> dict[str, int]:
        """Return what is there of everything that a call makes; all 0 when nobody calls."""
        held = await self.look()
        counts = {"channels": len(await self.house.channels()), "bridges": len(await self.house.bridges())}
        if held is None:
            return {**counts, "unknown": 1}
        waiting = sum(map(len, held.waiting.values()))
        kept = {"calls": len(held.calls), "offers": len(held.offers), "talks": len(held.talks)}
        return {**counts, "waiting": waiting, **kept}
