"""The states of one call, and their form at rest.

A call's snapshot is JSON with a schema version, so that a worker of the next
version can adopt the calls of this one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from ivr.core.caller import Caller, CallId

if TYPE_CHECKING:
    from ivr.core.effects import Outcome
    from ivr.core.plan import AgentId, MenuId, PromptId, TopicId

SCHEMA: Final = 4
ADOPTION_STRIDE: Final = 1_000
"""Serials skipped at an adoption: a snapshot is at most that many serials old."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """Nothing was done for the call yet."""


@dataclass(frozen=True, slots=True)
class InMenu:
    """The caller listens to a menu (`play` is its serial) or thinks (`play` is 0)."""

    menu: MenuId
    play: int = 0
    no_input: int = 0
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class Informing:
    """An answer plays; the menu comes again after it."""

    menu: MenuId
    play: int


@dataclass(frozen=True, slots=True)
class Typing:
    """The caller types a number for a topic: `digits` so far; `play` is the serial of what asks for it."""

    menu: MenuId
    topic: TopicId
    length: int
    play: int = 0
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One agent rings for the caller; `answered` once the leg is up."""

    token: str
    agent: AgentId
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """The caller waits for people.

    `topic` is the queue that holds them, `asked` what they came for, which owns the promise if
    nobody can answer. `since` is the one clock of the wait, whatever the queue. `queued` once the
    queue said so; `play` is the sentence that is heard, 0: hold music. `offers`: the phones that
    ring. `invited`: the key 2 leaves a message. `step`: the next one of what `asked` has for continuity.
    """

    topic: TopicId
    asked: TopicId
    since: int
    queued: bool = False
    play: int = 0
    offers: tuple[Offer, ...] = ()
    invited: bool = False
    step: int = 0


@dataclass(frozen=True, slots=True)
class Telling:
    """Nobody answers `asked`: the caller is told whom to call instead, and `step` of its chain comes next."""

    asked: TopicId
    since: int
    step: int
    play: int
    why: Literal["unstaffed", "closed", "closing"] = "unstaffed"


@dataclass(frozen=True, slots=True)
class Talking:
    """Caller and agent are joined."""

    topic: TopicId
    offer: Offer
    since: int


@dataclass(frozen=True, slots=True)
class Apologising:
    """Nobody can answer: the caller is told, and asked for a message."""

    topic: TopicId
    play: int


@dataclass(frozen=True, slots=True)
class Recording:
    """The caller leaves a message, since that instant."""

    topic: TopicId
    recording: int
    since: int = 0


@dataclass(frozen=True, slots=True)
class Promising:
    """The promise is on its way to the ledger; `full`: of a caller whom no line was free for.

    `said`: of one who is called back, and what they are told before that; None: they have left a message.
    `gone`: of a caller whom the crash of Asterisk cut off, and who hears nothing any more.
    """

    topic: TopicId
    message: bool
    recording: int
    full: bool = False
    gone: bool = False
    said: tuple[PromptId, ...] | None = None


@dataclass(frozen=True, slots=True)
class Parting:
    """The last sentence plays (`play`), then the line ends; `play` 0: it is ending."""

    outcome: Outcome
    play: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing can happen to the call any more."""

    outcome: Outcome


Phase = (
    Arriving
    | InMenu
    | Informing
    | Typing
    | Waiting
    | Telling
    | Talking
    | Apologising
    | Recording
    | Promising
    | Parting
    | Ended
)

_PHASES: Final[dict[str, type[Any]]] = {
    kind.__name__: kind
    for kind in (
        Arriving,
        InMenu,
        Informing,
        Typing,
        Waiting,
        Telling,
        Talking,
        Apologising,
        Recording,
        Promising,
        Parting,
        Ended,
    )
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `arrival` is its instant at the switchboard, which gives its place in line everywhere.

    `serial` is the last serial given out; `timer` the serial of the armed timer;
    `keys` every key pressed, in order; `informed` whether an answer was heard to its end.
    `language` is the one that the caller chose, empty: the site's; `typed` the number that they typed.
    """

    id: CallId
    caller: Caller
    called: str
    plan: str
    arrival: int
    phase: Phase = Arriving()
    serial: int = 0
    timer: int = 0
    keys: str = ""
    informed: bool = False
    language: str = ""
    typed: str = ""


def durable(call: Call) -> Call | None:
    """Return what of a call its snapshot must keep: equal results need no new write.

    Offers and talks are the queue's own records: a wait is kept without its offer, a talk not at all.
    """
    phase = call.phase
    match phase:
        case InMenu():
            phase = replace(phase, play=0, invalid=0)
        case Informing() | Typing():
            phase = InMenu(phase.menu)
        case Waiting():
            phase = replace(phase, play=0, queued=False, offers=())
        case Talking():
            return None
        case Apologising() | Parting() | Telling():
            phase = replace(phase, play=0)
        case _:
            pass
    return replace(call, phase=phase, serial=0, timer=0, keys="")


def encode(call: Call) -> str:
    """Return the snapshot of a call."""
    fields = msgspec.to_builtins(call)
    fields["phase"]["kind"] = type(call.phase).__name__
    fields["schema"] = SCHEMA
    return msgspec.json.encode(fields).decode()


def decode(snapshot: str) -> Call:
    """Return the call of a snapshot, of this version or the one before; ValueError for one that neither wrote."""
    try:
        fields = json.loads(snapshot)
        schema = fields.pop("schema")
        phase = fields.pop("phase")
        kind = _PHASES[phase.pop("kind")]
        if schema not in (SCHEMA, SCHEMA - 1):  # the one before had less, which is then as it begins
            msg = "snapshot of an unknown schema"
            raise ValueError(msg)
        if phase.get("offer"):
            phase["offer"] = Offer(**phase["offer"])
        if "offers" in phase:
            phase["offers"] = tuple(Offer(**offer) for offer in phase["offers"])
        if phase.get("said") is not None:
            phase["said"] = tuple(phase["said"])
        caller = Caller(**fields.pop("caller"))
        return Call(caller=caller, phase=kind(**phase), **fields)
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"not a call's snapshot: {error}"
        raise ValueError(msg) from error
