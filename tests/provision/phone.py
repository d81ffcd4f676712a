"""A bare SIP phone over UDP, made to misbehave as tests need: any From, any password, any address."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.provision.tones import FRAME, SILENCE, strongest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    Address = tuple[str, int]

import itertools
from contextlib import asynccontextmanager, suppress

LIMIT_S: Final = 40.0


@dataclass(slots=True)
class Message:
    """One SIP message: its first line, its headers (lower-case names, last one wins), its body."""

    first: str
    headers: dict[str, str]
    vias: list[str]
    body: str

    @property
    def status(self) -> int:
        return int(self.first.split()[1]) if self.first.startswith("SIP/") else 0

    @property
    def method(self) -> str:
        return self.headers["cseq"].split()[1]


def _parse(data: bytes) -> Message:
    head, _, body = data.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers: dict[str, str] = {}
    vias = []
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
        if name.strip().lower() == "via":
            vias.append(value.strip())
    return Message(first, headers, vias, body)


@dataclass(slots=True)
class Frame:
    """One RTP packet's arrival (seconds, monotonic) and audio."""

    at: float
    payload: bytes


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, receive: Any) -> None:
        self.receive = receive

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.receive(data, addr)


@dataclass(slots=True)
class Call:
    """One dialog of a phone, made or received."""

    phone: Phone
    id: str
    remote: str
    local: str
    target: str
    media: Address | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_end(self) -> None:
        """Return once the other side has hung up."""
        async with asyncio.timeout(LIMIT_S):
            await self.ended.wait()

    async def bye(self) -> None:
        await self.phone.request("BYE", self.target, to=self.remote, sender=self.local, call_id=self.id)
        self.ended.set()

    async def refer(self, target: str) -> Message:
        return await self.phone.request(
            "REFER", self.target, to=self.remote, sender=self.local, call_id=self.id, extra={"Refer-To": target}
        )


class Phone:
    """A phone at one address. `answers`: whether it takes the calls that reach it, else it rings for ever."""

    def __init__(self, host: str, server: Address, user: str = "phone", *, answers: bool = True) -> None:
        self.host, self.server, self.user, self.answers = host, server, user, answers
        self.heard: list[Frame] = []
        self.statuses: list[int] = []
        self.invites: list[Message] = []
        self.calls: dict[str, Call] = {}
        self.rung = asyncio.Event()
        self._replies: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._cseq = 0
        self._changed = asyncio.Event()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        where = (self.host, 0)
        self._sip, _ = await loop.create_datagram_endpoint(lambda: _Socket(self._on_sip), local_addr=where)
        self._rtp, _ = await loop.create_datagram_endpoint(lambda: _Socket(self._on_rtp), local_addr=where)
        self.port: int = self._sip.get_extra_info("sockname")[1]
        self.rtp_port: int = self._rtp.get_extra_info("sockname")[1]
        self._speaker = asyncio.create_task(self._speak())

    async def close(self) -> None:
        self._speaker.cancel()
        with suppress(asyncio.CancelledError):
            await self._speaker
        self._sip.close()
        self._rtp.close()

    # --- requests

    async def request(
        self,
        method: str,
        uri: str,
        *,
        to: str,
        sender: str,
        call_id: str,
        extra: Mapping[str, str] | None = None,
        body: str = "",
    ) -> Message:
        """Send a request, again each half second until something comes back; return the final response."""
        self._cseq += 1
        branch = "z9hG4bK" + secrets.token_hex(6)
        headers = {
            "Via": f"SIP/2.0/UDP {self.host}:{self.port};branch={branch};rport",
            "Max-Forwards": "70",
            "From": sender,
            "To": to,
            "Call-ID": call_id,
            "CSeq": f"{self._cseq} {method}",
            "Contact": f"<sip:{self.user}@{self.host}:{self.port}>",
            **(extra or {}),
        }
        replies = self._replies[call_id, headers["CSeq"]] = asyncio.Queue()
        async with asyncio.timeout(LIMIT_S):
            heard = False
            while True:
                if not heard:
                    self._send(f"{method} {uri} SIP/2.0", headers, body)
                try:
                    message = await asyncio.wait_for(replies.get(), None if heard else 0.5)
                except TimeoutError:
                    continue
                heard = True
                self.statuses.append(message.status)
                if message.status >= 200:
                    break
        if method == "INVITE":
            ack = {**headers, "CSeq": f"{self._cseq} ACK", "To": message.headers["to"]}
            target = uri
            if message.status < 300:
                ack["Via"] = ack["Via"].replace(branch, branch + "a")
                target = _uri(message.headers["contact"])
            self._send(f"ACK {target} SIP/2.0", ack, "")
        return message

    async def register(self, user: str, password: str, *, expires: int = 300) -> list[int]:
        """Register with digest; return the status of each answer."""
        self.user = user
        uri = f"sip:{self.server[0]}:{self.server[1]}"
        me = f"<sip:{user}@{self.server[0]}>"
        call_id = secrets.token_hex(8)
        extra = {"Expires": str(expires)}
        sender = f"{me};tag={secrets.token_hex(4)}"
        reply = await self.request("REGISTER", uri, to=me, sender=sender, call_id=call_id, extra=extra)
        statuses = [reply.status]
        if reply.status == 401:
            extra["Authorization"] = _authorization(reply, "REGISTER", uri, user, password)
            reply = await self.request("REGISTER", uri, to=me, sender=sender, call_id=call_id, extra=extra)
            statuses.append(reply.status)
        return statuses

    async def invite(
        self, number: str, *, caller: str = "+33639980001", password: str | None = None, **extra: str
    ) -> tuple[int, Call | None]:
        """Call a number; return the final status and, when it was answered, the call."""
        uri = f"sip:{number}@{self.server[0]}:{self.server[1]}"
        local = f"<sip:{caller}@{self.host}>;tag={secrets.token_hex(4)}"
        call_id = secrets.token_hex(8)
        headers = {"Content-Type": "application/sdp"} | {key.replace("_", "-"): value for key, value in extra.items()}
        to = f"<{uri}>"
        reply = await self.request("INVITE", uri, to=to, sender=local, call_id=call_id, extra=headers, body=self._sdp())
        if reply.status == 401 and password is not None:
            headers["Authorization"] = _authorization(reply, "INVITE", uri, caller, password)
            reply = await self.request(
                "INVITE", uri, to=to, sender=local, call_id=call_id, extra=headers, body=self._sdp()
            )
        if reply.status >= 300:
            return reply.status, None
        call = Call(self, call_id, reply.headers["to"], local, _uri(reply.headers["contact"]), _media(reply.body))
        self.calls[call_id] = call
        return reply.status, call

    async def hears(self, frames: int) -> None:
        """Return once so many more frames of audio have come (50 a second)."""
        wanted = len(self.heard) + frames
        async with asyncio.timeout(LIMIT_S):
            while len(self.heard) < wanted:
                self._changed.clear()
                await self._changed.wait()

    def press(self, call: Call, key: int) -> None:
        """Send a key (RFC 4733), 100 ms long."""
        assert call.media is not None
        for count in range(1, 9):
            end = 0x80 if count > 5 else 0
            event = struct.pack("!BBH", key, end | 10, min(count, 5) * FRAME)
            marker = 0x80 if count == 1 else 0
            header = struct.pack("!BBHII", 0x80, 101 | marker, 30_000 + count, 7_000_000, 1)
            self._rtp.sendto(header + event, call.media)

    def start_invite(self, number: str, **how: Any) -> asyncio.Task[tuple[int, Call | None]]:
        """Call a number while the test goes on; to be awaited."""
        return asyncio.create_task(self.invite(number, **how))

    async def rings(self) -> None:
        """Return once somebody calls."""
        async with asyncio.timeout(LIMIT_S):
            await self.rung.wait()

    # --- what it hears

    def names(self, since: float, known: Mapping[int, str]) -> list[str]:
        """Return the sounds heard since an instant, in order, each once per stretch; silences left out."""
        frames = [strongest(frame.payload, tuple(known)) for frame in self.heard if frame.at >= since]
        heard = [known[frequency] for frequency in frames if frequency]
        stretches: list[str] = []
        for before, now in itertools.pairwise(heard):
            if before == now and (not stretches or stretches[-1] != now):
                stretches.append(now)
        return stretches

    def longest_gap(self, since: float, until: float) -> float:
        """Return the longest time without any packet, in seconds."""
        instants = [since, *(frame.at for frame in self.heard if since <= frame.at <= until), until]
        return max(after - before for before, after in itertools.pairwise(instants))

    # --- below

    def _sdp(self) -> str:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {self.rtp_port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n"
        )

    def _send(self, first: str, headers: Mapping[str, str], body: str, vias: tuple[str, ...] = ()) -> None:
        lines = [first, *(f"Via: {via}" for via in vias), *(f"{name}: {value}" for name, value in headers.items())]
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self._sip.sendto(text.encode(), self.server)

    def _respond(self, request: Message, status: str, body: str = "") -> None:
        to = request.headers["to"]
        headers = {
            "From": request.headers["from"],
            "To": to if "tag=" in to else f"{to};tag=phone",
            "Call-ID": request.headers["call-id"],
            "CSeq": request.headers["cseq"],
            "Contact": f"<sip:{self.user}@{self.host}:{self.port}>",
        }
        if body:
            headers["Content-Type"] = "application/sdp"
        self._send(f"SIP/2.0 {status}", headers, body, tuple(request.vias))

    def _on_sip(self, data: bytes, _: Any) -> None:
        message = _parse(data)
        call_id = message.headers["call-id"]
        if message.status:
            queue = self._replies.get((call_id, message.headers["cseq"]))
            if queue is not None:
                queue.put_nowait(message)
            return
        match message.method:
            case "INVITE" if call_id in self.calls:
                self._respond(message, "200 OK", self._sdp())
            case "INVITE":
                self.invites.append(message)
                local = message.headers["to"] + ";tag=phone"
                self._respond(message, "180 Ringing")
                self.rung.set()
                if self.answers:
                    target = _uri(message.headers["contact"])
                    self.calls[call_id] = Call(
                        self, call_id, message.headers["from"], local, target, _media(message.body)
                    )
                    self._respond(message, "200 OK", self._sdp())
            case "CANCEL":
                self._respond(message, "200 OK")
                self._respond_to_invite(call_id, "487 Request Terminated")
            case "BYE":
                self._respond(message, "200 OK")
                if call_id in self.calls:
                    self.calls[call_id].ended.set()
            case "ACK":
                pass
            case _:
                self._respond(message, "200 OK")

    def _respond_to_invite(self, call_id: str, status: str) -> None:
        for invite in self.invites:
            if invite.headers["call-id"] == call_id:
                self._respond(invite, status)

    def _on_rtp(self, data: bytes, _: Any) -> None:
        if len(data) > 12 and data[1] & 0x7F == 8:
            self.heard.append(Frame(time.monotonic(), data[12:]))
            self._changed.set()

    async def _speak(self) -> None:
        """Send a frame of near silence each 20 ms on every call that is up."""
        sequence = 0
        while True:
            await asyncio.sleep(0.02)
            sequence += 1
            packet = struct.pack("!BBHII", 0x80, 8, sequence & 0xFFFF, sequence * FRAME, 1) + bytes([SILENCE]) * FRAME
            for call in self.calls.values():
                if call.media is not None and not call.ended.is_set():
                    self._rtp.sendto(packet, call.media)


@asynccontextmanager
async def phone(host: str, server: Address, user: str = "phone", *, answers: bool = True) -> AsyncIterator[Phone]:
    """A phone, open for as long as the block runs."""
    found = Phone(host, server, user, answers=answers)
    await found.open()
    try:
        yield found
    finally:
        await found.close()


def _uri(header: str) -> str:
    found = re.search(r"<([^>]+)>", header)
    return found.group(1) if found else header.split(";", maxsplit=1)[0]


def _media(sdp: str) -> Address | None:
    host, port = re.search(r"^c=IN IP4 (\S+)", sdp, re.MULTILINE), re.search(r"^m=audio (\d+)", sdp, re.MULTILINE)
    return (host.group(1), int(port.group(1))) if host and port else None


def _authorization(challenge: Message, method: str, uri: str, user: str, password: str) -> str:
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.headers["www-authenticate"]))

    def hashed(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    once = secrets.token_hex(4)
    secret = hashed(f"{user}:{given['realm']}:{password}")
    response = hashed(f"{secret}:{given['nonce']}:00000001:{once}:auth:{hashed(f'{method}:{uri}')}")
    return (
        f'Digest username="{user}", realm="{given["realm"]}", nonce="{given["nonce"]}", uri="{uri}", '
        f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="{once}", '
        f'opaque="{given.get("opaque", "")}"'
    )
