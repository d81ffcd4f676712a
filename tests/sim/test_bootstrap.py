"""How sure a change is: the interval that days drawn again give."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.sim.bootstrap import Bootstrap

pytestmark = pytest.mark.unit
BOOT = Bootstrap(20, seed=7)


def days(seed: int, share: float, days: int = 20) -> list[tuple[float, float]]:
    chance = np.random.default_rng(seed)
    return [(float(chance.binomial(1_000, share)), 1_000.0) for _ in range(days)]


def test_the_same_days_differ_in_nothing() -> None:
    same = days(1, 0.8)
    found = BOOT.share(same, same)
    assert (found.change, found.low, found.high, found.sure) == (0, 0, 0, False)


def test_a_change_beyond_chance_is_sure_and_one_within_it_is_not() -> None:
    before = days(1, 0.80)
    worse = BOOT.share(before, [(answered - 60, of) for answered, of in before])
    assert worse.sure
    assert worse.change == pytest.approx(-0.06)
    swapped = [(answered + (20 if n % 2 else -20), of) for n, (answered, of) in enumerate(before)]
    assert not BOOT.share(before, swapped).sure


def test_the_interval_is_that_of_theory() -> None:
    chance = np.random.default_rng(3)
    change = chance.normal(0, 10, 400)
    found = Bootstrap(400, seed=7).share([(500.0, 1_000.0)] * 400, [(500 + x, 1_000.0) for x in change])
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * float(change.std()) / 20 / 1_000
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


def test_a_quantile_is_of_all_days_together() -> None:
    before = [[1.0, 2.0, 3.0], [10.0], []] * 4
    after = [[value + 5 for value in day] for day in before]
    found = Bootstrap(12, seed=7).quantile(0.5, before, after)
    assert (found.before, found.after, found.change) == (2.0, 7.0, 5.0)
    assert found.low == found.high == 5.0


def test_nothing_to_measure_is_told_as_nothing() -> None:
    assert BOOT.share([(0, 0)] * 20, [(0, 0)] * 20).change is None
    assert BOOT.quantile(0.9, [[]] * 20, [[1.0]] * 20).change is None
    one = Bootstrap(1, seed=7).share([(1, 2)], [(2, 2)])
    assert (one.change, one.low, one.sure) == (0.5, None, False)
