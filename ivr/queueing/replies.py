"""The script's answers, read into the model. Pure: what Redis returned in, records out.

An answer is nested lists of byte strings. Records travel as the JSON text that is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from ivr.queueing import model as m

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.core.plan import TopicId

_offer = msgspec.json.Decoder(m.Offer)
_withdrawn = msgspec.json.Decoder(m.Withdrawn)
_call = msgspec.json.Decoder(m.CallRecord)


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: the command's own body, and what it set moving."""

    body: Any
    offers: tuple[m.Offer, ...] = ()
    withdrawn: tuple[m.Withdrawn, ...] = ()


def text(raw: bytes | str) -> str:
    """Text, whether or not the client decodes responses."""
    return raw.decode() if isinstance(raw, bytes) else raw


def offer(raw: bytes | str) -> m.Offer:
    """An offer from its stored JSON."""
    return _offer.decode(raw)


def withdrawal(raw: bytes | str) -> m.Withdrawn:
    """A withdrawal from its published JSON."""
    return _withdrawn.decode(raw)


def _each(read: Any, raw: Sequence[bytes | str]) -> tuple[Any, ...]:
    return tuple(read(item) for item in raw)


def answer(raw: Sequence[Any]) -> Answer:
    """A raw answer whose status is OK."""
    if len(raw) < 3:  # noqa: PLR2004 - readings set nothing moving
        return Answer(raw[1])
    return Answer(raw[1], _each(offer, raw[2]), _each(withdrawal, raw[3]))


def _pairs(flat: Sequence[bytes | str]) -> dict[str, str]:
    words = [text(item) for item in flat]
    return dict(zip(words[::2], words[1::2], strict=True))


def changed(a: Answer) -> m.Changed:
    """`1` or `0`."""
    return m.Changed(a.offers, a.withdrawn, changed=text(a.body) == "1")


def _place(flat: Sequence[bytes | str], a: Answer) -> m.Joined:
    words = _pairs(flat)
    position = words.get("position")
    return m.Joined(
        a.offers,
        a.withdrawn,
        status=cast("m.CallState", words["status"]),
        position=None if position is None else int(position),
        staffed=words.get("staffed") == "1",
    )


def joined(a: Answer) -> m.Joined:
    """Status, staffed, position."""
    return _place(a.body, a)


def accepted(a: Answer) -> m.Accepted:
    """The offer as it is now."""
    return m.Accepted(a.offers, a.withdrawn, offer=offer(a.body))


def refused(reason: str) -> m.RefusedOffer:
    """A token that leads nowhere."""
    return m.RefusedOffer(reason=reason)


def reaped(a: Answer) -> m.Reaped:
    """Counts, the next deadline, the live offers."""
    expired, rested, next_due, live = a.body
    return m.Reaped(
        a.offers,
        a.withdrawn,
        expired=int(expired),
        rested=int(rested),
        next_due=int(next_due) if next_due else None,
        live=_each(offer, live),
    )


def founded(a: Answer) -> m.Founded:
    """The epoch in force and whose it is."""
    words = _pairs(a.body)
    return m.Founded(epoch=m.Epoch(words["epoch"]), created=words["created"] == "1")


def leased(a: Answer, worker: m.WorkerId) -> m.Leased:
    """The holder, seen from `worker`."""
    words = _pairs(a.body)
    holder = words["holder"]
    return m.Leased(
        granted=holder == worker,
        holder=m.WorkerId(holder) if holder else None,
        until=int(words["until"]),
        term=int(words["term"]),
    )


def record(raw: bytes | str) -> m.CallRecord:
    """A call from its stored form: one line of JSON, then the snapshot as it came."""
    head, _, snapshot = text(raw).partition("\n")
    return replace(_call.decode(head), snapshot=snapshot)


def status(a: Answer) -> m.CallStatus:
    """The place, then the record."""
    place, raw = a.body
    return m.CallStatus(place=_place(place, a), record=record(raw) if raw else None)


def records(a: Answer) -> m.Records:
    """Stored calls."""
    return m.Records(calls=_each(record, a.body))


def _agent(raw: bytes | str) -> m.AgentRecord:
    words = msgspec.json.decode(raw)
    words["groups"] = tuple(group for group in words["groups"].split("|") if group)
    words["staff"] = "counted" in words
    return msgspec.convert(words, m.AgentRecord)


def dump(a: Answer) -> m.Dump:
    """Every hash and set of the site."""
    site, calls, agents, offers, deadlines, idle, waiting = a.body
    every = _each(offer, offers)
    return m.Dump(
        site=_pairs(site),
        calls={known.call: known for known in _each(record, calls)},
        agents={agent.id: agent for agent in _each(_agent, agents)},
        offers={known.token: known for known in every if known.accepted is None},
        talks={known.token: known for known in every if known.accepted is not None},
        deadlines={member: int(float(at)) for member, at in _pairs(deadlines).items()},
        idle=_each(text, idle),
        waiting={
            cast("TopicId", text(topic)): tuple(m.CallId(text(call)) for call in line)
            for topic, line in zip(waiting[::2], waiting[1::2], strict=True)
            if line
        },
    )
