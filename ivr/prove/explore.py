"""Breadth-first over the states of a call: each is stepped by the real core, with all that can happen to it."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from ivr.core import call as core
from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.state import Call, Ended, Waiting
from ivr.core.turn import Env
from ivr.prove import world as surroundings
from ivr.prove.moves import SPOKEN_MS, moves, strays
from ivr.prove.regimes import regimes_of
from ivr.prove.rest import NOW, Rest, State
from ivr.prove.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ivr.core.caller import CallerClass, Privacy
    from ivr.core.plan import Plan
    from ivr.core.schedule import Calendar
    from ivr.prove.moves import Move
    from ivr.prove.regimes import Regime
    from ivr.prove.rest import Key

MOST_STATES: Final = 200_000
QUIET_S: Final = 2.0
_FORGETFUL: Final = (ev.Adopted, ev.Dropped, ev.HungUp)
EVERY: Final = 512
"""States between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What led from a state to another one, or to an end (`to` is -1)."""

    to: int
    happened: ev.Input
    ms: int
    regime: int
    excused: bool
    effects: tuple[fx.Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Wrong:
    """What must not be: after this edge out of that state, or in the state itself."""

    state: int
    what: str
    edge: Edge | None = None


@dataclass(slots=True)
class Map:
    """All states found, in the order of their distance from a call's arrival; `parents` lead back there."""

    states: list[State] = field(default_factory=list)
    parents: list[tuple[int, Edge] | None] = field(default_factory=list)
    onward: list[list[tuple[int, int]]] = field(default_factory=list)
    """From each state, by moves that are not excused: the next state (-1: an end) and the time that passes."""
    refused: set[int] = field(default_factory=set)
    """States in which the queue's refusal is on its way: what goes on from them is excused, and comes for sure."""
    transitions: int = 0
    wrong: Wrong | None = None
    heard: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)
    owed: set[str] = field(default_factory=set)
    menus: set[str] = field(default_factory=set)
    pressed: set[tuple[str, str]] = field(default_factory=set)
    phases: set[str] = field(default_factory=set)
    ends: dict[str, int] = field(default_factory=dict)


class _Watched:
    """An environment and its calendar in one, which remembers what was looked at."""

    __slots__ = ("_real", "calendar", "crisis_asked", "looked", "now", "plan")

    def __init__(self, now: int, plan: Plan, calendar: Calendar) -> None:
        self.now, self.plan, self._real, self.calendar = now, plan, calendar, self
        self.looked = self.crisis_asked = False

    def __getattr__(self, name: str) -> Any:
        self.looked = True
        self.crisis_asked = self.crisis_asked or name.startswith("crisis")
        return getattr(self._real, name)


def callers(plan: Plan) -> Iterator[Call]:
    """The callers who are told apart: with a number, without one, and a relay service."""
    kinds: list[tuple[str | None, Privacy, CallerClass]] = [
        ("+33639980001", "open", "normal"),
        (None, "hidden", "normal"),
    ]
    if plan.relays:
        kinds.append((min(plan.relays), "open", "relay"))
    for number, privacy, klass in kinds:
        caller = Caller(CallerRef("r"), number, privacy, klass)
        yield Call(CallId("preuve"), caller, plan.numbers[0] if plan.numbers else "", plan.version, NOW)


class Explorer:
    """One walk over all states of a plan; `run` once."""

    def __init__(self, plan: Plan, regimes: tuple[Regime, ...], on_progress: Callable[[int, int], None] | None) -> None:
        self.rest = Rest(plan)
        self.plan = self.rest.plan
        self.regimes = regimes or regimes_of(plan)
        self.map = Map()
        self._ids: dict[Key, int] = {}
        self._late: set[int] = set()
        self._forgotten: set[Key] = set()
        self._on_progress = on_progress

    def run(self) -> Map:
        """Walk until nothing is new, or something is wrong."""
        found = self.map
        for call in callers(self.plan):
            self._add(call, World(), NOW, None)
        # Millions of small objects, none in a circle: collecting them again and again finds nothing.
        collects = gc.isenabled()
        gc.disable()
        try:
            self._walk()
        finally:
            if collects:
                gc.enable()
        return found

    def _walk(self) -> None:
        found = self.map
        here, began = 0, time.monotonic()
        while here < len(found.states) and found.wrong is None:
            if len(found.states) > MOST_STATES:
                found.wrong = Wrong(here, "l'appel peut prendre toujours de nouvelles formes : rien ne borne sa durée")
                break
            self._from(here)
            here += 1
            if self._on_progress is not None and here % EVERY == 0 and time.monotonic() - began > QUIET_S:
                began = time.monotonic()
                self._on_progress(here, len(found.states))

    def _add(self, call: Call, world: World, now: int, parent: tuple[int, Edge] | None) -> int:
        key, make = self.rest.state(call, world, now)
        known = self._ids.get(key)
        if known is not None:
            return known
        number = self._ids[key] = len(self.map.states)
        self.map.states.append(make())
        self.map.parents.append(parent)
        self.map.onward.append([])
        self.map.phases.add(type(call.phase).__name__)
        return number

    def _from(self, here: int) -> None:
        state = self.map.states[here]
        once = hash((state.call.phase, state.call.caller.klass, state.call.informed))
        news = () if once in self._late else tuple(strays(state.call))
        self._late.add(once)
        for happened, lets_go in news:
            call, effects = core.step(state.call, happened, Env(NOW, self.plan, self.regimes[0].calendar))
            if call != state.call or bool(effects) != lets_go:
                late = "un poste réservé trop tard n'est pas libéré"
                what = late if lets_go else "une nouvelle périmée change l'appel"
                self._fails(here, what, Edge(-1, happened, 0, 0, excused=True, effects=effects))
                return
        for move in moves(state, self.plan):
            if not self._take(here, state, move):
                return

    def _take(self, here: int, state: State, move: Move) -> bool:
        before, now = move.call or state.call, NOW + move.ms
        if isinstance(move.happened, _FORGETFUL) and not (state.world.ending or state.world.cut):
            # What was under way is forgotten: from many states the same.
            key = (move.happened, move.ms, self.rest.state(before, move.world, NOW)[0])
            if key in self._forgotten:
                return True
            self._forgotten.add(key)
        watched = _Watched(now, self.plan, self.regimes[0].calendar)
        try:
            call, effects = core.step(before, move.happened, cast("Env", watched))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            what = f"le standard ne sait plus que faire ({type(error).__name__} : {error})"
            self._fails(here, what, Edge(-1, move.happened, move.ms, 0, move.excused))
            return False
        if not self._arrive(here, state, move, 0, call, effects):
            return False
        if watched.looked:
            seen = [(call, effects)]
            for regime, each in enumerate(self.regimes[1:], 1):
                if each.calendar.crisis is not None and not watched.crisis_asked:
                    continue
                call, effects = came = core.step(before, move.happened, Env(now, self.plan, each.calendar))
                if came in seen:
                    continue
                seen.append(came)
                if not self._arrive(here, state, move, regime, call, effects):
                    return False
        return True

    def _arrive(
        self, here: int, state: State, move: Move, regime: int, call: Call, effects: tuple[fx.Effect, ...]
    ) -> bool:
        found = self.map
        found.transitions += 1
        if call is state.call and not effects and move.world.armed and isinstance(move.happened, ev.Digit):
            return True
        world = move.world.copy()
        ours = not isinstance(move.happened, ev.HungUp) or state.world.ending  # nobody may be waited for to give up
        edge = Edge(-1, move.happened, move.ms, regime, move.excused, effects)
        self._note(state, move, effects)
        wrong = surroundings.carry_out(world, self.plan, effects)
        if wrong is None:
            wrong = self._judge(state, move, call, world, effects)
        if wrong is not None:
            self._fails(here, wrong, edge)
            return False
        if world.given or isinstance(call.phase, Ended):
            how = "secours" if world.given else call.phase.outcome if isinstance(call.phase, Ended) else ""
            found.ends[how] = found.ends.get(how, 0) + 1
            if ours and not move.excused:
                found.onward[here].append((-1, move.ms))
            return True
        if isinstance(call.phase, Waiting) and call.phase.queued:
            # Asked again where the call stands, the queue says what its own news say: nobody is there, or nothing new.
            world.owed -= {"queue"}
        for each in world.verdicts():
            to = self._add(call, each, NOW + move.ms, (here, edge))
            if isinstance(move.happened, ev.AcceptRefused):
                found.refused.add(here)
            if not move.excused and (to != here or effects):
                found.onward[here].append((to, move.ms))
        return True

    def _judge(self, state: State, move: Move, call: Call, world: World, effects: tuple[fx.Effect, ...]) -> str | None:
        before = state.call.phase
        if isinstance(call.phase, Ended):
            if not world.gone:
                return "l'appel est clos alors que l'appelant est encore là"
            return surroundings.ended(before, call, world, effects, spoken_ms=move.ms if move.ms == SPOKEN_MS else 0)
        if world.gone:
            return "l'appelant a raccroché, et l'appel n'est pas clos"
        if world.given:
            left = set(world.legs) - surroundings.tokens(call.phase)
            return "l'appelant va au secours, et le poste d'un agent reste occupé pour lui" if left else None
        if call.informed and not state.call.informed and move.happened != ev.PromptDone(state.world.playing):
            return "l'appel compte comme renseigné, et l'appelant n'a pas entendu la réponse"
        return surroundings.parted(before, call, world) or surroundings.settled(call, world, effects)

    def _note(self, state: State, move: Move, effects: tuple[fx.Effect, ...]) -> None:
        found = self.map
        menu = getattr(state.call.phase, "menu", None)
        if menu is not None:
            found.menus.add(menu)
            if isinstance(move.happened, ev.Digit):
                found.pressed.add((menu, move.happened.key))
        for effect in effects:
            match effect:
                case fx.Play(_, prompts):
                    found.heard.update(prompts)
                case fx.JoinQueue(topic):
                    found.lines.add(topic)
                case fx.Promise(kind):
                    found.owed.add(kind)
                case _:
                    pass

    def _fails(self, here: int, what: str, edge: Edge | None) -> None:
        if self.map.wrong is None:
            self.map.wrong = Wrong(here, what, edge)
