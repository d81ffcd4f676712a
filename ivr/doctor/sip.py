"""One call as the trunk makes it: INVITE, ACK, some seconds of RTP (alaw), BYE. SIP over UDP (RFC 3261), no more.

A phone for one call, so that an installation needs none of the programs that tests have. It sends no audio: the
answer and what comes are all that is judged.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
import socket
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ivr.doctor import facts
from ivr.prompts import alaw
from ivr.prompts.sound import FLOOR_DB, decibels

if TYPE_CHECKING:
    from ivr.settings import Settings

    Address = tuple[str, int]

ANSWER_S: Final = 8.0
LISTEN_S: Final = 2.0
RESEND_S: Final = 0.5
BYE_S: Final = 1.0
_RTP_HEADER: Final = 12
_ALAW: Final = 8
_TENTH: Final = 800
_OK: Final = 200
_FINAL: Final = 200
_REFUSED: Final = 300


async def call(settings: Settings, number: str) -> facts.Call:
    """Call the site's number from the trunk's own address, if that is this machine's; bounded in time."""
    host, _, port = settings.sip_bind.rpartition(":")
    server = ("127.0.0.1" if ipaddress.ip_address(host).is_unspecified else host, int(port))
    shown = f"{server[0]}:{server[1]}"
    bound = own_address(settings.trunk_match)
    if bound is None:
        return facts.Call(number, "", shown, "no address")
    return await _Phone(bound, server, number.removeprefix("+")).call(facts.Call(number, bound, shown))


def own_address(trunk_match: str) -> str | None:
    """Return an address that the trunk calls from and that this machine has; None when it has none."""
    for part in filter(None, (piece.strip() for piece in trunk_match.split(","))):
        network = ipaddress.ip_network(part, strict=False)
        address = str(next(iter(network.hosts()), network.network_address))
        family = socket.AF_INET6 if network.version != 4 else socket.AF_INET  # noqa: PLR2004 - IPv4
        with socket.socket(family, socket.SOCK_DGRAM) as attempt:
            try:
                attempt.bind((address, 0))
            except OSError:
                continue
        return address
    return None


@dataclass(frozen=True, slots=True)
class Response:
    """A SIP response: what of it matters to one call."""

    status: int
    cseq: str
    to: str
    contact: str


def read(data: bytes) -> Response | None:
    """Return a response; None for a request and for what is neither."""
    first, _, rest = data.decode(errors="replace").partition("\r\n")
    found = re.fullmatch(r"SIP/2\.0 (\d{3})( .*)?", first)
    if found is None:
        return None
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in rest.partition("\r\n\r\n")[0].split("\r\n"))
        if colon
    }
    contact = re.search(r"<([^>]+)>", headers.get("contact", ""))
    return Response(int(found[1]), headers.get("cseq", ""), headers.get("to", ""), contact[1] if contact else "")


@dataclass(slots=True)
class _Ear(asyncio.DatagramProtocol):
    """Puts what comes where it is waited for."""

    heard: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        del addr
        self.heard.put_nowait(data)


class _Phone:
    """One call from one address."""

    def __init__(self, host: str, server: Address, number: str) -> None:
        self._host = host
        self._server = server
        self._uri = f"sip:{number}@{server[0]}:{server[1]}"
        self._from = f"<sip:anonymous@{host}>;tag={secrets.token_hex(4)}"
        self._to = f"<{self._uri}>"
        self._id = secrets.token_hex(8)

    async def call(self, asked: facts.Call) -> facts.Call:
        loop = asyncio.get_running_loop()
        self._sip, ear = await loop.create_datagram_endpoint(_Ear, local_addr=(self._host, 0))
        media, audio = await loop.create_datagram_endpoint(_Ear, local_addr=(self._host, 0))
        self._port: int = self._sip.get_extra_info("sockname")[1]
        try:
            return await self._talk(asked, ear, audio, media.get_extra_info("sockname")[1])
        finally:
            self._sip.close()
            media.close()

    async def _talk(self, asked: facts.Call, ear: _Ear, audio: _Ear, media_port: int) -> facts.Call:
        branch = f"z9hG4bK{secrets.token_hex(6)}"
        began = time.monotonic()
        last = await self._ask("INVITE", branch, ear, ANSWER_S, self._sdp(media_port))
        took = round((time.monotonic() - began) * 1_000)
        if last is None or last.status < _FINAL:
            if last is not None:
                self._send("CANCEL", self._uri, branch, "1 CANCEL")
            return replace(asked, problem="silent", status=last.status if last else 0)
        self._to = last.to
        answered = last.status < _REFUSED
        # Of an answer, the ACK is a request of its own; of a refusal, a part of the INVITE (RFC 3261, 17.1.1.3).
        target = (last.contact or self._uri) if answered else self._uri
        self._send("ACK", target, f"{branch}a" if answered else branch, "1 ACK")
        if not answered:
            return replace(asked, problem="refused", status=last.status)
        frames = await _listen(audio, LISTEN_S)
        self._uri = target
        await self._ask("BYE", f"{branch}b", ear, BYE_S, cseq=2)
        return replace(
            asked,
            status=_OK,
            answered_ms=took,
            packets=len(frames),
            listened_ms=round(LISTEN_S * 1_000),
            heard_db=loudest(b"".join(frames)),
        )

    async def _ask(
        self, method: str, branch: str, ear: _Ear, patience_s: float, body: str = "", cseq: int = 1
    ) -> Response | None:
        """Send a request, again until something comes; return the final response, else the last one in time."""
        last: Response | None = None
        deadline = time.monotonic() + patience_s
        while (left := deadline - time.monotonic()) > 0:
            if last is None:
                self._send(method, self._uri, branch, f"{cseq} {method}", body)
            try:
                async with asyncio.timeout(min(left, RESEND_S)):
                    response = read(await ear.heard.get())
            except TimeoutError:
                continue
            if response is None or response.cseq != f"{cseq} {method}":
                continue
            last = response
            if last.status >= _FINAL:
                break
        return last

    def _send(self, method: str, uri: str, branch: str, cseq: str, body: str = "") -> None:
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._host}:{self._port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: {self._from}",
            f"To: {self._to}",
            f"Call-ID: {self._id}",
            f"CSeq: {cseq}",
            f"Contact: <sip:anonymous@{self._host}:{self._port}>",
            "User-Agent: ivr doctor",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._sip.sendto("\r\n".join([*lines, "", body]).encode(), self._server)

    def _sdp(self, port: int) -> str:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self._host}\r\ns=-\r\nc=IN IP4 {self._host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=recvonly\r\n"
        )


async def _listen(audio: _Ear, seconds: float) -> list[bytes]:
    """Return the alaw payloads that come within so many seconds."""
    frames: list[bytes] = []
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                packet = await audio.heard.get()
        except TimeoutError:
            break
        if len(packet) > _RTP_HEADER and packet[1] & 0x7F == _ALAW:
            frames.append(packet[_RTP_HEADER:])
    return frames


def loudest(codes: bytes) -> float:
    """Return the level of the loudest tenth of a second of alaw, in dBFS; FLOOR_DB where there is none."""
    words = alaw.decode(np.frombuffer(codes, dtype=np.uint8)).astype(np.float64) / 32_768
    tenths = [words[start : start + _TENTH] for start in range(0, len(words), _TENTH)]
    return max((decibels(float(np.sqrt(np.mean(tenth**2)))) for tenth in tenths), default=FLOOR_DB)
