"""What lines of the event stream mean for calls, outcomes and files. Pure.

`Derivation` begins with the rows as they are and takes each new line once, in order.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ivr.core.plan import AgentId
from ivr.ledger.store import File, of_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ivr.queueing.stream import Line

KEY: Final = "key"
"""The kind of a trail's step that is a key pressed; its detail is the key, a space and the menu, if in one."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call as history keeps it. What is not known is "" or None; `wait_ms` ends with the first answer."""

    site: str
    id: str
    epoch: str = ""
    caller_ref: str = ""
    called: str = ""
    plan: str = ""
    topic: str = ""
    outcome: str = ""
    agent: str = ""
    node: str = ""
    arrival_ms: int = 0
    answered_ms: int | None = None
    ended_ms: int | None = None
    wait_ms: int | None = None
    talk_ms: int | None = None
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an agent said of a call."""

    site: str
    call: str
    agent: str
    at: int
    code: str


@dataclass(slots=True)
class Derivation:
    """What follows from new lines of one site: rows to write. `due` dates a file from its opening.

    `closed` maps a call to the instant and the agent whose word closes the `unresolved` files that it had before;
    those of `opened` are as these lines leave them.
    """

    site: str
    due: Callable[[int], int]
    calls: dict[str, CallRow] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    opened: list[File] = field(default_factory=list)
    closed: dict[str, tuple[int, str]] = field(default_factory=dict)

    def take(self, line: Line) -> None:
        """One new line; one that means nothing here changes nothing."""
        call = line.fields.get("call", "")
        if not call or (line.type == "repair" and call not in self.calls):
            return  # what is left of a call that nobody knows makes no call
        known = self.calls.get(call) or CallRow(self.site, call, arrival_ms=line.at)
        self.calls[call] = _told(known, line)
        agent = AgentId(line.fields.get("agent", ""))
        if line.type == "outcome":
            self.outcomes.append(Outcome(self.site, call, agent, line.at, line.fields.get("code", "")))
            # Said late: that it was not said is true no more.
            self.closed[call] = line.at, of_agent(agent)
            self.opened = [
                replace(file, closed_ms=line.at, closed_by=of_agent(agent))
                if (file.call, file.kind, file.closed_ms) == (call, "unresolved", None)
                else file
                for file in self.opened
            ]
            if line.fields.get("follow_up") == "1":
                self._open("follow_up", line, agent)
        elif line.type == "unresolved":
            self._open("unresolved", line, agent)

    def _open(self, kind: str, line: Line, agent: AgentId) -> None:
        call = self.calls[line.fields["call"]]
        self.opened.append(
            File(
                id=file_of(call.id, agent, kind),
                site=self.site,
                kind=kind,
                topic=line.fields.get("topic", "") or call.topic,
                owner=of_agent(agent),
                caller_ref=line.fields.get("caller", "") or call.caller_ref,
                recording="",
                opened_ms=line.at,
                due_ms=self.due(line.at),
                call=call.id,
            )
        )


def file_of(call: str, agent: str, kind: str) -> str:
    """The id of an agent's file: one of a kind for each call and agent, and short, for it is typed."""
    return f"{call}.{kind[0]}{zlib.crc32(agent.encode()) % 0x10000:04x}"


def row_of(site: str, call: str, lines: Iterable[Line]) -> CallRow:
    """The row that a call's own lines, in order, amount to."""
    row = CallRow(site, call)
    for n, line in enumerate(lines):
        row = _told(row if n else replace(row, arrival_ms=line.at), line)
    return row


def _told(call: CallRow, line: Line) -> CallRow:
    words = line.fields
    call = replace(call, epoch=line.epoch or call.epoch, node=words.get("node", "") or call.node)
    match line.type:
        case "arrived":
            return replace(call, arrival_ms=number(words.get("arrival"), call.arrival_ms))
        case "joined":
            return replace(
                call, topic=words.get("topic", call.topic), caller_ref=words.get("caller", "") or call.caller_ref
            )
        case "trail":
            pressed = "".join(step[2].partition(" ")[0] for step in steps(words.get("trail", "")) if step[1] == KEY)
            return replace(call, keys=call.keys + pressed)
        case "accepted":
            first = call.answered_ms is None
            return replace(
                call,
                agent=words.get("agent", call.agent),
                topic=words.get("topic", call.topic),
                answered_ms=line.at if first else call.answered_ms,
                wait_ms=number(words.get("wait"), line.at - call.arrival_ms) if first else call.wait_ms,
            )
        case "restored":
            return replace(
                call,
                agent=words.get("agent", call.agent),
                topic=words.get("topic", call.topic),
                answered_ms=line.at if call.answered_ms is None else call.answered_ms,
            )
        case "released":
            return replace(call, talk_ms=(call.talk_ms or 0) + number(words.get("talk"), 0))
        case "ended":
            return _ended(call, line)
        case _:
            return call


def _ended(call: CallRow, line: Line) -> CallRow:
    facts = read_object(line.fields.get("facts", ""))
    return replace(
        call,
        arrival_ms=number(line.fields.get("arrival"), call.arrival_ms),
        ended_ms=line.at,
        outcome=line.fields.get("outcome", ""),
        topic=line.fields.get("topic", "") or call.topic,
        caller_ref=str(facts.get("caller") or call.caller_ref),
        called=str(facts.get("called") or call.called),
        plan=str(facts.get("plan") or call.plan),
        keys=str(facts.get("keys") or call.keys),
    )


def number(text: str | None, otherwise: int) -> int:
    """The whole number of a field, or something else where it is absent or none."""
    try:
        return int(text) if text is not None else otherwise
    except ValueError:
        return otherwise


def read_object(text: str) -> Mapping[str, Any]:
    """A field's JSON object; empty where it is none."""
    try:
        read = json.loads(text) if text else {}
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def steps(text: str) -> tuple[tuple[int, str, str], ...]:
    """The steps of a trail: instant, kind, detail; what is none is left out."""
    try:
        read = json.loads(text) if text else []
    except ValueError:
        return ()
    if not isinstance(read, list):
        return ()
    return tuple(
        (int(step[0]), str(step[1]), str(step[2] if len(step) > 2 and step[2] is not None else ""))  # noqa: PLR2004
        for step in read
        if isinstance(step, list) and len(step) > 1 and isinstance(step[0], (int, float))
    )
