"""The media of one dialog passes here too, so that it comes from the phone's address.

Two pairs of sockets (RTP and RTCP): one on the loopback towards the phone, one on the wanted address
towards the switchboard. Packets go through untouched; the keys that the phone presses
(RFC 4733) are noted with the instants at which their first and their end packet left,
which no other place knows: the library holds a key for at least 180 ms.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Final

Address = tuple[str, int]

_KEYS: Final = "0123456789*#ABCD"
_MARKER: Final = 0x80
_END: Final = 0x80
_EVENT_BYTES: Final = 16
_BURST: Final = 32
_TRIES: Final = 64
_MEDIA: Final = re.compile(rb"^m=audio (\d+)", re.MULTILINE)
_PLACE: Final = re.compile(rb"^c=IN IP4 ([0-9.]+)", re.MULTILINE)
_RTCP: Final = re.compile(rb"^a=rtcp:\d+.*\r\n", re.MULTILINE)
_EVENT: Final = re.compile(rb"^a=rtpmap:(\d+) telephone-event/8000", re.MULTILINE)


@dataclass(slots=True)
class SentKey:
    """A key on the wire. `over` is set when its end packet has left."""

    digit: str
    pressed_ns: int
    stamp: bytes
    released_ns: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class MediaRelay:
    """Two ways through; open until `close`."""

    def __init__(self, bind: str) -> None:
        self.keys: list[SentKey] = []
        self.pressed = asyncio.Event()
        self._inner = _pair("127.0.0.1")
        self._outer = _pair(bind)
        self._phone: list[Address | None] = [None, None]
        self._far: list[Address | None] = [None, None]
        self._event_type = -1
        loop = asyncio.get_running_loop()
        for lane in (0, 1):
            loop.add_reader(self._inner[lane], self._from_phone, lane)
            loop.add_reader(self._outer[lane], self._from_far, lane)

    def close(self) -> None:
        """The sockets are closed; what comes later is lost."""
        loop = asyncio.get_running_loop()
        for sock in (*self._inner, *self._outer):
            loop.remove_reader(sock)
            sock.close()

    def from_phone(self, body: bytes) -> bytes:
        """The phone's SDP, telling the other side to send here."""
        self._event_type = int(found[1]) if (found := _EVENT.search(body)) else self._event_type
        self._phone = _targets(body, self._phone)
        return _redirect(body, self._outer[0])

    def from_far(self, body: bytes) -> bytes:
        """The switchboard's SDP, telling the phone to send here."""
        self._event_type = int(found[1]) if (found := _EVENT.search(body)) else self._event_type
        self._far = _targets(body, self._far)
        return _redirect(body, self._inner[0])

    def _from_phone(self, lane: int) -> None:
        for _ in range(_BURST):
            packet = _receive(self._inner[lane])
            if packet is None:
                return
            if lane == 0 and len(packet) == _EVENT_BYTES and packet[1] & ~_MARKER == self._event_type:
                self._key(packet)
            _send(self._outer[lane], packet, self._far[lane])

    def _from_far(self, lane: int) -> None:
        for _ in range(_BURST):
            packet = _receive(self._outer[lane])
            if packet is None:
                return
            _send(self._inner[lane], packet, self._phone[lane])

    def _key(self, packet: bytes) -> None:
        now, stamp = time.monotonic_ns(), packet[4:8]
        if not self.keys or self.keys[-1].stamp != stamp:
            digit = _KEYS[packet[12]] if packet[12] < len(_KEYS) else "?"
            self.keys.append(SentKey(digit, now, stamp))
            self.pressed.set()
        key = self.keys[-1]
        if packet[13] & _END and not key.released_ns:
            key.released_ns = now
            key.over.set()


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """An even port for RTP and the next for RTCP, as RFC 3550 wants them."""
    for _ in range(_TRIES):
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            rtp.bind((host, 0))
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                rtcp.bind((host, port + 1))
                return rtp, rtcp
        except OSError:
            pass
        rtp.close()
        rtcp.close()
    raise OSError(f"no pair of free ports on {host}")


def _targets(body: bytes, before: list[Address | None]) -> list[Address | None]:
    media, place = _MEDIA.search(body), _PLACE.search(body)
    if media is None or place is None or int(media[1]) == 0:
        return before
    host, port = place[1].decode(), int(media[1])
    return [(host, port), (host, port + 1)]


def _redirect(body: bytes, here: socket.socket) -> bytes:
    host, port = here.getsockname()
    media = _MEDIA.search(body)
    if media is None or int(media[1]) == 0:
        return body
    body = _PLACE.sub(b"c=IN IP4 " + host.encode(), body)
    return _RTCP.sub(b"", _MEDIA.sub(b"m=audio %d" % port, body))


def _receive(sock: socket.socket) -> bytes | None:
    try:
        return sock.recv(2048)
    except OSError:  # nothing more; or the other side's port is closed (ICMP), which is its affair
        return None


def _send(sock: socket.socket, packet: bytes, target: Address | None) -> None:
    if target is not None:
        try:
            sock.sendto(packet, target)
        except OSError:  # a full buffer loses packets, as networks do
            return
