"""A run: callers and agents over days, the core and the queue between them, the books beside.

Each day begins with an empty town hall and its own draws, so that days can be lived in any order, or at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from ivr.core.plan import Information, SiteId, TellOutside, ToOutside
from ivr.core.schedule import ALWAYS_OPEN
from ivr.queueing import commands
from ivr.queueing.keys import Keys
from ivr.queueing.model import Epoch
from ivr.queueing.routing import routing_of
from ivr.queueing.sync import SyncQueue
from ivr.sim.agenda import Agenda
from ivr.sim.books import Books
from ivr.sim.desk import NODE, Desk
from ivr.sim.errors import SimulationError
from ivr.sim.figures import Day, Figures, Report
from ivr.sim.floor import Floor
from ivr.sim.line import Sounds, World
from ivr.sim.load import DAY_MS, QUARTER_MS, QUARTERS, Load, drawn
from ivr.sim.staff import Habits
from ivr.sim.tape import Tape
from ivr.traffic.gather import Gatherer
from ivr.traffic.month import Period, date_of, next_midnight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from redis import Redis

    from ivr.core.plan import Plan, PromptId
    from ivr.core.schedule import Calendar
    from ivr.sim.load import Visitor
    from ivr.sim.staff import Move
    from ivr.traffic.month import Month

FIRST_DAY: Final = datetime(2026, 9, 7, tzinfo=ZoneInfo("Europe/Paris"))
"""A Monday. Days are working days, five a week."""
COMPARE_EVERY_MS: Final = 7_200_000
WORKING_DAYS: Final = 5


def working_days(count: int) -> list[int]:
    """The midnights (Unix ms) that working days begin with."""
    if count < 1:
        raise SimulationError("a simulation lasts a day at least.")
    dates = (FIRST_DAY + timedelta(days=n // WORKING_DAYS * 7 + n % WORKING_DAYS) for n in range(count))
    return [round(date.timestamp() * 1000) for date in dates]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """So many working days with so many calls. Everything follows from it: the same one gives the same figures.

    `moves`: when agents come and go, None: as their habits have it. `recorded`: keep the event streams.
    """

    plan: Plan
    lengths: Mapping[PromptId, int]
    load: Load
    days: int
    calls: int
    seed: int
    habits: Habits = field(default_factory=Habits)
    calendar: Calendar = ALWAYS_OPEN
    moves: Sequence[Move] | None = None
    recorded: bool = False

    def days_drawn(self) -> list[tuple[int, list[Visitor]]]:
        """Each day's midnight, and who calls on it."""
        if self.calls < 1:
            raise SimulationError("a simulation needs a call at least.")
        midnights = working_days(self.days)
        days: dict[int, list[Visitor]] = {midnight: [] for midnight in midnights}
        for visitor in drawn(self.load, self.plan, midnights, self.calls, self.seed):
            days[visitor.midnight].append(visitor)
        return list(days.items())

    def report(self, days: Iterable[Day], wall_s: float) -> Report:
        """All days together."""
        every, months = Day(), []
        for day in days:
            every.add(day)
            if day.month is not None:
                months.append(day.month)
        return Report(self.days, len(self.plan.agents), self.calls, every, wall_s, tuple(months))


def simulate(redis: Redis, stretch: Stretch, tell: Callable[[int], None] | None = None) -> Report:
    """Live a stretch on a Redis that does not know its site; `tell` hears how many calls have ended."""
    began = time.monotonic()
    lived: list[Day] = []
    for midnight, visitors in stretch.days_drawn():
        lived.append(live(redis, stretch, midnight, visitors))
        if tell is not None:
            tell(sum(day.outcomes.total() for day in lived))
    return stretch.report(lived, time.monotonic() - began)


def live(redis: Redis, stretch: Stretch, midnight: int, visitors: Sequence[Visitor]) -> Day:
    """One day, from its midnight until nobody is left."""
    today = _Today(redis, stretch, midnight)
    today.live(visitors)
    return today.came_to(visitors)


class _Today:
    """All parts of one day, put together."""

    def __init__(self, redis: Redis, stretch: Stretch, midnight: int) -> None:
        plan = replace(stretch.plan, site=SiteId(f"{stretch.plan.site}-{midnight // DAY_MS}"))
        self._midnight = midnight
        self._plan = stretch.plan
        self.agenda = Agenda(midnight)
        rules = routing_of(plan)
        queue = SyncQueue(redis, plan.site, rules.lines, NODE)
        queue.found(Epoch("sim"), midnight)
        self.desk = Desk(queue, plan, self.agenda, stretch.calendar)
        self.desk.tape = self.tape = Tape(redis, Keys(plan.site), plan.version) if stretch.recorded else None
        self.books = Books(plan, rules)
        self.figures = Figures(midnight)
        self.floor = Floor(
            plan=plan,
            habits=stretch.habits,
            seed=stretch.seed,
            agenda=self.agenda,
            books=self.books,
            node=NODE,
            tell=self.desk.tell,
        )
        sounds = Sounds(stretch.lengths, _answers(plan, stretch.calendar), plan.announcements.overflow)
        self.desk.world = World(self.agenda, self.books, self.figures, self.floor, sounds)
        self.desk.tell(commands.configure(rules))
        if stretch.moves is None:
            self.floor.plans()
        else:
            self.floor.will(stretch.moves)
        for at in range(midnight, midnight + DAY_MS, COMPARE_EVERY_MS):
            self.agenda.at(at, self._compare)

    def _compare(self) -> None:
        """Hold the books against the queue itself: at an instant at which nothing is due."""
        if self.desk.due is None or self.desk.due > self.agenda.now:
            self.books.compare(self.desk.dump())

    def live(self, visitors: Sequence[Visitor]) -> None:
        """Go from event to event until nobody is left."""
        agenda, desk, books = self.agenda, self.desk, self.books
        self._awaits(visitors, 0)
        while (at := agenda.next_at()) is not None or (desk.due is not None and len(desk)):
            due = desk.due
            if due is not None and (at is None or due <= at):
                agenda.now = max(agenda.now, due)
                books.at(agenda.now)
                desk.reap()
            else:
                books.at(at or 0)
                agenda.step()
            desk.settle()
        books.close(agenda.now)

    def _awaits(self, visitors: Sequence[Visitor], n: int) -> None:
        if n < len(visitors):
            self.agenda.at(visitors[n].at, self._arrives, visitors, n)

    def _arrives(self, visitors: Sequence[Visitor], n: int) -> None:
        self.desk.arrives(visitors[n])
        self._awaits(visitors, n + 1)

    def came_to(self, visitors: Sequence[Visitor]) -> Day:
        """What the day came to."""
        floor, books, figures = self.floor, self.books, self.figures
        arrivals = [0] * QUARTERS
        for visitor in visitors:
            arrivals[(visitor.at - self._midnight) // QUARTER_MS % QUARTERS] += 1
        return Day(
            outcomes=books.outcomes,
            violations=books.found,
            first_violations=books.violations,
            overtakings=books.overtakings,
            tallies=figures.tallies,
            arrivals=arrivals,
            waiting=figures.waiting.quarters,
            staff=floor.present.quarters,
            present=floor.present.total,
            busy=floor.busy.total,
            talking=floor.talking.total,
            peak_waiting=figures.waiting.peak,
            missed=floor.missed,
            commands=self.desk.commands,
            month=self._recorded(),
        )

    def _recorded(self) -> Month | None:
        if self.tape is None:
            return None
        gatherer = Gatherer(self._plan)
        gatherer.take_all(self.tape.lines())
        period = Period(date_of(self._midnight), self._midnight, next_midnight(self._midnight))
        return gatherer.month(period, self._plan.site)


def _answers(plan: Plan, calendar: Calendar) -> frozenset[PromptId]:
    """The prompts that answer by themselves what some callers come for."""
    options = [option for menu in plan.menus.values() for option in menu.options.values()]
    steps = [step for topic in plan.topics.values() for step in topic.continuity]
    outsides = {each.outside for each in (*options, *steps) if isinstance(each, ToOutside | TellOutside)}
    spans = [span for hours in (calendar.site, *calendar.hours.values()) for span in hours.spans]
    return frozenset(
        {
            *(option.prompt for option in options if isinstance(option, Information)),
            *(plan.outsides[outside].prompt for outside in outsides),
            *(crisis.message for crisis in plan.crises.values()),
            *(prompt for prompt in (plan.announcements.closed, *(span.prompt for span in spans)) if prompt is not None),
        }
    )
