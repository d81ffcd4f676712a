"""When a machine takes no more calls, and when it does again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.telephony.capacity import Judgement, Limits, busy_share, machine_ms

pytestmark = pytest.mark.unit
LIMITS = Limits(late_ms=100, busy=0.9, looks=2, eased=3)
BAD, SLOW, BUSY, GOOD = (150.0, 0.99), (150.0, 0.3), (10.0, 0.99), (1.0, 0.2)


@pytest.mark.parametrize("one_sign", [SLOW, BUSY, GOOD])
def test_late_answers_alone_and_work_alone_turn_nobody_away(one_sign: tuple[float, float]) -> None:
    judgement = Judgement(LIMITS)
    for _ in range(20):
        judgement.look(*one_sign)
        assert not judgement.full


def test_it_is_full_after_some_bad_looks_and_over_after_more_good_ones() -> None:
    judgement = Judgement(LIMITS)
    verdicts = []
    for look in [BAD, GOOD, BAD, BAD, GOOD, GOOD, BAD, GOOD, SLOW, BUSY, GOOD]:
        judgement.look(*look)
        verdicts.append(judgement.full)
    assert verdicts == [False, False, False, True, True, True, True, True, True, False, False]


@given(st.lists(st.sampled_from([BAD, SLOW, BUSY, GOOD])))
def test_a_change_is_told_once_and_only_a_change(looks: list[tuple[float, float]]) -> None:
    judgement = Judgement(LIMITS)
    before = False
    for look in looks:
        assert judgement.look(*look) == (judgement.full != before)
        before = judgement.full


def test_the_machine_tells_its_work() -> None:
    before = machine_ms()
    while (after := machine_ms())[0] < before[0] + 50:
        pass
    assert 0.0 < busy_share(before, after) <= 1.0
    assert busy_share(before, before) == 0.0
