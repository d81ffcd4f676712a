"""What the queue says: frozen records. Instants are Unix ms (UTC), durations ms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NewType

from ivr.core.caller import CallId as CallId  # noqa: PLC0414, TC001 - read when JSON is decoded; also exported
from ivr.core.plan import AgentId, GroupId, TopicId  # noqa: TC001 - read when JSON is decoded

if TYPE_CHECKING:
    from collections.abc import Mapping

Token = NewType("Token", str)
NodeId = NewType("NodeId", str)
WorkerId = NewType("WorkerId", str)
Epoch = NewType("Epoch", str)

CallState = Literal["held", "waiting", "offered", "talking"]
AgentState = Literal["idle", "offered", "talking", "wrap", "cooldown", "paused", "busy", "away"]
DeclineReason = Literal["miss", "busy", "gone", "failed"]


@dataclass(frozen=True, slots=True)
class Routing:
    """Who answers what, and the durations of an offer's life.

    A phone rings `ring_ms`; the offer dies of itself `grace_ms` later, so that a dead worker
    holds nobody. A pause that ends within `short_pause_ms` still counts as staff.
    """

    topics: Mapping[TopicId, tuple[GroupId, ...]]
    ring_ms: int = 20_000
    grace_ms: int = 5_000
    cooldown_ms: int = 60_000
    wrap_ms: int = 0
    short_pause_ms: int = 300_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A caller proposed to one agent. `token` is `<epoch>:<n>` and never comes twice.

    The phone rings until `ring_until`; after `deadline` the offer is void. `accepted` is the
    instant of the answer.
    """

    token: Token
    call: CallId
    node: NodeId
    agent: AgentId
    agent_node: NodeId
    topic: TopicId
    made: int
    ring_until: int
    deadline: int
    accepted: int | None = None

    @property
    def number(self) -> str:
        """The number part of the token, which stands in the ids of legs and bridges."""
        return self.token.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An offer that ended unanswered: stop ringing the agent's phone."""

    token: Token
    call: CallId
    node: NodeId
    agent: AgentId
    agent_node: NodeId
    topic: TopicId
    reason: str


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One live call. `held` is in no line. `rev` is that of its last command, 0 if unordered."""

    call: CallId
    node: NodeId
    arrival: int
    state: CallState
    klass: int = 0
    topic: TopicId | None = None
    token: Token | None = None
    agent: AgentId | None = None
    rev: int = 0
    snapshot: str = ""


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """One agent. `since` is when the state began, `idle` since when they are next in line.

    `free_at` ends a wrap or a cool-down (`hold`), `back` is a pause's expected return.
    """

    id: AgentId
    groups: tuple[GroupId, ...]
    node: NodeId
    present: bool
    state: AgentState
    since: int
    misses: int
    idle: int | None = None
    hold: Literal["wrap", "cooldown"] | None = None
    free_at: int | None = None
    pause: str | None = None
    back: int | None = None
    busy: bool = False
    staff: bool = False
    token: Token | None = None
    call: CallId | None = None


@dataclass(frozen=True, slots=True)
class Moves:
    """What one command set moving, for its own call or others: begin and stop these offers."""

    offers: tuple[Offer, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed(Moves):
    """The command held; `changed` is False when it found everything as it wanted."""

    changed: bool = False


@dataclass(frozen=True, slots=True)
class Joined(Moves):
    """Where the caller stands now. `position` counts the topic's waiting callers from 1.

    A caller with an offer has no position. `staffed`: somebody who answers the topic is there.
    """

    status: CallState | Literal["ended"] = "held"
    position: int | None = None
    staffed: bool = False


@dataclass(frozen=True, slots=True)
class Accepted(Moves):
    """The offer is the agent's talk now (also when the same acceptance comes twice)."""

    offer: Offer = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class RefusedOffer(Moves):
    """The offer is not there to be taken: `stale`, or for a decline `answered`. Nothing changed."""

    reason: str = "stale"


@dataclass(frozen=True, slots=True)
class Reaped(Moves):
    """What came due. `live` are all offers that ring now; `next_due` the next deadline."""

    expired: int = 0
    rested: int = 0
    next_due: int | None = None
    live: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class Founded:
    """The epoch in force. `created`: it is this worker's, and the site is empty."""

    epoch: Epoch
    created: bool = False


@dataclass(frozen=True, slots=True)
class Leased:
    """Who holds the node until when. `term` grows with each change of hands."""

    granted: bool = False
    holder: WorkerId | None = None
    until: int = 0
    term: int = 0


@dataclass(frozen=True, slots=True)
class CallStatus:
    """A call and its place, as `Joined`; `record` is None when there is no such call."""

    place: Joined = field(default_factory=Joined)
    record: CallRecord | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """Calls with their snapshots."""

    calls: tuple[CallRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Talk:
    """A talk that goes on in Asterisk, to be made known again after the state was lost."""

    call: CallId
    node: NodeId
    topic: TopicId
    arrival: int
    agent: AgentId
    agent_node: NodeId
    token: Token
    klass: int = 0


@dataclass(frozen=True, slots=True)
class Dump:
    """Everything that the site holds but its event stream; for tests and diagnosis.

    `offers` ring, `talks` were accepted. `waiting` holds only topics with callers.
    """

    site: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[CallId, CallRecord] = field(default_factory=dict)
    agents: Mapping[AgentId, AgentRecord] = field(default_factory=dict)
    offers: Mapping[Token, Offer] = field(default_factory=dict)
    talks: Mapping[Token, Offer] = field(default_factory=dict)
    deadlines: Mapping[str, int] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    waiting: Mapping[TopicId, tuple[CallId, ...]] = field(default_factory=dict)

    @property
    def routing(self) -> Any:
        """The routing in force as JSON text, None before the first `configure`."""
        return self.site.get("routing")
