"""A private Asterisk that runs what was rendered, with tones for prompts, and nothing else around it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from ivr.provision.render import RenderOptions, reload_of, render
from ivr.provision.secrets import Secrets
from ivr.stack.ports import take
from ivr.stack.root import Root, ensure_root
from tests.provision.plans import FALLBACK, KEPT, MESSAGE, small_plan
from tests.provision.tones import tone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ivr.core.plan import Plan

HOME: Final = "/srv/ivr"
TRUNK: Final = "127.0.0.2"
PROMPTS: Final = {700: FALLBACK, 1300: MESSAGE, 1700: KEPT, 2100: "menu"}
SOUNDS: Final = {**PROMPTS, 2500: "music", 1000: "beep", 440: "ringing"}
_ALARM: Final = re.compile(r"\] (ERROR|WARNING)\[")
LIMIT_S: Final = 40.0


@cache
def _root() -> Root:
    return ensure_root()


@dataclass(slots=True)
class Instance:
    """One running Asterisk. `expected` are log lines that the test provokes (regular expressions)."""

    home: Path
    plan: Plan
    secrets: Secrets
    options: RenderOptions
    expected: list[str] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        return self.options.sip_host, self.options.sip_port

    def command(self, *argv: str) -> list[str]:
        return _root().command(argv, binds={self.home: HOME})

    async def cli(self, command: str) -> str:
        """Return what `asterisk -rx` prints."""
        process = await asyncio.create_subprocess_exec(
            *self.command("asterisk", "-C", f"{HOME}/etc/asterisk.conf", "-rx", command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        return printed.decode() if process.returncode == 0 else ""

    async def apply(self, plan: Plan) -> list[str]:
        """Render another plan and reload; return the names of the changed files."""
        changed = render(plan, self.secrets, self.options, self.home / "etc")
        reload = reload_of(changed, self.options)
        assert reload.restart == ()
        for command in reload.commands:
            await self.cli(command)
        return [path.name for path in changed]

    def log(self, name: str) -> str:
        return (self.home / "log" / name).read_text(encoding="utf-8")

    def alarms(self) -> list[str]:
        """Return the errors and warnings that no test has announced."""
        lines = [line for line in self.log("full.log").splitlines() if _ALARM.search(line)]
        return [line for line in lines if not any(re.search(known, line) for known in self.expected)]

    async def until(self, command: str, pattern: str) -> str:
        """Return a command's output once it has the pattern."""
        async with asyncio.timeout(LIMIT_S):
            while re.search(pattern, printed := await self.cli(command)) is None:
                pass
        return printed

    async def until_logged(self, name: str, pattern: str) -> None:
        async with asyncio.timeout(LIMIT_S):
            while re.search(pattern, self.log(name)) is None:
                await self.cli("core show uptime")

    def recordings(self) -> list[Path]:
        return sorted((self.home / "spool" / "recording" / "fallback").glob("*"))

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Worker]:
        """A worker that is connected and does nothing, as a frozen one."""
        base = f"http://{self.options.http_host}:{self.options.http_port}/ari"
        key = {"api_key": f"{self.options.ari_user}:{self.secrets.ari_password}"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{base}/events", params={"app": self.options.app, **key}) as socket,
        ):
            yield Worker(base, key, session, socket)


@dataclass(slots=True)
class Worker:
    """An ARI connection that takes no call by itself."""

    base: str
    key: dict[str, str]
    session: aiohttp.ClientSession
    socket: aiohttp.ClientWebSocketResponse

    async def event(self, kind: str) -> dict[str, Any]:
        """Return the next event of a type; those of others are dropped."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                event: dict[str, Any] = json.loads(await self.socket.receive_str())
                if event["type"] == kind:
                    return event

    async def until(self, kind: str) -> list[str]:
        """Return the types of the events up to the next one of a type, included."""
        seen: list[str] = []
        async with asyncio.timeout(LIMIT_S):
            while not seen or seen[-1] != kind:
                seen.append(json.loads(await self.socket.receive_str())["type"])
        return seen

    async def events(self) -> list[dict[str, Any]]:
        """Return the events that have come and were not read."""
        events: list[dict[str, Any]] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while True:
                    events.append(json.loads(await self.socket.receive_str()))
        return events

    async def delete(self, path: str) -> int:
        async with self.session.delete(f"{self.base}/{path}", params=self.key) as reply:
            return reply.status

    async def post(self, path: str, **params: str) -> int:
        async with self.session.post(f"{self.base}/{path}", params=params | self.key) as reply:
            return reply.status


@asynccontextmanager
async def instance(home: Path, plan: Plan | None = None, **options: Any) -> AsyncIterator[Instance]:
    """An Asterisk that is fully booted; at the end no channel is left and no alarm was logged."""
    plan = plan or small_plan()
    for name in ("log", "run", "db", "spool/recording", "prompts/fr", "prompts/music"):
        (home / name).mkdir(parents=True)
    for frequency, name in PROMPTS.items():
        (home / "prompts" / "fr" / f"{name}.alaw").write_bytes(tone(frequency, 0.5))
    (home / "prompts" / "music" / "hold.alaw").write_bytes(tone(2500, 20))
    ports = take("127.0.0.1", "127.0.0.1", 200)
    try:
        given = RenderOptions(
            **{
                "sip_port": ports.sip,
                "http_port": ports.http,
                "rtp_start": ports.rtp_first,
                "rtp_end": ports.rtp_last,
                **{f"{name}_dir": f"{HOME}/{name}" for name in ("etc", "log", "run", "db", "spool")},
                "sounds_dir": f"{HOME}/prompts",
                "watchdog_s": 1,
                "desk_ring_s": 1,
                "desk_music_s": 1,
                **options,
            }
        )
        found = Instance(home, plan, Secrets.load_or_create(home / "secrets.json"), given)
        render(plan, found.secrets, given, home / "etc")
        with (home / "console").open("wb") as console:
            process = await asyncio.create_subprocess_exec(
                *found.command("asterisk", "-C", f"{HOME}/etc/asterisk.conf", "-f", "-n"),
                stdout=console,
                stderr=console,
            )
        try:
            async with asyncio.timeout(LIMIT_S):
                while "fully booted" not in await found.cli("core waitfullybooted"):
                    assert process.returncode is None, (home / "console").read_text()
            yield found
            await found.until("core show channels count", r"\b0 active channels")
            assert not found.alarms(), "\n".join(found.alarms())
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
    finally:
        ports.release()


def now() -> float:
    return time.monotonic()
