"""A call and its world at rest: two that can go on in the same ways are one state.

Serials are renumbered, tokens are named by their place, instants become how long ago it was, in rounds of the wait,
counts stop where nobody counts on, and topics of one shape are one topic once the menus are left. All of these are
renamings that the core cannot see: it compares serials and tokens only for being equal, instants only with now.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from ivr.core.plan import CallBack, OtherTopic, TakeMessage, TellOutside
from ivr.core.state import Informing, InMenu, Offer, Recording, Talking, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.core.plan import ChainStep, Plan, Topic, TopicId
    from ivr.core.state import Call, Phase
    from ivr.prove.world import World

NOW: Final = 1_700_000_000_000
"""The instant at which every step of a proof begins."""
ROUNDS: Final = 2
"""So many announcements of one wait are told apart: those in its midst are alike."""
MANY: Final = 12
"""Who has been silent, or wrong, so many times in a row might be so for ever."""
ANY_TIMER, ANY_PLAY, ANY_RECORDING, STRAY, LAST = 2, 3, 4, 5, 9
"""Serials of a call at rest; `LAST` is the last given out."""
SHORT_MS: Final = 1_000

_COUNTS: Final = frozenset({"no_input", "invalid"})
_TOPICS: Final = frozenset({"topic", "asked"})
_CALL_AS_IT_IS: Final = frozenset({"id", "called", "plan", "arrival", "phase", "serial", "timer", "keys"})

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class State:
    """One state: the call and the world, both at rest."""

    call: Call
    world: World


class Rest:
    """Brings calls of one plan to rest. `plan` is the one that the steps see: its wait in at most `ROUNDS` rounds."""

    def __init__(self, plan: Plan) -> None:
        every = max(plan.patience_every_ms, -(-plan.max_wait_ms // ROUNDS))
        first = every if plan.first_patience_ms > 0 else plan.first_patience_ms
        self.plan = replace(plan, patience_every_ms=every, first_patience_ms=first)
        self._alike = alike(plan)
        self._longest = (plan.max_wait_ms + every - 1) // every * every
        self._getters: dict[type, tuple[str, ...]] = {}
        self._extra: tuple[str, ...] = ()

    def topic(self, topic: TopicId) -> TopicId:
        """Return the topic that stands for all of its shape."""
        return self._alike.get(topic, topic)

    def state(self, call: Call, world: World, now: int) -> tuple[Key, Callable[[], State]]:
        """Return what a state is known by, and how to make it."""
        phase = call.phase
        kind = type(phase)
        names = self._getters.get(kind)
        if names is None:
            names = self._getters[kind] = tuple(field.name for field in fields(kind))
            self._extra = tuple(field.name for field in fields(call) if field.name not in _CALL_AS_IT_IS)
        places: dict[str, str] = {}
        rested = tuple(self._field(name, getattr(phase, name), world, now, places, kind) for name in names)
        held = self._world(world, places, phase)
        extra = tuple(self._plain(name, getattr(call, name)) for name in self._extra)
        key: Key = (kind, rested, extra, held)
        return key, lambda: self._make(call, world, names, rested, places)

    def _field(self, name: str, value: Any, world: World, now: int, places: dict[str, str], kind: type) -> Any:
        if name == "play":
            return (ANY_PLAY if value == world.playing else STRAY) if value else 0
        if name == "recording":
            return ANY_RECORDING if value else 0
        if name == "since":
            if kind is Talking or kind is Recording:
                return NOW
            round_ms = self.plan.patience_every_ms
            return NOW - min(max(now - value, 0), self._longest) // round_ms * round_ms
        if name in _COUNTS:
            return min(value, MANY)
        if name in _TOPICS and not issubclass(kind, InMenu | Informing) and value is not None:
            return self._alike.get(value, value)
        if isinstance(value, Offer):
            return self._offer(value, places)
        if isinstance(value, tuple) and value and isinstance(value[0], Offer):
            return tuple(self._offer(offer, places) for offer in value)
        return self._plain(name, value)

    def _plain(self, name: str, value: Any) -> Any:
        """What was typed is handed on and never read, but for its length while it is typed."""
        if name == "typed":
            return "1" if value else ""
        return "1" * len(value) if name == "digits" else value

    def _timer(self, phase: Phase, ms: int) -> int:
        """Return a timer's length, of a wait only whether it is short: what is done then depends on `since` alone."""
        return min(ms, SHORT_MS) if isinstance(phase, Waiting) and ms < self.plan.patience_every_ms else ms

    def _offer(self, offer: Offer, places: dict[str, str]) -> Offer:
        place = places.setdefault(offer.token, f"o:{len(places) + 1}")
        return replace(offer, token=place) if place != offer.token else offer

    def _world(self, world: World, places: dict[str, str], phase: Phase) -> Key:
        line: Any = world.line
        if line and not isinstance(phase, InMenu | Informing):
            line = self._alike.get(line, line)
        verdict = world.verdict
        if verdict is not None:  # of an offer that is over, it will be no news
            verdict = (verdict[0], places[verdict[1]]) if verdict[1] in places else None
        return (
            world.answered,
            world.armed and self._timer(phase, world.left_ms),
            bool(world.playing), bool(world.recording), world.hold, line,
            world.owed, verdict, tuple(places.get(token, token) for token in world.reserved),
            places.get(world.accepted, world.accepted), places.get(world.bridged, world.bridged),
            tuple((places.get(token, token), state) for token, state in world.legs.items()),
            world.cut, world.ending, world.kept, world.untold,
        )  # fmt: skip

    def _make(
        self, call: Call, world: World, names: tuple[str, ...], rested: tuple[Any, ...], places: dict[str, str]
    ) -> State:
        phase = type(call.phase)(**dict(zip(names, rested, strict=True)))
        held = world.copy()
        held.armed = ANY_TIMER if world.armed else 0
        held.playing = ANY_PLAY if world.playing else 0
        held.recording = ANY_RECORDING if world.recording else 0
        held.reserved = tuple(places.get(token, token) for token in world.reserved)
        held.accepted = places.get(world.accepted, world.accepted)
        held.bridged = places.get(world.bridged, world.bridged)
        held.legs = {places.get(token, token): state for token, state in world.legs.items()}
        if world.verdict is not None:
            what, token = world.verdict
            held.verdict = (what, places[token]) if token in places else None
        if world.line and not isinstance(phase, InMenu | Informing):
            held.line = str(self._alike.get(world.line, world.line))  # type: ignore[call-overload]
        timer = ANY_TIMER if world.armed and call.timer == world.armed else 0
        return State(
            replace(
                call,
                phase=phase,
                serial=LAST,
                timer=timer,
                keys="",
                arrival=NOW,
                typed=self._plain("typed", call.typed),
            ),
            held,
        )


def alike(plan: Plan) -> dict[TopicId, TopicId]:
    """Return each topic with the first one of its shape.

    Sound where no menu can come any more: there the core reads of a topic what `_shape` holds and whether it is the
    general one, so that exchanging two topics of one shape exchanges states and changes no step.
    """
    first: dict[Any, TopicId] = {}
    named = {step.topic for topic in plan.topics.values() for step in topic.continuity if hasattr(step, "topic")}
    found: dict[TopicId, TopicId] = {}
    for topic in plan.topics.values():
        alone = topic.id if topic.id == plan.general or topic.id in named else None
        found[topic.id] = first.setdefault((alone, _shape(plan, topic)), topic.id)
    return found


def _shape(plan: Plan, topic: Topic) -> tuple[Any, ...]:
    return (
        topic.strategy == "ring-many" and min(topic.ring_at_once, 2),
        topic.overflow is None,
        topic.hours,
        tuple(_step(plan, step) for step in topic.continuity),
        bool(crew(plan, topic)),
    )


def _step(plan: Plan, step: ChainStep) -> tuple[str, ...]:
    match step:
        case OtherTopic(topic):
            return ("topic", topic)
        case TellOutside(outside):
            return ("outside", outside)
        case CallBack(owner) | TakeMessage(owner):  # whose file it is changes nothing of the call
            return (type(step).__name__, str(owner in plan.groups))


def crew(plan: Plan, topic: Topic) -> tuple[str, ...]:
    """Return the agents who may ever answer a topic, the first ones of its own groups."""
    groups = [*topic.groups, *(group for step in topic.widen for group in step.groups)]
    if "*" in groups:
        return tuple(plan.agents)
    found = dict.fromkeys(agent for group in groups if group in plan.groups for agent in plan.groups[group].agents)
    return tuple(found)
