"""The test phones speak from the address that they are given.

The phone library takes its source address from the routing table, which for any loopback
destination says 127.0.0.1. The switchboard tells the trunk from the agents by address, so
between a phone and its registrar stands this relay: one UDP socket towards the phone, one on
the wanted address towards the registrar, and in each message's header the phone's own address
replaced by the wanted one. It takes no decision, answers nothing, keeps no transaction
(a NAT, in short); a Record-Route keeps the whole dialog on its path, and the SDP leads the
media through `ivr.lab.phone_media`.

It also notes when each INVITE came in, before the phone has seen it, and can give a
refusal another status than the library's 486.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from typing import Final, NewType, TypeVar

from ivr.lab.phone_media import MediaRelay

Address = tuple[str, int]
CallId = NewType("CallId", str)
_T = TypeVar("_T")

REASONS: Final = {
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    487: "Request Terminated",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}
_KEPT: Final = 4096
_CALL_ID: Final = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_CSEQ: Final = re.compile(rb"^cseq[ \t]*:[ \t]*\d+[ \t]+(\w+)", re.IGNORECASE | re.MULTILINE)
_LENGTH: Final = re.compile(rb"^(content-length|l)[ \t]*:[ \t]*\d+", re.IGNORECASE | re.MULTILINE)
_SDP: Final = re.compile(rb"^(?:content-type|c)[ \t]*:[ \t]*application/sdp", re.IGNORECASE | re.MULTILINE)
_STATUS: Final = re.compile(rb"^SIP/2\.0 (\d{3}) ")


class _Side(asyncio.DatagramProtocol):
    """One socket of the relay; hands what it gets to `deliver`."""

    def __init__(self, relay: SipRelay, *, outer: bool) -> None:
        self._relay = relay
        self._outer = outer

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """A datagram goes on to the other side."""
        if self._outer:
            self._relay.from_registrar(data)
        else:
            self._relay.from_phone(data, addr)

    def error_received(self, exc: Exception) -> None:
        """An unreachable registrar is for the phone's own timers to find out."""


class SipRelay:
    """Carries SIP between the phones of one process and one registrar, from `bind`."""

    def __init__(self, bind: str, registrar: Address) -> None:
        self.registrar = registrar
        self._bind = bind
        self._inner: asyncio.DatagramTransport | None = None
        self._outer: asyncio.DatagramTransport | None = None
        self._phone: Address | None = None
        self._seen_ns: OrderedDict[CallId, int] = OrderedDict()
        self._rung: OrderedDict[CallId, None] = OrderedDict()
        self._refusals: OrderedDict[CallId, int] = OrderedDict()
        self._media: dict[CallId, MediaRelay] = {}
        self._ended: OrderedDict[CallId, None] = OrderedDict()
        self._route = b""
        self._ours = b""
        self._theirs = b""

    async def open(self) -> None:
        """Both sockets are bound afterwards, on ports that the kernel chose."""
        loop = asyncio.get_running_loop()
        self._inner, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self, outer=False), local_addr=("127.0.0.1", 0)
        )
        self._outer, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self, outer=True), local_addr=(self._bind, 0)
        )
        self._route = b"<sip:%s:%d;lr>" % _host_port(self._inner)
        self._theirs = b"%s:%d" % _host_port(self._outer)

    def close(self) -> None:
        """Both sockets are closed."""
        for transport in (self._inner, self._outer):
            if transport is not None:
                transport.close()
        self._inner = self._outer = None
        for media in self._media.values():
            media.close()
        self._media.clear()

    @property
    def proxy(self) -> str:
        """The URI that a phone takes as its outbound proxy."""
        return self._route.decode()[1:-1]

    def invited_ns(self, call_id: str | None) -> int | None:
        """When the first INVITE of that dialog came in (CLOCK_MONOTONIC), if it did."""
        return None if call_id is None else self._seen_ns.get(CallId(call_id))

    def rung(self, call_id: str | None) -> bool:
        """Whether the far end of that dialog has said that it rings."""
        return call_id is not None and CallId(call_id) in self._rung

    def media(self, call_id: str | None) -> MediaRelay | None:
        """The media of that dialog, once SDP has passed and until its end."""
        return None if call_id is None else self._media.get(CallId(call_id))

    def end(self, call_id: str | None) -> None:
        """That dialog is over: its media sockets are closed."""
        if call_id is None:
            return
        _remember(self._ended, CallId(call_id), None)
        media = self._media.pop(CallId(call_id), None)
        if media is not None:
            media.close()

    def refuse_with(self, call_id: str, status: int) -> None:
        """The phone's next 486 in that dialog leaves as `status`."""
        _remember(self._refusals, CallId(call_id), status)

    def from_phone(self, data: bytes, source: Address) -> None:
        """A message of the phone leaves from the wanted address."""
        if self._phone != source:
            self._phone = source
            self._ours = b"%s:%d" % (source[0].encode(), source[1])
        head, gap, body = data.partition(b"\r\n\r\n")
        if not gap or self._outer is None:
            return
        head, body = self._through(head, body, outward=True)
        lines = [line for line in head.split(b"\r\n") if not self._is_ours(line)]
        lines[0] = self._status(lines[0], head)
        head = b"\r\n".join(lines).replace(self._ours, self._theirs)
        self._outer.sendto(head + gap + body, self.registrar)

    def from_registrar(self, data: bytes) -> None:
        """A message for the phone reaches it; an INVITE's arrival is noted."""
        now = time.monotonic_ns()
        head, gap, body = data.partition(b"\r\n\r\n")
        if not gap or self._inner is None or self._phone is None:
            return
        head, body = self._through(head, body, outward=False)
        method = _CSEQ.search(head)
        if method is not None and method[1] == b"INVITE":
            first, _, rest = head.partition(b"\r\n")
            head = b"%s\r\nRecord-Route: %s\r\n%s" % (first, self._route, rest)
            if first.startswith(b"INVITE "):
                self._note(head, now)
            elif first.startswith((b"SIP/2.0 180", b"SIP/2.0 183")) and (call_id := _call_id(head)) is not None:
                _remember(self._rung, call_id, None)
        self._inner.sendto(head.replace(self._theirs, self._ours) + gap + body, self._phone)

    def _note(self, head: bytes, now: int) -> None:
        call_id = _call_id(head)
        if call_id is not None and call_id not in self._seen_ns:
            _remember(self._seen_ns, call_id, now)

    def _through(self, head: bytes, body: bytes, *, outward: bool) -> tuple[bytes, bytes]:
        call_id = _call_id(head)
        if not body or call_id is None or call_id in self._ended or not _SDP.search(head):
            return head, body
        media = self._media.get(call_id)
        if media is None:
            media = self._media[call_id] = MediaRelay(self._bind)
        body = media.from_phone(body) if outward else media.from_far(body)
        return _LENGTH.sub(rb"\1: %d" % len(body), head), body

    def _is_ours(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        return name.strip().lower() in (b"route", b"record-route") and value.strip() == self._route

    def _status(self, first: bytes, head: bytes) -> bytes:
        found = _STATUS.match(first)
        if found is None or found[1] != b"486":
            return first
        call_id = _call_id(head)
        status = None if call_id is None else self._refusals.get(call_id)
        return first if status is None else b"SIP/2.0 %d %s" % (status, REASONS.get(status, "Refused").encode())


def _call_id(head: bytes) -> CallId | None:
    found = _CALL_ID.search(head)
    return None if found is None else CallId(found[1].decode(errors="replace"))


def _remember(kept: OrderedDict[CallId, _T], call_id: CallId, what: _T) -> None:
    kept[call_id] = what
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _host_port(transport: asyncio.DatagramTransport) -> tuple[bytes, int]:
    host, port = transport.get_extra_info("sockname")[:2]
    return str(host).encode(), int(port)
