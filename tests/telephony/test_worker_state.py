"""What the worker stands on gives way: Redis, its state, the lease, the machine's time, one call's own code."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from ivr.core.call import step as sound
from ivr.core.plan import AgentId
from ivr.ledger.store import LedgerError
from ivr.queueing.errors import QueueUnavailable
from ivr.queueing.model import NodeId, WorkerId
from ivr.telephony import lease, settlement

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis
NODE = NodeId("a")
OTHER = WorkerId("another machine/pid:[1]|1|1")


# One call breaks


@pytest.mark.parametrize("phase", ["InMenu", "Waiting", "offered"])
async def test_what_breaks_one_call_breaks_it_alone(hall: Hall, monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    await hall.agent("alice")
    await hall.agent("bob")
    talking, _ = await hall.talks()
    bystander = await hall.in_menu()
    call = await hall.in_menu()
    leg = ""
    if phase != "InMenu":
        hall.switch.presses(call, "1")
        leg = await hall.rings(call)
    _break(call, monkeypatch)
    hall.switch.presses(call, "2")
    await hall.until(lambda: hall.switch.handed_back(call))
    await hall.until(lambda: hall.worker.calls.get(call) is None)
    monkeypatch.undo()
    assert call in hall.switch.channels
    if leg:
        await hall.until(lambda: leg not in hall.switch.channels)
        await hall.until(lambda: hall.idle("bob"))
    assert hall.switch.talks(talking)
    hall.switch.presses(bystander, "2")
    await hall.until(lambda: "menu-suite" in hall.switch.said(bystander))
    assert not hall.switch.handed_back(bystander)
    assert not hall.switch.handed_back(talking)


def _break(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(state: Any, happened: Any, env: Any) -> Any:
        if state.id == call:
            raise ZeroDivisionError("a bug")
        return sound(state, happened, env)

    monkeypatch.setattr("ivr.telephony.actor.step", step)


async def test_a_caller_who_comes_back_from_the_dialplan_is_served_again_with_the_first_arrival(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hall.agent()
    call = await hall.in_menu()
    _break(call, monkeypatch)
    hall.switch.presses(call, "1")
    await hall.until(lambda: hall.worker.calls.get(call) is None)
    assert hall.switch.handed_back(call)
    assert not (await hall.dump()).calls
    monkeypatch.undo()
    monkeypatch.setattr("tests.telephony.switch.STAMP", "2025-12-31T23:59:30.000+0000")
    hall.switch.enters(call)
    await hall.until(lambda: hall.phase(call) == "InMenu")
    hall.switch.presses(call, "1")
    await hall.rings(call)
    record = await hall.record(call)
    assert record is not None
    assert 29_000 < hall.queue.clock() - record.arrival < 60_000


async def test_a_promise_that_the_ledger_refuses_is_none(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_args: object) -> None:
        raise LedgerError("the disk is full")

    call, name = await hall.speaks()
    monkeypatch.setattr(hall.ledger, "promise", refuse)
    hall.switch.recorded(name)
    await hall.until(lambda: hall.switch.handed_back(call))
    assert "message-kept" not in hall.switch.said(call)


# Redis is away


async def test_a_caller_who_comes_while_redis_is_away_hears_the_menu_and_reaches_the_desk(hall: Hall) -> None:
    hall.redis.away = True
    call = await hall.in_menu()
    information = await hall.in_menu()
    hall.switch.presses(information, "3")
    await hall.until(lambda: "horaires" in hall.switch.said(information))
    hall.switch.presses(call, "1")
    await hall.until(lambda: hall.switch.handed_back(call))
    assert not hall.switch.handed_back(information)
    hall.redis.away = False
    await hall.until(lambda: hall.worker.calls.get(call) is None)
    hall.switch.presses(information, "2")
    await hall.until(lambda: _known(hall, information))


async def test_the_time_is_learnt_again_while_it_serves(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "CLOCK_EVERY", 1)
    clock = hall.queue.clock
    mono = clock.monotonic_ns()
    clock.learn((clock() + 3_600_000) * 1_000, mono, mono)  # Redis' machine was ahead, and is mended
    assert clock.ahead_ms() < -3_000_000
    await hall.until(lambda: clock.ahead_ms() == 0, "the true time is known again")


async def _known(hall: Hall, call: str) -> bool:
    return await hall.record(call) is not None


async def test_a_message_is_kept_while_redis_is_away(hall: Hall) -> None:
    call, name = await hall.speaks()
    hall.redis.away = True
    hall.switch.recorded(name)
    await hall.until(lambda: "message-kept" in hall.switch.said(call))
    assert [file.id for file in await hall.ledger.files()] == [call]


async def test_a_talk_outlives_redis_being_away(hall: Hall) -> None:
    await hall.agent()
    call, leg = await hall.talks()
    hall.redis.away = True
    await hall.until(lambda: hall.redis.refused > 10)
    hall.redis.away = False
    await hall.still()
    assert hall.switch.talks(call)
    hall.switch.ends(call)
    await hall.nothing_left()
    assert leg not in hall.switch.channels
    await hall.until(hall.idle)


async def test_a_talk_that_ends_while_redis_is_away_frees_the_agent_when_it_is_back(hall: Hall) -> None:
    await hall.agent()
    call, _ = await hall.talks()
    hall.redis.away = True
    hall.switch.ends(call)
    await hall.until(lambda: hall.worker.calls.get(call) is None)
    hall.redis.away = False
    await hall.until(hall.idle)
    await hall.nothing_left()


async def test_redis_away_for_longer_than_the_lease_gives_the_waiting_to_the_desk_and_returns(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hall.agent()
    talking, _ = await hall.talks()
    call = await hall.waits()
    monkeypatch.setattr(lease, "LEASE_MS", 1_100)
    hall.redis.away = True
    await hall.until(lambda: hall.switch.handed_back(call))
    await hall.until(lambda: not hall.worker.connected)
    assert not hall.switch.handed_back(talking)
    hall.redis.away = False
    await hall.until(lambda: hall.worker.connected)
    assert hall.switch.talks(talking)
    assert (await hall.agent_record()).call == talking
    hall.switch.ends(talking)
    hall.switch.ends(call)
    await hall.nothing_left()


async def test_a_reconnect_without_redis_is_tried_until_it_is_there(hall: Hall) -> None:
    call = await hall.in_menu()
    hall.redis.away = True
    hall.fake.cut("ivr-a")
    await hall.until(lambda: hall.fake.connections >= 4)
    hall.redis.away = False
    await hall.until(lambda: hall.worker.connected)
    await hall.until(lambda: hall.switch.said(call).count("menu-principal") == 2)
    assert hall.complaints == []


async def test_a_worker_that_is_there_before_redis_waits_for_it(hall: Hall) -> None:
    await hall.stop()
    hall.redis.away = True
    hall.redis.refused = 0
    again = hall.again()
    again.start()
    await again.until(lambda: hall.redis.refused > 3)
    assert not again.worker.connected
    hall.redis.away = False
    await again.until(lambda: again.worker.connected)
    await again.stop()


# Its state is lost


async def _lose_state(hall: Hall) -> str:
    epoch = (await hall.dump()).site["epoch"]
    names = await hall.redis.keys(f"{{{hall.plan.site}}}:*")
    await hall.redis.delete(*names)
    return epoch


async def _anew(hall: Hall, epoch: str) -> bool:
    return hall.queue.epoch not in {None, epoch} and hall.worker.connected


async def test_lost_state_is_rebuilt_as_it_was(hall: Hall) -> None:
    await hall.agent("alice")
    talking, _ = await hall.talks()
    waiting = await hall.waits()
    await hall.until(lambda: hall.state_of(waiting, "waiting"))
    menu = await hall.in_menu()
    before = await hall.dump()
    epoch = await _lose_state(hall)
    await hall.until(lambda: _anew(hall, epoch))
    await hall.until(lambda: hall.state_of(waiting, "waiting"))
    after = await hall.dump()
    for call in before.calls:
        if call != menu:
            was, now = before.calls[call], after.calls[call]
            assert (was.arrival, was.topic, was.state, was.agent) == (now.arrival, now.topic, now.state, now.agent)
    assert after.agents[AgentId("alice")].call == talking
    assert after.waiting == before.waiting
    assert hall.switch.talks(talking)
    hall.switch.presses(menu, "2")
    await hall.until(lambda: "menu-suite" in hall.switch.said(menu))
    hall.switch.ends(talking)
    await hall.rings(waiting)
    assert not any(hall.switch.handed_back(call) for call in (talking, waiting, menu))


async def test_a_phone_that_rings_when_the_state_is_lost_is_rung_anew_and_once(hall: Hall) -> None:
    await hall.agent("alice")
    call = await hall.waits()
    leg = await hall.rings(call)
    epoch = await _lose_state(hall)
    await hall.until(lambda: _anew(hall, epoch))
    second = await hall.rings(call, besides=leg)
    await hall.until(lambda: hall.switch.legs() == [second])
    hall.switch.answers(second)
    await hall.until(lambda: hall.switch.talks(call))
    assert (await hall.agent_record()).call == call


# The lease


async def _granted(hall: Hall) -> bool:
    await hall.queue.unlease(NODE, WorkerId("nobody"))  # whose renewal may have come first
    return (await hall.queue.lease(NODE, OTHER, 60_000)).granted


async def _another_takes_the_node(hall: Hall) -> None:
    own = hall.worker._lease._id
    hall.worker._lease._id = WorkerId("nobody")  # so that its own renewals do not win the race
    await hall.queue.unlease(NODE, own)
    await hall.until(lambda: _granted(hall))


async def test_the_lease_lost_it_stops_at_once_and_harms_nobody(hall: Hall) -> None:
    await hall.agent()
    talking, leg = await hall.talks()
    waiting = await hall.waits()
    menu = await hall.in_menu()
    before = set(hall.switch.channels)
    await _another_takes_the_node(hall)
    await hall.until(lambda: not hall.worker.connected and not len(hall.worker.calls))
    await hall.fake.until(lambda: not hall.fake.connected)
    asked = len(hall.fake.asked)
    hall.switch.presses(menu, "2")
    hall.switch.answers(leg)
    await hall.queue.reap()
    assert hall.fake.asked[asked:] == []
    assert set(hall.switch.channels) == before
    assert not any(hall.switch.handed_back(call) for call in (talking, waiting, menu))
    assert set((await hall.dump()).calls) == {talking, waiting, menu}

    await hall.queue.unlease(NODE, OTHER)
    await hall.until(lambda: hall.worker.connected)
    assert hall.switch.talks(talking)
    hall.switch.ends(talking)
    await hall.rings(waiting)
    await hall.until(lambda: hall.switch.said(menu).count("menu-principal") == 2)


async def test_replaced_while_another_holds_the_node_it_stands_by(hall: Hall) -> None:
    call = await hall.in_menu()
    await _another_takes_the_node(hall)
    await hall.until(lambda: not hall.worker.connected)
    connections = hall.fake.connections
    for _ in range(20):
        await hall.queue.reap()
    assert hall.fake.connections == connections
    await hall.queue.unlease(NODE, OTHER)
    await hall.until(lambda: hall.worker.connected)
    await hall.until(lambda: hall.switch.said(call).count("menu-principal") == 2)


async def test_after_standing_still_it_reads_the_lease_before_it_acts_again(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hall.agent()
    call, _ = await hall.talks()
    asleep = 0.0
    held = hall.worker._lease
    held._monotonic = lambda: time.monotonic() + asleep
    # It stands still between two renewals: within one, it asks again and goes on.
    monkeypatch.setattr(lease, "LEASE_EVERY_S", 0.5)
    renewed = held._renewed
    await hall.until(lambda: held._renewed != renewed)
    asleep = 30.0
    await hall.until(lambda: hall.fake.connections == 2 and hall.worker.connected)
    assert hall.switch.talks(call)
    assert not hall.switch.handed_back(call)
    hall.switch.ends(call)
    await hall.nothing_left()


async def test_standing_still_while_another_takes_the_node_loses_no_call_to_two_masters(hall: Hall) -> None:
    call = await hall.in_menu()
    asleep = 0.0
    hall.worker._lease._monotonic = lambda: time.monotonic() + asleep
    await _another_takes_the_node(hall)
    asleep = 30.0
    await hall.until(lambda: not len(hall.worker.calls))
    asked = len(hall.fake.wanted)
    hall.switch.presses(call, "2")
    await hall.queue.reap()
    assert hall.fake.wanted[asked:] == []


async def test_a_dead_workers_node_is_taken_at_once(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    await hall.stop()
    assert (await hall.queue.lease(NODE, OTHER, 3_600_000)).granted
    again = hall.again()
    monkeypatch.setattr(lease, "is_dead", lambda name: name == OTHER)
    again.start()
    await again.until(lambda: again.worker.connected)
    await again.stop()


async def test_redis_away_is_an_error_of_the_queue_whatever_is_asked(hall: Hall) -> None:
    hall.redis.away = True
    with pytest.raises(QueueUnavailable):
        await hall.queue.learn_clock()
    hall.redis.away = False


# The next worker


async def test_the_next_worker_takes_every_call_where_it_is(hall: Hall) -> None:
    await hall.agent("alice")
    talking, leg = await hall.talks()
    waiting = await hall.waits()
    await hall.until(lambda: hall.state_of(waiting, "waiting"))
    menu = await hall.in_menu()
    await hall.stop()
    again = hall.again()
    again.start()
    await again.until(lambda: again.worker.connected)
    assert len(again.worker.calls) == 3
    await again.until(lambda: hall.switch.said(menu).count("menu-principal") == 2)
    assert hall.switch.legs() == [leg]
    hall.switch.ends(talking)
    await again.rings(waiting)
    await again.stop()
