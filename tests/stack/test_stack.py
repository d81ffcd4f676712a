from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis

from ivr.core.plan import Agent, AgentId
from ivr.stack import paths, registry
from ivr.stack.errors import NotReadyError, PortInUseError, StackError, StateInUseError
from ivr.stack.root import Root, ensure_root
from ivr.stack.stack import Stack, StackConfig
from tests.plans import small_plan
from tests.stack.prompts import silent_prompts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="session")
def root() -> Root:
    return ensure_root()


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return silent_prompts(tmp_path / "prompts")


@pytest.fixture
def config(root: Root, prompts: Path) -> StackConfig:
    return StackConfig(plan=small_plan(), prompts_dir=prompts, root=root)


def alive(*pids: int) -> list[int]:
    return [pid for pid in pids if registry.started_at(pid)]


def end_of(pid: int) -> None:
    """Return once the process is gone (at most 5 s)."""
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        select.select([], [], [], 0.01)


def known() -> set[str]:
    """The stacks of this very process: others may run beside it."""
    return {path.name for path in (paths.runtime_dir() / "stacks").glob(f"{os.getpid()}-*.json")}


def changed(config: StackConfig, **changes: Any) -> StackConfig:
    fields = {name: getattr(config, name) for name in StackConfig.__slots__}
    return StackConfig(**{**fields, **changes})


@asynccontextmanager
async def redis_of(stack: Stack) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(stack.redis_url)
    try:
        yield client
    finally:
        await client.aclose()


async def test_a_stack_is_ready_inside_and_gone_after(config: StackConfig) -> None:
    before = known()
    started = time.monotonic()
    async with Stack(config) as stack:
        took = time.monotonic() - started
        pids = [stack.redis.pid, stack.asterisk.pid]
        state = stack.state_dir
        assert alive(*pids) == pids
        assert len(known() - before) == 1
        assert "fully booted" in await stack.asterisk_cli("core waitfullybooted")
        assert await stack.asterisk_cli("core show channels concise") == ""
        async with redis_of(stack) as redis:
            assert await redis.ping()
            assert (await redis.config_get("appendonly"))["appendonly"] == "yes"
            assert (await redis.config_get("port"))["port"] == "0"
        assert (state / "redis" / "redis.sock").stat().st_mode & 0o777 == 0o700
        assert stack.spool.is_dir()
        assert stack.errors() == []
        env = stack.env()
        assert env["IVR_ARI_URL"] == stack.ari_url
        assert env["IVR_REDIS_URL"] == f"unix://{state}/redis/redis.sock"
        assert paths.mounted_below(state) == []
    assert took < 3
    assert alive(*pids) == []
    assert not state.exists()
    assert known() == before


async def test_the_config_is_rendered_and_reloads_without_a_restart(config: StackConfig) -> None:
    async with Stack(config) as stack:
        pid = stack.asterisk.pid
        endpoints = await stack.asterisk_cli("pjsip show endpoints")
        assert all(agent.endpoint in endpoints for agent in config.plan.agents.values())
        new = Agent(AgentId("nouvelle"), "Nouvelle Arrivée", ())
        assert new.endpoint not in endpoints
        reload = await stack.apply(small_plan(agents={**config.plan.agents, new.id: new}))
        assert reload.restart == ()
        assert new.endpoint in await stack.asterisk_cli("pjsip show endpoints")
        assert stack.asterisk.pid == pid


async def test_two_stacks_side_by_side_share_nothing(config: StackConfig) -> None:
    async with Stack(config) as one, Stack(changed(config, node="b")) as two:
        ports = [(one.sip_port, one.ari_port), (two.sip_port, two.ari_port)]
        assert len({port for pair in ports for port in pair}) == 4
        assert one.options.rtp_end < two.options.rtp_start or two.options.rtp_end < one.options.rtp_start
        assert one.ari_password != two.ari_password
        async with redis_of(one) as first, redis_of(two) as second:
            await first.set("here", "1")
            assert await second.get("here") is None
        await one.kill_asterisk()
        assert "fully booted" in await two.asterisk_cli("core waitfullybooted")
        assert one.errors() == two.errors() == []


async def test_each_program_can_crash_stop_and_come_back(config: StackConfig) -> None:
    async with Stack(config) as stack:
        async with redis_of(stack) as redis:
            await redis.set("kept", "1")
        await stack.restart_redis()
        async with redis_of(stack) as redis:
            assert await redis.get("kept") == b"1"
        await stack.wipe_redis()
        async with redis_of(stack) as redis:
            assert await redis.get("kept") is None
        before = (stack.asterisk.pid, stack.sip_port)
        await stack.kill_asterisk()
        with pytest.raises(StackError, match="console cannot be reached"):
            await stack.asterisk_cli("core show version")
        await stack.start_asterisk()
        assert (stack.asterisk.pid, stack.sip_port) != before
        assert stack.sip_port == before[1]
        await stack.restart_asterisk()
        assert stack.errors() == []


async def test_a_frozen_program_is_ended_all_the_same(config: StackConfig) -> None:
    async with Stack(config) as stack:
        pids = [stack.redis.pid, stack.asterisk.pid]
        stack.redis.freeze()
        stack.asterisk.freeze()
    assert alive(*pids) == []


async def test_the_end_of_a_program_is_noticed(config: StackConfig) -> None:
    async with Stack(config) as stack:
        noticed = asyncio.create_task(stack.ended())
        await stack.restart_redis()
        assert not noticed.done()
        os.kill(stack.asterisk.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            assert await noticed == "Asterisk ended by itself with -9"


async def test_an_asterisk_that_cannot_start_says_why_and_leaves_nothing(config: StackConfig) -> None:
    states: list[Path] = []

    def spoil(folder: Path) -> None:
        states.append(folder.parent)
        (folder / "modules.conf").write_text("[modules]\nautoload=no\nrequire=no_such_module.so\n")

    before = known()
    with pytest.raises(NotReadyError, match="Asterisk ended with") as raised:
        await Stack(changed(config, amend=spoil)).__aenter__()
    assert "no_such_module" in str(raised.value)
    assert known() == before
    assert not states[0].exists()


async def test_a_start_that_is_given_up_leaves_nothing(config: StackConfig) -> None:
    before = known()
    entering: asyncio.Task[Stack] | None = None

    def give_up_soon(_folder: Path) -> None:
        assert entering is not None
        asyncio.get_running_loop().call_later(0.05, entering.cancel)

    stack = Stack(changed(config, amend=give_up_soon))
    entering = asyncio.create_task(stack.__aenter__())
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert known() == before
    assert not stack.redis.running
    assert not stack.asterisk.running
    assert not stack.state_dir.exists()


async def test_a_given_state_folder_is_kept_and_is_one_stacks(config: StackConfig, tmp_path: Path) -> None:
    own = changed(config, state_dir=tmp_path / "state")
    async with Stack(own) as stack:
        password = stack.ari_password
        with pytest.raises(StateInUseError):
            await Stack(own).__aenter__()
    async with Stack(own) as stack:
        assert stack.ari_password == password


async def test_a_taken_sip_address_is_named(config: StackConfig) -> None:
    async with Stack(config) as stack:
        with pytest.raises(PortInUseError, match="SIP"):
            await Stack(changed(config, sip_bind=f"127.0.0.1:{stack.sip_port}")).__aenter__()


async def test_missing_prompts_are_named(config: StackConfig, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="build the prompts first"):
        await Stack(changed(config, prompts_dir=tmp_path / "none")).__aenter__()


@contextmanager
def an_owner(prompts: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.stack.owner", str(prompts)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        try:
            assert owner.stdout is not None
            yield owner, json.loads(owner.stdout.readline())
        finally:
            owner.kill()


def test_ctrl_c_of_the_owner_leaves_nothing(root: Root, prompts: Path) -> None:
    with an_owner(prompts) as (owner, told):
        owner.send_signal(signal.SIGINT)
        assert owner.wait(20) == 130
    assert alive(*told["pids"]) == []
    assert not Path(told["state"]).exists()


async def test_kill_9_of_the_owner_ends_all_and_the_next_start_cleans_up(config: StackConfig, prompts: Path) -> None:
    with an_owner(prompts) as (owner, told):
        assert alive(*told["pids"]) == told["pids"]
        owner.kill()
    for pid in told["pids"]:
        end_of(pid)
    assert alive(*told["pids"]) == []
    assert paths.mounted_below(Path(told["state"])) == []
    async with Stack(config):
        assert not Path(told["state"]).exists()
