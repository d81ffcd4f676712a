"""The connection to Asterisk ends in the midst of calls, is taken by another, or is deaf: no caller is lost by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import AgentId
from ivr.queueing.model import NodeId, WorkerId
from ivr.telephony import worker
from ivr.telephony.lease import NodeLease
from tests.ari.fake import LOSE, refuse
from tests.telephony.switch import APP, Line

if TYPE_CHECKING:
    from tests.ari.fake import Asked, Say
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis

ENDS = pytest.mark.parametrize("end", ["cut", "1001", "1000"])


class Gap:
    """The time without a connection: Asterisk takes none until the gap is closed."""

    def __init__(self, hall: Hall, end: str) -> None:
        self._hall = hall
        self._end = end

    async def __aenter__(self) -> None:
        self._hall.fake.refuse_connections = 1_000_000
        if self._end == "cut":
            self._hall.fake.cut(APP)
        else:
            await self._hall.fake.close(APP, int(self._end))
        await self._hall.until(lambda: not self._hall.worker.connected)

    async def __aexit__(self, *_exc: object) -> None:
        self._hall.fake.refuse_connections = 0
        await self._hall.until(lambda: self._hall.worker.connected)


@ENDS
async def test_a_caller_in_a_menu_hears_it_again_and_goes_on(hall: Hall, end: str) -> None:
    call = await hall.in_menu()
    async with Gap(hall, end):
        pass
    await hall.until(lambda: hall.switch.said(call).count("menu-principal") == 2)
    hall.switch.presses(call, "2")
    await hall.until(lambda: "menu-suite" in hall.switch.said(call))
    assert len(hall.switch.asked("POST", f"channels/{call}/answer")) == 1


def _offers(hall: Hall, call: str) -> object:
    actor = hall.worker.calls.get(call)
    return actor is not None and getattr(actor.call.phase, "offers", ())


@ENDS
async def test_an_agent_who_comes_in_the_gap_is_rung_after_it(hall: Hall, end: str) -> None:
    """Nobody rests for a call that never rang, and no caller runs through the sentences that nobody plays."""
    await hall.agent()
    await hall.talks()
    await hall.agent("bob")
    await hall.queue.pause(AgentId("bob"), "pause", None)
    call = await hall.waits()
    async with Gap(hall, end):
        await hall.queue.resume(AgentId("bob"))
        await hall.until(lambda: _offers(hall, call), "the call knows of the offer")
        await hall.until(lambda: hall.state_of(call, "offered"))
    bob = await hall.agent_record("bob")
    assert (bob.state, bob.misses) == ("offered", 0)
    hall.switch.answers(await hall.rings(call))
    await hall.until(lambda: hall.switch.talks(call))


@ENDS
async def test_a_caller_who_waits_keeps_the_place(hall: Hall, end: str) -> None:
    await hall.agent()
    talking, _ = await hall.talks()
    call = await hall.waits()
    await hall.until(lambda: hall.state_of(call, "waiting"))
    before = await hall.record(call)
    assert before is not None
    async with Gap(hall, end):
        pass
    await hall.still()
    after = await hall.record(call)
    assert after is not None
    assert (after.arrival, after.state, after.topic) == (before.arrival, "waiting", before.topic)
    hall.switch.ends(talking)
    await hall.rings(call)


@ENDS
async def test_a_phone_that_rings_rings_on(hall: Hall, end: str) -> None:
    await hall.agent()
    call = await hall.waits()
    leg = await hall.rings(call)
    async with Gap(hall, end):
        pass
    assert hall.switch.legs() == [leg]
    hall.switch.answers(leg)
    await hall.until(lambda: hall.switch.talks(call))


@ENDS
async def test_an_agent_who_answers_in_the_gap_is_joined_after_it(hall: Hall, end: str) -> None:
    await hall.agent()
    call = await hall.waits()
    leg = await hall.rings(call)
    async with Gap(hall, end):
        hall.switch.answers(leg)
    await hall.until(lambda: hall.switch.talks(call))
    assert len(hall.switch.asked("POST", f"channels/{leg}")) == 1


@ENDS
async def test_a_talk_goes_on_untouched(hall: Hall, end: str) -> None:
    await hall.agent()
    call, leg = await hall.talks()
    await hall.still()
    async with Gap(hall, end):
        pass
    before = len(hall.fake.wanted)
    await hall.still()
    touched = [asked for asked in hall.fake.wanted[before:] if call in asked.path]
    assert touched == []
    assert hall.switch.talks(call)
    assert (await hall.agent_record()).call == call
    hall.switch.ends(call)
    await hall.nothing_left()
    await hall.until(hall.idle)
    assert leg not in hall.switch.channels


@pytest.mark.parametrize("path", ["channels/leg[^/]+", "bridges/br[^/]+/addChannel"])
async def test_cut_with_the_answer_on_its_way_what_was_done_is_done_once(hall: Hall, path: str) -> None:
    """Asterisk did it, and the connection went before it said so."""
    await hall.agent()
    call = await hall.waits() if "leg" not in path else await hall.in_menu()
    did: list[str] = []
    rules = list(hall.fake._rules)

    def cut(asked: Asked) -> Say:
        rule = next(rule for rule in rules if rule.method == "POST" and rule.path.fullmatch(asked.path))
        assert callable(rule.say)
        rule.say(asked)
        did.append(asked.path)
        hall.fake.cut(APP)
        return LOSE

    hall.fake.on("POST", path, cut, times=1)
    if "leg" in path:
        hall.switch.presses(call, "1")
    else:
        hall.switch.answers(await hall.rings(call))
    await hall.until(lambda: did and hall.fake.connections == 2 and hall.worker.connected)
    if "leg" in path:
        hall.switch.answers(await hall.rings(call))
    await hall.until(lambda: hall.switch.talks(call))
    assert len(hall.switch.bridges) == 1
    assert len(hall.switch.legs()) == 1
    assert [path for path in hall.fake.paths("POST") if path.startswith("channels/leg")][1:] == []


@ENDS
async def test_a_message_is_recorded_to_its_end(hall: Hall, end: str) -> None:
    call, name = await hall.speaks()
    async with Gap(hall, end):
        pass
    hall.switch.recorded(name)
    await hall.nothing_left()
    (file,) = await hall.ledger.files()
    assert (file.id, file.kind, file.recording) == (call, "message", name)


@ENDS
async def test_a_message_that_ended_in_the_gap_is_kept_at_once(hall: Hall, end: str) -> None:
    """Its end was not heard: the caller is not left in silence for as long as a message may last."""
    call, name = await hall.speaks()
    async with Gap(hall, end):
        hall.switch.recorded(name)
    await hall.nothing_left()
    (file,) = await hall.ledger.files()
    assert (file.id, file.kind, file.recording) == (call, "message", name)


@ENDS
async def test_who_hung_up_in_the_gap_is_let_go(hall: Hall, end: str) -> None:
    await hall.agent()
    call, leg = await hall.talks()
    waiting = await hall.waits()
    async with Gap(hall, end):
        hall.switch.ends(call)
        hall.switch.ends(waiting)
        assert leg in hall.switch.channels
    await hall.nothing_left()
    await hall.until(hall.idle)


@ENDS
async def test_who_came_in_the_gap_is_served(hall: Hall, end: str) -> None:
    async with Gap(hall, end):
        call = hall.switch.calls()
    await hall.until(lambda: "menu-principal" in hall.switch.said(call))
    assert (await hall.record(call)) is not None


async def test_who_comes_while_it_compares_is_served_once(hall: Hall) -> None:
    """In the list of channels and among the events that waited."""
    came: list[str] = []

    def arrive(_asked: Asked) -> Say | None:
        if not came:
            came.append(hall.switch.calls())
        return None

    hall.fake.on("GET", "channels", arrive)
    hall.fake.cut(APP)
    await hall.until(lambda: came and "menu-principal" in hall.switch.said(came[0]))
    await hall.still()
    assert len(hall.switch.asked("POST", f"channels/{came[0]}/answer")) == 1
    assert hall.metrics.begun._value.get() == 1


async def test_legs_and_bridges_of_nobody_are_removed(hall: Hall) -> None:
    await hall.agent()
    call, leg = await hall.talks()
    async with Gap(hall, "cut"):
        hall.switch.channels["leg.a-9.9.1"] = Line("leg.a-9.9.1", "PJSIP/agent-bob-1", "Up")
        hall.switch.bridges["br.a-9.9.1"] = set()
    await hall.until(lambda: hall.switch.legs() == [leg] and len(hall.switch.bridges) == 1)
    assert hall.switch.talks(call)


@pytest.mark.parametrize("fault", [refuse(500, "no"), refuse(503, "not yet"), LOSE], ids=["500", "503", "lost"])
@pytest.mark.parametrize("path", ["channels", "bridges", "endpoints/PJSIP"])
async def test_a_comparison_that_fails_is_done_again(hall: Hall, path: str, fault: Say) -> None:
    hall.ari._timeout_ms = 50
    await hall.agent()
    call, _ = await hall.talks()
    hall.fake.on("GET", path, fault, times=2)
    hall.fake.cut(APP)
    failed = 1 if fault is LOSE else 2  # aiohttp asks again by itself for a list that was lost
    await hall.until(lambda: hall.fake.connections >= 2 + failed and hall.worker.connected)
    assert hall.switch.talks(call)
    hall.switch.ends(call)
    await hall.nothing_left()


async def test_deaf_it_finds_out_and_picks_up_who_came_meanwhile(hall: Hall) -> None:
    hall.ari._hearing._within_ms = 20
    waiting = await hall.in_menu()
    hall.fake.deaf = True
    hall.fake.cut(APP)
    await hall.until(lambda: hall.ari.stats.deaf)
    came = hall.switch.calls()
    left = await _calls_unheard(hall)
    hall.fake.deaf = False
    await hall.until(lambda: "menu-principal" in hall.switch.said(came))
    await hall.until(lambda: hall.switch.said(waiting).count("menu-principal") == 2)
    hall.switch.presses(waiting, "2")
    await hall.until(lambda: "menu-suite" in hall.switch.said(waiting))
    assert hall.worker.calls.get(left) is None


async def _calls_unheard(hall: Hall) -> str:
    call = hall.switch.calls()
    hall.switch.ends(call)
    return call


async def test_replaced_while_the_lease_is_ours_it_takes_the_name_back(hall: Hall) -> None:
    await hall.agent()
    call, _ = await hall.talks()
    await hall.fake.emit(APP, "ApplicationReplaced")
    await hall.until(lambda: hall.fake.connections == 2 and hall.worker.connected)
    assert hall.switch.talks(call)
    hall.switch.ends(call)
    await hall.nothing_left()


async def test_asterisk_gone_for_long_the_worker_stays(hall: Hall) -> None:
    await hall.fake.stop()
    await hall.until(lambda: not hall.worker.connected)
    assert hall.metrics.ari_up._value.get() == 0
    await hall.queue.reap()
    hall.switch.channels.clear()
    await hall.fake.listen()
    await hall.until(lambda: hall.worker.connected)
    call = await hall.in_menu()
    hall.switch.ends(call)
    await hall.nothing_left()


async def test_stopped_it_leaves_its_calls_as_they_are_and_gives_the_node_back(hall: Hall) -> None:
    await hall.agent()
    call, leg = await hall.talks()
    waiting = await hall.waits()
    before = len(hall.fake.wanted)
    await hall.stop()
    assert [asked for asked in hall.fake.wanted[before:] if asked.method == "DELETE"] == []
    assert hall.switch.talks(call)
    assert {call, leg, waiting} <= set(hall.switch.channels)
    dump = await hall.dump()
    assert set(dump.calls) == {call, waiting}
    assert (await hall.queue.lease(NodeId("a"), WorkerId("the next"), 1_000)).granted
    assert [sample for metric in hall.metrics.ended.collect() for sample in metric.samples] == []


async def test_without_asterisk_for_long_the_node_is_given_back_and_its_calls_are_taken_up_after(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "DEAF_S", 0.05)
    await hall.agent()
    talking, _ = await hall.talks()
    waiting = await hall.waits()
    before = await hall.record(waiting)
    async with Gap(hall, "cut"):
        await hall.until(lambda: hall.queue.sent["unlease"] > 0, "the node is given back")
        await hall.until(lambda: not len(hall.worker.calls), "nobody is served meanwhile")
    await hall.until(lambda: hall.phase(waiting) == "Waiting")
    after = await hall.record(waiting)
    assert before is not None
    assert after is not None
    assert (after.arrival, after.since, after.topic) == (before.arrival, before.since, before.topic)
    assert hall.switch.talks(talking)
    hall.switch.ends(talking)
    await hall.rings(waiting)


async def test_what_was_heard_of_a_phone_while_the_node_may_be_another_s_is_read_anew(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hall.agent()
    monkeypatch.setattr(hall.worker._settlement, "holds", False)
    with monkeypatch.context() as patch:
        patch.setattr(NodeLease, "sure", False)
        hall.switch.registers("bob")
        await hall.until(lambda: hall.queue.doubtful, "it is not told")
    assert AgentId("bob") not in (await hall.dump()).agents
    hall.worker._settlement.holds = True
    await hall.until(lambda: hall._present("bob"), "everybody is read anew")
