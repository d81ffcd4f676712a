"""What differs between Asterisk, Redis and the actors is mended, and no healthy call is touched; Asterisk crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from ivr.core import promises
from ivr.core.caller import CallId
from ivr.core.plan import TopicId
from ivr.ledger.names import KINDS
from ivr.ledger.store import LedgerError, of_group
from ivr.queueing.errors import QueueUnavailable
from ivr.queueing.model import NodeId
from ivr.queueing.stream import lines
from ivr.telephony import fallback, reconciler
from tests.ari.fake import Say
from tests.telephony.switch import CALLED, Line
from tests.telephony.test_codes import with_codes

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis
LATER = "2999-01-01T00:00:00.000+0000"


async def looks(hall: Hall, times: int = 2) -> None:
    for _ in range(times):
        await hall.worker._reconciler.look()


def counted(hall: Hall, when: str = "look") -> dict[str, int]:
    samples = [sample for metric in hall.metrics.repairs.collect() for sample in metric.samples]
    found = [sample for sample in samples if sample.name.endswith("_total") and sample.labels["when"] == when]
    return {sample.labels["kind"]: int(sample.value) for sample in found if sample.value}


async def told(hall: Hall) -> list[tuple[str, str]]:
    """The repairs in the history: kind and call."""
    raw: Any = await hall.redis.xrange(hall.queue.keys.name("events"))
    return [(line.fields["kind"], line.fields["call"]) for line in lines(raw) if line.type == "repair"]


async def test_healthy_calls_are_not_touched(hall: Hall) -> None:
    await hall.agent("alice")
    await hall.talks()
    await hall.agent("bob")
    ringing = await hall.waits()
    await hall.rings(ringing)
    await hall.waits()
    await hall.in_menu()
    await hall.still()
    before = len(hall.fake.wanted)
    await looks(hall, 3)
    await hall.still()
    asked = [asked for asked in hall.fake.wanted[before:] if asked.path != "asterisk/ping"]
    assert {asked.method for asked in asked} == {"GET"}
    assert {asked.via for asked in asked} == {"http"}  # nothing waits for the long lists
    assert await told(hall) == []
    assert counted(hall) == {}


async def test_what_one_look_alone_shows_is_a_call_in_motion(hall: Hall) -> None:
    hall.switch.mute = True
    call = hall.switch.calls()
    await looks(hall, 1)
    hall.switch.mute = False
    hall.switch.enters(call)
    await hall.until(lambda: hall.phase(call) == "InMenu")
    await looks(hall, 1)
    assert counted(hall) == {}


async def test_it_looks_by_itself_and_says_once_that_it_cannot(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "LOOK_EVERY_S", 0.01)
    await hall.stop()
    again = hall.again()
    again.start()
    await again.until(lambda: again.worker.connected)
    hall.switch.mute = True
    call = hall.switch.calls()
    hall.switch.mute = False
    await again.until(lambda: "menu-principal" in hall.switch.said(call))
    with capture_logs() as logs:
        looked = again.queue.sent["calls_of"]
        hall.redis.away = True
        await again.until(lambda: again.queue.sent["calls_of"] > looked + 4)
        hall.redis.away = False
        await again.until(lambda: any("compared again" in log["event"] for log in logs))
    assert [log["event"] for log in logs].count("Asterisk and Redis cannot be compared") == 1
    await again.stop()


# Each kind


async def test_a_caller_whose_coming_was_not_heard_is_served(hall: Hall) -> None:
    hall.switch.mute = True
    call = hall.switch.calls()
    hall.switch.mute = False
    with capture_logs() as logs:
        await looks(hall)
    await hall.until(lambda: "menu-principal" in hall.switch.said(call))
    assert await told(hall) == [("channel_without_call", call)]
    assert counted(hall) == {"channel_without_call": 1}
    (mended,) = (log for log in logs if log["event"] == "mended what differed")
    assert (mended["log_level"], mended["channel_without_call"]) == ("warning", 1)


async def test_a_caller_whose_end_was_not_heard_is_let_go(hall: Hall) -> None:
    await hall.agent()
    call, leg = await hall.talks()
    hall.switch.mute = True
    hall.switch.ends(call)
    hall.switch.mute = False
    await looks(hall)
    await hall.nothing_left()
    await hall.until(hall.idle)
    assert leg not in hall.switch.channels
    assert ("call_without_channel", call) in await told(hall)


async def test_an_agent_whose_end_was_not_heard_leaves_the_caller_in_the_line(hall: Hall) -> None:
    await hall.agent("alice")
    call, leg = await hall.talks()
    await hall.agent("bob")
    hall.switch.mute = True
    hall.switch.ends(leg)
    hall.switch.mute = False
    await looks(hall)
    again = await hall.rings(call)
    hall.switch.answers(again)
    await hall.until(lambda: hall.switch.talks(call))
    assert await told(hall) == [("talk_without_leg", call)]


async def test_a_record_whose_actor_is_lost_is_adopted_or_ended(hall: Hall) -> None:
    call = await hall.in_menu()
    actor = hall.worker.calls.get(call)
    assert actor is not None
    actor.abandon()
    del hall.worker.calls._actors[CallId(call)]
    gone = CallId("a-9.9")
    await hall.queue.save(gone, NodeId("a"), '{"schema":99}', 1)
    await looks(hall)
    await hall.until(lambda: hall.switch.said(call).count("menu-principal") == 2)
    hall.switch.presses(call, "2")
    await hall.until(lambda: "menu-suite" in hall.switch.said(call))
    assert sorted(await told(hall)) == [("record_without_actor", call)]
    assert await hall.record(gone) is not None  # what cannot be read is ended at the next connect
    hall.fake.cut("ivr-a")
    await hall.until(lambda: hall.fake.connections == 2 and hall.worker.connected)
    assert await hall.record(gone) is None


async def test_a_record_of_a_call_that_is_nowhere_is_ended(hall: Hall) -> None:
    call = await hall.in_menu()
    record = await hall.record(call)
    assert record is not None
    await hall.queue.save(CallId("a-9.9"), NodeId("a"), record.snapshot.replace(call, "a-9.9"), 1)
    await looks(hall)
    await hall.until(lambda: _gone(hall, "a-9.9"))
    assert await told(hall) == [("record_without_actor", "a-9.9")]
    assert await hall.record(call) is not None


async def _gone(hall: Hall, call: str) -> bool:
    return await hall.record(call) is None


async def test_a_wait_that_redis_forgot_is_known_again_at_its_place(hall: Hall) -> None:
    await hall.agent()
    talking, _ = await hall.talks()
    call = await hall.waits()
    await hall.until(lambda: hall.state_of(call, "waiting"))
    before = await hall.record(call)
    assert before is not None
    await hall.queue.end(CallId(call), "left")
    await looks(hall)
    await hall.until(lambda: hall.state_of(call, "waiting"))
    after = await hall.record(call)
    assert after is not None
    assert (after.arrival, after.since, after.topic) == (before.arrival, before.since, before.topic)
    assert await told(hall) == [("actor_without_record", call)]
    hall.switch.ends(talking)
    hall.switch.answers(await hall.rings(call))
    await hall.until(lambda: hall.switch.talks(call))


async def test_a_place_that_redis_took_away_is_given_back(hall: Hall) -> None:
    await hall.agent()
    await hall.talks()
    call = await hall.waits()
    await hall.until(lambda: hall.state_of(call, "waiting"))
    await hall.queue.leave(CallId(call), "by hand")
    await looks(hall)
    await hall.until(lambda: hall.state_of(call, "waiting"))
    assert await told(hall) == [("record_astray", call)]
    assert hall.phase(call) == "Waiting"


async def test_a_talk_that_redis_forgot_is_known_again_and_goes_on(hall: Hall) -> None:
    await hall.agent()
    call, _ = await hall.talks()
    await hall.queue.end(CallId(call), "left")
    await hall.until(hall.idle)
    await looks(hall)
    await hall.until(lambda: hall.state_of(call, "talking"))
    assert (await hall.agent_record()).call == call
    assert hall.switch.talks(call)
    hall.switch.ends(call)
    await hall.nothing_left()
    await hall.until(hall.idle)


async def test_a_leg_and_a_bridge_of_nobody_are_ended(hall: Hall) -> None:
    await hall.agent()
    call, leg = await hall.talks()
    hall.switch.channels["leg.a-9.9.1"] = Line("leg.a-9.9.1", "PJSIP/agent-bob-1", "Up")
    hall.switch.bridges["br.a-9.9.1"] = set()
    await looks(hall)
    await hall.until(lambda: hall.switch.legs() == [leg] and len(hall.switch.bridges) == 1)
    assert hall.switch.talks(call)
    assert counted(hall) == {"stray_leg": 1, "stray_bridge": 1}


@with_codes
async def test_an_agents_code_in_progress_is_nobodys_lost_caller(hall: Hall) -> None:
    await hall.agent()
    hall.switch.quick = False
    code = hall.switch.dials("alice", "1")
    await hall.until(lambda: hall.worker.codes.holds(code))
    await looks(hall)
    assert code in hall.switch.channels
    assert counted(hall) == {}


async def test_what_a_connect_mends_is_counted_apart(hall: Hall) -> None:
    call = await hall.in_menu()
    hall.switch.mute = True
    hall.fake.cut("ivr-a")
    hall.switch.ends(call)
    hall.switch.mute = False
    await hall.until(lambda: hall.fake.connections == 2 and hall.worker.connected)
    await hall.nothing_left()
    assert counted(hall) == {}
    assert counted(hall, "connect") == {"call_without_channel": 1}
    assert await told(hall) == [("call_without_channel", call)]


# Asterisk crashes


async def crash(hall: Hall) -> None:
    """Asterisk is killed, and starts again with nothing in it."""
    hall.switch.mute = True
    await hall.fake.stop()
    await hall.until(lambda: not hall.worker.connected)
    hall.switch.channels.clear()
    hall.switch.bridges.clear()
    hall.switch.began = LATER
    hall.switch.mute = False


async def all_told(hall: Hall) -> dict[str, str]:
    return {file.id: f"{file.kind} {file.topic}" for file in await hall.ledger.files()}


@pytest.mark.parametrize("worker", ["lives", "dies too"])
async def test_a_crash_of_asterisk_frees_the_agents_and_calls_everybody_back(hall: Hall, worker: str) -> None:
    await hall.agent("alice")
    talking, _ = await hall.talks()
    await hall.agent("bob")
    ringing = await hall.waits()
    await hall.rings(ringing)
    waiting = await hall.waits()
    await hall.until(lambda: hall.state_of(waiting, "waiting"))
    menu = await hall.in_menu()
    hidden = await hall.in_menu(presentation="prohib")
    before = (await hall.dump()).calls
    assert len(before) == 5
    if worker == "dies too":
        await hall.stop()
        hall.switch.channels.clear()
        hall.switch.bridges.clear()
        hall.switch.began = LATER
        hall = hall.again()
        hall.start()
        await hall.until(lambda: hall.worker.connected)
    else:
        await crash(hall)
        await hall.fake.listen()
    await hall.nothing_left()
    for name in ("alice", "bob"):
        await hall.until(lambda name=name: hall.idle(name))  # type: ignore[misc]
    topic = "dropped etat-civil"
    assert await all_told(hall) == {
        talking: topic,
        ringing: topic,
        waiting: topic,
        menu: f"dropped {hall.plan.general}",
    }
    for file in await hall.ledger.files():
        assert file.opened_ms == before[CallId(file.id)].arrival
        assert file.owner == of_group(hall.plan.topics[TopicId(file.topic)].groups[0])
        assert file.due_ms > file.opened_ms
    assert sorted(await told(hall)) == sorted(("crash", call) for call in before)
    assert counted(hall, "connect") == {"crash": 5}
    outcomes = {sample.labels["outcome"]: sample.value for sample in _ended(hall) if sample.name.endswith("_total")}
    assert outcomes == {"promised": 4.0, "left": 1.0}
    assert hidden not in await all_told(hall)
    assert "coupé" in KINDS["dropped"]
    if worker == "dies too":
        await hall.stop()


async def test_a_crash_of_asterisk_loses_nobody_whom_the_fallback_served(hall: Hall) -> None:
    """No event and no record tells of them: they are seen at each look."""
    said = {"IVR_CALLED": CALLED, "IVR_CALLER": "+33612345678", "IVR_PRES": "allowed_not_screened"}
    hall.fake.on("GET", "channels/[^/]+/variable", lambda asked: Say(200, {"value": said[asked.query["variable"]]}))
    spoke, gone, taken, there = (hall.switch.in_fallback() for _ in range(4))
    recordings = [{"name": f"fallback/{spoke}-0612345678", "format": "wav"}]
    hall.fake.on("GET", "recordings/stored", Say(200, recordings))
    await hall.worker._reconciler.look()
    hall.switch.channels.pop(gone)
    await hall.worker._reconciler.look()
    hall.switch.enters(taken, ("caller", CALLED, "+33612345678", "allowed"))
    await hall.until(lambda: hall.phase(taken) == "InMenu")
    hall.switch.ends(taken)
    await hall.until(lambda: not hall.phase(taken))
    await crash(hall)
    await hall.fake.listen()
    await hall.until(lambda: hall.worker.connected)
    await hall.nothing_left()
    assert await all_told(hall) == {there: f"dropped {hall.plan.general}"}
    assert counted(hall, "connect") == {"crash": 1}


async def test_a_crash_loses_nobody_whom_the_watchdog_has_just_taken_from_us(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No look comes in between."""
    monkeypatch.setattr(fallback, "MOMENT_S", 0.01)
    said = {"IVR_CALLED": CALLED, "IVR_CALLER": "+33612345678", "IVR_PRES": "allowed_not_screened"}
    hall.fake.on("GET", "channels/[^/]+/variable", lambda asked: Say(200, {"value": said[asked.query["variable"]]}))
    hall.fake.on("GET", "recordings/stored", Say(200, []))
    there, gone, given, again = [hall.switch.calls() for _ in range(4)]
    for call in (there, gone, given, again):
        await hall.until(lambda call=call: hall.phase(call) == "InMenu")  # type: ignore[misc]
    actor = hall.worker.calls.get(given)
    assert actor is not None
    actor.also(crash_of_ours)
    for call in (there, gone, again):
        hall.switch.taken_out(call)
    await hall.until(lambda: hall.worker.calls.fallback.known == {there, gone, given, again})
    hall.switch.ends(gone)
    hall.switch.enters(again)
    await hall.until(lambda: hall.phase(again) == "InMenu")
    hall.switch.ends(again)
    await hall.until(lambda: not hall.phase(again))
    await hall.worker._reconciler.look()
    await crash(hall)
    await hall.fake.listen()
    await hall.until(lambda: hall.worker.connected)
    await hall.nothing_left()
    assert set(await all_told(hall)) == {there, given}


async def crash_of_ours() -> None:
    raise RuntimeError("as a bug of ours would")


def _ended(hall: Hall) -> list[Any]:
    return [sample for metric in hall.metrics.ended.collect() for sample in metric.samples]


async def test_without_the_ledger_agents_are_free_at_once_and_the_file_comes_when_it_can(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promises, "PROMISE_GUARD_MS", 50)
    await hall.agent()
    call, _ = await hall.talks()
    keep, away = hall.ledger.promise, 3

    async def refuse(*args: Any) -> None:
        nonlocal away
        if away:
            away -= 1
            raise LedgerError("the disk is full")
        assert await hall.record(call) is not None  # the record is closed after the promise
        await keep(*args)

    monkeypatch.setattr(hall.ledger, "promise", refuse)
    await crash(hall)
    await hall.fake.listen()
    await hall.until(hall.idle)
    await hall.nothing_left()
    assert away == 0
    assert await all_told(hall) == {call: "dropped etat-civil"}


async def test_a_mere_reconnect_is_no_crash(hall: Hall) -> None:
    await hall.agent()
    call, _ = await hall.talks()
    hall.switch.mute = True
    hall.fake.cut("ivr-a")
    hall.switch.ends(call)
    hall.switch.mute = False
    await hall.until(lambda: hall.fake.connections == 2 and hall.worker.connected)
    await hall.nothing_left()
    assert await hall.ledger.files() == []


# Adoption


async def test_a_worker_that_lived_on_stops_only_what_it_knows_to_play(hall: Hall) -> None:
    await hall.agent()
    await hall.talks()
    call = await hall.waits()
    await hall.until(lambda: hall.state_of(call, "waiting"))
    await hall.until(lambda: "queued" in hall.switch.said(call) and not hall.play(call))
    await hall.still()
    before = len(hall.fake.wanted)
    hall.fake.cut("ivr-a")
    await hall.until(lambda: hall.fake.connections == 2 and hall.worker.connected)
    await hall.still()
    assert [asked.path for asked in hall.fake.wanted[before:] if asked.path.startswith("playbacks/")] == []


async def test_a_sentence_of_a_worker_that_died_does_not_go_on_into_a_talk(hall: Hall) -> None:
    await hall.agent()
    talking, _ = await hall.talks()
    hall.switch.quick = False
    call = hall.switch.calls()
    await hall.until(lambda: hall.phase(call) == "InMenu")
    hall.switch.presses(call, "1")
    await hall.until(lambda: "queued" in hall.switch.said(call))
    (sentence,) = (playback for playback, owner in hall.switch.playing.items() if owner == call)
    await hall.stop()
    again = hall.again()
    again.start()
    await again.until(lambda: again.worker.connected)
    await again.until(lambda: sentence not in hall.switch.playing)
    stops = [asked.path for asked in hall.fake.wanted if asked.path.startswith(f"playbacks/pb.{call}.")]
    assert len(stops) <= 6
    hall.switch.ends(talking)
    leg = await again.rings(call)
    hall.switch.answers(leg)
    await again.until(lambda: hall.switch.talks(call))
    assert call not in hall.switch.playing.values()
    await again.stop()


async def test_how_long_an_adoption_took_is_told_when_the_last_call_is_adopted(hall: Hall) -> None:
    calls = [await hall.in_menu() for _ in range(5)]
    await hall.stop()
    again = hall.again()
    with capture_logs() as logs:
        again.start()
        await again.until(lambda: any(log["event"] == "adopted what Asterisk held" for log in logs))
    (line,) = (log for log in logs if log["event"] == "adopted what Asterisk held")
    assert (line["adopted"], line["unsettled"]) == (5, 0)
    assert again.metrics.adopted._value.get() == 5
    assert 0 < again.metrics.adoption_s._value.get() < 5
    assert all(again.phase(call) == "InMenu" for call in calls)
    await again.stop()


async def test_a_repair_is_made_although_its_line_cannot_be_written(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_args: object) -> None:
        raise QueueUnavailable(hall.plan.site, "repair", 2)

    monkeypatch.setattr(hall.queue, "repair", refuse)
    hall.switch.mute = True
    call = hall.switch.calls()
    hall.switch.mute = False
    await looks(hall)
    await hall.until(lambda: "menu-principal" in hall.switch.said(call))
