"""What a trunk may send and no phone of ours does, byte by byte: odd names, no number, wrong SDP, hold, REFER."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from typing import TYPE_CHECKING, Final, Self

import pytest
import pytest_asyncio

from ivr.lab.house import House
from ivr.lab.scenes import SOON_S, until
from ivr.stack.root import ensure_root
from tests.e2e.trial import Trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from ivr.core.plan import Plan

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

TRUNK: Final = "127.0.0.2"
ALAW, G729, OPUS = "8", "18", "107\r\na=rtpmap:107 opus/48000/2"
LONG: Final = "Marie-Antoinette " * 12 + "end!"
UNACKNOWLEDGED_S: Final = 32.0
"""64 times T1 (RFC 3261 13.3.1.4): Asterisk says its 200 again for so long, then hangs up."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def odd(quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]]) -> AsyncIterator[Trial]:
    """A house of its own: Asterisk complains of what it cannot read."""
    await asyncio.to_thread(ensure_root)
    async with House(*quick_plan, tones[0], {"IVR_WRAP_MS": "0"}) as house, Trial(house, tones[1]) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def trial(odd: Trial) -> AsyncIterator[Trial]:
    """The house, with nobody in it; after the test nothing of it may be left."""
    yield odd
    await odd.everybody_leaves()
    await odd.nothing_left()


class _Socket(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self.messages.put_nowait(data)


class OddCaller:
    """One dialog of the trunk's, message by message; it answers nothing by itself."""

    def __init__(self, trial: Trial, sender: bytes, *, codec: str = ALAW) -> None:
        host, _, port = trial.house.registrar.partition(":")
        self._target = (host, int(port))
        self._number = trial.house.plan.numbers[0].replace("+33", "0")
        self._sender, self._codec = sender, codec
        self._id = secrets.token_hex(6)
        self._sequence = 0
        self._to = ""
        self._contact = f"sip:{self._number}@{trial.house.registrar}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, self._socket = await loop.create_datagram_endpoint(_Socket, local_addr=(TRUNK, 0))
        self._port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._transport.close()

    def _send(
        self, method: str, sequence: int, body: str = "", headers: Mapping[str, str] | None = None, of: str = ""
    ) -> None:
        """`of` is the request whose transaction it belongs to, where it is not its own."""
        lines = [
            f"{method} {self._contact} SIP/2.0",
            f"Via: SIP/2.0/UDP {TRUNK}:{self._port};rport;branch=z9hG4bK{self._id}{of or method}{sequence}",
            f"To: <sip:{self._number}@{self._target[0]}>{self._to}",
            f"Call-ID: odd-{self._id}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:trunk@{TRUNK}:{self._port}>",
            "Max-Forwards: 70",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        head = "\r\n".join(lines).encode() + b"\r\nFrom: " + self._sender + f";tag={self._id}\r\n".encode()
        self._transport.sendto(head + b"\r\n" + body.encode(), self._target)

    def _sdp(self, way: str) -> str:
        lines = ("v=0", "o=x 1 1 IN IP4 " + TRUNK, "s=-", "c=IN IP4 " + TRUNK, "t=0 0")
        return "\r\n".join((*lines, f"m=audio {self._port + 1} RTP/AVP {self._codec}", f"a={way}")) + "\r\n"

    async def _final(self, sequence: int) -> tuple[int, str]:
        """The final response to a request, and its text."""
        async with asyncio.timeout(SOON_S):
            while True:
                text = (await self._socket.messages.get()).decode(errors="replace")
                found = re.match(r"SIP/2.0 ([2-6]\d\d)", text)
                if found and re.search(rf"^CSeq: {sequence} ", text, re.MULTILINE):
                    return int(found[1]), text

    async def ask(
        self, method: str, body: str = "", headers: Mapping[str, str] | None = None, *, acknowledged: bool = True
    ) -> int:
        """Send a request and return its final status; an INVITE is acknowledged, unless told otherwise."""
        self._sequence += 1
        sequence = self._sequence
        self._send(method, sequence, body, headers)
        status, text = await self._final(sequence)
        if tag := re.search(r"^To:.*(;tag=[^\s;]+)", text, re.MULTILINE):
            self._to = tag[1]
        if status == 200 and (contact := re.search(r"^Contact: <([^>]+)>", text, re.MULTILINE)):
            self._contact = contact[1]
        if method == "INVITE" and acknowledged:
            self._send("ACK", sequence, of="" if status == 200 else "INVITE")  # RFC 3261 17.1.1.3
        return status

    async def goodbye(self, seconds: float) -> None:
        """Returns once the other end has hung up, which is answered."""
        async with asyncio.timeout(seconds):
            while not (message := (await self._socket.messages.get()).decode(errors="replace")).startswith("BYE "):
                pass
        kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq): .*?(?=\r\n)", message, re.MULTILINE | re.IGNORECASE)
        lines = ("SIP/2.0 200 OK", *kept, "Content-Length: 0", "", "")
        self._transport.sendto("\r\n".join(lines).encode(), self._target)

    async def invite(self, way: str = "sendrecv", *, acknowledged: bool = True) -> int:
        """Call, or say something else of the audio of the call."""
        return await self.ask("INVITE", self._sdp(way), acknowledged=acknowledged)


async def calls(trial: Trial) -> int:
    return len((await trial.state()).calls)


async def is_served(trial: Trial) -> None:
    async def held() -> bool:
        return await calls(trial) == 1

    await until(SOON_S, "the call is the switchboard's", held)


@pytest.mark.parametrize(
    "sender",
    [
        f"<sip:{TRUNK}>".encode(),
        b'"Anonymous" <sip:anonymous@anonymous.invalid>',
        f'"{LONG}" <sip:0639980001@{TRUNK}>'.encode(),
        f'"Zoé Œuvrard-Nuñez 市役所 🏛" <sip:0639980001@{TRUNK}>'.encode(),
        f"<sip:{'9' * 200}@{TRUNK}>".encode(),
        b'"x\\"; DROP \\\\ ${EVAL(1)} |,!" <sip:%2b33639980001@127.0.0.2>',
    ],
    ids=["no number", "anonymous", "200 characters", "UTF-8", "200 digits", "punctuation"],
)
async def test_an_odd_name_is_served_like_any_other(trial: Trial, sender: bytes) -> None:
    async with OddCaller(trial, sender) as caller:
        assert await caller.invite() == 200
        await is_served(trial)
        assert await caller.ask("BYE") == 200


@pytest.mark.parametrize("control", [b"\x01", b"\x07\x1b[31m", b"\x7f", b"\x00"], ids=["1", "escape", "127", "0"])
async def test_control_characters_in_the_name_are_served_or_refused_and_leave_nothing(
    trial: Trial, control: bytes
) -> None:
    async with OddCaller(trial, b'"Mar' + control + b'ie" <sip:0639980001@127.0.0.2>') as caller:
        status = 0
        with contextlib.suppress(TimeoutError):  # what cannot be read may be passed over
            status = await caller.invite()
        assert status in {0, 200, 400}
        if status == 200:
            await is_served(trial)
            assert await caller.ask("BYE") == 200
    await trial.nothing_left()


@pytest.mark.parametrize("codec", [G729, OPUS], ids=["G.729", "Opus"])
async def test_audio_that_we_do_not_speak_is_refused(trial: Trial, codec: str) -> None:
    async with OddCaller(trial, b"<sip:0639980001@127.0.0.2>", codec=codec) as caller:
        assert await caller.invite() == 488
        await trial.nothing_left()


async def test_the_trunk_puts_a_caller_on_hold_and_takes_them_back(trial: Trial) -> None:
    async with OddCaller(trial, b"<sip:0639980001@127.0.0.2>") as caller:
        assert await caller.invite() == 200
        await is_served(trial)
        assert [await caller.invite(way) for way in ("sendonly", "sendrecv", "inactive", "sendrecv")] == [200] * 4
        assert await calls(trial) == 1
        assert await caller.ask("BYE") == 200


async def test_the_trunk_cannot_move_a_call_elsewhere(trial: Trial) -> None:
    async with OddCaller(trial, b"<sip:0639980001@127.0.0.2>") as caller:
        assert await caller.invite() == 200
        await is_served(trial)
        refused = await caller.ask("REFER", headers={"Refer-To": "<sip:0999999999@192.0.2.1>"})
        assert 400 <= refused < 700
        assert await calls(trial) == 1
        assert await caller.ask("BYE") == 200


@pytest.mark.timeout(90)
async def test_a_call_whose_answer_is_never_acknowledged_ends_and_leaves_nothing(trial: Trial) -> None:
    async with OddCaller(trial, b"<sip:0639980001@127.0.0.2>") as caller:
        assert await caller.invite(acknowledged=False) == 200
        await is_served(trial)
        await caller.goodbye(UNACKNOWLEDGED_S + SOON_S)
        await trial.nothing_left()
