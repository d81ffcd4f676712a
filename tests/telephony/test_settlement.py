"""The shared Redis is away and comes back, with all, some or nothing of what it held: no place in line is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.plan import AgentId, TopicId
from ivr.core.state import Call, Offer, Talking, Waiting
from ivr.queueing.model import CallRecord, NodeId, Token
from ivr.telephony.resync import astray

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

T = TopicId("etat-civil")


def call(phase: Any) -> Call:
    return Call(CallId("c1"), Caller(CallerRef("r"), None, "open", "normal"), "+33536490000", "v", 1, phase=phase)


def record(state: Any, **more: Any) -> CallRecord:
    return CallRecord(CallId("c1"), NodeId("a"), 1, state, topic=T, **more)


WAITS = Waiting(T, T, 0)
RINGS = Waiting(T, T, 0, offers=(Offer("e:1", AgentId("alice")),))
TALKS = Talking(T, Offer("e:1", AgentId("alice")), 0)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("phase", "held", "is_astray"),
    [
        (WAITS, record("waiting"), False),
        (WAITS, record("held"), True),
        (WAITS, None, True),
        (WAITS, record("offered", ringing=((Token("e:9"), AgentId("bob")),)), True),
        (RINGS, record("offered", ringing=((Token("e:1"), AgentId("alice")),)), False),
        (RINGS, record("waiting"), True),
        (TALKS, record("talking", token=Token("e:1")), False),
        (TALKS, record("talking", token=Token("e:7")), True),
        (TALKS, record("offered", ringing=((Token("e:1"), AgentId("alice")),)), True),
        (TALKS, None, True),
    ],
)
def test_what_the_queue_must_be_told_again(phase: Any, held: CallRecord | None, is_astray: bool) -> None:
    assert astray(call(phase), held) is is_astray


async def _home(hall: Hall, home: str) -> None:
    await hall.until(lambda: hall.queue.home == home, f"the state is in the {home} Redis")


@pytest.mark.redis
async def test_while_the_shared_redis_is_away_callers_keep_their_places_and_reach_people(sheltered: Hall) -> None:
    hall = sheltered
    await hall.agent("alice")
    talking, _ = await hall.talks()
    first = await hall.waits()
    second = await hall.waits()
    await hall.until(lambda: hall.state_of(second, "waiting"))
    before = await hall.dump()
    hall.redis.away = True
    third = await hall.waits()
    await _home(hall, "emergency")
    await hall.until(lambda: hall.state_of(third, "waiting"))
    away = await hall.dump()
    assert [await _arrival(hall, name) for name in (first, second)] == [
        before.calls[CallId(name)].arrival for name in (first, second)
    ]
    assert away.agents[AgentId("alice")].call == talking
    assert next(iter(away.waiting.values())) == (first, second, third)
    hall.switch.ends(talking)
    hall.switch.answers(await hall.rings(first))
    await hall.until(lambda: hall.switch.talks(first), "the first of the line talks")
    hall.redis.away = False
    await _home(hall, "shared")
    await hall.until(lambda: hall.state_of(first, "talking"))
    await hall.until(lambda: hall.state_of(third, "waiting"))
    back = await hall.dump()
    assert next(iter(back.waiting.values())) == (second, third)
    assert set(back.calls) == {CallId(name) for name in (first, second, third)}
    assert hall.switch.talks(first)
    hall.switch.ends(first)
    await hall.rings(second)
    assert not any(hall.switch.handed_back(name) for name in (first, second, third))
    hall.switch.ends(second)
    hall.switch.ends(third)
    await hall.nothing_left()


@pytest.mark.redis
async def test_an_agent_who_is_not_there_keeps_nobody_from_the_emergency(sheltered: Hall) -> None:
    hall = sheltered
    hall.switch.phones["agent-bob"] = "offline"
    await hall.agent("alice")
    waits = await hall.waits("1")
    hall.redis.away = True
    await _home(hall, "emergency")
    assert (await hall.dump()).agents.keys() == {AgentId("alice")}
    assert not hall.switch.handed_back(waits)


async def _arrival(hall: Hall, name: str) -> int:
    found = await hall.record(name)
    assert found is not None
    return found.arrival


@pytest.mark.redis
async def test_an_offer_in_flight_rings_again_and_is_answered_once(sheltered: Hall) -> None:
    hall = sheltered
    await hall.agent()
    name = await hall.waits()
    leg = await hall.rings(name)
    hall.redis.away = True
    await _home(hall, "emergency")
    again = await hall.rings(name, besides=leg)
    await hall.until(lambda: leg not in hall.switch.channels, "the void offer's phone is silent")
    hall.switch.answers(again)
    await hall.until(lambda: hall.switch.talks(name))
    hall.redis.away = False
    await _home(hall, "shared")
    await hall.until(lambda: hall.state_of(name, "talking"))
    assert len((await hall.dump()).talks) == 1
    hall.switch.ends(name)
    await hall.nothing_left()


@pytest.mark.redis
async def test_who_is_paused_gets_no_call_there_and_pauses_begun_there_are_kept(sheltered: Hall) -> None:
    hall = sheltered
    await hall.agent("alice")
    await hall.agent("bob")
    await hall.queue.pause(AgentId("alice"), "dejeuner", None)
    await hall.until(lambda: bool(hall.worker._settlement._paused), "the pause is known")
    hall.redis.away = True
    name = await hall.waits()
    await _home(hall, "emergency")
    leg = await hall.rings(name)
    assert (await hall.agent_record("bob")).state == "offered"
    assert (await hall.agent_record("alice")).pause == "dejeuner"
    hall.switch.ends(name)
    await hall.until(lambda: leg not in hall.switch.channels)
    await hall.queue.pause(AgentId("bob"), "reunion", None)
    await hall.queue.resume(AgentId("alice"))
    hall.redis.away = False
    await _home(hall, "shared")
    assert (await hall.agent_record("bob")).pause == "reunion"
    assert (await hall.agent_record("alice")).pause is None
    await hall.nothing_left()


@pytest.mark.redis
async def test_a_call_that_ended_meanwhile_is_over_in_the_shared_redis_too(sheltered: Hall) -> None:
    hall = sheltered
    await hall.agent()
    name, _ = await hall.talks()
    hall.redis.away = True
    await _home(hall, "emergency")
    hall.switch.ends(name)
    await hall.until(lambda: hall.worker.calls.get(name) is None)
    hall.redis.away = False
    await _home(hall, "shared")
    await hall.until(hall.idle)
    await hall.nothing_left()
    lines = await hall.redis.xrange(f"{{{hall.plan.site}}}:events")
    ended = [fields for _, fields in lines if fields[b"type"] == b"ended" and fields[b"call"] == name.encode()]
    assert [fields[b"outcome"] for fields in ended] == [b"answered"]


@pytest.mark.redis
async def test_what_a_failover_forgot_is_told_again(sheltered: Hall) -> None:
    hall = sheltered
    await hall.agent("alice")
    talking = await hall.waits()
    leg = await hall.rings(talking)
    gone = await hall.in_menu()
    await hall.until(lambda: hall.record(gone))
    names = await hall.redis.keys(f"{{{hall.plan.site}}}:*")
    former = {key: await hall.redis.dump(key) for key in names if not key.endswith(b":events")}
    hall.switch.answers(leg)
    await hall.until(lambda: hall.state_of(talking, "talking"))
    hall.switch.ends(gone)
    waiting = await hall.waits()
    await hall.until(lambda: hall.state_of(waiting, "waiting"))
    # A primary that had not heard of the last second: same epoch, older state.
    pipe = hall.redis.pipeline()
    for key in await hall.redis.keys(f"{{{hall.plan.site}}}:*"):
        if not key.endswith(b":events"):
            pipe.delete(key)
    for key, value in former.items():
        pipe.restore(key, 0, value, replace=True)
    await pipe.execute()
    hall.queue.doubtful = True
    await hall.until(lambda: hall.state_of(talking, "talking"))
    await hall.until(lambda: hall.state_of(waiting, "waiting"))
    await hall.until(lambda: _forgotten(hall, gone))
    assert hall.switch.talks(talking)
    hall.switch.ends(talking)
    await hall.rings(waiting)
    hall.switch.ends(waiting)
    await hall.nothing_left()


async def _forgotten(hall: Hall, name: str) -> bool:
    return await hall.record(name) is None


@pytest.mark.redis
async def test_a_worker_that_starts_while_the_shared_redis_is_away_serves(sheltered: Hall) -> None:
    hall = sheltered
    await hall.agent()
    kept = await hall.waits()
    await hall.rings(kept)
    await hall.stop()
    hall.redis.away = True
    again = hall.again()
    again.start()
    await again.until(lambda: again.worker.connected)
    assert again.queue.home == "emergency"
    new = await again.in_menu()
    assert again.switch.channels.keys() >= {new, kept}
    hall.redis.away = False
    await _home(again, "shared")
    again.switch.ends(new)
    again.switch.ends(kept)
    await again.nothing_left()
    await again.stop()


@pytest.mark.redis
async def test_both_away_the_desk_has_the_callers_and_one_back_is_enough(
    sheltered: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = sheltered
    emergency = hall.emergency
    assert emergency is not None
    monkeypatch.setattr("ivr.telephony.lease.LEASE_MS", 1_100)
    name = await hall.in_menu()
    hall.redis.away = emergency.away = True
    hall.switch.presses(name, "1")
    with capture_logs() as logs:
        await hall.until(lambda: hall.switch.handed_back(name))
        refused = emergency.refused
        await hall.until(lambda: emergency.refused > refused + 20)
    assert sum("emergency queue cannot be reached" in line["event"] for line in logs) == 1
    emergency.away = False
    await hall.until(lambda: hall.worker.connected and hall.queue.home == "emergency")
    hall.redis.away = False
    await _home(hall, "shared")
    hall.switch.ends(name)
    await hall.nothing_left()


@pytest.mark.redis
async def test_commands_that_fail_together_bring_back_what_is_lost_once(
    sheltered: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time costs every phone that rings its ringing."""
    hall = sheltered
    await hall.agent("alice")
    call = await hall.waits()
    await hall.rings(call)
    settlement = hall.worker._settlement
    recover, times = settlement._recover, 0

    async def back_by_now(home: Any) -> bool:
        nonlocal times
        times += 1
        hall.redis.away = False
        return await recover(home)

    monkeypatch.setattr(settlement, "_recover", back_by_now)
    hall.redis.away = True
    await asyncio.gather(*(hall.queue.status(CallId(call)) for _ in range(8)))
    assert (times, hall.queue.home) == (1, "shared")


@pytest.mark.redis
async def test_who_is_in_no_line_any_more_is_offered_to_nobody(sheltered: Hall) -> None:
    """The queue takes a caller for one who waits, who is in the menu: that is put right, and no agent rests for it."""
    hall = sheltered
    await hall.agent("alice")
    talking, _ = await hall.talks()
    call = await hall.in_menu()
    await hall.queue.join(CallId(call), NodeId("a"), T, 1)
    await hall.until(lambda: hall.state_of(call, "waiting"))
    hall.switch.ends(talking)
    await hall.until(lambda: hall.state_of(call, "held"))
    await hall.until(hall.idle)
    await hall.queue.join(CallId(call), NodeId("a"), T, 1)
    await hall.until(lambda: hall.state_of(call, "held"))
    await hall.until(hall.idle)
    assert (await hall.agent_record()).hold is None
    await hall.queue.pause(AgentId("alice"), "pause", None)
    await hall.queue.join(CallId(call), NodeId("a"), T, 1)
    actor = hall.worker.calls.get(call)
    assert actor is not None
    await actor.tell(hall.queue)
    assert await hall.state_of(call, "held")
