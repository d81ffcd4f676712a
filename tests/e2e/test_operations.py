"""What whoever runs the switchboard does to it: `ivr doctor`, `ivr drain`, a restart of Asterisk, a stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from ivr.core.plan import AgentId
from ivr.lab.house import House
from ivr.lab.moments import NotEstablished
from ivr.lab.scenes import SOON_S, SceneFailed, two_way, until, within
from ivr.plan import load_or_raise
from ivr.stack.errors import ConsoleError
from tests.e2e.conftest import PLAN
from tests.e2e.trial import QUALIFY_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ivr.lab.phones import PhoneCall

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

AGENT: Final = "camille-laborde"
DOCTOR_S: Final = 60.0
RESTART_S: Final = 30.0
OF_THIS_MACHINE: Final = frozenset({"clock", "disk"})
"""May be worth a word here, whatever we do."""


class Systemd:
    """Where the worker tells how it is: what it told, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self) -> None:
        self.told += self._socket.recv(4096).decode().split("\n")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    async def hears(self, line: str) -> None:
        async def heard() -> bool:
            return line in self.told

        await until(SOON_S, f"systemd hears {line}", heard)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def systemd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Systemd]:
    there = Systemd(tmp_path_factory.mktemp("systemd") / "notify")
    yield there
    there.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    spoken_prompts: Path, systemd: Systemd, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    prompts = tmp_path_factory.mktemp("operations") / "prompts"
    await asyncio.to_thread(shutil.copytree, spoken_prompts, prompts)
    env = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "2000000"}
    async with House(load_or_raise(PLAN)[0], PLAN, prompts, env) as found:
        await found.agent(AGENT)
        yield found


class Command:
    """`ivr` as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    @classmethod
    async def start(cls, house: House, *args: str) -> Command:
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ivr", *args),
                env={**os.environ, **house.env, "COLUMNS": "400"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        )

    async def says(self, words: str) -> None:
        assert self.process.stdout is not None
        while words not in self.said:
            line = await asyncio.wait_for(self.process.stdout.readline(), DOCTOR_S)
            assert line, self.said
            self.said += line.decode()

    async def ends(self) -> int:
        assert self.process.stdout is not None
        self.said += (await asyncio.wait_for(self.process.stdout.read(), DOCTOR_S)).decode()
        return await self.process.wait()


async def doctor(house: House, *args: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, and what is not well, but for what this machine is by itself."""
    command = await Command.start(house, "doctor", "--json", "--prompts", str(house.prompts_dir), *args)
    status = await command.ends()
    report = json.loads(command.said)
    assert report["ok"] == (status == 0)
    assert {"plan", "versions", "ari", "modules", "rtp", "redis", "emergency", "ledger", "secrets", "prompts"} <= {
        finding["section"] for finding in report["findings"]
    }
    return status, [
        finding
        for finding in report["findings"]
        if finding["level"] == "fault" or (finding["level"] == "warning" and finding["section"] not in OF_THIS_MACHINE)
    ]


async def parts(house: House) -> tuple[int, dict[str, bool]]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{house.env['IVR_HTTP_BIND']}/readyz") as reply,
    ):
        return reply.status, await reply.json()


async def talk(house: House, number: str) -> tuple[PhoneCall, PhoneCall]:
    """A caller and an agent who hear each other."""

    states = [""]

    async def free() -> bool:
        states.append((await house.state()).agents[AgentId(AGENT)].state)
        return states[-1] == "idle"

    try:
        await until(QUALIFY_S + SOON_S, "the agent is free", free)
    except SceneFailed as failed:
        raise SceneFailed(f"{failed}; the agent is {states[-1]}") from None
    call = await house.call(number)
    await within(SOON_S, "the call is answered", call.established)
    (phone,) = house.agents.values()
    await call.digits("0")
    ringing = await within(10.0, "the agent rings", phone.next_call())
    await ringing.answer()
    await within(SOON_S, "the agent answers", ringing.established)
    await two_way(call, ringing)
    return call, ringing


async def refused(house: House, number: str) -> str:
    """Why a new call is refused."""
    call = await house.call(number)
    with pytest.raises(NotEstablished) as caught:
        await within(SOON_S, "a refusal", call.established)
    return caught.value.reason


async def answered(house: House, number: str) -> None:
    call = await house.call(number)
    await within(SOON_S, "the call is answered", call.established)
    await call.hangup()
    await within(SOON_S, "the call ends", call.closed)


async def empty(house: House) -> None:
    async def gone() -> bool:
        return not await house.channels()

    await until(SOON_S, "no channel is left", gone)


async def open_again(house: House, seconds: float) -> None:
    async def ready() -> bool:
        return (await parts(house))[0] == 200

    await until(seconds, "the worker is ready", ready)


async def test_a_sound_installation_is_well_to_the_ear(house: House) -> None:
    status, ill = await doctor(house, "--call")
    assert ill == []
    assert status == 0
    await empty(house)


async def test_each_fault_is_found_with_a_cure_that_cures(house: House) -> None:
    redis = Redis.from_url(house.stack.redis_url)
    secrets = house.stack.state_dir / "secrets.json"
    prompt = house.prompts_dir / house.plan.language / f"{house.plan.menus[house.plan.root].prompt}.alaw"
    kept = prompt.read_bytes()
    try:
        assert "Unloaded" in await house.stack.asterisk_cli("module unload app_playtones.so")
        secrets.chmod(0o644)
        prompt.unlink()
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        status, ill = await doctor(house)
        assert status == 1
        assert [finding["level"] for finding in ill] == ["fault"] * 4
        cures = {finding["section"]: finding["cure"] for finding in ill}
        assert set(cures) == {"modules", "secrets", "prompts", "redis"}
        assert cures["prompts"] == "ivr prompts build"

        prompt.write_bytes(kept)
        assert cures["secrets"] == f"chmod 0600 {secrets}"
        secrets.chmod(int(cures["secrets"].split()[1], 8))
        asked = shlex.split(cures["modules"])
        assert asked[:2] == ["asterisk", "-rx"]
        assert "Loaded" in await house.stack.asterisk_cli(asked[2])
        line = shlex.split(cures["redis"])
        assert line[:3] == ["redis-cli", "-s", house.stack.redis_url.removeprefix("unix://")]
        await redis.execute_command(*line[3:])  # type: ignore[no-untyped-call]
        assert await doctor(house) == (0, [])
    finally:
        prompt.write_bytes(kept)
        await redis.aclose()


async def test_a_drain_lets_old_calls_end_and_refuses_new_ones(house: House) -> None:
    call, _ = await talk(house, "+33639980011")
    drain = await Command.start(house, "drain", "--for", "1 min")
    await drain.says("encore 1 appel")
    assert await parts(house) == (503, {"asterisk": True, "plan": True, "open": False})
    assert "503" in await refused(house, "+33639980012")
    status, ill = await doctor(house)
    assert [(finding["section"], finding["cure"]) for finding in ill] == [("ari", "ivr drain --off")]
    assert status == 0
    assert not call.closed.happened
    await call.hangup()
    assert await drain.ends() == 0, drain.said
    assert "core restart gracefully" in drain.said
    assert "503" in await refused(house, "+33639980012")

    off = await Command.start(house, "drain", "--off")
    assert await off.ends() == 0, off.said
    assert (await parts(house))[0] == 200
    await answered(house, "+33639980013")
    await empty(house)


async def test_asterisk_restarts_once_the_last_talk_has_ended_and_takes_calls_again(house: House) -> None:
    call, ringing = await talk(house, "+33639980014")
    drain = await Command.start(house, "drain", "--for", "1 s")
    assert await drain.ends() == 1, drain.said
    assert "Il reste 1 appel" in drain.said
    began = await house.stack.asterisk_cli("core show uptime seconds")
    pid = house.stack.asterisk.pid
    restarting = asyncio.create_task(house.stack.asterisk_cli("core restart gracefully"))
    assert "503" in await refused(house, "+33639980015")
    await two_way(call, ringing)
    await call.hangup()
    await within(SOON_S, "the agent's line ends", ringing.closed)
    with contextlib.suppress(ConsoleError):
        await restarting

    async def again() -> bool:
        with contextlib.suppress(ConsoleError):
            return uptime(await house.stack.asterisk_cli("core show uptime seconds")) < uptime(began)
        return False

    await until(RESTART_S, "Asterisk begins again", again)
    assert house.stack.asterisk.pid == pid
    await house.stack.asterisk_cli("core waitfullybooted")
    await open_again(house, RESTART_S)
    assert "IVR_DRAIN" not in await house.stack.asterisk_cli("dialplan show globals")
    await answered(house, "+33639980016")
    await empty(house)


def uptime(said: str) -> int:
    """Seconds since Asterisk started."""
    (seconds,) = [line.partition(":")[2] for line in said.splitlines() if line.startswith("System uptime")]
    return int(seconds)


async def test_a_stop_takes_less_than_two_seconds_and_keeps_the_talk(house: House, systemd: Systemd) -> None:
    call, ringing = await talk(house, "+33639980017")
    await systemd.hears("STATUS=node a: 1 calls held")
    systemd.told.clear()
    await systemd.hears("WATCHDOG=1")
    began = time.monotonic()
    house.worker.process.terminate()
    await asyncio.wait_for(house.worker.process.wait(), SOON_S)
    assert time.monotonic() - began < 2.0
    await systemd.hears("STOPPING=1")
    assert "READY=1" not in systemd.told
    await two_way(call, ringing)
    await house.worker.start()
    await house.worker.ready()
    await systemd.hears("READY=1")
    await two_way(call, ringing)
    await call.hangup()
    await within(SOON_S, "the agent's line ends", ringing.closed)
    await empty(house)


async def test_a_stop_waits_for_no_redis_and_is_not_ready_meanwhile(house: House) -> None:
    house.stack.redis.freeze()
    try:
        began = time.monotonic()
        house.worker.process.terminate()

        async def closed() -> bool:
            status, said = await parts(house)
            return status == 503 and said["open"] is False

        await until(1.0, "/readyz tells", closed)
        await asyncio.wait_for(house.worker.process.wait(), SOON_S)
        assert time.monotonic() - began < 3.0
    finally:
        house.stack.redis.thaw()
    await house.worker.start()
    await house.worker.ready()
    await answered(house, "+33639980018")
    await empty(house)
