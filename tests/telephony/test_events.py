"""Events that are lost at random, or come in another order: nobody is dropped, nothing is doubled, nothing is left."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.telephony.switch import CALLED
from tests.telephony.test_reconciler import looks

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis
AGENTS = ("alice", "bob")


@pytest.mark.parametrize("seed", range(6))
async def test_whichever_events_are_lost_every_caller_is_served_and_nothing_is_left(hall: Hall, seed: int) -> None:
    chance = Random(seed)
    for name in AGENTS:
        await hall.agent(name)
    # A key that is lost is pressed again by whoever pressed it: not an event that we could miss.
    hall.switch.loses = lambda event: event != "ChannelDtmfReceived" and chance.random() < 0.4
    calls = [hall.switch.calls() for _ in range(len(AGENTS))]
    await looks(hall)
    await hall.until(lambda: all(hall.phase(call) for call in calls))
    for call in calls:
        hall.switch.presses(call, "1")
    for call in calls:
        leg = await hall.rings(call)
        # An agent of whose answer nothing is heard speaks to nobody, and says hello until it is.
        hall.switch.loses, lossy = None, hall.switch.loses
        hall.switch.answers(leg)
        hall.switch.loses = lossy
        await hall.until(lambda call=call: hall.switch.talks(call))  # type: ignore[misc]
    await looks(hall, 3)
    assert all(hall.switch.talks(call) for call in calls)
    assert len(hall.switch.legs()) == len(hall.switch.bridges) == len(calls)
    for call in calls:
        hall.switch.ends(call)
    await looks(hall)
    await hall.until(lambda: not len(hall.worker.calls))
    await looks(hall, 3)
    await hall.nothing_left()
    for name in AGENTS:
        await hall.until(lambda name=name: hall.idle(name))  # type: ignore[misc]
    assert hall.metrics.begun._value.get() == len(calls)


async def test_a_caller_whose_end_comes_before_the_beginning_takes_no_agent_for_long(hall: Hall) -> None:
    await hall.agent()
    hall.switch.mute = True
    call = hall.switch.calls()
    channel = hall.switch._channel(hall.switch.channels[call])
    hall.switch.ends(call)
    hall.switch.mute = False
    hall.switch.emit("StasisEnd", channel=channel)
    hall.switch.emit("ChannelDestroyed", channel=channel, cause=16, cause_txt="")
    hall.switch.emit("StasisStart", channel=channel, args=["caller", CALLED, "+33612345678", "allowed"])
    await hall.until(lambda: hall.worker.calls.get(call))
    await looks(hall)
    await hall.nothing_left()
    await hall.until(hall.idle)


async def test_an_agent_whose_end_comes_before_the_answer_is_not_joined(hall: Hall) -> None:
    await hall.agent("alice")
    call = await hall.waits()
    leg = await hall.rings(call)
    hall.switch.mute = True
    hall.switch.answers(leg)
    channel = hall.switch._channel(hall.switch.channels[leg])
    hall.switch.ends(leg)
    hall.switch.mute = False
    hall.switch.emit("ChannelDestroyed", channel=channel, cause=16, cause_txt="")
    hall.switch.emit("StasisStart", channel=channel, args=["leg", call, "e:1"])
    await hall.agent("bob")
    second = await hall.rings(call)
    assert second != leg
    hall.switch.answers(second)
    await hall.until(lambda: hall.switch.talks(call))
    assert len(hall.switch.bridges) == 1


async def test_a_key_that_comes_before_its_caller_is_pressed_again(hall: Hall) -> None:
    hall.switch.mute = True
    call = hall.switch.calls()
    hall.switch.mute = False
    hall.switch.presses(call, "2")
    hall.switch.enters(call)
    await hall.until(lambda: "menu-principal" in hall.switch.said(call))
    hall.switch.presses(call, "2")
    await hall.until(lambda: "menu-suite" in hall.switch.said(call))
    assert hall.worker.calls.get(call)


async def test_an_offer_that_is_over_is_not_rung_again_by_a_list_that_was_read_before(hall: Hall) -> None:
    await hall.agent("alice")
    call = await hall.waits()
    leg = await hall.rings(call)
    (offer,) = (await hall.queue.reap()).live
    hall.switch.ends(leg)
    await hall.until(lambda: hall.state_of(call, "waiting"))
    hall.worker.calls.tell(offer)
    await hall.still()
    assert hall.switch.legs(call) == []
    await hall.agent("bob")
    hall.switch.answers(await hall.rings(call))
    await hall.until(lambda: hall.switch.talks(call))
