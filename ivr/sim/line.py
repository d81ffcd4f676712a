"""Asterisk's side of one call on the virtual clock, and its caller: prompts end, keys are pressed, people hang up.

It stands where `ivr.telephony.line` stands, has its methods, and answers with the same inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.core import inputs as ev
from ivr.core.menu import LEAVE_MESSAGE
from ivr.core.state import Apologising, Informing, InMenu, Telling, Waiting
from ivr.sim.load import BYE, SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ivr.core.inputs import AgentFailure
    from ivr.core.plan import AgentId, PromptId
    from ivr.core.state import Phase
    from ivr.sim.agenda import Agenda, Event
    from ivr.sim.books import Books
    from ivr.sim.figures import Figures
    from ivr.sim.floor import Floor
    from ivr.sim.load import Visitor

_TONE_MS: Final = 300
_HANGS_UP_MS: Final = 50
_SILENCE_ENDS_MESSAGE_MS: Final = 5_000


class Sounds:
    """How long each prompt is; `answers` are what some callers come for, `invites` offers to leave a message."""

    def __init__(self, lengths: Mapping[PromptId, int], answers: frozenset[PromptId], invites: PromptId) -> None:
        self._lengths = lengths
        self.invites = invites
        self.answers = answers

    def length(self, prompts: tuple[PromptId, ...]) -> int:
        """Return the length of prompts one after the other, ms."""
        return sum(self._lengths.get(prompt, _TONE_MS) for prompt in prompts)


class World:
    """What every line of a run stands in."""

    __slots__ = ("agenda", "books", "figures", "floor", "sounds")

    def __init__(self, agenda: Agenda, books: Books, figures: Figures, floor: Floor, sounds: Sounds) -> None:
        self.agenda = agenda
        self.books = books
        self.figures = figures
        self.floor = floor
        self.sounds = sounds


class Line:
    """One caller on the phone. `put` takes inputs to the call; nothing comes after a hang-up."""

    __slots__ = ("_bridge", "_call", "_legs", "_patience", "_playing", "_pressed", "_put", "_recording", "_talk",
                 "_up", "_visitor", "_world", "gone")  # fmt: skip

    def __init__(self, call: str, visitor: Visitor, world: World, put: Callable[[ev.Input], None]) -> None:
        self._call = call
        self._visitor = visitor
        self._world = world
        self._put = put
        self._legs: dict[str, AgentId] = {}
        self._up: set[str] = set()
        self._bridge = ""
        self._playing: tuple[int, list[Event]] | None = None
        self._pressed = 0
        self._patience: Event | None = None
        self._talk: Event | None = None
        self._recording: Event | None = None
        self.gone = False

    # -- what the caller hears, and does about it --------------------------

    def play(self, serial: int, prompts: tuple[PromptId, ...], phase: Phase) -> None:
        """Play prompts; who hears a menu presses a key, and who is asked for a message may not want to leave one."""
        self._quiet()
        agenda = self._world.agenda
        length = self._world.sounds.length(prompts)
        answers = isinstance(phase, Informing | Telling) and not self._world.sounds.answers.isdisjoint(prompts)
        events = [agenda.after(length, self._played, serial, answers)]
        self._playing = (serial, events)
        match phase:
            case InMenu():
                visitor = self._visitor
                n, self._pressed = self._pressed, self._pressed + 1
                key = visitor.keys[n] if n < len(visitor.keys) else SILENCE
                if key != SILENCE:
                    moment = visitor.moments[n % len(visitor.moments)]
                    events.append(agenda.after(round(length * moment), self._presses, key))
            case Waiting(invited=True) if self._visitor.takes_message and self._world.sounds.invites in prompts:
                events.append(agenda.after(length, self._presses, LEAVE_MESSAGE))
            case Apologising() if self._visitor.refuses_message:
                events.append(agenda.after(length // 2, self.hang_up))
            case _:
                pass

    def stop_play(self, serial: int) -> None:
        """Stop that Play."""
        if self._playing is not None and self._playing[0] == serial:
            self._quiet()

    def _quiet(self) -> None:
        if self._playing is not None:
            for event in self._playing[1]:
                event.cancel()
            self._playing = None

    def _played(self, serial: int, answers: bool) -> None:  # noqa: FBT001 - an event's arguments have no names
        if answers:
            self._world.books.heard(self._call)
        self._put(ev.PromptDone(serial))

    def _presses(self, key: str) -> None:
        if key == BYE:
            self.hang_up()
        else:
            self._put(ev.Digit(key))

    def waits(self) -> None:
        """The caller's patience begins with the wait."""
        if self._patience is None:
            self._patience = self._world.agenda.after(self._visitor.patience_ms, self._gives_up)

    def _gives_up(self) -> None:
        if not self._bridge:
            self.hang_up()

    def hang_up(self) -> None:
        """The caller's channel is gone, by whoever hung up."""
        if self.gone:
            return
        self.gone = True
        self._quiet()
        for event in (self._patience, self._talk, self._recording):
            if event is not None:
                event.cancel()
        self._put(ev.HungUp())

    def hung_up_by_us(self) -> None:
        """The switchboard hangs up: the news of it takes a moment."""
        self._world.agenda.after(_HANGS_UP_MS, self.hang_up)

    def record(self, serial: int, max_ms: int) -> None:
        """The caller speaks after the tone, and hangs up as most do, or is silent until the recording ends."""
        length = min(self._visitor.message_ms, max_ms)
        agenda = self._world.agenda
        if self._visitor.hangs_up_first:
            self._recording = agenda.after(length, self.hang_up)
        else:
            end = min(length + _SILENCE_ENDS_MESSAGE_MS, max_ms)
            self._recording = agenda.after(end, self._put, ev.RecordingDone(serial, kept=True))

    # -- agents ------------------------------------------------------------

    def dial(self, token: str, agent: AgentId) -> None:
        """Ring an agent."""
        self._legs[token] = agent
        self._world.floor.ring(agent, token, self)

    def leg_up(self, token: str) -> None:
        """The agent answered."""
        if token in self._legs:
            self._up.add(token)
            self._put(ev.AgentAnswered(token))

    def leg_gone(self, token: str, reason: AgentFailure) -> None:
        """The agent's leg ended by itself: before it was up it failed, after it the agent left."""
        if self._legs.pop(token, None) is not None:
            self._part(token)
            self._put(ev.AgentLeft(token) if token in self._up else ev.AgentFailed(token, reason))
        self._up.discard(token)

    def _part(self, token: str) -> None:
        if self._bridge == token:
            self._bridge = ""
            self._world.books.parted(self._call, token)
            if self._talk is not None:
                self._talk.cancel()

    def bridge(self, token: str) -> None:
        """Join them: they talk, then one of them hangs up."""
        agent, world = self._legs[token], self._world
        world.books.bridged(self._call, agent, token)
        world.figures.bridged(self._call, world.agenda.now)
        self._bridge = token
        if self._patience is not None:
            self._patience.cancel()
        talk_ms = self._visitor.talk_ms
        if self._visitor.hangs_up_first:
            self._talk = world.agenda.after(talk_ms, self.hang_up)
        else:
            self._talk = world.agenda.after(talk_ms, world.floor.leaves_talk, agent, token, self)

    def drop_leg(self, token: str) -> None:
        """End the leg and the bridge of that offer: no news any more."""
        agent = self._legs.pop(token, None)
        self._part(token)
        self._up.discard(token)
        if agent is not None:
            self._world.floor.hang_up(agent, token)
