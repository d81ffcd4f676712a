"""How long a caller heard nothing, out of what a packet capture on loopback shows as it is written.

Pure: bytes of a capture go in (`Capture`), packets come out, and `Ears` keeps for each caller the stretches
without any sound, whether no packet came or only silent ones. Who a stream of audio belongs to is read from
the SIP messages of the same capture: the caller's INVITE names the port that hears, Asterisk's 200 the port
that speaks.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from ivr.lab import audio
from ivr.prompts import alaw

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_S: Final = 0.5
"""Shorter silences are speech."""
_GLOBAL_HEADER: Final = 24
_RECORD_HEADER: Final = 16
_MAGIC: Final = {b"\xd4\xc3\xb2\xa1": ("<", 1e6), b"\x4d\x3c\xb2\xa1": ("<", 1e9)}
_ETHERNET: Final = 1
_LINK: Final = 14
_IPV4: Final = b"\x08\x00"
_UDP: Final = 17
_PORTS: Final = 8
_RTP: Final = 12
_ALAW: Final = 8
_LOUD: Final = 6
"""Of 128 steps of A-law's scale: about -50 dB of full scale."""
_MAGNITUDE: Final = bytes((code ^ 0x55) & 0x7F for code in range(256))
_REMEMBERED: Final = 15
_BEEP_HZ: Final = 1_000
_BEEP_S: Final = 0.15
_INVITE: Final = b"INVITE "
_BYE: Final = b"BYE "
_OK: Final = b"SIP/2.0 200"
_CALL_ID: Final = re.compile(rb"^Call-ID:\s*(\S+)", re.MULTILINE | re.IGNORECASE)
_CSEQ: Final = re.compile(rb"^CSeq:\s*\d+ (\w+)", re.MULTILINE | re.IGNORECASE)
_FROM: Final = re.compile(rb"^From:.*?sip:([^@>]*)@", re.MULTILINE | re.IGNORECASE)
_AUDIO: Final = re.compile(rb"^m=audio (\d+)", re.MULTILINE)


class NotACapture(ValueError):
    """The bytes are no capture of Ethernet frames that this reads."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One UDP packet over IPv4: Unix seconds, address and port of both ends, what it carries."""

    at: float
    source: tuple[str, int]
    target: tuple[str, int]
    payload: bytes


class Capture:
    """A pcap file in pieces of any size, as it comes out of a pipe; packets that are no UDP are left out."""

    def __init__(self) -> None:
        self._rest = b""
        self._order = ""
        self._unit = 1.0

    def feed(self, piece: bytes) -> Iterator[Packet]:
        """Yield the packets that are whole by now; NotACapture for other bytes."""
        data = self._rest + piece
        at = 0
        if not self._order:
            if len(data) < _GLOBAL_HEADER:
                self._rest = data
                return
            if data[:4] not in _MAGIC:
                raise NotACapture(f"a capture does not begin with {data[:4]!r}")
            self._order, self._unit = _MAGIC[data[:4]]
            (link,) = struct.unpack_from(f"{self._order}I", data, 20)
            if link != _ETHERNET:
                raise NotACapture(f"frames of kind {link}, not Ethernet")
            at = _GLOBAL_HEADER
        while len(data) - at >= _RECORD_HEADER:
            seconds, part, kept, _ = struct.unpack_from(f"{self._order}IIII", data, at)
            if len(data) - at < _RECORD_HEADER + kept:
                break
            frame = data[at + _RECORD_HEADER : at + _RECORD_HEADER + kept]
            at += _RECORD_HEADER + kept
            packet = _packet(seconds + part / self._unit, frame)
            if packet is not None:
                yield packet
        self._rest = data[at:]


def _packet(at: float, frame: bytes) -> Packet | None:
    if frame[12:14] != _IPV4 or len(frame) < _LINK + 20:
        return None
    udp = _LINK + (frame[_LINK] & 0x0F) * 4
    if frame[_LINK + 9] != _UDP or len(frame) < udp + _PORTS:
        return None
    source, target, length = struct.unpack_from("!HHH", frame, udp)
    return Packet(
        at,
        (".".join(map(str, frame[_LINK + 12 : _LINK + 16])), source),
        (".".join(map(str, frame[_LINK + 16 : _LINK + 20])), target),
        frame[udp + _PORTS : udp + length],
    )


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which a caller (their number) heard nothing, in Unix seconds."""

    caller: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.ended - self.began


@dataclass(slots=True)
class _Line:
    """One caller's call: `heard` is when there was sound last (or the answer), `last` what came before now."""

    number: str
    hears: tuple[str, int]
    speaks: int = 0
    heard: float | None = None
    last: deque[bytes] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class Ears:
    """What the callers heard, who call from one address; a call counts from its answer to the first BYE.

    The silence after the tone that asks for a message is the caller's turn to speak, so it is no gap.
    """

    def __init__(self, callers: str) -> None:
        self._callers = callers
        self._lines: dict[bytes, _Line] = {}
        self._streams: dict[tuple[int, tuple[str, int]], _Line] = {}
        self._gaps: list[Gap] = []

    def hear(self, packet: Packet) -> None:
        """Take one packet; in the order of the capture."""
        line = self._streams.get((packet.source[1], packet.target))
        if line is not None:
            self._sound(line, packet)
        elif packet.payload[:1].isalpha() and self._callers in (packet.source[0], packet.target[0]):
            self._signal(packet)

    def gaps(self, since: float, until: float) -> list[Gap]:
        """Return every gap that ended in this time, or goes on at its end, in the order of their ends."""
        over = [gap for gap in self._gaps if since <= gap.ended < until]
        going = [
            Gap(line.number, line.heard, until)
            for line in self._streams.values()
            if line.heard is not None and until - line.heard >= LEAST_S and not _asked_to_speak(line)
        ]
        return [*over, *going]

    def forget(self, before: float) -> None:
        """Let go of gaps that ended earlier."""
        self._gaps = [gap for gap in self._gaps if gap.ended >= before]

    def _sound(self, line: _Line, packet: Packet) -> None:
        if line.heard is None or packet.payload[1:2] == b"" or packet.payload[1] & 0x7F != _ALAW:
            return
        voice = packet.payload[_RTP:]
        if not voice or max(voice.translate(_MAGNITUDE)) < _LOUD:
            return
        self._quiet_until(line, packet.at)
        line.heard = packet.at
        line.last.append(voice)

    def _quiet_until(self, line: _Line, at: float) -> None:
        if line.heard is not None and at - line.heard >= LEAST_S:
            if not _asked_to_speak(line):
                self._gaps.append(Gap(line.number, line.heard, at))
            line.last.clear()

    def _signal(self, packet: Packet) -> None:
        text = packet.payload
        found = _CALL_ID.search(text)
        if found is None:
            return
        call = found[1]
        if text.startswith(_INVITE) and packet.source[0] == self._callers and call not in self._lines:
            who, port = _FROM.search(text), _AUDIO.search(text)
            if port is not None:
                number = who[1].decode(errors="replace") if who else ""
                self._lines[call] = _Line(number, (self._callers, int(port[1])))
        elif text.startswith(_OK) and packet.target[0] == self._callers:
            method, port, line = _CSEQ.search(text), _AUDIO.search(text), self._lines.get(call)
            if line is not None and port is not None and method is not None and method[1] == b"INVITE":
                self._answered(line, int(port[1]), packet.at)
        elif text.startswith(_BYE):
            gone = self._lines.pop(call, None)
            if gone is not None:
                self._quiet_until(gone, packet.at)
                self._hears_no_more(gone)

    def _hears_no_more(self, line: _Line) -> None:
        """Its ports may be another's by now: an Asterisk that began anew gives those of its lost calls away."""
        if self._streams.get((line.speaks, line.hears)) is line:
            del self._streams[line.speaks, line.hears]

    def _answered(self, line: _Line, port: int, at: float) -> None:
        self._hears_no_more(line)
        line.speaks = port
        line.heard = at if line.heard is None else line.heard
        self._streams[port, line.hears] = line


def _asked_to_speak(line: _Line) -> bool:
    """Whether the last sound was the beep."""
    codes = np.frombuffer(bytes(chain.from_iterable(line.last)), dtype=np.uint8)
    return audio.longest_tone(alaw.decode(codes), 8_000, _BEEP_HZ).seconds >= _BEEP_S
