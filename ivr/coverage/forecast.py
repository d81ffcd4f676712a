"""A plan before what is to be expected of it: who is there by its groups, its leave and its hours. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Final

from ivr.core.staffing import NONE, staffing_at
from ivr.coverage.demand import topic_of
from ivr.coverage.outlook import midnights, outlook
from ivr.coverage.remedy import problems, remedy
from ivr.traffic.month import next_midnight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ivr.core.plan import AgentId, Plan, TopicId
    from ivr.core.schedule import Calendar
    from ivr.core.staffing import Absences
    from ivr.coverage.demand import Demand
    from ivr.coverage.outlook import Slot, There
    from ivr.coverage.remedy import Problem
    from ivr.traffic.month import Month

ENOUGH: Final = 30
MOST: Final = 4.0
"""The scale of a topic is never corrected by more."""


@dataclass(frozen=True, slots=True)
class PlanPresence:
    """Who is there by a plan: everybody who is not on leave, and substitutes in the groups of who is."""

    plan: Plan
    calendar: Calendar
    feeds: Absences

    def there(self, at: int) -> There:
        """Return who is there at an instant, and the groups that each answers in."""
        staffing = staffing_at(self.plan, at, self.feeds)
        return {
            agent.id: frozenset((*agent.groups, *staffing.stands_in.get(agent.id, ())))
            for agent in self.plan.agents.values()
            if agent.id not in staffing.leave
        }

    def is_open(self, topic: TopicId, at: int) -> bool:
        """Whether a topic's people answer at an instant."""
        return self.calendar.of(topic).at(at).open


@dataclass(frozen=True, slots=True)
class PastPresence:
    """Who was there in a recorded month, in the groups that a plan gives them."""

    month: Month
    plan: PlanPresence

    def there(self, at: int) -> There:
        """Return who was there at an instant, a pause counted as there."""
        agents = self.month.agents
        return {
            agent: groups
            for agent, groups in self.plan.there(at).items()
            if agent in agents and _covers(agents[agent].here, at)
        }

    def is_open(self, topic: TopicId, at: int) -> bool:
        """Whether a topic's people answered at an instant."""
        return self.plan.is_open(topic, at)


def _covers(spans: Sequence[tuple[int, int]], at: int) -> bool:
    n = bisect_right(spans, at, key=lambda span: span[0]) - 1
    return n >= 0 and at < spans[n][1]


def calibrated(demand: Demand, plan: Plan, month: Month, calendar: Calendar) -> Demand:
    """Return what is to be expected, with the scale of each topic's waits learnt by forecasting the month itself.

    `calendar` is the plan's for the days of the month.
    """
    presence = PastPresence(month, PlanPresence(plan, calendar, NONE))
    told: defaultdict[TopicId, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for midnight in month.days():
        for slot in outlook(plan, demand, presence, midnight, next_midnight(midnight)):
            if slot.state in {"good", "slow"}:
                told[slot.topic][0] += slot.calls * slot.wait_s
                told[slot.topic][1] += slot.calls
    real: defaultdict[TopicId, list[float]] = defaultdict(list)
    for call in month.calls:
        if call.waited is not None and call.end in {"answered", "left"} and (topic := topic_of(call, plan)) is not None:
            real[topic].append(call.waited / 1000)
    factor = {
        topic: min(MOST, max(1 / MOST, fmean(real[topic]) / (waiting / calls)))
        for topic, (waiting, calls) in told.items()
        if waiting > 0 and len(real[topic]) >= ENOUGH
    }
    return replace(demand, factor=factor)


def forecast(
    plan: Plan,
    demand: Demand,
    calendar: Calendar,
    start: int,
    days: int,
    feeds: Absences = NONE,
    tell: Callable[[int, int], None] = lambda _done, _of: None,
) -> tuple[list[Slot], list[Problem]]:
    """Every half-hour of so many days from the midnight of `start` on, and what is bad, each with its remedy."""
    presence = PlanPresence(plan, calendar, feeds)
    slots: list[Slot] = []
    found: list[Problem] = []
    firsts = midnights(start, days)
    for done, midnight in enumerate(firsts, 1):
        today = outlook(plan, demand, presence, midnight, next_midnight(midnight))
        slots += today
        for problem in problems(today):
            away = _away(plan, problem, feeds)
            named = frozenset(who for agent in away for who in plan.agents[agent].substitutes)
            mends = remedy(plan, demand, presence, problem, named)
            found.append(replace(problem, away=away, remedy=mends))
        tell(done, len(firsts))
    return slots, found


def _away(plan: Plan, problem: Problem, feeds: Absences) -> tuple[AgentId, ...]:
    """Who of the topic's own people is on leave in any of the bad half-hours."""
    own = set(plan.topics[problem.topic].groups)
    leave = {agent for slot in problem.slots for agent in staffing_at(plan, slot.at, feeds).leave}
    return tuple(agent for agent in plan.agents if agent in leave and own & set(plan.agents[agent].groups))
