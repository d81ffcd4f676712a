"""Made-up captures: who hears nothing, from when to when."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from ivr.lab.silence import Capture, Ears, NotACapture, Packet
from ivr.prompts.music import beep_alaw

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.unit

ASTERISK, CALLERS = "127.0.0.1", "127.0.0.2"
LOUD, SILENT = b"\x25" * 160, b"\xd5" * 160
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)


def frame(at: float, source: tuple[str, int], target: tuple[str, int], payload: bytes) -> bytes:
    def address(text: str) -> bytes:
        return bytes(map(int, text.split(".")))

    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + address(source[0]) + address(target[0])
    data = bytes(12) + b"\x08\x00" + ip + udp
    return struct.pack("<IIII", int(at), round(at % 1 * 1_000_000), len(data), len(data)) + data


def invite(at: float, call: str = "1-x", number: str = "0639980001", port: int = 6000) -> bytes:
    text = f"INVITE sip:0536490000@h SIP/2.0\r\nFrom: <sip:{number}@h>;tag=1\r\nCall-ID: {call}\r\n"
    text += f"CSeq: 1 INVITE\r\n\r\nv=0\r\nm=audio {port} RTP/AVP 8 101\r\n"
    return frame(at, (CALLERS, 5061), (ASTERISK, 5060), text.encode())


def ok(at: float, call: str = "1-x", port: int = 12_100) -> bytes:
    text = f"SIP/2.0 200 OK\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\nm=audio {port} RTP/AVP 8 101\r\n"
    return frame(at, (ASTERISK, 5060), (CALLERS, 5061), text.encode())


def bye(at: float, call: str = "1-x") -> bytes:
    return frame(at, (ASTERISK, 5060), (CALLERS, 5061), f"BYE sip:x SIP/2.0\r\nCall-ID: {call}\r\n\r\n".encode())


def rtp(began: float, seconds: float, voice: bytes, *, sender: int = 12_100, port: int = 6000) -> Iterator[bytes]:
    for n in range(round(seconds * 50)):
        head = struct.pack("!BBHII", 0x80, 8, n, n * 160, 1)
        yield frame(began + n / 50, (ASTERISK, sender), (CALLERS, port), head + voice)


def listen(*frames: bytes, piece: int = 1_000_000) -> Ears:
    data = HEADER + b"".join(frames)
    capture, ears = Capture(), Ears(CALLERS)
    for at in range(0, len(data), piece):
        for packet in capture.feed(data[at : at + piece]):
            ears.hear(packet)
    return ears


def stretches(ears: Ears, until: float = 100.0) -> list[tuple[str, float, float]]:
    return [(gap.caller, round(gap.began, 2), round(gap.ended, 2)) for gap in ears.gaps(0.0, until)]


def test_a_call_full_of_sound_has_no_gap() -> None:
    assert stretches(listen(invite(1), ok(2), *rtp(2, 3, LOUD), bye(5))) == []


def test_missing_packets_and_silent_ones_are_the_same_gap() -> None:
    heard = listen(
        *(invite(1), ok(2), *rtp(2, 1, LOUD), *rtp(3, 1, SILENT), *rtp(6, 1, LOUD), bye(7)),
    )
    assert stretches(heard) == [("0639980001", 2.98, 6.0)]


def test_the_time_from_the_answer_to_the_first_sound_and_from_the_last_to_the_end_count() -> None:
    heard = listen(invite(1), ok(2), *rtp(4, 1, LOUD), bye(9))
    assert stretches(heard) == [("0639980001", 2.0, 4.0), ("0639980001", 4.98, 9.0)]


def test_before_the_answer_nothing_is_owed() -> None:
    assert stretches(listen(invite(1), ok(50), *rtp(50, 1, LOUD), bye(51))) == []


def test_a_gap_that_goes_on_is_told() -> None:
    heard = listen(invite(1), ok(2), *rtp(2, 1, LOUD))
    assert stretches(heard, until=12.98) == [("0639980001", 2.98, 12.98)]


def test_after_the_tone_the_caller_speaks() -> None:
    beep = beep_alaw()
    tone = [beep[at : at + 160] for at in range(0, len(beep), 160)]
    sent = [packet for n, part in enumerate(tone) for packet in rtp(3 + n / 50, 0.02, part)]
    assert stretches(listen(invite(1), ok(2), *rtp(2, 1, LOUD), *sent, *rtp(9, 1, LOUD), bye(10))) == []
    assert stretches(listen(invite(1), ok(2), *rtp(2, 1, LOUD), *sent)) == []


def test_callers_of_the_same_port_are_told_apart_by_who_speaks_to_them() -> None:
    heard = listen(
        *(invite(1), invite(1, "2-x", "0639980002"), ok(2), ok(2, "2-x", 12_200)),
        *sorted((*rtp(2, 1, LOUD), *rtp(2, 4, LOUD, sender=12_200)), key=lambda each: struct.unpack_from("<II", each)),
        *(bye(6), bye(6, "2-x")),
    )
    assert [caller for caller, *_ in stretches(heard)] == ["0639980001"]


def test_only_what_ended_in_the_time_asked_for_is_told() -> None:
    heard = listen(invite(1), ok(2), *rtp(4, 1, LOUD), *rtp(8, 1, LOUD), bye(9))
    assert [round(gap.seconds, 2) for gap in heard.gaps(5.0, 9.0)] == [3.02]
    heard.forget(5.0)
    assert [round(gap.seconds, 2) for gap in heard.gaps(0.0, 9.0)] == [3.02]


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_a_capture_may_come_in_pieces(piece: int) -> None:
    whole = (invite(1), ok(2), *rtp(2, 0.1, LOUD), bye(4))
    assert stretches(listen(*whole, piece=piece)) == stretches(listen(*whole)) == [("0639980001", 2.08, 4.0)]


def test_what_is_no_udp_is_passed_over() -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    tcp = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x06" + bytes(30)
    records = b"".join(struct.pack("<IIII", 1, 0, len(data), len(data)) + data for data in (arp, tcp))
    found = list(Capture().feed(HEADER + records + frame(2.5, (ASTERISK, 1), (CALLERS, 2), b"here")))
    assert found == [Packet(2.5, (ASTERISK, 1), (CALLERS, 2), b"here")]


@pytest.mark.parametrize("data", [b"x" * 24, HEADER[:20] + struct.pack("<I", 113)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(NotACapture):
        list(Capture().feed(data))


def test_ports_that_a_lost_call_had_are_heard_for_the_one_that_has_them_now() -> None:
    """Asterisk began anew, and gave them away before the lost call's caller hung up."""
    lost = (invite(1), ok(2), *rtp(2, 1, LOUD))
    now = (invite(4, "2-x", "0639980002"), ok(5, "2-x"), *rtp(5, 2, LOUD))
    late = (bye(7), *rtp(7, 3, LOUD), bye(10, "2-x"))
    assert stretches(listen(*lost, *now, *late)) == [("0639980001", 2.98, 7.0)]
