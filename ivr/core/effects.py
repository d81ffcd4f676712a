"""What a call asks of the world, in order. Results come back as inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ivr.core.inputs import AgentFailure
    from ivr.core.plan import AgentId, GroupId, PromptId, TopicId

Outcome = Literal["answered", "informed", "left", "promised"]
PromiseKind = Literal["message", "callback", "dropped"]
RightOfWay = Literal["relay", "repeat", "transferred", "crisis"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the caller's channel."""


@dataclass(frozen=True, slots=True)
class Play:
    """Play prompts one after the other to the caller; ends the hold music. `language` empty: the site's own."""

    serial: int
    prompts: tuple[PromptId, ...]
    language: str = ""


@dataclass(frozen=True, slots=True)
class StopPlay:
    """Stop the Play of that serial, if it still runs."""

    serial: int


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Arm the call's one timer; it replaces the one before."""

    serial: int
    ms: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Play hold music to the caller."""


@dataclass(frozen=True, slots=True)
class StopHold:
    """End the hold music."""


@dataclass(frozen=True, slots=True)
class JoinQueue:
    """Take a place in the queue of a topic; where it is held already, ask how it stands.

    `since` is when the wait began; `reason` gives the right of way.
    """

    topic: TopicId
    since: int
    reason: RightOfWay | None = None


@dataclass(frozen=True, slots=True)
class LeaveQueue:
    """Give the place up; an agent who was offered is free again. `reason` is for the call's history."""

    reason: Literal["told", "crash", "outside", "closing", "astray"] = "told"


@dataclass(frozen=True, slots=True)
class DialAgent:
    """Ring the agent. `node` is the offer's, and left out where effects are compared as text."""

    token: str
    agent: AgentId
    node: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Accept:
    """Record in the queue that the agent answered."""

    token: str


@dataclass(frozen=True, slots=True)
class Decline:
    """Tell the queue that the agent did not take the call: the place is kept."""

    token: str
    reason: AgentFailure


@dataclass(frozen=True, slots=True)
class Bridge:
    """Join caller and agent."""

    token: str


@dataclass(frozen=True, slots=True)
class DropLeg:
    """End the agent's leg and the bridge of that offer, if they exist."""

    token: str


@dataclass(frozen=True, slots=True)
class Release:
    """Tell the queue that the talk is over; `void`: it was none, and its agent owes no word about it."""

    token: str
    void: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Record the caller; # or 5 s of silence ends it."""

    serial: int
    max_ms: int


@dataclass(frozen=True, slots=True)
class Promise:
    """Commit a promise to the ledger: one per call, doing it again changes nothing.

    `owner` owes the answer, by `due` (None: as usual). `kept`: the file is as old as the call, whose place it keeps.
    """

    kind: PromiseKind
    topic: TopicId
    serial: int
    owner: GroupId
    kept: bool = False
    due: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Write in the call's history why it went this way; nothing is done. `detail` is in the plan's words."""

    kind: Literal["closed", "crisis", "closing", "language", "typed", "topic", "outside", "callback", "message"]
    detail: str


@dataclass(frozen=True, slots=True)
class HandBack:
    """Give the caller to the dialplan's fallback (the general desk's phones)."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Hang up the caller."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The call is over: its record goes, whatever it held is free. Always the last effect."""

    outcome: Outcome


Effect = (
    Answer
    | Play
    | StopPlay
    | StartTimer
    | Hold
    | StopHold
    | JoinQueue
    | LeaveQueue
    | DialAgent
    | Accept
    | Decline
    | Bridge
    | DropLeg
    | Release
    | Record
    | Promise
    | Note
    | HandBack
    | Hangup
    | Finish
)
