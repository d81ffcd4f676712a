"""Agents whose phone is at another node, and calls of another node that ring a phone of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from ivr.core.plan import AgentId, GroupId
from ivr.queueing.model import CallId, NodeId
from tests.plans import ETAT_CIVIL
from tests.telephony.switch import APP, Line

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis

ALICE: Final = AgentId("alice")
BEYOND: Final = NodeId("b")
THEIRS: Final = CallId("b-1.1")


async def test_an_agent_of_another_node_is_rung_through_that_node(hall: Hall) -> None:
    hall.worker.calls.route(await hall.queue.presence(ALICE, (GroupId("etat-civil"),), BEYOND, present=True))
    call = await hall.waits()
    leg = await hall.rings(call)
    (dialled,) = hall.switch.asked("POST", f"channels/{leg}")
    assert dialled.query["endpoint"] == "PJSIP/agent-alice@node-b"
    hall.switch.answers(leg)
    await hall.until(lambda: hall.switch.talks(call))
    hall.switch.ends(call)
    await hall.nothing_left()


async def test_an_agent_who_moved_is_rung_where_the_phone_is_now(hall: Hall) -> None:
    hall.worker.calls.route(await hall.queue.presence(ALICE, (GroupId("etat-civil"),), BEYOND, present=True))
    await hall.agent()
    hall.worker.calls.route(await hall.queue.presence(ALICE, (GroupId("etat-civil"),), BEYOND, present=False))
    call = await hall.waits()
    leg = await hall.rings(call)
    (dialled,) = hall.switch.asked("POST", f"channels/{leg}")
    assert dialled.query["endpoint"] == "PJSIP/agent-alice"


async def test_a_call_of_another_node_is_neither_taken_nor_mended_away(hall: Hall) -> None:
    """It rings our agent, who is busy outside of us and offered, once; then both end."""
    await hall.agent()
    joined = await hall.queue.join(THEIRS, BEYOND, ETAT_CIVIL, hall.queue.clock())
    (offer,) = joined.offers
    incoming = Line("a-1.901", "PJSIP/node-b-00000001", "Ring")
    ringing = Line("a-1.902", "PJSIP/agent-alice-00000002", "Ringing")
    for line in (incoming, ringing):
        hall.switch.channels[line.id] = line
        hall.switch.emit("ChannelStateChange", channel=hall.switch._channel(line))

    async def is_busy() -> bool:
        return (await hall.agent_record()).busy

    await hall.until(is_busy)
    before = len(hall.fake.wanted)
    hall.fake.cut(APP)
    await hall.until(lambda: not hall.worker.connected)
    await hall.until(lambda: hall.worker.connected)
    await hall.still()
    agent = await hall.agent_record()
    assert (agent.state, agent.busy, agent.token, agent.misses) == ("offered", True, offer.token, 0)
    assert len(hall.worker.calls) == 0
    assert {line.id for line in (incoming, ringing)} <= set(hall.switch.channels)
    assert not [asked for asked in hall.fake.wanted[before:] if asked.method == "DELETE"]
    await hall.queue.accept(offer.token)
    await hall.queue.end(THEIRS, "answered")
    assert (await hall.agent_record()).state == "busy"
    for line in (ringing, incoming):
        hall.switch.ends(line.id)
    await hall.until(hall.idle)
