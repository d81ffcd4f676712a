"""The site's time: near to the server's, never stepped, never back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.queueing.clock import SiteClock, Slew

pytestmark = pytest.mark.unit

MS = 1_000_000
S = 1_000 * MS


class Source:
    """Both of a machine's clocks, by hand (ns)."""

    def __init__(self) -> None:
        self.mono = 7 * S
        self.wall = 1_790_000_000 * S

    def clock(self) -> SiteClock:
        return SiteClock(lambda: self.mono, lambda: self.wall)

    def pass_ms(self, ms: int) -> None:
        self.mono += ms * MS


def test_before_the_first_exchange_it_is_the_machines_time() -> None:
    source = Source()
    clock = source.clock()
    assert clock() == source.wall // MS
    source.pass_ms(1_500)
    source.wall += 3_600 * S
    assert clock() == 1_790_000_000_000 + 1_500


def test_the_first_exchange_sets_it_at_the_middle_of_the_round_trip() -> None:
    source = Source()
    clock = source.clock()
    sent = source.mono
    source.pass_ms(10)
    clock.learn(1_800_000_000_000_000, sent, source.mono)
    assert clock() == 1_800_000_000_005


def test_later_ones_slew_it_both_ways() -> None:
    source = Source()
    clock = source.clock()
    clock.learn(1_800_000_000_000_000, source.mono, source.mono)
    clock.learn(1_800_000_001_000_000, source.mono, source.mono)
    assert clock() == 1_800_000_000_000
    assert clock.error_ms == 1_000
    source.pass_ms(10_000)
    assert clock() == 1_800_000_010_500
    source.pass_ms(10_000)
    assert clock() == 1_800_000_021_000
    assert clock.error_ms == 0
    source.pass_ms(10_000)
    assert clock() == 1_800_000_031_000
    clock.learn(1_800_000_030_000_000, source.mono, source.mono)
    source.pass_ms(1_000)
    assert clock() == 1_800_000_031_950


def test_a_first_exchange_that_lies_behind_does_not_turn_it_back() -> None:
    source = Source()
    clock = source.clock()
    before = clock()
    clock.learn((before - 5_000) * 1_000, source.mono, source.mono)
    assert clock() == before
    source.pass_ms(6_000)
    assert clock() == before + 1_000


def test_what_lies_within_the_error_of_measurement_is_no_news() -> None:
    slew = Slew(0, 0, 0)
    assert slew.learn(50, 0, 200) is slew
    assert slew.learn(500, 0, 200) == Slew(0, 400, 200)


def test_it_goes_on_from_a_site_that_is_an_hour_ahead_and_comes_down_slowly() -> None:
    source = Source()
    clock = source.clock()
    base = 1_800_000_000_000
    clock.learn(base * 1_000, source.mono, source.mono)
    clock.reached(base - 5)
    assert clock() == base
    clock.reached(base + 3_600_000)
    assert (clock(), clock.true_ms(), clock.ahead_ms()) == (base + 3_600_000, base, 3_600_000)
    source.pass_ms(20_000)
    clock.learn((base + 20_000) * 1_000, source.mono, source.mono)
    assert (clock(), clock.true_ms()) == (base + 3_619_000, base + 20_000)
    assert clock.ahead_ms() == 3_599_000
    source.pass_ms(20 * 3_600_000)
    assert (clock.ahead_ms(), clock.error_ms) == (0, 0)


def test_the_true_time_is_known_at_once_when_the_machine_is_put_right() -> None:
    source = Source()
    clock = source.clock()
    base = clock()
    clock.learn(base * 1_000, source.mono, source.mono)
    clock.learn((base + 3_600_000) * 1_000, source.mono, source.mono)
    assert (clock(), clock.true_ms(), clock.ahead_ms()) == (base, base + 3_600_000, -3_600_000)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.none() | st.integers(-60_000, 60_000)), max_size=60))
def test_it_never_goes_back_nor_runs_away(steps: list[tuple[int, int | None]]) -> None:
    source = Source()
    clock = source.clock()
    base = clock()
    clock.learn(base * 1_000, source.mono, source.mono)
    last, start = base, source.mono
    for ms, seen in steps:
        source.pass_ms(ms)
        if seen is not None:
            server = base + (source.mono - start) // MS + seen
            clock.learn(server * 1_000, source.mono, source.mono)
        now = clock()
        assert last <= now <= last + ms * 1.05 + 1
        last = now
