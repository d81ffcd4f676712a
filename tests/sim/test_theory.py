"""The queue's functions and the recursion give every caller the same fate; the recursion is what the formulas say."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.core.plan import SiteId
from ivr.sim.erlang import Fates, Sample, Traffic, drawn, formula, half_width_s, kiefer_wolfowitz, mean_s
from ivr.sim.errors import SimulationError
from ivr.sim.theory import compare, engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

PROOF = os.environ.get("HYPOTHESIS_PROFILE") == "proof"
CALLERS = 5_000 if PROOF else 1_000
LONG = 2_000_000 if PROOF else 200_000
STUDENT_9999 = 4.897
"""Two sides, 19 degrees of freedom: one run in ten thousand falls outside by chance."""
TRAFFICS = ("20,330,180", "3,50,180", "14,230,180,120", "2,60,240,90")

_sites = itertools.count(1)


@pytest.mark.redis
@pytest.mark.timeout(300)
@pytest.mark.parametrize("text", TRAFFICS)
def test_every_wait_in_the_queue_is_the_recursions_to_the_millisecond(straight: Redis, site: SiteId, text: str) -> None:
    traffic = Traffic.read(text)
    sample = drawn(traffic, CALLERS, seed=11)
    ours, theirs = engine(straight, site, sample, traffic.agents), kiefer_wolfowitz(sample, traffic.agents)
    assert ours == Fates(list(theirs.waits), list(theirs.left))
    assert any(ours.waits)
    assert any(ours.left) == (traffic.patience_s is not None)


def a_sample(rows: Sequence[tuple[int, int, int]], *, patient: bool) -> Sample:
    arrivals = list(itertools.accumulate(gap for gap, _, _ in rows))
    return Sample(arrivals, [talk for _, talk, _ in rows], None if patient else [most for _, _, most in rows])


tiny = st.integers(0, 4)


@pytest.mark.redis
@settings(max_examples=1_000 if PROOF else 60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(tiny, tiny, tiny), min_size=1, max_size=14), agents=st.integers(1, 3), patient=st.booleans()
)
def test_ties_fall_the_same_way(straight: Redis, rows: list[tuple[int, int, int]], agents: int, patient: bool) -> None:
    sample = a_sample(rows, patient=patient)
    assert engine(straight, SiteId(f"ties-{next(_sites)}"), sample, agents) == kiefer_wolfowitz(sample, agents)


@pytest.mark.redis
def test_the_comparison_says_all_three(straight: Redis) -> None:
    facts = compare(straight, Traffic.read("4,60,180,240"), 300, seed=3).facts()
    assert facts["differing"] == 0
    assert facts["engine"] == facts["recursion"]
    assert facts["formula"]["wait_s"]["mean"] > 0 < facts["half_width_s"]


@pytest.mark.long
def test_two_callers_and_one_agent_by_hand() -> None:
    sample = Sample(arrivals=[0, 10, 20, 30], talks=[100, 50, 50, 50], patience=[0, 90, 79, 200])
    # The second begins at the very ms of their patience; the third is gone by then.
    assert kiefer_wolfowitz(sample, 1) == Fates([0, 90, 79, 120], [False, False, True, False])


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("text", ["14,230,180", "2,24,180", "14,230,180,120", "5,120,180,60"])
def test_the_recursion_is_what_the_formulas_say(text: str) -> None:
    traffic = Traffic.read(text)
    fates = kiefer_wolfowitz(drawn(traffic, LONG, seed=5), traffic.agents)
    told = formula(traffic)
    margin = 0.02 * told.wait_s if PROOF else half_width_s(fates.waits, STUDENT_9999)
    assert mean_s(fates.waits) == pytest.approx(told.wait_s, abs=margin)
    assert sum(fates.left) / LONG == pytest.approx(told.left, abs=0.005)


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "delayed", "wait_s"),
    [
        # One agent: who waits is the load; the mean wait is rho / (mu - lambda).
        ("1,30,60", 0.5, 60.0),
        # Two agents and one erlang: 1/3 wait, 1/3 of a talk on average.
        ("2,60,60", 1 / 3, 20.0),
    ],
)
def test_erlang_c_by_hand(text: str, delayed: float, wait_s: float) -> None:
    told = formula(Traffic.read(text))
    assert told.delayed == pytest.approx(delayed)
    assert told.wait_s == pytest.approx(wait_s)
    assert told.left == 0


@pytest.mark.long
def test_erlang_a_meets_erlang_c_for_callers_of_endless_patience() -> None:
    patient, endless = formula(Traffic(10, 150, 180, 1e9)), formula(Traffic(10, 150, 180))
    assert patient.wait_s == pytest.approx(endless.wait_s, rel=1e-4)
    assert patient.delayed == pytest.approx(endless.delayed, rel=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("text", ["2,330,180", "0,1,1", "3,4", "a,b,c", "3,4,5,0", "1,2,3,4,5"])
def test_a_traffic_that_is_none_is_told(text: str) -> None:
    with pytest.raises(SimulationError):
        Traffic.read(text)
