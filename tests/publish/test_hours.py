"""The hours by which calls go are those of the wall, whatever the site's clock."""

from __future__ import annotations

import pytest

from ivr.core.schedule import Forced
from ivr.publish.hours import HoursNow
from ivr.publish.states import States
from tests.plans import small_plan

pytestmark = pytest.mark.unit

NOON = 1_790_000_000_000
HOUR = 3_600_000


@pytest.mark.parametrize("ahead", [0, HOUR, -HOUR])
def test_what_is_forced_ends_at_its_time_however_far_ahead_the_sites_clock_is(ahead: int) -> None:
    plan = small_plan()
    closed = Forced(None, open=False, since=NOON - HOUR, until=NOON + HOUR, reason="Panne")
    made = HoursNow(
        plan=lambda: plan, states=lambda: States((closed,)), clock=lambda: NOON + ahead, ahead=lambda: ahead
    )
    site = made().site
    assert site.at(NOON + ahead).reason == "Panne"
    assert site.at(NOON + ahead).end == NOON + ahead + HOUR
