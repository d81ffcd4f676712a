"""A connection that answers and is told nothing is found out, and made anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ivr.ari import AriClient, AriDeaf, Connected, Disconnected
from ivr.ari.hearing import Hearing
from ivr.ari.wire import Message
from tests.ari.conftest import APP, Heard, make
from tests.ari.fake import LOSE, FakeAri, refuse
from tests.ari.test_connection import channel

if TYPE_CHECKING:
    from tests.ari.fake import Say

pytestmark = pytest.mark.unit
BRIDGE = f"bridges/hearing.{APP}"


async def test_deaf_from_the_start_it_never_says_connected(fake: FakeAri, heard: Heard, transport: str) -> None:
    fake.deaf = True
    opened: list[int] = []

    async def resync(client: AriClient) -> None:
        opened.append(fake.connections)

    async with make(fake, heard, transport, hearing_ms=5, on_connect=resync) as client:
        await heard.until(lambda: len(heard.states) == 3)
        assert not client.connected
        assert all(isinstance(state, Disconnected) for state in heard.states)
        said = [getattr(state, "reason", "").rpartition(": ")[2] for state in heard.states]
        # On a machine that stands still for 5 ms, even the answer can be late.
        assert [text.replace("answer", "event") for text in said] == [f"no event in {ms} ms" for ms in (5, 10, 20)]
        assert client.stats.deaf == 3
        assert not opened
        fake.deaf = False
        await client.wait_connected()
        assert len(opened) == 1
        await fake.emit(APP, "StasisStart", channel=channel("c1"), args=["caller"])
        await heard.until(lambda: heard.events)


async def test_not_even_answered_it_opens_anew_and_waits_longer_each_time(fake: FakeAri, heard: Heard) -> None:
    fake.on("PUT", "applications/.*/eventFilter", LOSE, times=5)
    async with make(fake, heard, hearing_ms=20) as client:
        await client.wait_connected()
        assert client.stats.deaf == 5
    said = [getattr(state, "reason", "").rpartition(": ")[2] for state in heard.states[:-1]]
    assert said == [f"no answer in {ms} ms" for ms in (20, 40, 80, 160, 160)]


async def test_gone_deaf_later_it_is_found_out_in_a_silence(fake: FakeAri, heard: Heard, transport: str) -> None:
    async with make(fake, heard, transport, hearing_ms=5, silence_ms=5) as client:
        await client.wait_connected()
        fake.deaf = True
        await heard.until(lambda: heard.states[-1] != Connected(1))
        fake.deaf = False
        await heard.until(lambda: Connected(2) in heard.states)
        assert client.stats.deaf >= 1


async def test_a_silence_that_hears_changes_nothing(fake: FakeAri, heard: Heard) -> None:
    async with make(fake, heard, silence_ms=1) as client:
        await fake.until(lambda: fake.paths("").count(BRIDGE) == 0 and len(fake.asked) > 12)
        assert client.connected
        assert fake.connections == 1
        assert heard.events == []  # the proofs are nobody else's business
        assert not client.stats.ignored


async def test_while_events_come_none_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps = 0
    proofs: list[int] = []

    async def sleep(_seconds: float) -> None:
        nonlocal sleeps
        sleeps += 1
        if sleeps <= 3:
            hearing.note(Message(type="StasisEnd"))

    async def prove() -> None:
        proofs.append(sleeps)
        raise AriDeaf(APP, "event", 1)

    hearing = Hearing(APP, None, None, 1)  # type: ignore[arg-type]
    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(hearing, "prove", prove)
    with pytest.raises(AriDeaf):
        await hearing.stay_sure(1)
    assert proofs == [4]


@pytest.mark.parametrize(
    ("method", "path", "fault"),
    [
        ("POST", BRIDGE, refuse(500, "no memory")),
        ("POST", f"applications/{APP}/subscription", refuse(404, "no such bridge")),
        ("DELETE", BRIDGE, LOSE),
    ],
)
async def test_a_proof_that_cannot_be_had_is_a_failed_connection(
    fake: FakeAri, heard: Heard, method: str, path: str, fault: Say
) -> None:
    fake.on(method, path, fault, times=3)
    async with make(fake, heard, timeout_ms=50) as client:
        await client.wait_connected()
    assert isinstance(heard.states[0], Disconnected)
    assert heard.states[-1] == Connected(1)
    assert client.stats.deaf == 0


async def test_what_another_connection_left_or_took_is_no_trouble(fake: FakeAri, heard: Heard) -> None:
    fake.on("POST", BRIDGE, refuse(409, "exists"), times=1)
    fake.on("DELETE", BRIDGE, refuse(404, "gone"), times=2)
    async with make(fake, heard) as client:
        await client.wait_connected()
    assert heard.states == [Connected(1)]


async def test_cut_while_it_listens_for_the_proof(fake: FakeAri, heard: Heard) -> None:
    fake.deaf = True
    async with make(fake, heard, hearing_ms=60_000) as client:
        await fake.until(lambda: any(asked.method == "DELETE" for asked in fake.asked))
        fake.deaf = False
        fake.cut(APP)
        async with asyncio.timeout(5):
            await client.wait_connected()
