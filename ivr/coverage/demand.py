"""What is to be expected of a day, learnt from a recorded month: how many call, for what, for how long. Pure.

Calls by topic x day of the week x half-hour, each factor learnt from the whole month: a month has too few Tuesdays at
ten to learn each cell by itself. What the recording does not show enough of is assumed as the simulator assumes it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from ivr.sim.load import Load
from ivr.sim.recorded import heir_of
from ivr.sim.staff import Habits
from ivr.traffic.errors import TrafficError
from ivr.traffic.month import ZONE, midnight_of, next_midnight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ivr.core.plan import Plan, TopicId
    from ivr.traffic.month import Month, Presence, Recorded

HALF_MS: Final = 1_800_000
_ENOUGH: Final = 30
_LEAST_USUAL_S: Final = 30.0
"""Nobody calls a wait of less than this slow, whatever is usual."""
_USUAL: Final = 0.8
_TALK_S: Final = 150.0


@dataclass(frozen=True, slots=True)
class Demand:
    """Calls a day by topic, weights of weekdays and half-hours, time that a call takes an agent, what wait is usual.

    `there`: the share of an agent's day for which they are there and not on a pause. `factor`: by how much the waits
    of the month differed from what `outlook` makes of it.
    """

    a_day: Mapping[TopicId, float]
    weekdays: tuple[float, ...]
    half_hours: Mapping[tuple[int, int], float]
    handling_s: Mapping[TopicId, float]
    usual_s: Mapping[TopicId, float]
    patience_s: float
    there: float
    days: int
    factor: Mapping[TopicId, float] = field(default_factory=dict)

    def calls(self, topic: TopicId, at: int) -> float:
        """How many calls for a topic are expected in the half-hour that begins at an instant."""
        local = datetime.fromtimestamp(at / 1000, ZONE)
        share = self.half_hours.get((local.hour, local.minute), 0.0)
        return self.a_day.get(topic, 0.0) * self.weekdays[local.weekday()] * share

    @classmethod
    def of(cls, month: Month, plan: Plan) -> Self:
        """Learn from a month what a plan's topics are to expect. Raises TrafficError."""
        wanted = [(call, topic) for call in month.calls if (topic := topic_of(call, plan)) is not None]
        if not wanted:
            raise TrafficError(f"Le mois {month.name} n'a aucun appel pour une personne : rien à prévoir de là.")
        days = sorted({midnight_of(call.at) for call, _ in wanted})
        of_day = Counter(midnight_of(call.at) for call, _ in wanted)
        mean = len(wanted) / len(days)
        by_weekday: defaultdict[int, list[int]] = defaultdict(list)
        for midnight in days:
            by_weekday[datetime.fromtimestamp(midnight / 1000, ZONE).weekday()].append(of_day[midnight])
        halves = Counter(_half(call.at) for call, _ in wanted)
        topics = Counter(topic for _, topic in wanted)
        return cls(
            a_day={topic: count / len(days) for topic, count in topics.items()},
            weekdays=tuple(float(np.mean(by_weekday[n])) / mean if by_weekday[n] else 1.0 for n in range(7)),
            half_hours={half: count / len(wanted) for half, count in halves.items()},
            handling_s=_handling(wanted, month, plan),
            usual_s=_usual(wanted, plan),
            patience_s=_patience(month.calls),
            there=_there(month.agents.values()),
            days=len(days),
        )


def topic_of(call: Recorded, plan: Plan) -> TopicId | None:
    """The topic whose people a call is for, on this plan; None: it is for nobody."""
    match call.wish:
        case "topic":
            topic = heir_of(plan, call.topic)
            return topic if topic in plan.topics else plan.general
        case "person" | "silence":
            return plan.general
        case "information" | "gone" | "closed":
            return None


def _half(at: int) -> tuple[int, int]:
    local = datetime.fromtimestamp(at / 1000, ZONE)
    return local.hour, local.minute // 30 * 30


def _handling(wanted: list[tuple[Recorded, TopicId]], month: Month, plan: Plan) -> dict[TopicId, float]:
    """Ringing, talk and wrap-up of a call, seconds."""
    talks: defaultdict[TopicId, list[float]] = defaultdict(list)
    for call, topic in wanted:
        if call.talk:
            talks[topic].append(call.talk / 1000)
    every = [talk for found in talks.values() for talk in found]
    usual, manners = Habits(), month.manners
    pooled = float(np.mean(every)) if len(every) >= _ENOUGH else _TALK_S
    ring = manners.answer_mean / 1000 if manners.answers >= _ENOUGH else usual.answer.mean_s
    wrap = manners.wrap_mean / 1000 if manners.wraps >= _ENOUGH else usual.wrap.mean_s
    beside = ring + min(wrap, plan.wrap_ms / 1000)
    return {
        topic: beside + (float(np.mean(talks[topic])) if len(talks[topic]) >= _ENOUGH else pooled)
        for topic in plan.topics
    }


def _usual(wanted: list[tuple[Recorded, TopicId]], plan: Plan) -> dict[TopicId, float]:
    """The wait that four callers in five did not exceed, by topic, seconds."""
    waits: defaultdict[TopicId, list[float]] = defaultdict(list)
    for call, topic in wanted:
        if call.end == "answered" and call.waited is not None:
            waits[topic].append(call.waited / 1000)
    every = [wait for found in waits.values() for wait in found]
    pooled = float(np.quantile(every, _USUAL)) if every else _LEAST_USUAL_S
    return {
        topic: max(_LEAST_USUAL_S, float(np.quantile(waits[topic], _USUAL)) if len(waits[topic]) >= _ENOUGH else pooled)
        for topic in plan.topics
    }


def _patience(calls: Iterable[Recorded]) -> float:
    """The mean patience, if it were exponential, from waits of which most were cut short by an answer; seconds."""
    waits = [(call.waited, call.end == "left") for call in calls if call.waited]
    gone = sum(left for _, left in waits)
    return sum(wait for wait, _ in waits) / gone / 1000 if gone >= _ENOUGH else Load({}, {}).patience.mean_s


def _there(agents: Iterable[Presence]) -> float:
    """Of the time in which anybody was there, on the days on which an agent was: how much they were, and free."""
    people = list(agents)
    open_by_day = _by_day([span for presence in people for span in presence.here], together=True)
    present = possible = 0
    for presence in people:
        here, paused = _by_day(presence.here), _by_day(presence.paused)
        for midnight, time in here.items():
            present += time - min(time, paused.get(midnight, 0))
            possible += open_by_day[midnight]
    return min(1.0, max(0.3, present / possible)) if possible else 1.0


def _by_day(spans: Iterable[tuple[int, int]], *, together: bool = False) -> dict[int, int]:
    """How much time of each day spans take; `together`: where they lie over each other it counts once."""
    found: defaultdict[int, int] = defaultdict(int)
    until = 0
    for begin, end in sorted(spans):
        here = max(begin, until) if together else begin
        until = max(until, end)
        while here < end:
            after = min(end, next_midnight(here))
            found[midnight_of(here)] += after - here
            here = after
    return dict(found)
