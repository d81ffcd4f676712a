from __future__ import annotations

import struct

import pytest

from ivr.lab.keys import ALAW_TYPE, EVENT_TYPE, capture
from ivr.lab.report import Quantiles

pytestmark = pytest.mark.unit


def packets(file: bytes) -> list[tuple[float, bytes]]:
    """Instant (ms) and RTP packet of each record of a capture."""
    found, at = [], 24
    while at < len(file):
        seconds, micros, size, _ = struct.unpack_from("<IIII", file, at)
        found.append((seconds * 1000 + micros / 1000, file[at + 16 + 14 + 20 + 8 : at + 16 + size]))
        at += 16 + size
    return found


def test_a_key_is_one_event_with_a_growing_duration_and_three_ends() -> None:
    events = [(at, rtp) for at, rtp in packets(capture("7", before_ms=200, total_ms=600)) if rtp[1] & 127 == EVENT_TYPE]
    assert [at for at, _ in events] == [200, 220, 240, 260, 280, 300, 300, 300]
    assert {rtp[4:8] for _, rtp in events} == {struct.pack("!I", 1600)}
    assert [bool(rtp[1] & 128) for _, rtp in events] == [True] + [False] * 7
    assert [struct.unpack("!BBH", rtp[12:]) for _, rtp in events] == [
        *((7, 10, ticks) for ticks in (160, 320, 480, 640, 800)),
        *[(7, 0x80 | 10, 800)] * 3,
    ]


def test_the_stream_has_no_hole_in_its_numbers_and_time_goes_forward() -> None:
    sent = packets(capture("12#", before_ms=100, total_ms=1_000))
    assert [struct.unpack_from("!H", rtp, 2)[0] for _, rtp in sent] == list(range(len(sent)))
    assert [at for at, _ in sent] == sorted(at for at, _ in sent)
    keys = [rtp[12] for _, rtp in sent if rtp[1] == EVENT_TYPE | 128]
    assert keys == [1, 2, 11]
    assert sent[-1][0] == 980
    assert all(len(rtp) == 172 for _, rtp in sent if rtp[1] & 127 == ALAW_TYPE)


def test_without_keys_there_is_silence_alone() -> None:
    assert {rtp[1] for _, rtp in packets(capture("", before_ms=0, total_ms=100))} == {ALAW_TYPE}


def test_quantiles_are_values_that_occurred() -> None:
    assert Quantiles.of([float(n) for n in range(1, 201)]) == Quantiles(200, 100.0, 180.0, 198.0, 200.0)
    assert Quantiles.of([5.0]) == Quantiles(1, 5.0, 5.0, 5.0, 5.0)
    assert Quantiles.of([]).count == 0
