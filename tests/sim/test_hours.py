"""A day with hours, and one with a crisis, through the real core and the real queue: the books find nothing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from ivr.core.schedule import Calendar, Crisis, Span, Timeline
from ivr.sim.town import working_days
from tests.plans import CRUE, rich_plan
from tests.sim.test_town import run

if TYPE_CHECKING:
    from redis import Redis

pytestmark = pytest.mark.redis
HOUR = 3_600_000


def open_at(*hours: tuple[float, float]) -> Timeline:
    """Open in these hours of the first working day, closed from its midnight on at any other."""
    (midnight,) = working_days(1)
    edges = [0.0, *(edge for span in hours for edge in span), 24.0]
    return Timeline(
        tuple(
            Span(midnight + round(begin * HOUR), midnight + round(end * HOUR), open=n % 2 == 1, layer="weekly")
            for n, (begin, end) in enumerate(itertools.pairwise(edges))
        )
    )


def test_a_day_that_closes_twice_keeps_every_caller(straight: Redis) -> None:
    whole = run(straight, rich_plan(), 300).all
    closed = run(straight, rich_plan(), 300, calendar=Calendar(open_at((9, 11.5), (14, 16)))).all
    assert closed.violations == whole.violations == 0, closed.first_violations
    assert closed.outcomes.total() == whole.outcomes.total() == 300
    assert closed.outcomes["promised"] > whole.outcomes["promised"] + 20
    assert closed.outcomes["answered"] < whole.outcomes["answered"]


def test_a_day_of_crisis_is_heard_and_judged_as_it_was(straight: Redis) -> None:
    (midnight,) = working_days(1)
    day = run(straight, rich_plan(), 200, calendar=Calendar(crisis=Crisis(CRUE, midnight + 24 * HOUR))).all
    assert day.violations == 0, day.first_violations
    assert day.outcomes.total() == 200
