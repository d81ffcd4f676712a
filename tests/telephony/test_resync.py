"""After a connect: every channel gets its call, every call its channel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from ivr.ari.models import Bridge, CallerID, Channel, DialplanCEP
from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.inputs import Adopted
from ivr.core.plan import AgentId, TopicId
from ivr.core.state import Call, Offer, Parting, Phase, Promising, Talking, Waiting, encode
from ivr.ledger.names import REPAIRS
from ivr.queueing.model import CallRecord, NodeId, Token
from ivr.telephony.ids import parse
from ivr.telephony.resync import Difference, Held, Kind, Repairs, compare, died_with_asterisk, differences, revive

if TYPE_CHECKING:
    from ivr.queueing.model import CallState

pytestmark = pytest.mark.unit
APP = "ivr-a"
TOPIC = TopicId("etat-civil")
OFFER = Offer("e:7", AgentId("alice"))
NODE = NodeId("a")


NOBODY = CallerID(name="", number="")


def channel(name: str, state: str = "Up", app: str = APP, runs: str = "Stasis") -> Channel:
    where = DialplanCEP(context="x", exten="s", priority=1, app_name=runs, app_data=f"{app},caller,0536490000")
    return Channel(id=name, name=name, state=state, caller=NOBODY, connected=NOBODY, dialplan=where, creationtime="")


def bridge(name: str, *channels: str) -> Bridge:
    return Bridge(id=name, technology="", bridge_type="", name="", channels=channels, creationtime="")


def call(name: str, phase: Phase) -> Call:
    return Call(CallId(name), Caller(CallerRef("r"), None, "open", "normal"), "0536490000", "v", 1, phase)


def test_a_waiting_call_is_adopted() -> None:
    waiting = call("a-1.1", Waiting(TOPIC, TOPIC, 1))
    repairs = compare([channel("a-1.1")], [], {waiting.id: Held(waiting)}, APP)
    assert [adoption.call for adoption in repairs.adopt] == [waiting]
    assert not repairs.new
    assert not repairs.close


def test_a_call_that_is_not_up_is_seen_to_be_unanswered() -> None:
    waiting = call("a-1.1", Waiting(TOPIC, TOPIC, 1))
    repairs = compare([channel("a-1.1", "Ring")], [], {waiting.id: Held(waiting)}, APP)
    assert repairs.adopt[0].facts == Adopted(answered=False)


def test_a_talk_is_seen_in_its_bridge() -> None:
    talk = call("a-1.1", Talking(TOPIC, OFFER, 1))
    channels = [channel("a-1.1"), channel("leg.a-1.1.7")]
    bridges = [bridge("br.a-1.1.7", "a-1.1", "leg.a-1.1.7")]
    repairs = compare(channels, bridges, {talk.id: Held(talk)}, APP)
    assert repairs.adopt[0].facts == Adopted((("e:7", "up"),), "e:7")
    assert not repairs.legs
    assert not repairs.bridges


def test_a_ringing_leg_is_kept_with_its_call() -> None:
    waiting = call("a-1.1", Waiting(TOPIC, TOPIC, 1, offers=(OFFER, Offer("e:8", AgentId("bob")))))
    repairs = compare([channel("a-1.1"), channel("leg.a-1.1.7", "Ringing")], [], {waiting.id: Held(waiting)}, APP)
    assert repairs.adopt[0].facts == Adopted((("e:7", "ringing"),))
    assert repairs.legs == []


def test_a_channel_without_a_call_is_new_and_a_call_without_a_channel_is_closed() -> None:
    gone = call("a-1.1", Waiting(TOPIC, TOPIC, 1))
    repairs = compare([channel("a-1.2")], [], {gone.id: Held(gone)}, APP)
    assert [new.id for new in repairs.new] == ["a-1.2"]
    assert repairs.close == ["a-1.1"]


def test_a_caller_whom_the_fallback_holds_is_not_ours() -> None:
    held = call("a-1.1", Waiting(TOPIC, TOPIC, 1))
    elsewhere = channel("a-1.1", runs="Dial")
    repairs = compare([elsewhere], [], {held.id: Held(held)}, APP)
    assert repairs.close == ["a-1.1"]
    assert not repairs.new


def test_legs_and_bridges_that_belong_to_nothing_are_ended() -> None:
    bridges = [bridge("br.a-9.9.1"), bridge("somebody-elses")]
    repairs = compare([channel("leg.a-9.9.1"), channel("x", app="other")], bridges, {}, APP)
    assert repairs.legs == ["leg.a-9.9.1"]
    assert repairs.bridges == ["br.a-9.9.1"]
    assert not repairs.new


def found(
    channels: list[Channel], bridges: list[Bridge], *held: Call, actors: str = "", records: str = ""
) -> set[Kind]:
    """The kinds of difference; `actors` and `records` name calls by the last part of their id.

    A record says of a call what the call says, but for one named with a `!`, which is in no line.
    """
    repairs = compare(channels, bridges, {each.id: Held(each) for each in held}, APP)
    mine = {each.id: each for each in held if each.id.rpartition(".")[2] in actors.split()}
    known = {CallId(f"a-1.{n.rstrip('!')}"): n.endswith("!") for n in records.split()}
    by_id = {each.id: each for each in held}
    records_of = {id_: record_of(by_id[id_], astray=astray) for id_, astray in known.items()}
    return {each.kind for each in differences(repairs, mine, records_of)}


def record_of(call: Call, *, astray: bool) -> CallRecord:
    match call.phase:
        case Waiting(offers=offers) if not astray:
            ringing = tuple((Token(offer.token), offer.agent) for offer in offers)
            return CallRecord(call.id, NODE, 1, "offered" if ringing else "waiting", topic=TOPIC, ringing=ringing)
        case Talking(offer=offer) if not astray:
            return CallRecord(call.id, NODE, 1, "talking", topic=TOPIC, token=Token(offer.token), agent=offer.agent)
        case _:
            return CallRecord(call.id, NODE, 1, "held")


def test_nothing_differs_of_healthy_calls() -> None:
    waiting = call("a-1.1", Waiting(TOPIC, TOPIC, 1, offers=(OFFER,)))
    talk = call("a-1.2", Talking(TOPIC, Offer("e:8", AgentId("bob")), 1))
    channels = [channel(name) for name in ("a-1.1", "leg.a-1.1.7", "a-1.2", "leg.a-1.2.8")]
    bridges = [bridge("br.a-1.2.8", "a-1.2", "leg.a-1.2.8")]
    assert found(channels, bridges, waiting, talk, actors="1 2", records="1 2") == set()


def test_what_differs_is_told_by_its_kind() -> None:
    waiting = call("a-1.1", Waiting(TOPIC, TOPIC, 1))
    talk = call("a-1.1", Talking(TOPIC, OFFER, 1))
    here = [channel("a-1.1")]
    assert found(here, []) == {"channel_without_call"}
    assert found([], [], waiting, actors="1", records="1") == {"call_without_channel"}
    assert found(here, [], waiting, records="1") == {"record_without_actor"}
    assert found([], [], waiting, records="1") == {"record_without_actor"}
    assert found(here, [], waiting, actors="1") == {"actor_without_record"}
    assert found(here, [], waiting, actors="1", records="1!") == {"record_astray"}
    assert found(here, [], talk, actors="1", records="1") == {"talk_without_leg"}
    assert found([channel("leg.a-1.9.1")], [bridge("br.a-1.9.1")]) == {"stray_leg", "stray_bridge"}


def test_every_kind_is_documented_and_has_its_sentence() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "repairs.md").read_text(encoding="utf-8")
    assert set(REPAIRS) == set(get_args(Kind))
    assert all(f"| `{kind}` |" in documented for kind in get_args(Kind))


def test_who_was_cut_off_and_is_being_promised_an_answer_is_left_to_it() -> None:
    gone = call("a-1.1", Promising(TOPIC, message=False, recording=0, gone=True))
    assert found([], [], gone, actors="1", records="1") == set()


def test_a_difference_is_named_by_what_differs() -> None:
    repairs = compare([channel("leg.a-9.9.1")], [], {}, APP)
    assert differences(repairs, {}, {}) == {Difference("stray_leg", "leg.a-9.9.1")}


def test_a_call_died_with_asterisk_if_it_is_older_or_was_known_to_another() -> None:
    assert died_with_asterisk(1_000, 2_000, restarted=False)
    assert not died_with_asterisk(3_000, 2_000, restarted=False)
    assert died_with_asterisk(3_000, 2_000, restarted=True)


def test_what_may_play_is_told_with_the_facts() -> None:
    waiting = call("a-1.1", Waiting(TOPIC, TOPIC, 1, queued=True, play=3))
    repairs = compare([channel("a-1.1")], [], {waiting.id: Held(waiting, (3, 4))}, APP)
    assert repairs.adopt[0].facts == Adopted(playing=(3, 4))


def test_what_another_node_rings_here_is_left_alone() -> None:
    """Its channel and the agent's are in the dialplan's Dial(), whichever of their bridges."""
    channels = [channel("a-1.3", runs="Dial"), channel("a-1.4", runs="AppDial")]
    repairs = compare(channels, [bridge("f3b1", "a-1.3", "a-1.4")], {}, APP)
    assert repairs == Repairs()


@pytest.mark.parametrize("text", ["a-1700000000.12", "leg.x", "leg..3", "br.a-1.1.x", ""])
def test_ids_that_are_not_ours(text: str) -> None:
    assert parse(text) is None


def test_ids_come_apart_as_they_were_made() -> None:
    own = parse("leg.a-1700000000.12.57")
    assert own is not None
    assert (own.kind, own.call, own.n) == ("leg", "a-1700000000.12", 57)
    assert str(own) == "leg.a-1700000000.12.57"


def record(phase: Phase, state: CallState, offer: Offer | None = None) -> CallRecord:
    snapshot = encode(call("a-1.1", phase))
    known = CallRecord(CallId("a-1.1"), NodeId("a"), 1, state, topic=TOPIC, snapshot=snapshot)
    if offer is None:
        return known
    token = Token(offer.token)
    if state == "talking":
        return replace(known, token=token, agent=offer.agent)
    return replace(known, ringing=((token, offer.agent),))


def test_an_offer_is_what_the_queue_says_it_is() -> None:
    waiting = Waiting(TOPIC, TopicId("voirie"), 5)
    assert revive(record(waiting, "waiting")).call.phase == waiting
    assert revive(record(waiting, "offered", OFFER)).call.phase == replace(waiting, queued=True, offers=(OFFER,))
    assert revive(record(replace(waiting, offers=(OFFER,)), "waiting")).call.phase == waiting


def test_a_place_that_the_queue_holds_need_not_be_asked_for() -> None:
    waiting = Waiting(TOPIC, TOPIC, 5)
    assert revive(record(waiting, "waiting")).placed
    assert not revive(record(waiting, "offered", OFFER)).placed
    assert not revive(record(waiting, "held")).placed
    assert not revive(record(replace(waiting, topic=TopicId("voirie")), "waiting")).placed


def test_a_talk_is_what_the_queue_says_it_is() -> None:
    came_for = TopicId("voirie")
    talk = Talking(TOPIC, replace(OFFER, answered=True), 5, came_for, step=1)
    assert revive(record(Waiting(TOPIC, came_for, 5, step=1), "talking", OFFER)).call.phase == talk
    assert revive(record(talk, "talking", OFFER)).call.phase == talk


def test_a_talk_that_the_queue_does_not_know_is_a_wait_for_what_the_caller_came_for() -> None:
    came_for = TopicId("voirie")
    talk = Talking(TOPIC, replace(OFFER, answered=True), 5, came_for, step=1)
    assert revive(record(talk, "waiting")).call.phase == Waiting(TOPIC, came_for, 5, queued=True, step=1)


def test_a_call_that_was_taking_leave_does_not_talk_again() -> None:
    assert revive(record(Parting("answered"), "talking", OFFER)).call.phase == Parting("answered")


def test_a_snapshot_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(ValueError, match="snapshot"):
        revive(CallRecord(CallId("a-1.1"), NodeId("a"), 1, "held", snapshot='{"schema": 1}'))
