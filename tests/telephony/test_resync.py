"""After a connect: every channel gets its call, every call its channel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.ari.models import Bridge, CallerID, Channel, DialplanCEP
from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.inputs import Adopted
from ivr.core.plan import AgentId, TopicId
from ivr.core.state import Call, Offer, Parting, Phase, Talking, Waiting, encode
from ivr.queueing.model import CallRecord, NodeId, Token
from ivr.telephony.ids import parse
from ivr.telephony.resync import Repairs, compare, revive

if TYPE_CHECKING:
    from ivr.queueing.model import CallState

pytestmark = pytest.mark.unit
APP = "ivr-a"
TOPIC = TopicId("etat-civil")
OFFER = Offer("e:7", AgentId("alice"))


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
    repairs = compare([channel("a-1.1")], [], {waiting.id: waiting}, APP)
    assert [adoption.call for adoption in repairs.adopt] == [waiting]
    assert not repairs.new
    assert not repairs.close


def test_a_talk_is_seen_in_its_bridge() -> None:
    talk = call("a-1.1", Talking(TOPIC, OFFER, 1))
    channels = [channel("a-1.1"), channel("leg.a-1.1.7")]
    bridges = [bridge("br.a-1.1.7", "a-1.1", "leg.a-1.1.7")]
    repairs = compare(channels, bridges, {talk.id: talk}, APP)
    assert repairs.adopt[0].facts == Adopted((("e:7", "up"),), "e:7")
    assert not repairs.legs
    assert not repairs.bridges


def test_a_ringing_leg_is_kept_with_its_call() -> None:
    waiting = call("a-1.1", Waiting(TOPIC, TOPIC, 1, offers=(OFFER, Offer("e:8", AgentId("bob")))))
    repairs = compare([channel("a-1.1"), channel("leg.a-1.1.7", "Ringing")], [], {waiting.id: waiting}, APP)
    assert repairs.adopt[0].facts == Adopted((("e:7", "ringing"),))
    assert repairs.legs == []


def test_a_channel_without_a_call_is_new_and_a_call_without_a_channel_is_closed() -> None:
    gone = call("a-1.1", Waiting(TOPIC, TOPIC, 1))
    repairs = compare([channel("a-1.2")], [], {gone.id: gone}, APP)
    assert [new.id for new in repairs.new] == ["a-1.2"]
    assert repairs.close == ["a-1.1"]


def test_a_caller_whom_the_fallback_holds_is_not_ours() -> None:
    held = call("a-1.1", Waiting(TOPIC, TOPIC, 1))
    elsewhere = channel("a-1.1", runs="Dial")
    repairs = compare([elsewhere], [], {held.id: held}, APP)
    assert repairs.close == ["a-1.1"]
    assert not repairs.new


def test_legs_and_bridges_that_belong_to_nothing_are_ended() -> None:
    bridges = [bridge("br.a-9.9.1"), bridge("somebody-elses")]
    repairs = compare([channel("leg.a-9.9.1"), channel("x", app="other")], bridges, {}, APP)
    assert repairs.legs == ["leg.a-9.9.1"]
    assert repairs.bridges == ["br.a-9.9.1"]
    assert not repairs.new


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
    assert revive(record(waiting, "waiting")).phase == waiting
    assert revive(record(waiting, "offered", OFFER)).phase == replace(waiting, queued=True, offers=(OFFER,))
    assert revive(record(replace(waiting, offers=(OFFER,)), "waiting")).phase == waiting


def test_a_talk_is_what_the_queue_says_it_is() -> None:
    talk = Talking(TOPIC, replace(OFFER, answered=True), 5)
    assert revive(record(Waiting(TOPIC, TOPIC, 5), "talking", OFFER)).phase == talk


def test_a_call_that_was_taking_leave_does_not_talk_again() -> None:
    assert revive(record(Parting("answered"), "talking", OFFER)).phase == Parting("answered")


def test_a_snapshot_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(ValueError, match="snapshot"):
        revive(CallRecord(CallId("a-1.1"), NodeId("a"), 1, "held", snapshot='{"schema": 1}'))
