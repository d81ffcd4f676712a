"""Agents who dial codes: what the queue hears, what they hear, and that nothing of it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ivr.core.codes import Crisis, Longer, Pause, Ready, Say, read
from ivr.core.plan import AgentId, AgentSentences, CrisisId, CrisisProfile, OutcomeCode, PauseReason, PromptId
from ivr.telephony import codes
from tests.ari.fake import Say as Says
from tests.ari.fake import refuse
from tests.plans import small_plan
from tests.telephony.switch import APP, Line

if TYPE_CHECKING:
    from tests.ari.fake import Asked
    from tests.telephony.conftest import Hall

HOUR_MS = 3_600_000
CODED = {
    "agent_sentences": AgentSentences(*map(PromptId, ("pret", "note", "prolonge", "refus"))),
    "pauses": {"1": PauseReason("1", "dejeuner", "Déjeuner", HOUR_MS, PromptId("pause-dejeuner"))},
    "outcomes": {
        "1": OutcomeCode("1", "repondu", "Répondu"),
        "3": OutcomeCode("3", "a-rappeler", "À rappeler", follow_up=True),
    },
    "wrap_ms": 45_000,
}
with_codes = pytest.mark.parametrize("hall", [CODED], indirect=True)


@pytest.mark.unit
def test_a_code_means_what_the_plan_says() -> None:
    plan = small_plan(**CODED)
    assert read("1", plan) == Ready()
    assert read("4", plan) == Longer()
    assert read("21", plan) == Pause(plan.pauses["1"])
    assert read("33", plan) == Say(plan.outcomes["3"])
    assert [read(text, plan) for text in ("", "2", "22", "3", "12", "5", "211")] == [None] * 7


async def state(hall: Hall, wanted: str, agent: str = "alice") -> bool:
    return (await hall.agent_record(agent)).state == wanted


async def free(hall: Hall) -> bool:
    """Whether alice's phone is in no call of its own."""
    return not (await hall.agent_record()).busy


async def over(hall: Hall, channel: str) -> None:
    """Returns once the code was hung up, its channel is gone and nobody holds it."""

    def gone() -> bool:
        hung_up = hall.switch.asked("DELETE", f"channels/{channel}")
        return bool(hung_up) and channel not in hall.switch.channels and not len(hall.worker.codes)

    await hall.until(gone, "the code is over")
    assert hall.complaints == []


@pytest.mark.redis
@with_codes
async def test_a_pause_is_kept_confirmed_and_over(hall: Hall) -> None:
    await hall.agent()
    before = hall.queue.clock()
    channel = hall.switch.dials("alice", "21")
    await over(hall, channel)
    assert hall.switch.said(channel) == ["pause-dejeuner"]
    await hall.until(lambda: free(hall))
    agent = await hall.agent_record()
    assert agent.state == "paused"
    assert agent.pause == "dejeuner"
    assert agent.back is not None
    assert before + HOUR_MS <= agent.back <= hall.queue.clock() + HOUR_MS


@pytest.mark.redis
@with_codes
async def test_ready_brings_the_next_caller_when_the_phone_is_free_and_not_before(hall: Hall) -> None:
    await hall.agent()
    await hall.queue.pause(AgentId("alice"), "court", hall.queue.clock() + 60_000)
    call = await hall.waits()
    hall.switch.quick = False
    channel = hall.switch.dials("alice", "1")
    await hall.until(lambda: hall.switch.said(channel) == ["pret"])
    await hall.still()
    assert await state(hall, "busy")
    assert hall.switch.legs() == []
    hall.switch.finishes(f"pb.{channel}.1")
    await hall.rings(call)
    await over(hall, channel)


@pytest.mark.redis
@with_codes
async def test_an_agent_who_dials_is_not_offered_a_call(hall: Hall) -> None:
    await hall.agent()
    hall.switch.quick = False
    channel = hall.switch.dials("alice", "1")
    await hall.until(lambda: hall.switch.said(channel))
    assert await state(hall, "busy")
    hall.switch.quick = True
    call = hall.switch.calls()
    await hall.until(lambda: hall.phase(call) == "InMenu")
    hall.switch.presses(call, "1")
    await hall.until(lambda: hall.state_of(call, "waiting"))
    hall.switch.ends(channel)
    await hall.rings(call)


@pytest.mark.redis
@with_codes
async def test_a_pause_while_the_phone_rings_sends_the_caller_on(hall: Hall) -> None:
    await hall.agent()
    call = await hall.waits()
    leg = await hall.rings(call)
    await over(hall, hall.switch.dials("alice", "21"))
    await hall.until(lambda: leg not in hall.switch.legs())
    assert not await hall.state_of(call, "offered")


@pytest.mark.redis
@with_codes
@pytest.mark.parametrize("code", ["1", "21"])
@pytest.mark.parametrize("when", ["at once", "asked to play", "playing"])
async def test_who_hangs_up_at_any_instant_is_free_and_has_said_it(hall: Hall, code: str, when: str) -> None:
    await hall.agent()
    hall.switch.quick = False
    ended: list[str] = []

    def end(asked: Asked) -> Says | None:
        if not ended:
            ended.append(asked.path.split("/")[1])
            hall.switch.ends(ended[0])
        return None

    if when == "asked to play":
        hall.fake.on("POST", "channels/[^/]+/play/.+", end)
    channel = hall.switch.dials("alice", code)
    if when == "at once":
        hall.switch.ends(channel)
    elif when == "playing":
        await hall.until(lambda: hall.switch.said(channel))
        hall.switch.ends(channel)
    await over(hall, channel)
    await hall.until(lambda: free(hall))
    assert await state(hall, "paused" if code == "21" else "idle")


@pytest.mark.redis
@with_codes
async def test_an_end_that_comes_before_the_beginning_leaves_the_agent_free(hall: Hall) -> None:
    await hall.agent()
    line = hall.switch.channels["a-9.9"] = Line("a-9.9", "PJSIP/agent-alice-9")
    hall.switch.ends(line.id)
    hall.switch.emit("StasisStart", channel=hall.switch._channel(line), args=["code", "1", "agent-alice"])
    await over(hall, line.id)
    await hall.until(hall.idle)


@pytest.mark.redis
@with_codes
async def test_who_is_not_known_or_says_what_is_no_code_is_refused_aloud(hall: Hall) -> None:
    await hall.agent()
    strange = hall.switch.dials("mallory", "21")
    await over(hall, strange)
    unknown = hall.switch.dials("alice", "29")
    await over(hall, unknown)
    never_there = hall.switch.dials("bob", "21")
    await over(hall, never_there)
    for channel in (strange, unknown, never_there):
        assert hall.switch.said(channel) == ["refus"]
    await hall.until(hall.idle)
    assert set((await hall.dump()).agents) == {"alice"}


@pytest.mark.redis
async def test_a_plan_without_sentences_has_no_codes(hall: Hall) -> None:
    await hall.agent()
    channel = hall.switch.dials("alice", "1")
    await over(hall, channel)
    assert hall.switch.said(channel) == []
    await hall.until(hall.idle)


@pytest.mark.redis
@with_codes
async def test_without_redis_it_is_refused_aloud(hall: Hall) -> None:
    await hall.agent()
    hall.redis.away = True
    channel = hall.switch.dials("alice", "21")
    await hall.until(lambda: hall.switch.said(channel) == ["refus"])
    hall.redis.away = False
    await over(hall, channel)


@pytest.mark.redis
@with_codes
async def test_who_hangs_up_while_redis_is_away_is_free_when_it_is_back(hall: Hall) -> None:
    await hall.agent()
    hall.switch.quick = False
    channel = hall.switch.dials("alice", "1")
    await hall.until(lambda: hall.switch.said(channel) == ["pret"])
    assert await state(hall, "busy")
    hall.redis.away = True
    refused = hall.redis.refused
    hall.switch.finishes(f"pb.{channel}.1")
    await over(hall, channel)
    await hall.until(lambda: hall.redis.refused > refused + 2)
    hall.redis.away = False
    await hall.until(hall.idle)


@pytest.mark.redis
@with_codes
@pytest.mark.parametrize("status", [404, 409, 500])
@pytest.mark.parametrize("what", ["answer", "play/.+"])
async def test_what_asterisk_refuses_ends_the_code_alone(hall: Hall, what: str, status: int) -> None:
    await hall.agent()
    hall.fake.on("POST", f"channels/[^/]+/{what}", refuse(status, "no"), times=1)
    channel = hall.switch.dials("alice", "21")
    await over(hall, channel)
    await hall.until(lambda: state(hall, "paused"))


@pytest.mark.redis
@with_codes
async def test_a_sentence_that_never_ends_does(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "DEADLINE_S", 0.05)
    await hall.agent()
    hall.switch.quick = False
    channel = hall.switch.dials("alice", "21")
    await over(hall, channel)
    await hall.until(lambda: state(hall, "paused"))


@pytest.mark.redis
@with_codes
async def test_events_that_come_twice_do_it_once(hall: Hall) -> None:
    await hall.agent()
    hall.switch.twice = True
    channel = hall.switch.dials("alice", "21")
    await over(hall, channel)
    assert hall.switch.said(channel) == ["pause-dejeuner"]
    await hall.until(lambda: state(hall, "paused"))


@pytest.mark.redis
@with_codes
async def test_a_code_that_nobody_handles_is_hung_up_at_the_next_connection(hall: Hall) -> None:
    await hall.agent()
    hall.switch.channels["a-9.9"] = Line("a-9.9", "PJSIP/agent-alice-9", "Up", args=("code", "21", "agent-alice"))
    hall.fake.cut(APP)
    await hall.until(lambda: "a-9.9" not in hall.switch.channels)
    await hall.until(hall.idle)
    assert hall.switch.said("a-9.9") == []


@pytest.mark.redis
@with_codes
async def test_a_code_that_is_being_heard_outlives_a_lost_connection(hall: Hall) -> None:
    await hall.agent()
    hall.switch.quick = False
    channel = hall.switch.dials("alice", "21")
    await hall.until(lambda: hall.switch.said(channel))
    hall.fake.cut(APP)
    await hall.until(lambda: hall.fake.connections == 2 and hall.worker.connected)
    assert channel in hall.switch.channels
    hall.switch.finishes(f"pb.{channel}.1")
    await over(hall, channel)


@pytest.mark.redis
@with_codes
async def test_stopped_in_the_midst_of_a_code_it_leaves_the_rest_to_the_watchdog(hall: Hall) -> None:
    await hall.agent()
    hall.switch.quick = False
    channel = hall.switch.dials("alice", "21")
    await hall.until(lambda: hall.switch.said(channel))
    await hall.stop()
    assert hall.switch.asked("DELETE", f"channels/{channel}") == []
    timeouts = [asked.query["value"] for asked in hall.switch.asked("POST", f"channels/{channel}/variable")]
    assert timeouts == [str(codes.WATCHDOG_S)]
    assert codes.WATCHDOG_S > codes.DEADLINE_S


async def wraps_up(hall: Hall) -> None:
    """Alice has talked, and has the plan's time after it."""
    await hall.agent()
    call, _ = await hall.talks()
    hall.switch.ends(call)
    await hall.until(lambda: state(hall, "wrap"))


async def hears(hall: Hall, code: str, sentence: str) -> None:
    channel = hall.switch.dials("alice", code)
    await over(hall, channel)
    assert hall.switch.said(channel) == [sentence]


@pytest.mark.redis
@with_codes
async def test_an_outcome_is_kept_and_ends_the_time_after_the_call(hall: Hall) -> None:
    await hears(hall, "31", "refus")
    await wraps_up(hall)
    await hears(hall, "33", "note")
    await hall.until(hall.idle)
    assert (await hall.agent_record()).code == "a-rappeler"
    await hears(hall, "31", "note")
    assert (await hall.agent_record()).code == "repondu"


@pytest.mark.redis
@with_codes
async def test_more_time_is_given_twice(hall: Hall) -> None:
    await wraps_up(hall)
    first = (await hall.agent_record()).free_at
    assert first is not None
    for _ in range(2):
        await hears(hall, "4", "prolonge")
    await hears(hall, "4", "refus")
    assert (await hall.agent_record()).free_at == first + 2 * hall.plan.wrap_ms
    await hears(hall, "1", "pret")
    await hall.until(hall.idle)
    await hears(hall, "4", "refus")


FLOOD = CrisisProfile(CrisisId("inondation"), "Inondation", PromptId("crise"))


@pytest.mark.unit
def test_a_crisis_is_dialled_with_a_pin_where_the_plan_has_one() -> None:
    coded = small_plan(**CODED, crises={FLOOD.id: FLOOD})
    assert read("91234561", coded) == Crisis("1234561")
    assert [read(text, coded) for text in ("9", "9123456", "912345611", "9123456#")] == [None] * 4
    assert read("91234561", small_plan(**CODED)) is None


@pytest.mark.redis
@pytest.mark.parametrize("hall", [{**CODED, "crises": {FLOOD.id: FLOOD}}], indirect=True)
@pytest.mark.parametrize(("taken", "heard"), [(True, "note"), (False, "refus")])
async def test_a_crisis_is_asked_for_by_phone(
    hall: Hall, capsys: pytest.CaptureFixture[str], taken: bool, heard: str
) -> None:
    asked: list[tuple[str, str]] = []

    async def admin(digits: str, by: str) -> bool:
        asked.append((digits, by))
        return taken

    hall.worker.codes._admin = admin
    await hall.agent()
    channel = hall.switch.dials("alice", "91234561")
    await over(hall, channel)
    assert asked == [("1234561", "alice")]
    assert hall.switch.said(channel) == [heard]
    printed = capsys.readouterr()
    assert "123456" not in printed.out + printed.err
