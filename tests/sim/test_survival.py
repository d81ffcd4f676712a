"""Patience out of waits that an answer cut short."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.sim.survival import Patience

pytestmark = pytest.mark.unit


def test_the_estimate_of_a_worked_example() -> None:
    # At risk 5, 4 (one was answered at 10), 2; a third of those who are left goes at 20, half at 40.
    patience = Patience.of([(10, True), (10, False), (20, True), (40, True), (50, False)])
    assert patience.times == (10, 20, 40)
    assert patience.staying == pytest.approx((4 / 5, 4 / 5 * 2 / 3, 4 / 5 * 2 / 3 / 2))
    assert patience.share(9) == 1
    assert patience.share(20) == pytest.approx(0.5333, abs=1e-3)
    assert patience.median_s == pytest.approx(0.04)


def test_a_draw_is_of_who_still_waits() -> None:
    patience = Patience.of([(10, True), (20, True), (30, True), (40, True)])
    assert [patience.draw(chance) for chance in (0.0, 0.26, 0.51, 0.76)] == [10, 20, 30, 40]
    assert [patience.draw(chance, at_least=20) for chance in (0.0, 0.49, 0.51)] == [30, 30, 40]


def test_waits_cut_short_at_random_give_the_patience_that_was_there() -> None:
    chance = np.random.default_rng(1)
    patience, answer = chance.exponential(300_000, 20_000), chance.exponential(60_000, 20_000)
    known = Patience.of([(round(min(p, a)), bool(p <= a)) for p, a in zip(patience, answer, strict=True)])
    for at in (30_000, 120_000, 240_000):
        assert known.share(at) == pytest.approx(np.exp(-at / 300_000), abs=0.03)
    drawn = [known.draw(float(u)) for u in chance.random(20_000)]
    assert np.mean(drawn) == pytest.approx(300_000, rel=0.1)  # beyond what was seen too
    later = [known.draw(float(u), at_least=200_000) for u in chance.random(5_000)]
    assert min(later) > 200_000
    assert np.mean(later) == pytest.approx(500_000, rel=0.1)  # an exponential one has no memory


def test_who_never_left_waits_for_ever() -> None:
    assert Patience.of([(5_000, False)]).draw(0.5) >= 24 * 3_600_000
    assert Patience.of([]).draw(0.5) >= 24 * 3_600_000
