"""Who is on leave is nobody's staff, wherever the state is, and their return is offered to who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import AgentId
from ivr.core.staffing import USUAL, Staffing

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis
ALICE, BOB = AgentId("alice"), AgentId("bob")


async def test_a_leave_holds_over_a_move_of_the_state_and_its_end_rings_at_once(sheltered: Hall) -> None:
    hall = sheltered
    await hall.agent("alice")
    await hall.agent("bob")
    hall.staffing = Staffing(leave={ALICE: 2**50})
    await hall.worker.reroute()
    call = await hall.waits()
    leg = await hall.rings(call)
    hall.switch.answers(leg)
    await hall.until(lambda: hall.switch.talks(call), "bob talks")
    assert (await hall.dump()).agents[BOB].call == call
    second = await hall.waits()
    hall.redis.away = True
    third = await hall.waits()
    await hall.until(lambda: hall.queue.home == "emergency", "the state is in the emergency Redis")
    await hall.until(lambda: hall.state_of(third, "waiting"))
    assert (await hall.dump()).agents[ALICE].state == "away"
    hall.redis.away = False
    await hall.until(lambda: hall.queue.home == "shared", "the state is home")
    await hall.until(lambda: hall.state_of(second, "waiting"))
    assert (await hall.dump()).agents[ALICE].state == "away"
    hall.staffing = USUAL
    await hall.worker.reroute()
    hall.switch.answers(await hall.rings(second))
    await hall.until(lambda: hall.switch.talks(second), "alice talks")
