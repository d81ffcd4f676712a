"""What can happen to a call. Every input is legal in every state.

Serials name the Play, Record or StartTimer that an input answers; tokens name the offer.
An input whose serial or token is not the current one changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ivr.core.plan import AgentId

LegState = Literal["none", "ringing", "up"]
AgentFailure = Literal["miss", "busy", "failed"]


@dataclass(frozen=True, slots=True)
class Started:
    """The caller's channel entered our application. `full`: the node holds all the calls that it may."""

    full: bool = False


@dataclass(frozen=True, slots=True)
class Adopted:
    """A worker that did not begin this call holds it now; the fields are what Asterisk showed.

    `legs` is the state of each offer's leg, by token; `bridged` the token of the leg that is joined to the caller.
    `playing` are the serials that may still be heard: what the worker before us began and nobody saw end.
    `answered` is whether the caller's channel is up: an answer can be lost with the connection that it went by.
    `placed`: the queue has just shown that it holds the caller's place, with no offer.
    """

    legs: tuple[tuple[str, LegState], ...] = ()
    bridged: str | None = None
    recording: bool = False
    playing: tuple[int, ...] = ()
    answered: bool = True
    placed: bool = False

    def leg(self, token: str) -> LegState:
        """Return the state of an offer's leg."""
        return dict(self.legs).get(token, "none")


@dataclass(frozen=True, slots=True)
class Digit:
    """The caller pressed one key: 0-9, * or #."""

    key: str


@dataclass(frozen=True, slots=True)
class PromptDone:
    """A Play came to its end. `played` False: it failed, as it does under a caller who hangs up."""

    serial: int
    played: bool = True


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The timer of that serial ran out."""

    serial: int


@dataclass(frozen=True, slots=True)
class Queued:
    """The queue holds the call. `staffed`: somebody who answers the topic is present.

    `topic` is the one that was asked about: an answer about another than the present one is no news.
    """

    position: int
    staffed: bool
    topic: str = ""


@dataclass(frozen=True, slots=True)
class QueueLost:
    """The queue could not be asked: no place is known to be held."""


@dataclass(frozen=True, slots=True)
class Unstaffed:
    """Nobody who could answer has been there for a while."""


@dataclass(frozen=True, slots=True)
class Overflowed:
    """The wait is long: the caller may be asked for a message."""


@dataclass(frozen=True, slots=True)
class HoursChanged:
    """The calendar says something else than it did: who waits for people may not any more."""


@dataclass(frozen=True, slots=True)
class OfferMade:
    """The queue reserved an agent for this call. `node` is where their phone is, and means nothing here.

    `beside`: the queue rings several phones for a caller; else an offer that the call still has is over.
    """

    token: str
    agent: AgentId
    node: str = ""
    beside: bool = False


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The queue took the offer back (deadline, or the agent left): the place is kept."""

    token: str


@dataclass(frozen=True, slots=True)
class AgentAnswered:
    """The agent's leg is up."""

    token: str


@dataclass(frozen=True, slots=True)
class AgentFailed:
    """The agent's leg ended before it was up."""

    token: str
    reason: AgentFailure


@dataclass(frozen=True, slots=True)
class AgentLeft:
    """The agent's leg ended after it was up. `lost`: not by the agent, whose phone is silent and gone."""

    token: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """The queue recorded the talk: caller and agent are each other's."""

    token: str


@dataclass(frozen=True, slots=True)
class AcceptRefused:
    """The offer was no longer valid when the agent answered."""

    token: str


@dataclass(frozen=True, slots=True)
class BridgeFailed:
    """Asterisk would not join caller and agent."""

    token: str


@dataclass(frozen=True, slots=True)
class RecordingDone:
    """The recording ended, or could not be made (`kept` False: there is no audio)."""

    serial: int
    kept: bool


@dataclass(frozen=True, slots=True)
class Promised:
    """The promise is in the ledger."""


@dataclass(frozen=True, slots=True)
class PromiseFailed:
    """The ledger did not take the promise."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller's channel is gone, or left our application. Final."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Asterisk itself ended, and the call with it: nobody hung up."""


Input = (
    Started
    | Adopted
    | Digit
    | PromptDone
    | TimerFired
    | Queued
    | QueueLost
    | Unstaffed
    | Overflowed
    | HoursChanged
    | OfferMade
    | OfferWithdrawn
    | AgentAnswered
    | AgentFailed
    | AgentLeft
    | Accepted
    | AcceptRefused
    | BridgeFailed
    | RecordingDone
    | Promised
    | PromiseFailed
    | HungUp
    | Dropped
)
