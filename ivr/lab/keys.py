"""A caller's media as a capture file, which SIPp plays into its calls: silence, keys (RFC 4733), silence."""

from __future__ import annotations

import struct
from typing import Final

EVENT_TYPE: Final = 101
ALAW_TYPE: Final = 8
_EVENTS: Final = {key: number for number, key in enumerate("0123456789*#ABCD")}
_PACKET_MS: Final = 20
_ENDS: Final = 3
_TICKS: Final = 8  # of the 8 kHz clock in a millisecond
_ETHERNET: Final = 1
_VOLUME: Final = 10
_SSRC: Final = 0x4B455953
_MARKER: Final = 0x80
_SILENCE: Final = b"\xd5" * (_PACKET_MS * _TICKS)
# The player replaces addresses and ports; only the lengths count.
_LINK: Final = bytes(12) + b"\x08\x00"
_PORT: Final = 4000


class _Capture:
    """Packets of one RTP stream, each with the millisecond at which it is sent."""

    def __init__(self) -> None:
        self._parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, _ETHERNET)]
        self._sequence = 0

    def add(self, sent_ms: int, stamp_ms: int, kind: int, payload: bytes) -> None:
        """One packet; `stamp_ms` is what its timestamp says."""
        rtp = struct.pack("!BBHII", 0x80, kind, self._sequence, stamp_ms * _TICKS, _SSRC) + payload
        self._sequence = (self._sequence + 1) & 0xFFFF
        udp = struct.pack("!HHHH", _PORT, _PORT, 8 + len(rtp), 0) + rtp
        local = bytes((127, 0, 0, 1))
        internet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + local + local
        frame = _LINK + internet + udp
        head = struct.pack("<IIII", sent_ms // 1000, sent_ms % 1000 * 1000, len(frame), len(frame))
        self._parts.append(head + frame)

    def bytes(self) -> bytes:
        """The file."""
        return b"".join(self._parts)


def capture(
    keys: str, *, before_ms: int, total_ms: int, press_ms: int = 100, gap_ms: int = 120, quiet_ms: int = _PACKET_MS
) -> bytes:
    """A pcap file: silence for `before_ms`, each key pressed for `press_ms`, silence up to `total_ms`.

    After the keys a packet is sent every `quiet_ms`, as by a phone that sends little while nobody speaks.

    The end packet of a key is sent three times at once, as RFC 4733 (2.5.1.4) has it.
    """
    out = _Capture()
    now = _silence(out, 0, before_ms)
    for key in keys:
        first = now
        for lasted in range(0, press_ms, _PACKET_MS):
            kind = EVENT_TYPE | (0 if lasted else _MARKER)
            out.add(first + lasted, first, kind, _event(key, lasted + _PACKET_MS, end=False))
        for _ in range(_ENDS):
            out.add(first + press_ms, first, EVENT_TYPE, _event(key, press_ms, end=True))
        now = _silence(out, first + press_ms + _PACKET_MS, first + press_ms + gap_ms)
    _silence(out, now, total_ms, quiet_ms)
    return out.bytes()


def _silence(out: _Capture, from_ms: int, to_ms: int, every_ms: int = _PACKET_MS) -> int:
    while from_ms < to_ms:
        out.add(from_ms, from_ms, ALAW_TYPE, _SILENCE)
        from_ms += every_ms
    return from_ms


def _event(key: str, lasted_ms: int, *, end: bool) -> bytes:
    return struct.pack("!BBH", _EVENTS[key], _VOLUME | (0x80 if end else 0), lasted_ms * _TICKS)
