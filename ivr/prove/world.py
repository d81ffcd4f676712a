"""What surrounds one call while it is proven: Asterisk, the queue, the phones, the ledger, as far as the call sees.

A world answers two questions: what can happen next (`ivr.prove.moves` asks), and whether what the call asks for
fits (`carry_out`, `settled`). Both speak of one caller: what other callers do comes in as the queue's free choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from ivr.core import effects as fx
from ivr.core.plan import BEEP
from ivr.core.state import Apologising, Ended, Parting, Recording, Talking, Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.core.plan import Plan
    from ivr.core.state import Call, Phase

RINGING: Final = "ringing"
UP: Final = "up"
_SOON_MS: Final = 1_000


class World:
    """One instant of the surroundings; copied before it changes.

    `armed` and `left_ms`: serial and length of the timer that runs, 0: none. `playing` and `recording`: serials.
    `line`: the topic whose line holds the caller. `reserved`: offers that hold an agent; `accepted`: the one that the
    queue knows as a talk; `legs`: agents' phones, by token. `owed`: answers under way, "queue" and "promise".
    `verdict`: what the queue says of an answered offer, still to be heard: "?", "taken" or "stale", and the token.
    `cut`: Asterisk ended. `kept`: a promise was asked for. `untold`: of some reserved offers the call's next worker is
    still to be told.
    """

    __slots__ = (
        "accepted", "answered", "armed", "bridged", "cut", "ending", "given", "gone", "hold", "kept", "left_ms", "legs",
        "line", "owed", "playing", "recording", "reserved", "untold", "verdict",
    )  # fmt: skip

    def __init__(self) -> None:
        self.answered = self.hold = self.cut = self.gone = self.ending = self.given = self.untold = False
        self.armed = self.left_ms = self.playing = self.recording = 0
        self.line = self.accepted = self.bridged = self.kept = ""
        self.owed: frozenset[str] = frozenset()
        self.verdict: tuple[str, str] | None = None
        self.reserved: tuple[str, ...] = ()
        self.legs: dict[str, str] = {}

    def copy(self) -> World:
        """Return a world of the same state that can change alone."""
        other = World.__new__(World)
        for name in World.__slots__:
            setattr(other, name, getattr(self, name))
        other.legs = dict(self.legs)
        return other

    def verdicts(self) -> tuple[World, ...]:
        """Return the worlds that this can be, once the queue decided on the offer that it was asked about."""
        if self.verdict is None or self.verdict[0] != "?":
            return (self,)
        token = self.verdict[1]
        if self.accepted == token:
            known = self.copy()
            known.verdict = ("taken", token)
            return (known,)
        stale = self.copy()
        stale.verdict = ("stale", token)
        stale.forget(token)
        if token not in self.reserved:
            return (stale,)
        taken = self.copy()
        taken.verdict, taken.accepted, taken.reserved = ("taken", token), token, ()
        return taken, stale

    def forget(self, token: str) -> None:
        """The queue holds no agent for that offer any more."""
        self.reserved = tuple(each for each in self.reserved if each != token)


def carry_out(world: World, plan: Plan, effects: Sequence[fx.Effect]) -> str | None:
    """Do to a world what a call asks of it; return what is wrong with that, in French, None when all is well."""
    for number, effect in enumerate(effects):
        wrong = _one(world, plan, effect)
        if wrong is not None:
            return wrong
        if isinstance(effect, fx.Finish) and number + 1 != len(effects):
            return "l'appel est clos, et quelque chose est encore demandé après"
    return None


def _one(world: World, plan: Plan, effect: fx.Effect) -> str | None:  # noqa: C901, PLR0912, PLR0915 - a table
    match effect:
        case fx.Answer():
            world.answered = True
        case fx.Play(serial, prompts):
            return _play(world, plan, serial, prompts)
        case fx.StopPlay(serial):
            if serial == world.playing:
                world.playing = 0
        case fx.StartTimer(serial, ms):
            if ms <= 0:
                return "une minuterie sans durée est armée"
            world.armed, world.left_ms = serial, ms
        case fx.Hold():
            world.hold = True
        case fx.StopHold():
            world.hold = False
        case fx.JoinQueue(topic):
            if topic not in plan.topics:
                return f"l'appelant est mis dans la file « {topic} », qui n'existe pas"
            if world.accepted:
                return "l'appelant est remis dans une file alors qu'un agent lui parle encore"
            if world.line != topic:
                world.reserved = ()
            world.line, world.owed = topic, world.owed | {"queue"}
        case fx.LeaveQueue():
            world.line, world.reserved = "", ()
        case fx.DialAgent(token, agent):
            if agent not in plan.agents:
                return f"le poste de « {agent} » est appelé, qui n'existe pas"
            if token in world.legs:
                return "le même poste est appelé deux fois"
            world.legs[token] = RINGING
        case fx.Accept(token):
            if world.legs.get(token) != UP:
                return "la file apprend qu'un agent a décroché, et ce n'est pas vrai"
            world.verdict = ("?", token)
        case fx.Decline(token):
            world.forget(token)
        case fx.Bridge(token):
            if world.legs.get(token) != UP:
                return "l'appelant est relié à un poste qui n'a pas décroché"
            if world.playing or world.hold:
                return "l'appelant est relié à l'agent pendant qu'une phrase ou la musique joue encore"
            world.bridged = token
        case fx.DropLeg(token):
            world.legs.pop(token, None)
            if world.bridged == token:
                world.bridged = ""
        case fx.Release():
            if world.accepted:
                world.accepted = world.line = ""
        case fx.Record(serial):
            if world.playing:
                return "l'enregistrement commence pendant qu'une phrase joue encore"
            world.recording = serial
        case fx.Promise(kind, topic):
            if topic not in plan.topics:
                return f"un rappel est promis pour « {topic} », qui n'existe pas"
            world.owed, world.kept = world.owed | {"promise"}, kind
        case fx.HandBack():
            world.given = True
        case fx.Hangup():
            world.ending = True
        case fx.Finish() | fx.Note():
            pass
        case _:
            assert_never(effect)
    return None


def _play(world: World, plan: Plan, serial: int, prompts: Sequence[str]) -> str | None:
    if world.cut:
        return None
    for prompt in prompts:
        if prompt != BEEP and prompt not in plan.prompts:
            return f"le message « {prompt} » doit être lu, et il n'existe pas"
    if not prompts:
        return "une phrase doit être lue, et aucune n'est nommée"
    if not world.answered:
        return "une phrase joue avant que la ligne soit décrochée"
    if world.playing:
        return "une phrase commence derrière une autre qui joue encore"
    world.playing, world.hold = serial, False
    return None


def ended(before: Phase, call: Call, world: World, effects: Sequence[fx.Effect], *, spoken_ms: int) -> str | None:
    """Return what is wrong with the end of a call whose caller is gone; `spoken_ms`: how long a message lasted."""
    finishes = [effect for effect in effects if isinstance(effect, fx.Finish)]
    if len(finishes) != 1 or not isinstance(call.phase, Ended):
        return "l'appel est fini, et son dossier reste ouvert"
    outcome = finishes[0].outcome
    if outcome != call.phase.outcome:
        return "la fin notée n'est pas celle de l'appel"
    if world.legs:
        return "l'appelant est parti, et le poste d'un agent reste occupé pour lui"
    if outcome == "answered" and not (isinstance(before, Talking | Parting)):
        return "l'appel est noté répondu, et personne n'a parlé à l'appelant"
    if outcome == "informed" and not (call.informed or isinstance(before, Parting)):
        return "l'appel est noté renseigné, et l'appelant n'a entendu aucune réponse"
    if outcome == "promised" and not world.kept:
        return "l'appel est noté promis, et aucun rappel n'est noté"
    if isinstance(before, Recording) and spoken_ms and world.kept != "message":
        return "l'appelant a parlé après le signal, et son message est perdu"
    if isinstance(before, Apologising) and before.told:
        return None
    if isinstance(before, Apologising | Recording) and call.caller.number is not None and not world.kept:
        return "l'appelant à qui personne n'a pu répondre raccroche, et aucun rappel n'est noté"
    return None


def settled(call: Call, world: World, effects: Sequence[fx.Effect]) -> str | None:  # noqa: C901, PLR0911 - a list
    """Return what is wrong with a call that lives on in this world, None when all is well."""
    phase = call.phase
    if any(isinstance(effect, fx.Finish) for effect in effects):
        return "le dossier de l'appel est clos, et l'appelant est encore là"
    if not world.armed or call.timer != world.armed:
        return "plus aucune minuterie ne court : si la suite n'arrive pas, il ne se passe plus rien"
    wanted = tokens(phase)
    if not wanted.issuperset(world.legs):
        return "le poste d'un agent sonne ou reste occupé pour un appel qui ne l'attend plus"
    world.untold = world.untold and isinstance(phase, Waiting) and not wanted.issuperset(world.reserved)
    if not world.untold and not wanted.issuperset(world.reserved):
        return "un agent reste réservé dans la file pour un appel qui ne l'attend plus"
    if isinstance(phase, Waiting):
        if world.line != phase.topic:
            return "l'appelant attend, et il n'est pas dans la file"
        if not (world.playing or world.hold or "queue" in world.owed):
            return "l'appelant attend dans le silence, sans musique"
    elif isinstance(phase, Talking):
        if not world.cut and world.accepted != phase.offer.token:
            return "une conversation commence que la file ne connaît pas"
    elif world.line or world.accepted:
        return "l'appelant n'attend plus, et il garde une place dans la file"
    playing = getattr(phase, "play", 0)
    if world.playing and playing != world.playing and not world.ending:
        return "une phrase joue, et l'appel n'en attend pas la fin"
    if playing and not world.playing and world.left_ms > _SOON_MS and not world.cut:
        return "la phrase est finie, et l'appel l'attend encore, dans le silence"
    if isinstance(phase, Recording) and not (world.recording or world.cut):
        return "l'appelant doit laisser un message, et rien ne l'enregistre"
    if world.ending and not world.cut and not isinstance(phase, Parting):
        return "la ligne est raccrochée au milieu de l'appel"
    if world.ending and isinstance(phase, Parting) and phase.outcome == "left" and not world.cut:
        return "le standard raccroche, et l'appelant n'a eu ni personne, ni réponse, ni promesse"
    return None


def parted(before: Phase, call: Call, world: World) -> str | None:
    """Return what is wrong with how the last sentence of a call began, which was in `before`."""
    phase = call.phase
    if not isinstance(phase, Parting) or isinstance(before, Parting):
        return None
    if phase.outcome == "answered" and not isinstance(before, Talking):
        return "le standard prend congé comme après une conversation, et personne n'a parlé à l'appelant"
    if phase.outcome == "promised" and not world.kept:
        return "un rappel est annoncé, et il n'est pas noté"
    return None


def tokens(phase: Phase) -> set[str]:
    """Return the offers that a call knows of."""
    match phase:
        case Waiting(offers=offers):
            return {offer.token for offer in offers}
        case Talking(offer=offer):
            return {offer.token}
        case _:
            return set()
