"""When people answer: what the layers of the calendar say at each instant.

The layers themselves are worked out by `ivr.plan.calendar`, which knows holidays and time zones; here is only
what came of them, so that a step of a call needs no more than a look. Instants are Unix milliseconds (UTC),
spans half open. What no span covers is open: a calendar that fails may cost a walk to an empty desk, which the
continuity chain mends, but never a closed door.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.core.plan import CrisisId, HoursId, PromptId, TopicId

Layer = Literal["crisis", "forced", "one-off", "school", "holiday", "weekly", "error"]
"""Why it is open or closed, the strongest first; `error`: the calendar could not say, hence open."""


@dataclass(frozen=True, slots=True)
class OneOff:
    """Days, the first and the last as ISO dates, that have hours of their own; "off": closed. `reason` is said so."""

    first: str
    last: str
    hours: str
    reason: str = ""
    prompt: PromptId | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """When people answer, layer by layer; each text in the opening-hours syntax of OpenStreetMap, "off": closed.

    `school_holidays` None: as in any other week; `zone` of the school holidays is A, B or C. On a public holiday
    it is `public_holidays`, in the school holidays too.
    """

    id: HoursId
    weekly: str
    public_holidays: str = "off"
    school_holidays: str | None = None
    zone: str = "A"
    one_offs: tuple[OneOff, ...] = ()


@dataclass(frozen=True, slots=True)
class Forced:
    """What an admin set for now: open or closed until `until`, against all but a crisis. `hours` None: every one."""

    hours: HoursId | None
    open: bool
    since: int
    until: int
    reason: str
    by: str = ""
    prompt: PromptId | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end` the same holds. `reason` is in the admin's words.

    `prompt` is said to who calls meanwhile, in place of the site's own sentence where it is closed.
    """

    start: int
    end: int
    open: bool
    layer: Layer
    reason: str = ""
    prompt: PromptId | None = None


NEVER: Final = 2**62
NEAR: Final = 8
UNKNOWN: Final = Span(-NEVER, NEVER, open=True, layer="error")
ALWAYS: Final = Span(-NEVER, NEVER, open=True, layer="weekly")


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans in order, none over another, with no gap between the first and the last."""

    spans: tuple[Span, ...] = (ALWAYS,)

    def at(self, now: int) -> Span:
        """Return what holds at an instant; `UNKNOWN`, which is open, for one that no span covers."""
        index = bisect_right(self.spans, now, key=lambda span: span.start) - 1
        if index < 0 or now >= self.spans[index].end:
            return UNKNOWN
        return self.spans[index]

    def opens(self, now: int) -> int | None:
        """Return the first instant from `now` on at which it is open; None if the spans know of none."""
        if self.at(now).open:
            return now
        return next((span.start for span in self.spans if span.start > now and span.open), None)

    def near(self, now: int) -> Timeline:
        """Return the spans from the one at `now` on, some: enough for the next opening and the next closing."""
        first = max(0, bisect_right(self.spans, now, key=lambda span: span.start) - 1)
        return Timeline(self.spans[first : first + NEAR])

    def shifted(self, ms: int) -> Timeline:
        """Return the same, so much later."""
        return Timeline(tuple(replace(span, start=span.start + ms, end=span.end + ms) for span in self.spans))

    def closes(self, now: int) -> int | None:
        """Return the first instant from `now` on at which it is closed; None if the spans know of none."""
        if not self.at(now).open:
            return now
        return next((span.start for span in self.spans if span.start > now and not span.open), None)


@dataclass(frozen=True, slots=True)
class Crisis:
    """The crisis that is on, by the plan's profile `id`; it ends by itself at `until`."""

    id: CrisisId
    until: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """Every timeline of a plan for the days around now; `site` is the site's own, `topics` those that differ."""

    site: Timeline = Timeline()
    topics: Mapping[TopicId, HoursId] = field(default_factory=dict)
    hours: Mapping[HoursId, Timeline] = field(default_factory=dict)
    crisis: Crisis | None = None

    def of(self, topic: TopicId | None) -> Timeline:
        """Return the timeline of a topic; the site's own for None and for a topic that follows it."""
        name = self.topics.get(topic) if topic is not None else None
        return self.site if name is None else self.hours.get(name, self.site)

    def near(self, now: int) -> Calendar:
        """Return what a step at `now`, and for some hours after it, needs to see."""
        return Calendar(
            self.site.near(now),
            self.topics,
            {name: timeline.near(now) for name, timeline in self.hours.items()},
            self.crisis,
        )

    def shifted(self, ms: int) -> Calendar:
        """Return the same, so much later: for a clock that is ahead by that."""
        return Calendar(
            self.site.shifted(ms),
            self.topics,
            {name: timeline.shifted(ms) for name, timeline in self.hours.items()},
            self.crisis and replace(self.crisis, until=self.crisis.until + ms),
        )

    def crisis_at(self, now: int) -> Crisis | None:
        """Return the crisis that is on at an instant."""
        return self.crisis if self.crisis is not None and now < self.crisis.until else None


ALWAYS_OPEN: Final = Calendar()
