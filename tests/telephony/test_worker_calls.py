"""Calls, and everything that Asterisk may refuse, delay, double or lose in one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ivr.core.plan import MenuId
from tests.ari.fake import Say, refuse
from tests.plans import RELAY
from tests.telephony.switch import STAMP, Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ari.fake import Asked
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis


async def test_a_call_from_its_beginning_to_its_end(hall: Hall) -> None:
    await hall.agent()
    call, leg = await hall.talks()
    assert hall.switch.said(call)[:2] == ["greeting", "menu-principal"]
    (dialled,) = hall.switch.asked("POST", f"channels/{leg}")
    assert (dialled.query["endpoint"], dialled.query["originator"]) == ("PJSIP/agent-alice", call)
    assert (await hall.agent_record()).call == call
    hall.switch.ends(call)
    await hall.nothing_left()
    await hall.until(hall.idle)
    assert hall.metrics.ended.labels("answered")._value.get() == 1


async def test_a_relay_service_goes_to_people_without_a_menu(hall: Hall) -> None:
    await hall.agent()
    call = hall.switch.calls(RELAY)
    await hall.rings(call)
    assert "menu-principal" not in hall.switch.said(call)


@pytest.mark.parametrize("hall", [{"max_calls": 1}], indirect=True)
async def test_one_caller_more_than_the_node_may_hold_has_a_sentence_and_a_promise(hall: Hall) -> None:
    await hall.agent()
    waiting = await hall.waits("1")
    late = hall.switch.calls()
    await hall.until(lambda: "full-callback" in hall.switch.said(late))
    assert "menu-principal" not in hall.switch.said(late)
    (file,) = await hall.ledger.files()
    assert (file.id, file.kind) == (late, "callback")
    assert hall.phase(waiting) == "Waiting"


async def test_a_machine_that_cannot_keep_up_takes_no_more(hall: Hall) -> None:
    await hall.agent()
    waiting = await hall.waits("1")
    hall.worker.calls.full = lambda: True
    late = hall.switch.calls()
    await hall.until(lambda: "full-callback" in hall.switch.said(late))
    assert [file.id for file in await hall.ledger.files()] == [late]
    hall.worker.calls.full = lambda: False
    taken = hall.switch.calls()
    await hall.until(lambda: "menu-principal" in hall.switch.said(taken))
    assert hall.phase(waiting) == "Waiting"


@pytest.mark.parametrize("hall", [{"max_calls": 1}], indirect=True)
async def test_a_relay_service_has_a_line_even_then(hall: Hall) -> None:
    await hall.agent()
    await hall.waits("1")
    relay = hall.switch.calls(RELAY)
    await hall.until(lambda: "queued" in hall.switch.said(relay))


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
async def test_an_origination_that_is_refused_goes_to_the_next_agent(hall: Hall, status: int) -> None:
    await hall.agent("alice")
    hall.fake.on("POST", "channels/leg[^/]+", refuse(status, "no"), times=1)
    call = await hall.waits()
    await hall.until(lambda: _state(hall, "alice", "cooldown"))
    await hall.agent("bob")
    leg = await hall.rings(call)
    assert hall.switch.asked("POST", f"channels/{leg}")[0].query["endpoint"] == "PJSIP/agent-bob"
    assert (await hall.agent_record("alice")).present


async def _state(hall: Hall, agent: str, state: str) -> bool:
    return (await hall.agent_record(agent)).state == state


@pytest.mark.parametrize("status", [404, 409, 412, 500])
async def test_a_prompt_that_is_refused_holds_nobody_up(hall: Hall, status: int) -> None:
    hall.fake.on("POST", "channels/.*/play/.*", refuse(status, "no"), times=1)
    call = await hall.in_menu()
    hall.switch.presses(call, "3")
    await hall.until(lambda: "horaires" in hall.switch.said(call))
    hall.switch.ends(call)
    await hall.nothing_left()


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
async def test_a_bridge_that_is_refused_leaves_the_caller_in_the_line(hall: Hall, status: int) -> None:
    await hall.agent("alice")
    hall.fake.on("POST", "bridges/br[^/]+/addChannel", refuse(status, "no"), times=1)
    call = await hall.waits()
    arrival = (await hall.record(call)).arrival  # type: ignore[union-attr]
    first = await hall.rings(call)
    hall.switch.answers(first)
    second = await hall.rings(call, besides=first)
    assert first not in hall.switch.channels
    assert (await hall.record(call)).arrival == arrival  # type: ignore[union-attr]
    hall.switch.answers(second)
    await hall.until(lambda: hall.switch.talks(call))
    assert list(hall.switch.bridges) == [second.replace("leg.", "br.")]
    hall.switch.ends(call)
    await hall.nothing_left()


@pytest.mark.parametrize("status", [404, 409, 422, 500])
async def test_a_recording_that_is_refused_becomes_a_promise_to_call_back(hall: Hall, status: int) -> None:
    hall.fake.on("POST", "channels/.*/record", refuse(status, "no"))
    call = await hall.in_menu()
    hall.switch.presses(call, "1")
    await hall.until(lambda: "message-kept" in hall.switch.said(call))
    await hall.nothing_left()
    (file,) = await hall.ledger.files()
    assert (file.id, file.kind, file.owner, file.recording) == (call, "callback", "group:etat-civil", "")


async def test_a_message_that_fails_half_way_becomes_a_promise_to_call_back(hall: Hall) -> None:
    call, name = await hall.speaks()
    hall.switch.recorded(name, "RecordingFailed")
    await hall.nothing_left()
    (file,) = await hall.ledger.files()
    assert (file.id, file.kind) == (call, "callback")


async def test_a_message_is_promised_before_the_caller_hears_so(hall: Hall) -> None:
    call, name = await hall.speaks()
    hall.switch.recorded(name)
    await hall.until(lambda: "message-kept" in hall.switch.said(call))
    (file,) = await hall.ledger.files()
    assert (file.kind, file.recording, file.owner) == ("message", name, "group:etat-civil")
    await hall.nothing_left()
    assert call not in hall.switch.channels


@pytest.mark.parametrize("status", [404, 500])
async def test_a_hangup_that_is_refused_ends_the_call_all_the_same(hall: Hall, status: int) -> None:
    call, name = await hall.speaks()
    hall.fake.on("DELETE", f"channels/{call}", refuse(status, "no"))
    hall.switch.recorded(name)
    await hall.nothing_left()


@pytest.mark.parametrize(
    "path", ["channels/leg[^/]+", "channels/[^/]+/play/.*", "channels/[^/]+/answer", "bridges/br.*", ".*/variable"]
)
async def test_a_reply_that_comes_after_its_events_changes_nothing(hall: Hall, path: str) -> None:
    late = asyncio.Event()
    await hall.agent()
    hall.fake.on("POST", path, _but(hall, after=late))
    call, _ = await hall.talks()
    late.set()
    await hall.still()
    assert hall.switch.talks(call)
    hall.switch.ends(call)
    await hall.nothing_left()


@pytest.mark.parametrize(
    "path", ["channels/leg[^/]+", "channels/[^/]+/play/.*", "channels/[^/]+/answer", "bridges/br.*", ".*/variable"]
)
async def test_replies_that_never_come_lose_nobody(hall: Hall, path: str) -> None:
    hall.ari._timeout_ms = 50
    hall.fake.on("POST", path, _but(hall, times=0))
    await hall.agent()
    call = await hall.waits()
    leg = await hall.rings(call)
    hall.switch.answers(leg)
    await hall.until(lambda: hall.ari.stats.timeouts)
    hall.switch.ends(call)
    await hall.nothing_left()


def _but(hall: Hall, **differently: Any) -> Callable[[Asked], Say | None]:
    """What the switch does and says, said differently."""
    rules = list(hall.fake._rules)

    def say(asked: Asked) -> Say | None:
        for rule in rules:
            if rule.method == asked.method and rule.path.fullmatch(asked.path):
                said = rule.say(asked) if callable(rule.say) else rule.say
                return said and replace(said, **differently)
        return None

    return say


async def test_doubled_events_change_nothing(hall: Hall) -> None:
    hall.switch.twice = True
    await hall.agent()
    call, leg = await hall.talks()
    await hall.still()
    assert len(hall.switch.asked("POST", f"channels/{leg}")) == 1
    assert len(hall.switch.asked("POST", f"channels/{call}/answer")) == 1
    assert hall.switch.said(call).count("menu-principal") == 1
    assert len(hall.switch.bridges) == 1
    hall.switch.ends(leg)
    await hall.rings(call, besides=leg)  # a talk that short was none: once more, and only once
    assert len(hall.switch.legs(call)) == 1
    hall.switch.ends(call)
    await hall.nothing_left()
    assert hall.metrics.begun._value.get() == 1
    events = [line[b"type"] for _, line in await hall.redis.xrange(hall.queue.keys.name("events"))]
    assert events.count(b"ended") == 1


@pytest.mark.parametrize("hall", [{"ring_timeout_ms": 150}], indirect=True)
async def test_a_leg_of_which_nothing_is_heard_is_given_up(hall: Hall) -> None:
    await hall.agent("alice")
    call = await hall.waits()
    first = await hall.rings(call)
    await hall.agent("bob")
    second = await hall.rings(call, besides=first)
    await hall.until(lambda: first not in hall.switch.channels)
    assert hall.switch.asked("POST", f"channels/{second}")[0].query["endpoint"] == "PJSIP/agent-bob"


async def test_a_caller_whose_end_was_not_heard_is_missed_at_the_next_hangup(hall: Hall) -> None:
    call, name = await hall.speaks()
    hall.switch.mute = True
    hall.switch.ends(call)
    hall.switch.mute = False
    hall.switch.recorded(name)
    await hall.nothing_left()


async def test_what_concerns_no_call_of_ours_changes_nothing(hall: Hall) -> None:
    call = await hall.in_menu()
    before = len(hall.fake.wanted)
    party = {"name": "", "number": ""}
    channel = {
        "name": "PJSIP/x-1",
        "state": "Up",
        "caller": party,
        "connected": party,
        "creationtime": STAMP,
        "dialplan": {"context": "", "exten": "", "priority": 1},
    }
    for name in ("a-9.9", "leg.a-9.9.3", f"leg.{call}.3", "leg.x", "br.a-9.9.1", ""):
        for event in ("StasisEnd", "ChannelDestroyed", "ChannelStateChange"):
            hall.switch.emit(event, channel={**channel, "id": name}, cause=16, cause_txt="")
        hall.switch.emit("ChannelDtmfReceived", channel={**channel, "id": name}, digit="1", duration_ms=80)
        playback = {"id": f"pb.{name}.1", "media_uri": "", "target_uri": "", "state": "done"}
        hall.switch.emit("PlaybackFinished", playback=playback)
        for recording in (name, f"message/{name}.1", f"message/{name}", f"message/{call}.x", f"message/{call}.99"):
            made = {"name": recording, "format": "wav", "target_uri": "", "state": "done"}
            hall.switch.emit("RecordingFinished", recording=made)
    hall.switch.emit("StasisStart", channel={**channel, "id": "a-9.8"}, args=[])
    hall.switch.emit("StasisStart", channel={**channel, "id": "a-9.8"}, args=["somebody", "else"])
    hall.switch.emit("FutureThing", channel=channel)
    hall.switch.registers("nobody")
    hall.switch.presses(call, "2")
    await hall.until(lambda: "menu-suite" in hall.switch.said(call))
    assert hall.complaints == []
    assert [asked.path for asked in hall.fake.wanted[before:] if call not in asked.path] == []
    assert len(hall.worker.calls) == 1


async def test_an_agents_leg_that_nobody_waits_for_is_hung_up(hall: Hall) -> None:
    hall.switch.channels["leg.a-9.9.3"] = _leg("leg.a-9.9.3")
    hall.switch.enters("leg.a-9.9.3")
    await hall.until(lambda: not hall.switch.legs())


def _leg(name: str) -> Line:
    return Line(name, "PJSIP/agent-alice-1", "Up", began=("leg", "a-9.9", "e:3"))


async def test_an_event_that_cannot_be_read_deafens_nobody(hall: Hall) -> None:
    call = await hall.in_menu()
    await hall.fake.emit_raw("ivr-a", '{"type": "StasisStart", "application": "ivr-a", "channel": {"id": "a-9.7"}}')
    hall.switch.presses(call, "2")
    await hall.until(lambda: "menu-suite" in hall.switch.said(call))
    assert len(hall.complaints) == 1
    assert len(hall.worker.calls) == 1


@pytest.mark.parametrize(("cause", "state"), [(17, "cooldown"), (19, "cooldown"), (21, "cooldown"), (20, "cooldown")])
async def test_an_agent_who_does_not_answer_rests_and_the_caller_keeps_the_place(
    hall: Hall, cause: int, state: str
) -> None:
    await hall.agent()
    call = await hall.waits()
    leg = await hall.rings(call)
    arrival = (await hall.record(call)).arrival  # type: ignore[union-attr]
    hall.switch.ends(leg, cause)
    await hall.until(lambda: _state(hall, "alice", state))
    await hall.until(lambda: hall.state_of(call, "waiting"))
    assert (await hall.record(call)).arrival == arrival  # type: ignore[union-attr]


async def test_a_caller_who_hangs_up_frees_the_agent_at_once(hall: Hall) -> None:
    await hall.agent()
    call = await hall.waits()
    await hall.rings(call)
    hall.switch.ends(call)
    await hall.nothing_left()
    assert await hall.idle()
    assert (await hall.agent_record()).misses == 0


async def test_an_agent_with_a_call_of_their_own_is_not_rung(hall: Hall) -> None:
    await hall.agent()
    hall.switch.channels["o.1"] = own = _leg("o.1")
    hall.switch.emit("ChannelStateChange", channel=hall.switch._channel(own))
    await hall.until(lambda: _busy(hall))
    call = await hall.waits()
    await hall.still()
    assert not hall.switch.legs()
    hall.switch.ends("o.1")
    await hall.rings(call)


async def _busy(hall: Hall) -> bool:
    return (await hall.agent_record()).state not in {"idle", "offered"}


async def test_menus_and_raw_keys_are_kept(hall: Hall) -> None:
    call = await hall.in_menu()
    for key in "2#9":
        hall.switch.presses(call, key)
    await hall.until(lambda: "invalid" in hall.switch.said(call))
    actor = hall.worker.calls.get(call)
    assert actor is not None
    assert actor.call.keys == "2#9"
    assert getattr(actor.call.phase, "menu", None) == MenuId("principal")
