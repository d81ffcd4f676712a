"""The cases of tests.yaml, played by the real core: no Asterisk, no Redis, one caller at a time.

The people of the case answer at once unless they are busy; the caller presses the keys, listens, and stays on the
line, but for a case that ends by the caller's leaving: `informed` and `left` hang up once the keys have done.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.plan import EVERYONE, AgentId, CrisisId, GroupId
from ivr.core.schedule import Crisis
from ivr.core.state import Call, Ended, Informing, InMenu, Recording, Talking, Typing, Waiting
from ivr.plan.calendar import ZONE, States, calendar, days, instant
from ivr.plan.faults import fault
from ivr.plan.moments import milliseconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.core.plan import Plan, TopicId
    from ivr.core.schedule import Calendar
    from ivr.plan.cases import CaseEntry, When
    from ivr.plan.faults import Fault
    from ivr.plan.loader import Loaded

FILE: Final = "tests.yaml"
MOST_STEPS: Final = 2_000
TALK_MS: Final = 60_000
LOOK_AHEAD_DAYS: Final = 120


@dataclass(slots=True)
class Rehearsal:
    """What happened to the caller of a case."""

    heard: list[str] = field(default_factory=list)
    reached: TopicId | None = None
    waits: TopicId | None = None
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One case and what came of it: `wrong` names the first expectation that does not hold, None: all do."""

    case: CaseEntry
    number: int
    wrong: str | None = None
    wanted: str = ""
    got: str = ""


def rehearse_all(loaded: Loaded, *, today: dt.date | None = None) -> list[Fault]:
    """Return a fault for each case that does not come out as it says; none without a plan or without cases."""
    source = loaded.sources.get(FILE)
    if source is None:
        return []
    found = []
    for result in results(loaded, today=today):
        if result.wrong is not None:
            place = source.value(("tests", result.number, result.wrong))
            told = {"name": result.case.name, "key": result.wrong, "wanted": result.wanted, "got": result.got}
            found.append(fault("case-fails", place, **told))
    return found


def results(loaded: Loaded, *, today: dt.date | None = None) -> Iterator[Result]:
    """Yield what comes of each case."""
    if loaded.plan is None:
        return
    day = today or dt.datetime.now(ZONE).date()
    for number, case in enumerate(loaded.cases):
        yield _judged(case, number, _Caller(loaded.plan, case, day).lives())


def _judged(case: CaseEntry, number: int, was: Rehearsal) -> Result:
    left = deque(was.heard)
    for prompt in case.hears:
        while left and left[0] != prompt:
            left.popleft()
        if not left:
            return Result(case, number, "hears", prompt, ", ".join(was.heard) or "rien")
        left.popleft()
    for name, wanted, got in (
        ("reaches", case.reaches, was.reached),
        ("waits", case.waits, was.waits),
        ("ends", case.ends, was.ended),
    ):
        if wanted is not None and wanted != got:
            return Result(case, number, name, wanted, got or "rien de cela")
    return Result(case, number)


class _Caller:
    def __init__(self, plan: Plan, case: CaseEntry, today: dt.date) -> None:
        self._plan, self._case = plan, case
        self._now = _instant(plan, case.at, today)
        self._calendar = self._hours()
        self._was = Rehearsal()
        self._inputs: deque[ev.Input] = deque([ev.Started()])
        self._keys = deque(case.keys)
        number = None if case.hidden else "+33639980001"
        caller = Caller(CallerRef("essai"), number, "hidden" if case.hidden else "open", "normal")
        self._call = Call(CallId("essai"), caller, plan.numbers[0], plan.version, self._now)
        self._timer_ms = 0

    def lives(self) -> Rehearsal:
        """Return what happened, at the end of the call or when it waits for busy people."""
        for _ in range(MOST_STEPS):
            if isinstance(self._call.phase, Ended):
                self._was.ended = self._call.phase.outcome
                return self._was
            happened = self._inputs.popleft() if self._inputs else self._next()
            if happened is None:
                return self._was
            self._call, effects = step(self._call, happened, Env(self._now, self._plan, self._calendar))
            for effect in effects:
                self._carry_out(effect)
        return self._was

    def _hours(self) -> Calendar:
        states = States()
        if self._case.crisis is not None:
            states = States(crisis=Crisis(CrisisId(self._case.crisis), self._now + 86_400_000), crisis_since=self._now)
        return calendar(self._plan, self._now, states)

    def _next(self) -> ev.Input | None:
        phase = self._call.phase
        if self._keys and isinstance(phase, InMenu | Informing | Typing):
            return ev.Digit(self._keys.popleft())
        if (play := getattr(phase, "play", 0)) and not isinstance(phase, Waiting):
            return ev.PromptDone(play)
        match phase:
            case InMenu() if self._case.ends in {"informed", "left"}:
                return ev.HungUp()
            case Talking(offer=offer):
                self._now += TALK_MS
                return ev.AgentLeft(offer.token)
            case Recording(recording=recording):
                self._now += 5_000
                return ev.RecordingDone(recording, kept=True)
            case Waiting(topic=topic):
                self._was.waits = topic
                return ev.HungUp() if self._case.ends == "left" else None
            case _:
                self._now += self._timer_ms
                return ev.TimerFired(self._call.timer)

    def _carry_out(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Play(prompts=prompts):
                self._was.heard += [str(prompt) for prompt in prompts]
            case fx.StartTimer(ms=ms):
                self._timer_ms = ms
            case fx.JoinQueue(topic):
                self._join(topic)
            case fx.DialAgent(token):
                self._inputs.append(ev.AgentAnswered(token))
            case fx.Accept(token):
                self._inputs.append(ev.Accepted(token))
            case fx.Bridge():
                self._was.reached = getattr(self._call.phase, "topic", None)
            case fx.Promise():
                self._inputs.append(ev.Promised())
            case fx.Hangup():
                self._inputs.append(ev.HungUp())
            case fx.HandBack():
                self._inputs.append(ev.HungUp())
            case _:
                pass

    def _join(self, topic: TopicId) -> None:
        there = set(self._plan.groups) if self._case.present is None else set(map(GroupId, self._case.present))
        known = self._plan.topics[topic]
        answering = {*known.groups, *(group for widening in known.widen for group in widening.groups)}
        if crisis := self._calendar.crisis_at(self._now):
            answering |= set(self._plan.crises[crisis.id].groups) if crisis.id in self._plan.crises else set()
        staffed = there if EVERYONE in answering else there & answering
        self._inputs.append(ev.Queued(1, staffed=bool(staffed)))
        free = staffed - set(map(GroupId, self._case.busy))
        agents = [who for group in self._plan.groups if group in free for who in self._plan.groups[group].agents]
        if agents:
            self._inputs.append(ev.OfferMade("essai:1", AgentId(agents[0])))


def _instant(plan: Plan, when: When | None, today: dt.date) -> int:
    """Return when a case happens: without a time, in the middle of an ordinary opening."""
    if when is not None and when.instant is not None:
        return milliseconds_of(when.instant)
    schedule = plan.schedules.get(plan.hours) if plan.hours is not None else None
    last = today + dt.timedelta(days=LOOK_AHEAD_DAYS)
    for day in days(schedule, today, last) if schedule is not None else ():
        if day.layer != "weekly":
            continue
        if when is None and day.ranges:
            start, end = day.ranges[0]
            return instant(start + (end - start) / 2)
        if when is not None and day.date.weekday() == when.day:
            return _at(day.date, when.minute)
    if when is None:
        return _at(today, 600)
    return _at(today + dt.timedelta(days=(when.day - today.weekday()) % 7), when.minute)


def _at(date: dt.date, minute: int) -> int:
    return instant(dt.datetime.combine(date, dt.time()) + dt.timedelta(minutes=minute))
