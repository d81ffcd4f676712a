"""What Asterisk shows against what Redis and the actors hold, and what follows. Pure.

`compare` takes the channels, the bridges and the calls, and returns the repairs of a connect; `differences` tells
those of a look at calls in motion.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from ivr.core.adoption import may_play
from ivr.core.caller import CallId
from ivr.core.inputs import Adopted, LegState
from ivr.core.state import Arriving, Call, Ended, Offer, Promising, Talking, Waiting, decode
from ivr.telephony.ids import OwnId, offer_number, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivr.ari.models import Bridge, Channel
    from ivr.queueing.model import CallRecord

UP: Final = "Up"

Kind = Literal[
    "channel_without_call",
    "call_without_channel",
    "record_without_actor",
    "actor_without_record",
    "record_astray",
    "talk_without_leg",
    "stray_leg",
    "stray_bridge",
    "crash",
]
"""What can be wrong. A record is a call in Redis, an actor one in this process; `crash`: Asterisk ended under it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be: `id` is a channel's, a bridge's or a call's."""

    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class Held:
    """A call, and the serials of what may be heard in it.

    `placed`: as Redis has it, it waits without an offer. `recording`: Asterisk records its message still.
    """

    call: Call
    playing: tuple[int, ...] = ()
    placed: bool = False
    recording: bool = False


@dataclass(frozen=True, slots=True)
class Adoption:
    """A call that lives on, with what Asterisk still has for it."""

    call: Call
    facts: Adopted


@dataclass(frozen=True, slots=True)
class Repairs:
    """What to do so that every channel has its call and every call its channel."""

    adopt: list[Adoption] = field(default_factory=list)
    new: list[Channel] = field(default_factory=list)
    close: list[CallId] = field(default_factory=list)
    legs: list[str] = field(default_factory=list)
    bridges: list[str] = field(default_factory=list)


def revive(record: CallRecord) -> Held:
    """Return the call of a record: its snapshot, with the offer or the talk that the queue holds for it.

    ValueError for a snapshot that no version wrote.
    """
    call = decode(record.snapshot)
    placed = record.state == "waiting" and isinstance(call.phase, Waiting) and record.topic == call.phase.topic
    return Held(_as_queued(call, record), may_play(call), placed)


def _as_queued(call: Call, record: CallRecord) -> Call:
    phase = call.phase
    if not isinstance(phase, Waiting | Talking):
        return call
    if record.topic is None:
        return replace(call, phase=replace(phase, offers=())) if isinstance(phase, Waiting) else call
    if record.token is not None and record.agent is not None:
        offer = Offer(record.token, record.agent, answered=True)
        return replace(call, phase=Talking(record.topic, offer, phase.since, phase.asked, phase.step))
    offers = tuple(Offer(token, agent) for token, agent in record.ringing)
    if isinstance(phase, Waiting):
        queued = replace(phase, queued=bool(offers), offers=offers)
    else:
        asked = phase.asked or phase.topic
        queued = Waiting(record.topic, asked, phase.since, queued=True, offers=offers, step=phase.step)
    return replace(call, phase=queued)


def in_application(channel: Channel, app: str) -> bool:
    """Return whether the channel runs our Stasis application now."""
    where = channel.dialplan
    return where.app_name == "Stasis" and where.app_data.split(",")[0] == app


def compare(channels: Sequence[Channel], bridges: Sequence[Bridge], calls: Mapping[CallId, Held], app: str) -> Repairs:
    """Return the repairs for one node: `channels` and `bridges` as ARI lists them, `calls` from Redis and actors."""
    by_id = {channel.id: channel for channel in channels}
    repairs = Repairs()
    kept_legs: set[str] = set()
    kept_bridges: set[str] = set()
    for call_id, held in calls.items():
        call = held.call
        channel = by_id.get(call_id)
        if channel is None or not in_application(channel, app):
            repairs.close.append(call_id)
            continue
        facts = _facts(held, by_id, bridges)
        repairs.adopt.append(Adoption(call, facts))
        for token, _state in facts.legs:
            n = offer_number(token)
            kept_legs.add(str(OwnId("leg", call_id, n)))
            kept_bridges.add(str(OwnId("br", call_id, n)))
    for name, channel in by_id.items():
        own = parse(name)
        if own is None:
            if CallId(name) not in calls and in_application(channel, app):
                repairs.new.append(channel)
        elif own.kind == "leg" and name not in kept_legs:
            repairs.legs.append(name)
    for bridge in bridges:
        own = parse(bridge.id)
        if own is not None and str(own) not in kept_bridges:
            repairs.bridges.append(str(own))
    return repairs


def differences(
    repairs: Repairs, actors: Mapping[CallId, Call], records: Mapping[CallId, CallRecord]
) -> frozenset[Difference]:
    """Return what is wrong now, by a comparison of the actors' calls and the records together.

    A call in motion differs for a moment: only what is found twice in a row is wrong for sure.
    """
    found = {Difference("channel_without_call", channel.id) for channel in repairs.new}
    found |= {Difference("stray_leg", leg) for leg in repairs.legs}
    strays = set(repairs.bridges)
    for call_id in repairs.close:
        actor = actors.get(call_id)
        if actor is None:
            found.add(Difference("record_without_actor", call_id))
        elif not (isinstance(actor.phase, Promising) and actor.phase.gone):  # which ends by itself, once it may
            found.add(Difference("call_without_channel", call_id))
    for adoption in repairs.adopt:
        call = actors.get(adoption.call.id)
        if call is None:
            found.add(Difference("record_without_actor", adoption.call.id))
            continue
        if call.id not in records:
            found.add(Difference("actor_without_record", call.id))
        elif astray(call, records[call.id]):
            found.add(Difference("record_astray", call.id))
        if isinstance(call.phase, Talking) and adoption.facts.leg(call.phase.offer.token) == "none":
            found.add(Difference("talk_without_leg", call.id))
            strays.discard(str(OwnId("br", call.id, offer_number(call.phase.offer.token))))  # which ends with the talk
    return frozenset(found | {Difference("stray_bridge", bridge) for bridge in strays})


def astray(call: Call, record: CallRecord | None) -> bool:
    """Return whether the queue holds something else of a call than its actor: `record` is the queue's."""
    match call.phase:
        case Arriving() | Ended():
            return False
        case Waiting(offers=offers):
            ringing = {token for token, _ in record.ringing} if record else set()
            there = record is not None and record.state in {"waiting", "offered"}
            return not there or ringing != {offer.token for offer in offers}
        case Talking(offer=offer):
            return record is None or record.token != offer.token
        case _:
            return record is None


def died_with_asterisk(arrival: int, began: int, *, restarted: bool) -> bool:
    """Return whether a call without a channel was cut off by the end of Asterisk, rather than by its caller.

    `began` is the start of the Asterisk that answers now, Unix ms. `restarted`: it is another one than when the
    call was known; that holds whatever the clocks show.
    """
    return restarted or arrival < began


def _facts(held: Held, channels: Mapping[str, Channel], bridges: Sequence[Bridge]) -> Adopted:
    call = held.call
    match call.phase:
        case Waiting(offers=offers):
            pass
        case Talking(offer=offer):
            offers = (offer,)
        case _:
            offers = ()
    legs: list[tuple[str, LegState]] = []
    bridged: str | None = None
    for each in offers:
        n = offer_number(each.token)
        leg_id, bridge_id = str(OwnId("leg", call.id, n)), str(OwnId("br", call.id, n))
        leg = channels.get(leg_id)
        if leg is None:
            continue
        legs.append((each.token, "up" if leg.state == UP else "ringing"))
        members = next((set(bridge.channels) for bridge in bridges if bridge.id == bridge_id), set[str]())
        if {str(call.id), leg_id} <= members:
            bridged = each.token
    answered = channels[call.id].state == UP
    return Adopted(tuple(legs), bridged, held.recording, held.playing, answered, held.placed)
