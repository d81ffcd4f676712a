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

_offer = msgspec.json.Decoder(m.Offer)
_withdrawn = msgspec.json.Decoder(m.Withdrawn)
_news = msgspec.json.Decoder(m.News)


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: the command's own body, and what it set moving."""

    body: Any
    offers: tuple[m.Offer, ...] = ()
    withdrawn: tuple[m.Withdrawn, ...] = ()
    news: tuple[m.News, ...] = ()

    @property
    def moves(self) -> tuple[tuple[m.Offer, ...], tuple[m.Withdrawn, ...], tuple[m.News, ...]]:
        """What was set moving, as `Moves` takes it."""
        return self.offers, self.withdrawn, self.news


def text(raw: bytes | str) -> str:
    """Text, whether or not the client decodes responses."""
    return raw.decode() if isinstance(raw, bytes) else raw


def offer(raw: bytes | str) -> m.Offer:
    """An offer from its stored JSON."""
    return _offer.decode(raw)


def withdrawal(raw: bytes | str) -> m.Withdrawn:
    """A withdrawal from its published JSON."""
    return _withdrawn.decode(raw)


def news(raw: bytes | str) -> m.News:
    """News from its published JSON."""
    return _news.decode(raw)


def _each(read: Any, raw: Sequence[bytes | str]) -> tuple[Any, ...]:
    return tuple(read(item) for item in raw)


def answer(raw: Sequence[Any]) -> Answer:
    """A raw answer whose status is OK."""
    if len(raw) < 3:  # noqa: PLR2004 - readings set nothing moving
        return Answer(raw[1])
    return Answer(raw[1], _each(offer, raw[2]), _each(withdrawal, raw[3]), _each(news, raw[4]))


def _pairs(flat: Sequence[bytes | str]) -> dict[str, str]:
    words = [text(item) for item in flat]
    return dict(zip(words[::2], words[1::2], strict=True))


def changed(a: Answer) -> m.Changed:
    """`1` or `0`."""
    return m.Changed(*a.moves, changed=text(a.body) == "1")


def _place(flat: Sequence[bytes | str], a: Answer) -> m.Joined:
    words = _pairs(flat)
    position = words.get("position")
    return m.Joined(
        *a.moves,
        status=cast("m.CallState", words["status"]),
        position=None if position is None else int(position),
        staffed=words.get("staffed") == "1",
    )


def joined(a: Answer) -> m.Joined:
    """Status, staffed, position."""
    return _place(a.body, a)


def accepted(a: Answer) -> m.Accepted:
    """The offer as it is now."""
    return m.Accepted(*a.moves, offer=offer(a.body))


def refused(reason: str) -> m.Refused:
    """It is not so."""
    return m.Refused(reason=reason)


def reaped(a: Answer) -> m.Reaped:
    """Counts, the next deadline, the live offers, the site's clock."""
    expired, rested, next_due, live, now = a.body
    return m.Reaped(
        *a.moves,
        expired=int(expired),
        rested=int(rested),
        next_due=int(next_due) if next_due else None,
        live=_each(offer, live),
        now=int(now),
    )


def founded(a: Answer) -> m.Founded:
    """The epoch in force and whose it is."""
    words = _pairs(a.body)
    return m.Founded(epoch=m.Epoch(words["epoch"]), created=words["created"] == "1", now=int(words["now"]))


def leased(a: Answer, worker: m.WorkerId) -> m.Leased:
    """The holder, seen from `worker`."""
    words = _pairs(a.body)
    holder = words["holder"]
    return m.Leased(
        granted=holder == worker,
        holder=m.WorkerId(holder) if holder else None,
        until=int(words["until"]),
        term=int(words["term"]),
        now=int(words["now"]),
    )


def record(raw: bytes | str) -> m.CallRecord:
    """A call from its stored form: one line of JSON, then the snapshot as it came."""
    head, _, snapshot = text(raw).partition("\n")
    words = msgspec.json.decode(head)
    parts = (part.partition(" ") for part in words.get("ringing", "").split("|") if part)
    words["ringing"] = [(token, agent) for token, _, agent in parts]
    return replace(msgspec.convert(words, m.CallRecord), snapshot=snapshot)


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


def people(a: Answer) -> tuple[m.AgentRecord, ...]:
    """Every agent."""
    return _each(_agent, a.body)


def dump(a: Answer) -> m.Dump:
    """Every hash and set of the site."""
    site, calls, agents, offers, deadlines, idle, waiting, known = a.body
    every = _each(offer, offers)
    return m.Dump(
        site=_pairs(site),
        calls={call.call: call for call in _each(record, calls)},
        agents={agent.id: agent for agent in _each(_agent, agents)},
        offers={one.token: one for one in every if one.accepted is None},
        talks={one.token: one for one in every if one.accepted is not None},
        deadlines={member: int(float(at)) for member, at in _pairs(deadlines).items()},
        idle=_each(text, idle),
        waiting={
            text(line): tuple(m.CallId(text(call)) for call in calls_of)
            for line, calls_of in zip(waiting[::2], waiting[1::2], strict=True)
            if calls_of
        },
        known=_pairs(known),
    )
