"""What systemd hears, over a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from ivr.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.unit
LIMIT_S = 5.0


class Systemd:
    """The other end; `next` is the next datagram's assignments."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    async def next(self) -> list[str]:
        async with asyncio.timeout(LIMIT_S):
            heard = await asyncio.get_running_loop().sock_recv(self.socket, 4096)
        return heard.decode().split("\n")


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Systemd, str]]:
    path = str(tmp_path / "notify") if request.param == "file" else f"@ivr-test-{os.getpid()}"
    there = Systemd(f"\0{path[1:]}" if path.startswith("@") else path)
    yield there, path
    there.socket.close()


async def test_ready_once_when_connected_and_alive_all_along(systemd: tuple[Systemd, str]) -> None:
    there, path = systemd
    how = [(False, "waiting")]
    notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": str(os.getpid())})
    assert notifier.watchdog_s == pytest.approx(0.04)
    telling = asyncio.create_task(notifier.run(lambda: how[-1]))
    try:
        assert await there.next() == ["WATCHDOG=1", "STATUS=waiting"]
        assert await there.next() == ["WATCHDOG=1"]
        how.append((True, "3 calls"))
        heard: list[str] = []
        while "READY=1" not in heard:
            heard = await there.next()
        assert heard == ["WATCHDOG=1", "READY=1", "STATUS=3 calls"]
        how.append((False, "waiting"))
        while "STATUS=waiting" not in heard:
            heard = await there.next()
        how.append((True, "3 calls"))
        while "STATUS=3 calls" not in heard:
            heard = await there.next()
            assert "READY=1" not in heard
    finally:
        telling.cancel()
        await asyncio.wait({telling})


async def test_the_watchdog_is_fed_twice_in_its_time(systemd: tuple[Systemd, str]) -> None:
    there, path = systemd
    notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
    loop = asyncio.get_running_loop()
    telling = asyncio.create_task(notifier.run(lambda: (True, "")))
    try:
        await there.next()
        began = loop.time()
        await there.next()
        assert 0.15 < loop.time() - began < 0.4
    finally:
        telling.cancel()
        await asyncio.wait({telling})


async def test_the_end_is_told(systemd: tuple[Systemd, str]) -> None:
    there, path = systemd
    Notifier({"NOTIFY_SOCKET": path}).tell("STOPPING=1", "STATUS=stopping")
    assert await there.next() == ["STOPPING=1", "STATUS=stopping"]


async def test_without_systemd_nothing_is_told_and_nothing_runs() -> None:
    notifier = Notifier({})
    notifier.tell("READY=1")
    async with asyncio.timeout(LIMIT_S):
        await notifier.run(lambda: (True, "here"))


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    assert Notifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_s == 0


def test_who_does_not_listen_is_complained_of_once(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    with capture_logs() as logs:
        notifier.tell("READY=1")
        notifier.tell("READY=1")
    assert [line["log_level"] for line in logs] == ["warning"]
