"""A primary dies with what its replica has not heard of; Sentinel names the replica, which a worker goes on with."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ivr.core.plan import AgentId
from ivr.queueing.connect import RedisAddressError, connect
from ivr.stack.root import ensure_root
from tests.telephony.conftest import Shaky, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ivr.core.plan import Plan
    from tests.telephony.conftest import Hall

QUIET = ("--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--repl-ping-replica-period", "1")
WATCH = """\
port {port}
bind 127.0.0.1
sentinel monitor mairie 127.0.0.1 {primary} 1
sentinel down-after-milliseconds mairie 700
sentinel failover-timeout mairie 3000
"""


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Trio:
    """A primary, its replica and a Sentinel that watches them."""

    def __init__(self, folder: Path) -> None:
        self._root = ensure_root()
        self._folder = folder
        self.primary_port, self.replica_port, self.sentinel_port = free_ports(3)
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel_port}/mairie"
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.primary = self._run("redis-server", "--port", str(self.primary_port), *QUIET)
        replica_of = ("--replicaof", f"127.0.0.1 {self.primary_port}")
        self.replica = self._run("redis-server", "--port", str(self.replica_port), *replica_of, *QUIET)
        (self._folder / "watch.conf").write_text(WATCH.format(port=self.sentinel_port, primary=self.primary_port))
        self._run("redis-server", "/run/trio/watch.conf", "--sentinel")

    def _run(self, *argv: str) -> int:
        """The pid of what watches the program."""
        command = self._root.command([*argv], binds={self._folder: "/run/trio"})
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._running.append(process)
        return process.pid

    def stop(self) -> None:
        for process in self._running:
            process.terminate()
            process.wait(10)


def _info(port: int, section: str) -> dict[str, str | int]:
    with SyncRedis(port=port, socket_timeout=1) as client:
        found: dict[str, str | int] = client.info(section)
        return found


async def until(holds: object, what: str) -> None:
    assert callable(holds)
    async with asyncio.timeout(20):
        while True:
            try:
                if holds():
                    return
            except RedisError:
                pass
            await asyncio.sleep(0.02)
    pytest.fail(what)


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Trio]:
    trio = Trio(tmp_path)
    trio.start()
    try:
        await until(lambda: _info(trio.replica_port, "replication")["master_link_status"] == "up", "replication")
        await until(lambda: _info(trio.sentinel_port, "sentinel")["master0"]["slaves"] == 1, "Sentinel knows both")  # type: ignore[index]
        yield trio
    finally:
        trio.stop()


def _program(pid: int) -> int:
    """The innermost child of what watches a program: the program itself, as this machine sees it."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


@pytest.fixture
async def failing(trio: Trio, redis_url: str, plan: Plan, tmp_path: Path, quick_lease: None) -> AsyncIterator[Hall]:
    shared = connect(trio.url)
    async with Redis.from_url(redis_url, db=2) as other:
        async with serving(Shaky(shared), plan, tmp_path, Shaky(other)) as hall:
            yield hall
        await shared.aclose()


@pytest.mark.redis
@pytest.mark.timeout(60)
async def test_a_failover_that_loses_acknowledged_writes_loses_no_call(trio: Trio, failing: Hall) -> None:
    hall = failing
    await hall.agent("alice")
    talking = await hall.waits()
    leg = await hall.rings(talking)
    waiting = await hall.waits()
    await until(lambda: _acked(trio), "the replica has everything so far")
    with _frozen(_program(trio.replica)):
        hall.switch.answers(leg)
        await hall.until(lambda: hall.state_of(talking, "talking"))
        late = await hall.waits()
        await hall.until(lambda: hall.state_of(late, "waiting"))
        arrivals = {name: (await hall.dump()).calls[name].arrival for name in (talking, waiting, late)}  # type: ignore[index]
        os.kill(_program(trio.primary), signal.SIGKILL)
    await hall.until(lambda: hall.queue.home == "emergency", "the node's own Redis has the calls")
    assert hall.switch.talks(talking)
    new = await hall.waits()
    await hall.until(lambda: _promoted(trio), "the replica is the primary")
    await hall.until(lambda: hall.queue.home == "shared", "the state is home again")
    await hall.until(lambda: hall.state_of(new, "waiting"))
    after = await hall.dump()
    assert {name: after.calls[name].arrival for name in arrivals} == arrivals  # type: ignore[index]
    assert after.agents[AgentId("alice")].call == talking
    assert next(iter(after.waiting.values())) == (waiting, late, new)
    assert hall.switch.talks(talking)
    for name in (talking, waiting, late, new):
        hall.switch.ends(name)
    await hall.nothing_left()


def _acked(trio: Trio) -> bool:
    found = _info(trio.primary_port, "replication")
    return found["slave0"]["offset"] == found["master_repl_offset"]  # type: ignore[index]


def _promoted(trio: Trio) -> bool:
    return _info(trio.replica_port, "replication")["role"] == "master"


class _frozen:  # noqa: N801 - reads as what it does
    """The processes of a program stand still inside."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_exc: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


@pytest.mark.unit
@pytest.mark.parametrize("url", ["redis+sentinel://", "redis+sentinel://one", "redis+sentinel://one:x/mairie"])
def test_an_address_by_sentinel_that_names_nothing_says_how_one_reads(url: str) -> None:
    with pytest.raises(RedisAddressError, match="host:port"):
        connect(url)
