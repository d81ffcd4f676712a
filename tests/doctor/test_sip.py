"""One call against a switchboard of a few lines, over real sockets: answered, refused, silent, mute."""

from __future__ import annotations

import asyncio
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ivr.doctor import sip
from ivr.prompts import alaw
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.long

NUMBER = "+33536490000"


class Switchboard(asyncio.DatagramProtocol):
    """Answers every INVITE with `status`, after `deaf` of them; then a second of a tone of this amplitude."""

    def __init__(self) -> None:
        self.status = 200
        self.deaf = 0
        self.amplitude = 8_000
        self.heard: list[str] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        text = data.decode()
        method = text.split()[0]
        self.heard.append(text)
        if method == "ACK" and self.status == 200:
            self._play(text, addr)
        if method == "ACK":
            return
        if method == "INVITE" and self.deaf:
            self.deaf -= 1
            return
        if method == "INVITE":
            self._say(text, addr, 100)
        self._say(text, addr, self.status if method == "INVITE" else 200)

    def _say(self, request: str, addr: Any, status: int) -> None:
        lines = [line for line in request.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq):", line)]
        answer = "\r\n".join([f"SIP/2.0 {status} Said", *lines, "Contact: <sip:us@127.0.0.1:9>", "", ""])
        self.transport.sendto(answer.replace("To: ", "to : ").encode(), addr)

    def _play(self, ack: str, addr: Any) -> None:
        invite = next(text for text in self.heard if text.startswith("INVITE"))
        found = re.search(r"m=audio (\d+)", invite)
        assert found is not None
        tone = np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000) * self.amplitude
        codes = alaw.encode(tone.astype(np.int16)).tobytes()
        for n in range(50):
            header = struct.pack("!BBHII", 0x80, 8, n, 160 * n, 1)
            self.transport.sendto(header + codes[160 * n : 160 * (n + 1)], (addr[0], int(found[1])))


@pytest.fixture
async def switchboard(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Switchboard, Settings]]:
    monkeypatch.setattr(sip, "LISTEN_S", 0.3)
    monkeypatch.setattr(sip, "RESEND_S", 0.05)
    monkeypatch.setattr(sip, "ANSWER_S", 0.5)
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(Switchboard, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    yield made, Settings(sip_bind=f"127.0.0.1:{port}", trunk_match="192.0.2.0/24, 127.0.0.2/32")
    transport.close()


def methods(made: Switchboard) -> list[str]:
    return [text.split()[0] for text in made.heard]


async def heard(made: Switchboard, *expected: str) -> None:
    """Returns once it heard these, the last of which may still be on the way."""
    async with asyncio.timeout(2):
        while len(made.heard) < len(expected):  # noqa: ASYNC110 - the other end of a socket
            await asyncio.sleep(0.01)
    assert methods(made) == list(expected)


async def test_an_answered_call_is_heard_and_hung_up(switchboard: tuple[Switchboard, Settings]) -> None:
    made, settings = switchboard
    seen = await sip.call(settings, NUMBER)
    assert (seen.problem, seen.status, seen.address) == ("", 200, "127.0.0.2")
    assert seen.packets == 50
    assert seen.heard_db == pytest.approx(-15.3, abs=0.5)
    await heard(made, "INVITE", "ACK", "BYE")
    assert made.heard[0].startswith("INVITE sip:33536490000@127.0.0.1:")
    assert made.heard[1].startswith("ACK sip:us@127.0.0.1:9 ")


async def test_what_is_lost_is_sent_again(switchboard: tuple[Switchboard, Settings]) -> None:
    made, settings = switchboard
    made.deaf = 2
    seen = await sip.call(settings, NUMBER)
    assert seen.status == 200
    await heard(made, "INVITE", "INVITE", "INVITE", "ACK", "BYE")
    assert seen.answered_ms >= 100


async def test_a_refusal_is_acknowledged(switchboard: tuple[Switchboard, Settings]) -> None:
    made, settings = switchboard
    made.status = 503
    seen = await sip.call(settings, NUMBER)
    assert (seen.problem, seen.status) == ("refused", 503)
    await heard(made, "INVITE", "ACK")


async def test_who_rings_for_ever_is_let_go(switchboard: tuple[Switchboard, Settings]) -> None:
    made, settings = switchboard
    made.status = 180
    seen = await sip.call(settings, NUMBER)
    assert (seen.problem, seen.status) == ("silent", 180)
    await heard(made, "INVITE", "CANCEL")


async def test_nobody_there(switchboard: tuple[Switchboard, Settings]) -> None:
    made, settings = switchboard
    made.deaf = 1_000
    assert (await sip.call(settings, NUMBER)).problem == "silent"
    assert set(methods(made)) == {"INVITE"}


async def test_silence_is_told_from_sound(switchboard: tuple[Switchboard, Settings]) -> None:
    made, settings = switchboard
    made.amplitude = 0
    seen = await sip.call(settings, NUMBER)
    assert seen.packets == 50
    assert seen.heard_db < -60


async def test_no_address_of_the_trunk_is_here() -> None:
    seen = await sip.call(Settings(trunk_match="192.0.2.7/32,198.51.100.0/24"), NUMBER)
    assert (seen.problem, seen.address) == ("no address", "")


@pytest.mark.parametrize("data", [b"", b"INVITE sip:a SIP/2.0\r\n\r\n", b"\xff\xfe", b"SIP/2.0 abc\r\n\r\n"])
def test_what_is_no_response_is_none(data: bytes) -> None:
    assert sip.read(data) is None
