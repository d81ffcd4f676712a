"""What can happen to a call, given its world: the adversary of a proof picks among these.

Each move is an input that the world allows, the time that passes before it, and whether it is `excused`: a fault of
the surroundings, or a choice of the caller's. Excused moves may come in any order and any number; but once they stop,
the call must come to its end (`ivr.prove.progress`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ivr.core import inputs as ev
from ivr.core.plan import BACK, HUMAN, REPEAT, AgentId
from ivr.core.state import Arriving, Ended, Informing, InMenu, Offer, Recording, Talking, Waiting, durable
from ivr.prove.rest import crew
from ivr.prove.world import RINGING, UP, World, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ivr.core.plan import Menu, Plan
    from ivr.core.state import Call
    from ivr.prove.rest import State

STRAY_TOKEN: Final = "x:0"  # noqa: S105 - of an offer
STRAY_SERIAL: Final = 1
SPOKEN_MS: Final = 2_000
"""Long enough for a message, and for a talk that was one."""
TALKED_MS: Final = 10_000
_KEYS: Final = "123456789"


@dataclass(slots=True)
class Move:
    """One thing that happens. `call` and `world`: what it happens to, when that is not the state itself."""

    happened: ev.Input
    world: World
    ms: int = 0
    excused: bool = False
    call: Call | None = None


def moves(state: State, plan: Plan) -> Iterator[Move]:
    """Everything that can happen next."""
    call, world = state.call, state.world
    if world.gone:
        return
    if isinstance(call.phase, Arriving):
        yield Move(ev.Started(), world.copy())
        yield Move(ev.Started(full=True), world.copy())
        return
    yield from _time(call, world)
    if not world.cut:
        yield from _caller(call, world, plan)
        yield from _queue(call, world, plan)
        yield from _phones(call, world)
        cut = world.copy()
        cut.cut, cut.playing, cut.hold, cut.recording, cut.legs, cut.bridged = True, 0, False, 0, {}, ""
        cut.owed, cut.verdict, cut.armed, cut.left_ms = frozenset(), None, 0, 0
        yield Move(ev.Dropped(), cut, excused=True)
    elif world.ending:
        yield Move(ev.HungUp(), _with(world, _leaves))
    yield from _ledger(world)
    yield from _another_worker(call, world)


def _with(world: World, change: Callable[[World], object]) -> World:
    other = world.copy()
    change(other)
    return other


def _time(call: Call, world: World) -> Iterator[Move]:
    if not world.armed or world.verdict is not None or "promise" in world.owed:
        return  # the queue's word and the ledger's come before any timer: both are awaited before it is armed
    other = world.copy()
    other.armed = other.left_ms = 0
    late = world.ending or RINGING in world.legs.values() or isinstance(call.phase, Talking)
    yield Move(ev.TimerFired(world.armed), other, world.left_ms, excused=late)


def _caller(call: Call, world: World, plan: Plan) -> Iterator[Move]:
    phase = call.phase
    gone = _with(world, _leaves)
    yield Move(ev.HungUp(), gone)
    if isinstance(phase, Recording):
        yield Move(ev.HungUp(), gone.copy(), SPOKEN_MS)
    if world.ending or world.verdict is not None:
        return  # what the queue says of an answer is next: what the caller hears or types meanwhile changes nothing
    if isinstance(phase, InMenu | Informing):
        menu = plan.menus.get(phase.menu)
        for key, good in keys(menu):
            yield Move(ev.Digit(key), world.copy(), excused=good)
    else:
        for key in ("2", "5", BACK, REPEAT):
            yield Move(ev.Digit(key), world.copy(), excused=True)
    if world.playing:
        for played in (True, False):
            yield Move(ev.PromptDone(world.playing, played), _with(world, _quiet))
    if world.recording:
        for kept in (True, False):
            yield Move(ev.RecordingDone(world.recording, kept), _with(world, _unrecorded))


def keys(menu: Menu | None) -> list[tuple[str, bool]]:
    """Return the keys that a menu tells apart, each with whether it means something: one stands for all that do not."""
    options = menu.options if menu is not None else {}
    wrong = [key for key in _KEYS if key not in options][:1]
    return [*((key, True) for key in (*options, HUMAN, REPEAT, BACK)), *((key, False) for key in wrong)]


def _leaves(world: World) -> None:
    world.gone, world.playing, world.hold, world.recording, world.owed = True, 0, False, 0, frozenset()
    world.armed, world.left_ms, world.verdict = 0, 0, None


def _quiet(world: World) -> None:
    world.playing = 0


def _unrecorded(world: World) -> None:
    world.recording = 0


def _queue(call: Call, world: World, plan: Plan) -> Iterator[Move]:
    phase = call.phase
    asked = "queue" in world.owed
    topic = plan.topics.get(world.line) if world.line else None  # type: ignore[call-overload]
    able = crew(plan, topic) if topic is not None else ()
    if world.verdict is not None:
        yield _verdict(world, world.verdict)
        return
    if asked:
        answered = world.copy()
        answered.owed -= {"queue"}
        yield Move(ev.Queued(1, staffed=False, topic=world.line), answered)
        if able:
            yield Move(ev.Queued(1, staffed=True, topic=world.line), answered)
    if isinstance(phase, Waiting):
        lost = world.copy()
        lost.owed -= {"queue"}
        yield Move(ev.QueueLost(), lost)
        yield Move(ev.HoursChanged(), world.copy(), excused=True)
    if topic is None or not isinstance(phase, Waiting) or world.accepted:
        return
    if not asked:
        if not world.reserved:
            yield Move(ev.Unstaffed(), world.copy())
        if topic.overflow is not None:
            yield Move(ev.Overflowed(), world.copy())
    at_once = min(topic.ring_at_once, 2) if topic.strategy == "ring-many" else 1
    if able and max(len(world.reserved), len(phase.offers)) < at_once:
        known = {*world.reserved, *world.legs}
        token = next(token for token in ("n:1", "n:2", "n:3") if token not in known)
        reserved = world.copy()
        reserved.reserved = (*world.reserved, token)
        yield Move(ev.OfferMade(token, AgentId(able[0]), beside=at_once > 1), reserved)
    untold = [token for token in world.reserved if token not in tokens(phase)] if world.untold else []
    for token in untold[:1]:
        yield Move(ev.OfferMade(token, AgentId(able[0]), beside=at_once > 1), world.copy())
    for token in dict.fromkeys((*world.reserved, *(offer.token for offer in phase.offers))):
        back = world.copy()
        back.forget(token)
        yield Move(ev.OfferWithdrawn(token), back, excused=True)


def _verdict(world: World, verdict: tuple[str, str]) -> Move:
    what, token = verdict
    heard = world.copy()
    heard.verdict = None
    if world.accepted == token:
        heard.line = ""
    if what == "taken":
        return Move(ev.Accepted(token), heard)
    return Move(ev.AcceptRefused(token), heard, excused=True)


def _phones(call: Call, world: World) -> Iterator[Move]:
    for token, state in world.legs.items():
        if state == RINGING:
            if world.verdict is None:
                up = world.copy()
                up.legs[token] = UP
                yield Move(ev.AgentAnswered(token), up)
            yield Move(ev.AgentFailed(token, "miss"), _with(world, lambda w, t=token: w.legs.pop(t)), excused=True)  # type: ignore[misc]
            continue
        left = world.copy()
        left.legs.pop(token)
        left.bridged = "" if world.bridged == token else world.bridged
        yield Move(ev.AgentLeft(token), left, excused=True)
        if isinstance(call.phase, Talking):
            yield Move(ev.AgentLeft(token), left.copy(), TALKED_MS)
            yield Move(ev.AgentLeft(token, lost=True), left.copy(), TALKED_MS, excused=True)
            if world.bridged == token:
                apart = world.copy()
                apart.bridged = ""
                yield Move(ev.BridgeFailed(token), apart, excused=True)


def _ledger(world: World) -> Iterator[Move]:
    if "promise" in world.owed:
        other = world.copy()
        other.owed -= {"promise"}
        yield Move(ev.Promised(), other)
        yield Move(ev.PromiseFailed(), other.copy(), excused=True)


def _another_worker(call: Call, world: World) -> Iterator[Move]:
    """A worker that crashes leaves the snapshot and what the queue holds; a connection that breaks, the call itself."""
    if isinstance(call.phase, Ended) or world.cut:
        return
    now = world.copy()
    now.owed, now.armed, now.left_ms, now.verdict, now.hold = frozenset(), 0, 0, None, False
    now.untold = bool(now.reserved)
    if world.accepted:
        now.line = ""
    known = revived(call, now)
    same = now.copy()
    same.line = world.line
    yield Move(_facts(call, same), same, excused=True, call=replace(call, timer=0))
    stray = set(now.legs) - tokens(known.phase)  # whose legs are ended before anything is adopted
    now.legs = {token: state for token, state in now.legs.items() if token not in stray}
    facts = _facts(call, now)
    yield Move(facts, now, excused=True, call=known)
    if not world.ending:
        yield Move(replace(facts, answered=False), now, excused=True, call=known)
    if now.legs:
        bare = now.copy()
        bare.legs, bare.bridged = {}, ""
        yield Move(_facts(call, bare), bare, excused=True, call=known)
    if now.bridged:
        apart = now.copy()
        apart.bridged = ""
        yield Move(_facts(call, apart), apart, excused=True, call=known)
    if now.recording:
        unheard = now.copy()
        unheard.recording = 0
        yield Move(replace(facts, recording=False), unheard, excused=True, call=known)


def _facts(call: Call, world: World) -> ev.Adopted:
    legs: list[tuple[str, ev.LegState]] = [(t, "up" if s == UP else "ringing") for t, s in world.legs.items()]
    playing = (world.playing,) if world.playing else ()
    return ev.Adopted(tuple(legs), world.bridged or None, isinstance(call.phase, Recording), playing, world.answered)


def revived(call: Call, world: World) -> Call:
    """Return the call as its next worker finds it: the snapshot, with the offers or the talk that the queue holds."""
    phase = call.phase
    if isinstance(phase, Waiting | Talking):
        if world.accepted:
            agent = _agent(phase, world.accepted)
            offer = Offer(world.accepted, agent, answered=True)
            talk = Talking(phase.topic, offer, phase.since, phase.asked, phase.step)
            return replace(call, phase=talk, timer=0)
        if isinstance(phase, Waiting):
            offers = tuple(Offer(token, _agent(phase, token)) for token in world.reserved)
            return replace(call, phase=replace(phase, queued=bool(offers), offers=offers), timer=0)
    kept = durable(call)
    return replace(kept if kept is not None else call, serial=call.serial, timer=0)


def _agent(phase: Waiting | Talking, token: str) -> AgentId:
    offers = phase.offers if isinstance(phase, Waiting) else (phase.offer,)
    return next((offer.agent for offer in offers if offer.token == token), AgentId(""))


def strays(call: Call) -> Iterator[tuple[ev.Input, bool]]:
    """News that come too late, each with whether the call has to let go of what they are about."""
    held = not isinstance(call.phase, Waiting)
    yield ev.PromptDone(STRAY_SERIAL), False
    yield ev.TimerFired(STRAY_SERIAL), False
    yield ev.RecordingDone(STRAY_SERIAL, kept=True), False
    for kind in (ev.OfferWithdrawn, ev.AgentLeft, ev.Accepted, ev.AcceptRefused, ev.BridgeFailed):
        yield kind(STRAY_TOKEN), False
    yield ev.AgentFailed(STRAY_TOKEN, "miss"), False
    yield ev.AgentAnswered(STRAY_TOKEN), True
    if held:
        yield ev.OfferMade(STRAY_TOKEN, AgentId("x")), True
