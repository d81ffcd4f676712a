"""One call, from ringing to its end, as a pure state machine.

`step(call, input, env) -> (call, effects)`: never awaits, never raises on a well-typed
input. HungUp ends every state; nothing follows Finish. An input that does not belong to
the present state, or whose serial or token is old, changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, assert_never

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.digits import KEYS, pressed
from ivr.core.menu import GoInformation, GoMenu, GoTopic, NotAnOption, meaning
from ivr.core.state import (
    ADOPTION_STRIDE,
    Apologising,
    Arriving,
    Call,
    Ended,
    Informing,
    InMenu,
    Offer,
    Parting,
    Phase,
    Promising,
    Recording,
    Talking,
    Waiting,
)

if TYPE_CHECKING:
    from ivr.core.plan import MenuId, Plan, PromptId, TopicId

PROMPT_GUARD_MS: Final = 120_000
"""No prompt lasts longer: after it a lost PromptDone is presumed."""
ANSWER_GUARD_MS: Final = 5_000
"""Time for the queue and Asterisk to join an agent who answered."""
PROMISE_GUARD_MS: Final = 10_000
HANGUP_GUARD_MS: Final = 5_000
RECORD_MARGIN_MS: Final = 10_000
TALK_CHECK_MS: Final = 3_600_000
FALSE_START_MS: Final = 1_500
"""A talk that the agent's side ends sooner was none: the caller is offered again."""


@dataclass(frozen=True, slots=True)
class Env:
    """What a step may know: the instant and the call's own version of the plan."""

    now: int
    plan: Plan


def step(call: Call, happened: ev.Input, env: Env) -> tuple[Call, tuple[fx.Effect, ...]]:
    """Return the call after an input, and what it asks of the world."""
    turn = _Turn(call, env)
    turn.take(happened)
    return turn.call, tuple(turn.effects)


class _Turn:
    """One step under way: the call so far and the effects so far."""

    def __init__(self, call: Call, env: Env) -> None:
        self.call = call
        self.env = env
        self.plan = env.plan
        self.effects: list[fx.Effect] = []

    # -- means -------------------------------------------------------------

    def do(self, *effects: fx.Effect) -> None:
        self.effects.extend(effects)

    def enter(self, phase: Phase) -> None:
        self.call = replace(self.call, phase=phase)

    def serial(self) -> int:
        self.call = replace(self.call, serial=self.call.serial + 1)
        return self.call.serial

    def play(self, *prompts: PromptId) -> int:
        serial = self.serial()
        self.do(fx.Play(serial, prompts))
        return serial

    def timer(self, ms: int) -> None:
        serial = self.serial()
        self.call = replace(self.call, timer=serial)
        self.do(fx.StartTimer(serial, ms))

    def hush(self) -> None:
        """Stop whatever plays."""
        if playing := getattr(self.call.phase, "play", 0):
            self.do(fx.StopPlay(playing))

    @property
    def relay(self) -> bool:
        return self.call.caller.klass == "relay"

    # -- inputs ------------------------------------------------------------

    def take(self, happened: ev.Input) -> None:  # noqa: C901, PLR0912 - one arm per input: a table
        if isinstance(self.call.phase, Ended):
            return
        match happened:
            case ev.Started():
                self.started()
            case ev.Adopted():
                self.adopted(happened)
            case ev.Digit(key):
                self.digit(key)
            case ev.PromptDone(serial):
                if serial and serial == getattr(self.call.phase, "play", 0):
                    self.prompt_done()
            case ev.TimerFired(serial):
                if serial == self.call.timer:
                    self.timer_fired()
            case ev.Queued():
                self.queued(happened)
            case ev.QueueLost():
                self.queue_lost()
            case ev.OfferMade():
                self.offer_made(happened)
            case ev.OfferWithdrawn(token):
                self.offer_withdrawn(token)
            case ev.AgentAnswered(token):
                self.agent_answered(token)
            case ev.AgentFailed(token, reason):
                self.agent_failed(token, reason)
            case ev.AgentLeft(token):
                self.agent_left(token)
            case ev.Accepted(token):
                self.accepted(token)
            case ev.AcceptRefused(token):
                self.accept_refused(token)
            case ev.BridgeFailed(token):
                self.bridge_failed(token)
            case ev.RecordingDone():
                self.recording_done(happened)
            case ev.Promised():
                self.promised()
            case ev.PromiseFailed():
                if isinstance(self.call.phase, Promising):
                    self.do(fx.HandBack())
            case ev.HungUp():
                self.hung_up()
            case _:
                assert_never(happened)

    def started(self) -> None:
        if not isinstance(self.call.phase, Arriving):
            return
        self.do(fx.Answer())
        if self.relay:
            self.to_people(self.plan.general)
        else:
            menu = self.plan.menus[self.plan.root]
            serial = self.play(self.plan.announcements.greeting, menu.prompt)
            self.enter(InMenu(menu.id, serial))
            self.timer(PROMPT_GUARD_MS)

    def digit(self, key: str) -> None:
        if key not in KEYS:
            return
        self.call = replace(self.call, keys=pressed(self.call.keys, key))
        phase = self.call.phase
        if not isinstance(phase, InMenu | Informing):
            return
        menu = self.plan.menus[phase.menu]
        self.hush()
        match meaning(self.plan, menu, key):
            case GoTopic(topic):
                self.to_people(topic)
            case GoMenu(target):
                self.to_menu(target)
            case GoInformation(prompt):
                self.enter(Informing(menu.id, self.play(prompt)))
                self.timer(PROMPT_GUARD_MS)
            case NotAnOption():
                counts = phase if isinstance(phase, InMenu) else InMenu(menu.id)
                again = replace(counts, play=0, invalid=counts.invalid + 1)
                if again.invalid >= menu.max_invalid:
                    self.to_people(self.plan.general, self.plan.announcements.to_human)
                else:
                    self.ask_again(again, self.plan.announcements.invalid)

    def prompt_done(self) -> None:
        phase = self.call.phase
        match phase:
            case InMenu():
                self.enter(replace(phase, play=0))
                self.timer(self.plan.menus[phase.menu].input_timeout_ms)
            case Informing():
                self.call = replace(self.call, informed=True)
                self.to_menu(phase.menu)
            case Waiting():
                self.enter(replace(phase, play=0))
                self.do(fx.Hold())
            case Apologising():
                self.record(phase.topic)
            case Parting():
                self.part(phase.outcome)
            case Arriving() | Talking() | Recording() | Promising() | Ended():
                pass
            case _:
                assert_never(phase)

    def timer_fired(self) -> None:
        phase = self.call.phase
        match phase:
            case InMenu(play=0):
                self.no_input(phase)
            case InMenu() | Informing() | Apologising():
                self.hush()
                self.prompt_done()
            case Parting():
                self.part(phase.outcome)
            case Waiting():
                self.waited(phase)
            case Talking():
                self.timer(TALK_CHECK_MS)
            case Recording():
                self.recording_done(ev.RecordingDone(phase.recording, kept=True))
            case Promising():
                self.do(fx.HandBack())
            case Arriving() | Ended():
                pass
            case _:
                assert_never(phase)

    def hung_up(self) -> None:
        phase = self.call.phase
        outcome: fx.Outcome = "informed" if self.call.informed else "left"
        match phase:
            case Waiting(offer=Offer(token=token)):
                self.do(fx.DropLeg(token))
            case Talking(offer=offer):
                self.do(fx.DropLeg(offer.token))
                outcome = "answered"
            case Apologising(topic=topic):
                if self.call.caller.number is not None:
                    self.do(fx.Promise("callback", topic, 0))
                    outcome = "promised"
            case Recording(topic=topic, recording=recording):
                self.do(fx.Promise("message", topic, recording))
                outcome = "promised"
            case Promising():
                outcome = "promised"
            case Parting():
                outcome = phase.outcome
            case _:
                pass
        self.enter(Ended(outcome))
        self.do(fx.Finish(outcome))

    # -- the menu ----------------------------------------------------------

    def to_menu(self, target: MenuId) -> None:
        self.enter(InMenu(target, self.play(self.plan.menus[target].prompt)))
        self.timer(PROMPT_GUARD_MS)

    def ask_again(self, phase: InMenu, sentence: PromptId) -> None:
        short = self.plan.menus[phase.menu].short_prompt
        self.enter(replace(phase, play=self.play(sentence, short)))
        self.timer(PROMPT_GUARD_MS)

    def no_input(self, phase: InMenu) -> None:
        menu = self.plan.menus[phase.menu]
        again = replace(phase, no_input=phase.no_input + 1)
        if again.no_input >= menu.max_no_input:
            self.to_people(self.plan.general, self.plan.announcements.to_human)
        else:
            self.ask_again(again, self.plan.announcements.no_input)

    # -- people ------------------------------------------------------------

    def to_people(self, topic: TopicId, *sentence: PromptId) -> None:
        """Queue the call at once; the sentence, if any, plays meanwhile."""
        play = self.play(*sentence) if sentence else 0
        self.enter(Waiting(topic, self.env.now, play=play))
        self.do(fx.JoinQueue(topic, self.relay))
        self.timer(self.plan.first_patience_ms)

    def queued(self, reply: ev.Queued) -> None:
        phase = self.call.phase
        if not isinstance(phase, Waiting):
            return
        if not reply.staffed and phase.offer is None:
            self.nobody(phase)
            return
        if phase.queued:
            return
        if not phase.play:
            phase = replace(phase, play=self.play(self.plan.announcements.queued))
        self.enter(replace(phase, queued=True))

    def nobody(self, phase: Waiting) -> None:
        """Nobody of the topic is there: the general desk, then a message with an owner."""
        if phase.topic != self.plan.general:
            self.enter(replace(phase, topic=self.plan.general, queued=False))
            self.do(fx.JoinQueue(self.plan.general, self.relay))
        else:
            self.apologise(phase)

    def apologise(self, phase: Waiting) -> None:
        self.hush()
        if phase.offer is not None:
            self.do(fx.DropLeg(phase.offer.token))
        said = self.plan.announcements
        play = self.play(said.unstaffed, said.leave_message)
        self.enter(Apologising(phase.topic, play))
        self.do(fx.LeaveQueue())
        self.timer(PROMPT_GUARD_MS)

    def waited(self, phase: Waiting) -> None:
        """Tell the caller that the line lives, and ask the queue how it stands."""
        if phase.offer is not None and phase.offer.answered:
            self.requeue(phase)
            return
        if self.env.now - phase.since >= self.plan.max_wait_ms and phase.offer is None:
            self.apologise(phase)
            return
        if not phase.play:
            phase = replace(phase, play=self.play(self.plan.announcements.patience))
        self.enter(phase)
        self.do(fx.JoinQueue(phase.topic, self.relay))
        self.timer(self.plan.patience_every_ms)

    def queue_lost(self) -> None:
        if isinstance(self.call.phase, Waiting):
            self.hush()
            self.do(fx.HandBack())

    # -- offers ------------------------------------------------------------

    def offer_made(self, made: ev.OfferMade) -> None:
        phase = self.call.phase
        if not isinstance(phase, Waiting):
            self.do(fx.Decline(made.token, "gone"))
            return
        if phase.offer is not None:
            if phase.offer.token != made.token:
                self.do(fx.DropLeg(phase.offer.token))
            else:
                return
        self.enter(replace(phase, offer=Offer(made.token, made.agent)))
        self.do(fx.DialAgent(made.token, made.agent))

    def offered(self, token: str) -> Waiting | None:
        """Return the present wait if that offer is its own."""
        phase = self.call.phase
        if isinstance(phase, Waiting) and phase.offer is not None and phase.offer.token == token:
            return phase
        return None

    def offer_withdrawn(self, token: str) -> None:
        if phase := self.offered(token):
            self.do(fx.DropLeg(token))
            self.enter(replace(phase, offer=None))

    def agent_answered(self, token: str) -> None:
        phase = self.offered(token)
        if phase is None or phase.offer is None:
            if not (isinstance(self.call.phase, Talking) and self.call.phase.offer.token == token):
                self.do(fx.DropLeg(token))
            return
        if phase.offer.answered:
            return
        self.enter(replace(phase, offer=replace(phase.offer, answered=True)))
        self.do(fx.Accept(token))
        self.timer(ANSWER_GUARD_MS)

    def agent_failed(self, token: str, reason: ev.AgentFailure) -> None:
        if phase := self.offered(token):
            self.enter(replace(phase, offer=None))
            self.do(fx.Decline(token, reason))

    def accepted(self, token: str) -> None:
        phase = self.offered(token)
        if phase is None or phase.offer is None:
            return
        if phase.play:
            self.do(fx.StopPlay(phase.play))
        else:
            self.do(fx.StopHold())
        self.do(fx.Bridge(token))
        self.enter(Talking(phase.topic, phase.offer, self.env.now))
        self.timer(TALK_CHECK_MS)

    def accept_refused(self, token: str) -> None:
        if phase := self.offered(token):
            self.requeue(phase)

    def bridge_failed(self, token: str) -> None:
        phase = self.call.phase
        if isinstance(phase, Talking) and phase.offer.token == token:
            self.requeue(phase)

    def agent_left(self, token: str) -> None:
        if phase := self.offered(token):
            self.requeue(phase)
            return
        phase_now = self.call.phase
        if not (isinstance(phase_now, Talking) and phase_now.offer.token == token):
            return
        if self.env.now - phase_now.since < FALSE_START_MS:
            self.requeue(phase_now)
        else:
            self.do(fx.DropLeg(token), fx.Release(token))
            self.part("answered")

    def requeue(self, phase: Waiting | Talking) -> None:
        """The agent is lost to this call: the caller waits on, at the place of the first arrival."""
        since = phase.since if isinstance(phase, Waiting) else self.env.now
        play = phase.play if isinstance(phase, Waiting) else 0
        if phase.offer is not None:
            self.do(fx.DropLeg(phase.offer.token), fx.Release(phase.offer.token))
        self.enter(Waiting(phase.topic, since, queued=True, play=play))
        if not play:
            self.do(fx.Hold())
        self.do(fx.JoinQueue(phase.topic, self.relay))
        self.timer(self.plan.first_patience_ms)

    # -- the promise -------------------------------------------------------

    def record(self, topic: TopicId) -> None:
        serial = self.serial()
        self.enter(Recording(topic, serial))
        self.do(fx.Record(serial, self.plan.message_max_ms))
        self.timer(self.plan.message_max_ms + RECORD_MARGIN_MS)

    def recording_done(self, done: ev.RecordingDone) -> None:
        phase = self.call.phase
        if isinstance(phase, Recording) and phase.recording == done.serial:
            self.promise(Promising(phase.topic, done.kept, phase.recording))

    def promise(self, phase: Promising) -> None:
        self.enter(phase)
        self.do(fx.Promise("message" if phase.message else "callback", phase.topic, phase.recording))
        self.timer(PROMISE_GUARD_MS)

    def promised(self) -> None:
        if isinstance(self.call.phase, Promising):
            said = self.plan.announcements
            self.enter(Parting("promised", self.play(said.message_kept, said.goodbye)))
            self.timer(PROMPT_GUARD_MS)

    def part(self, outcome: fx.Outcome) -> None:
        self.enter(Parting(outcome))
        self.do(fx.Hangup())
        self.timer(HANGUP_GUARD_MS)

    # -- adoption ----------------------------------------------------------

    def adopted(self, facts: ev.Adopted) -> None:
        """Take the call where Asterisk shows it to be; nothing that was done is done again."""
        self.call = replace(self.call, serial=self.call.serial + ADOPTION_STRIDE)
        phase = self.call.phase
        match phase:
            case Arriving():
                self.started()
            case InMenu() | Informing():
                self.to_menu(phase.menu)
            case Waiting():
                self.adopted_waiting(replace(phase, play=0, queued=True), facts)
            case Talking():
                self.adopted_talking(phase, facts)
            case Apologising():
                self.apologise(Waiting(phase.topic, self.env.now))
            case Recording():
                if facts.recording:
                    self.timer(self.plan.message_max_ms + RECORD_MARGIN_MS)
                else:
                    self.promise(Promising(phase.topic, message=True, recording=phase.recording))
            case Promising():
                self.promise(phase)
            case Parting():
                self.part(phase.outcome)
            case Ended():
                pass
            case _:
                assert_never(phase)

    def adopted_waiting(self, phase: Waiting, facts: ev.Adopted) -> None:
        self.enter(phase)
        if not facts.bridged:
            self.do(fx.Hold())
        self.timer(self.plan.first_patience_ms)
        if phase.offer is None:
            self.do(fx.JoinQueue(phase.topic, self.relay))
        elif facts.leg == "up":
            self.enter(replace(phase, offer=replace(phase.offer, answered=True)))
            self.do(fx.Accept(phase.offer.token))
            self.timer(ANSWER_GUARD_MS)
        elif facts.leg == "none":
            self.enter(replace(phase, offer=None))
            self.do(fx.Decline(phase.offer.token, "gone"), fx.JoinQueue(phase.topic, self.relay))

    def adopted_talking(self, phase: Talking, facts: ev.Adopted) -> None:
        if facts.bridged:
            self.timer(TALK_CHECK_MS)
        elif facts.leg == "up":
            self.do(fx.Bridge(phase.offer.token))
            self.timer(TALK_CHECK_MS)
        else:
            self.requeue(phase)
