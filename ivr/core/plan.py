"""The call plan as the core sees it: complete, resolved, immutable.

`ivr.plan` compiles YAML into these types; nothing here is ever half valid: every
id that is named exists, every prompt is listed, every menu has a way out.
Durations are in milliseconds; instants are Unix milliseconds (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NewType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.core.schedule import Hours

SiteId = NewType("SiteId", str)
MenuId = NewType("MenuId", str)
TopicId = NewType("TopicId", str)
GroupId = NewType("GroupId", str)
AgentId = NewType("AgentId", str)
PromptId = NewType("PromptId", str)
HoursId = NewType("HoursId", str)
OutsideId = NewType("OutsideId", str)
CrisisId = NewType("CrisisId", str)

HUMAN: Final = "0"
REPEAT: Final = "*"
BACK: Final = "#"
BEEP: Final = PromptId("bip")
"""The tone after which a message is recorded; made with the prompts, the same for every site."""
RESERVED_KEYS: Final = frozenset({HUMAN, REPEAT, BACK})


@dataclass(frozen=True, slots=True)
class Pilot:
    """Only a share (0 to 1) of the callers, within some hours, go to an option's topic; the others to another one."""

    otherwise: TopicId
    share: float = 1.0
    hours: HoursId | None = None


@dataclass(frozen=True, slots=True)
class ToTopic:
    """The key leads to the people who answer a topic."""

    topic: TopicId
    pilot: Pilot | None = None


@dataclass(frozen=True, slots=True)
class ToMenu:
    """The key leads to another menu."""

    menu: MenuId


@dataclass(frozen=True, slots=True)
class Information:
    """The key plays an answer, then the menu again."""

    prompt: PromptId


@dataclass(frozen=True, slots=True)
class ToOutside:
    """The key tells whom to call instead: a body outside the site. An answer, as Information is."""

    outside: OutsideId


@dataclass(frozen=True, slots=True)
class ToLanguage:
    """The key changes the language of all that follows, and plays the menu again."""

    language: str


@dataclass(frozen=True, slots=True)
class Typed:
    """The key asks for a number (a file, a PIN) of at most `length` digits, # ends it; then the topic's people."""

    prompt: PromptId
    length: int
    topic: TopicId


Option = ToTopic | ToMenu | Information | ToOutside | ToLanguage | Typed


@dataclass(frozen=True, slots=True)
class OtherTopic:
    """A step of a continuity chain: wait for the people of another topic, if they answer now."""

    topic: TopicId


@dataclass(frozen=True, slots=True)
class TellOutside:
    """A step of a continuity chain: say whom to call instead, then go on to the next step for who stays."""

    outside: OutsideId


@dataclass(frozen=True, slots=True)
class CallBack:
    """The end of a continuity chain: `owner` calls back, with no message; a hidden number leaves one."""

    owner: GroupId


@dataclass(frozen=True, slots=True)
class TakeMessage:
    """The end of a continuity chain: a message, and a file that `owner` owes."""

    owner: GroupId


ChainStep = OtherTopic | TellOutside | CallBack | TakeMessage
"""What happens to a topic's callers when nobody of it can answer, one after the other; the last cannot fail."""


@dataclass(frozen=True, slots=True)
class Menu:
    """A node of the tree. `input_timeout_ms` counts from the END of the prompt."""

    id: MenuId
    prompt: PromptId
    short_prompt: PromptId
    options: Mapping[str, Option]
    parent: MenuId | None = None
    input_timeout_ms: int = 5_000
    max_no_input: int = 2
    max_invalid: int = 2


Strategy = Literal["longest-idle", "ordered", "ring-many"]
"""Whom a caller is offered to: the agent idle for longest; the first idle one in the plan's order; several at once."""

EVERYONE: Final = GroupId("*")
"""The group of every agent, in no file of the plan; only a widening names it."""


@dataclass(frozen=True, slots=True)
class Widening:
    """After so long a wait, these groups answer too. A step whose groups so far have nobody there begins at once."""

    after_ms: int
    groups: tuple[GroupId, ...]


@dataclass(frozen=True, slots=True)
class Overflow:
    """When a waiting caller is offered to leave a message instead; who does not take it waits on.

    `wait_ms`: waited longer than that; `ratio`: more than so many callers wait for each agent who is there.
    """

    wait_ms: int | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """What a caller wants; the unit of queueing. `groups` answer it from the first moment, all equal.

    `hours` are its own, None: the site's. `continuity` without steps: the general desk, then a message of `groups[0]`.
    """

    id: TopicId
    label: str
    groups: tuple[GroupId, ...]
    widen: tuple[Widening, ...] = ()
    strategy: Strategy = "longest-idle"
    ring_at_once: int = 3
    overflow: Overflow | None = None
    hours: HoursId | None = None
    continuity: tuple[ChainStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Agents who answer some topics; `owner` of the files that its topics leave."""

    id: GroupId
    label: str
    agents: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class Absence:
    """From `start` to before `end` (Unix ms) somebody is away. `reason` stands in the plan, hence may be read."""

    start: int
    end: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """A person with a phone. `endpoint` is the PJSIP endpoint's name, never number-like.

    `feed` is the address of a calendar whose busy times are absences too; it is read beside the plan.
    """

    id: AgentId
    name: str
    groups: tuple[GroupId, ...]
    substitutes: tuple[AgentId, ...] = ()
    """Who answers in this agent's groups while they are on leave."""
    absences: tuple[Absence, ...] = ()
    feed: str | None = None

    @property
    def endpoint(self) -> str:
        """Return the PJSIP endpoint's name."""
        return f"agent-{self.id}"


@dataclass(frozen=True, slots=True)
class Outside:
    """A body outside the site that answers some questions: what is said of it (`prompt` holds its number, twice)."""

    id: OutsideId
    label: str
    number: str
    prompt: PromptId


@dataclass(frozen=True, slots=True)
class CrisisProfile:
    """What is said and done while a crisis of this kind is on: `message` before a menu of its own, if it has one.

    `groups` answer every topic besides the usual people. It ends by itself after `length_ms`.
    """

    id: CrisisId
    label: str
    message: PromptId
    menu: MenuId | None = None
    groups: tuple[GroupId, ...] = ()
    length_ms: int = 4 * 3_600_000


@dataclass(frozen=True, slots=True)
class OutcomeCode:
    """How a call can have gone, as its agent says after it by key `key`: `follow_up` leaves an open file with them."""

    key: str
    id: str
    label: str
    follow_up: bool = False


@dataclass(frozen=True, slots=True)
class PauseReason:
    """Why an agent takes no calls, by key `key`, and for how long they expect to. `prompt` confirms it."""

    key: str
    id: str
    label: str
    length_ms: int
    prompt: PromptId


@dataclass(frozen=True, slots=True)
class AgentSentences:
    """What an agent hears who dials a code (prompt ids)."""

    ready: PromptId
    outcome_kept: PromptId
    wrap_longer: PromptId
    refused: PromptId


@dataclass(frozen=True, slots=True)
class Announcements:
    """The site's own sentences that are not menus (prompt ids).

    `closed` is said to who calls outside the hours, `closing` to who waits when they end and is called back; a site
    without hours needs neither. `callback_kept` is the last word to who will be called back without having left a
    message.
    """

    greeting: PromptId
    invalid: PromptId
    no_input: PromptId
    to_human: PromptId
    queued: PromptId
    patience: PromptId
    unstaffed: PromptId
    leave_message: PromptId
    message_kept: PromptId
    goodbye: PromptId
    fallback: PromptId
    fallback_message: PromptId
    fallback_kept: PromptId
    full_callback: PromptId
    full_message: PromptId
    overflow: PromptId
    closed: PromptId | None = None
    closing: PromptId | None = None
    callback_kept: PromptId | None = None


@dataclass(frozen=True, slots=True)
class Successors:
    """Who takes the place of what is in the plan no more: whose callers, and whose files, they get."""

    topics: Mapping[TopicId, TopicId] = field(default_factory=dict)
    groups: Mapping[GroupId, GroupId] = field(default_factory=dict)
    agents: Mapping[AgentId, AgentId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """One site's whole call plan, one immutable version.

    `version` is a hash of the content. `general` is the topic of the general desk:
    where key 0, exhaustion and a topic without people lead. `numbers` are the
    public numbers (E.164) that reach the site; `relays` the numbers (E.164) of relay services
    for deaf callers. A node that holds `max_calls` answers one more caller with a sentence and a
    promise. `outcomes` (compulsory after a talk where there are any) and `pauses` are by key. `languages` are those
    that callers can choose besides `language`. `hours` are the site's own, one of
    `schedules`; None: always open. `relay_hours` are those of the relay services for deaf callers.
    """

    site: SiteId
    version: str
    name: str
    language: str
    numbers: tuple[str, ...]
    root: MenuId
    menus: Mapping[MenuId, Menu]
    topics: Mapping[TopicId, Topic]
    groups: Mapping[GroupId, Group]
    agents: Mapping[AgentId, Agent]
    general: TopicId
    announcements: Announcements
    prompts: frozenset[PromptId]
    relays: frozenset[str] = field(default_factory=frozenset)
    ring_timeout_ms: int = 20_000
    first_patience_ms: int = 20_000
    patience_every_ms: int = 60_000
    message_max_ms: int = 120_000
    message_due_days: int = 2
    max_wait_ms: int = 900_000
    max_calls: int = 200
    wrap_ms: int = 45_000
    outcomes: Mapping[str, OutcomeCode] = field(default_factory=dict)
    pauses: Mapping[str, PauseReason] = field(default_factory=dict)
    agent_sentences: AgentSentences | None = None
    languages: tuple[str, ...] = ()
    hours: HoursId | None = None
    relay_hours: HoursId | None = None
    schedules: Mapping[HoursId, Hours] = field(default_factory=dict)
    outsides: Mapping[OutsideId, Outside] = field(default_factory=dict)
    crises: Mapping[CrisisId, CrisisProfile] = field(default_factory=dict)
    successors: Successors = field(default_factory=Successors)
