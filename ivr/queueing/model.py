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
Reason = Literal["relay", "repeat", "transferred", "crisis"]
"""Why a caller has the right of way: nothing else gives it."""


@dataclass(frozen=True, slots=True)
class Step:
    """From so long a wait on, these groups answer too, beside those of the steps before."""

    after_ms: int
    groups: tuple[GroupId, ...]


@dataclass(frozen=True, slots=True)
class TopicRouting:
    """Who answers a topic, and how they are found.

    The first step begins at 0. `ordered`: the first idle agent of the groups' own order, else the
    one idle for longest. `at_once` phones ring for one caller. Beyond `overflow_wait_ms` or more
    than `overflow_ratio` callers per agent there, a caller is offered to leave a message.
    """

    steps: tuple[Step, ...]
    ordered: bool = False
    at_once: int = 1
    overflow_wait_ms: int | None = None
    overflow_ratio: float | None = None

    @classmethod
    def plain(cls, *groups: GroupId) -> TopicRouting:
        """The same groups from the first moment to the last."""
        return cls((Step(0, groups),))


@dataclass(frozen=True, slots=True)
class Routing:
    """Who answers what, and the durations of the site.

    A phone rings `ring_ms`; the offer dies of itself `grace_ms` later, so that a dead worker
    holds nobody. A pause that ends within `short_pause_ms` still counts as staff. One missed call
    rests its agent for `cooldown_ms`, a second one in a row pauses them for `missed_pause_ms`.
    Callers learn that nobody is left after `empty_grace_ms`; their overflow is looked at every
    `guard_ms`. A reason for right of way is worth `boost_ms` of arrival. `coded`: an agent must
    say how a talk went. `ranks` are the places of agents in groups that have an order. Who is on `leave` gets no
    offers and counts as nobody's staff, whatever their phone says; `stands_in` are the groups that agents answer in
    besides their own.
    """

    topics: Mapping[TopicId, TopicRouting]
    ring_ms: int = 20_000
    grace_ms: int = 5_000
    cooldown_ms: int = 60_000
    wrap_ms: int = 0
    short_pause_ms: int = 300_000
    missed_pause_ms: int = 900_000
    empty_grace_ms: int = 30_000
    guard_ms: int = 15_000
    boost_ms: int = 120_000
    coded: bool = False
    ranks: Mapping[GroupId, Mapping[AgentId, int]] = field(default_factory=dict)
    leave: frozenset[AgentId] = frozenset()
    stands_in: Mapping[AgentId, tuple[GroupId, ...]] = field(default_factory=dict)

    @property
    def lines(self) -> tuple[str, ...]:
        """Every line, `<topic>~<step>`."""
        return tuple(f"{topic}~{step}" for topic, known in self.topics.items() for step in range(len(known.steps)))


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
class News:
    """What a waiting call should know: `unstaffed`, nobody is left; `overflow`, the wait is long."""

    call: CallId
    node: NodeId
    kind: Literal["unstaffed", "overflow"]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One live call. `held` is in no line. `rev` is that of its last command, 0 if unordered.

    `since` is when the wait began, `step` how far it has widened. `ringing` are its live offers,
    `token` and `agent` those of its talk. `caller` is a ref.
    """

    call: CallId
    node: NodeId
    arrival: int
    state: CallState
    reason: Reason | None = None
    topic: TopicId | None = None
    since: int | None = None
    step: int = 0
    ringing: tuple[tuple[Token, AgentId], ...] = ()
    caller: str | None = None
    told: bool = False
    token: Token | None = None
    agent: AgentId | None = None
    rev: int = 0
    snapshot: str = ""


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """One agent. `since` is when the state began, `idle` since when they are next in line.

    `free_at` ends a wrap or a cool-down (`hold`), `back` is a pause's expected return.
    `done_call` is the last talk, `code` how it went, `to` the topic that its caller should have
    had, `uncoded` that this is still to be said; `extended` counts the wrap's extensions.
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
    done_call: CallId | None = None
    done_topic: TopicId | None = None
    code: str | None = None
    to: TopicId | None = None
    uncoded: bool = False
    extended: int = 0


@dataclass(frozen=True, slots=True)
class Moves:
    """What one command set moving, for its own call or others: begin and stop these offers, tell these news."""

    offers: tuple[Offer, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()
    news: tuple[News, ...] = ()


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
class Refused(Moves):
    """It is not so, and nothing changed.

    An offer is `stale` or `answered`; an agent had `no call`, is in `no wrap`, or has it `extended already`.
    """

    reason: str = "stale"


@dataclass(frozen=True, slots=True)
class Reaped(Moves):
    """What came due. `live` are all offers that ring now; `next_due` the next deadline; `now` the site's clock."""

    expired: int = 0
    rested: int = 0
    next_due: int | None = None
    live: tuple[Offer, ...] = ()
    now: int = 0


@dataclass(frozen=True, slots=True)
class Founded:
    """The epoch in force. `created`: it is this worker's, and the site is empty. `now`: the site's clock."""

    epoch: Epoch
    created: bool = False
    now: int = 0


@dataclass(frozen=True, slots=True)
class Leased:
    """Who holds the node until when. `term` grows with each change of hands; `now` is the site's clock."""

    granted: bool = False
    holder: WorkerId | None = None
    until: int = 0
    term: int = 0
    now: int = 0


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
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Dump:
    """Everything that the site holds but its event stream; for tests and diagnosis.

    `offers` ring, `talks` were accepted. `waiting` holds only lines (`<topic>~<step>`) with callers, those who
    could ring one phone more at the end. `known` is what is remembered of callers, by `<ref>|<topic>`, as JSON.
    """

    site: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[CallId, CallRecord] = field(default_factory=dict)
    agents: Mapping[AgentId, AgentRecord] = field(default_factory=dict)
    offers: Mapping[Token, Offer] = field(default_factory=dict)
    talks: Mapping[Token, Offer] = field(default_factory=dict)
    deadlines: Mapping[str, int] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    waiting: Mapping[str, tuple[CallId, ...]] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)

    @property
    def routing(self) -> Any:
        """The routing in force as JSON text, None before the first `configure`."""
        return self.site.get("routing")
