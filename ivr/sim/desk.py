"""The core and the queue, driven as `ivr.telephony.actor` and its worker drive them, on the virtual clock.

All that knows the queue's commands and the core's effects is here and in `floor`. Order within a step: legs
that end first, then what the queue must hold, then everything else in the core's order; results come back
through one mailbox. No snapshots are kept, since nothing crashes here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar, assert_never

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.schedule import ALWAYS_OPEN
from ivr.core.state import Call, Waiting
from ivr.queueing import commands
from ivr.queueing.model import Accepted, Moves, NodeId, Token
from ivr.sim.line import Line

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.core.schedule import Calendar
    from ivr.queueing.commands import Command
    from ivr.queueing.model import Dump
    from ivr.queueing.sync import SyncQueue
    from ivr.sim.agenda import Agenda, Event
    from ivr.sim.line import World
    from ivr.sim.load import Visitor
    from ivr.sim.tape import Tape

R = TypeVar("R")

NODE: Final = NodeId("sim")
RELAY: Final = "relay"
OF_THE_QUEUE: Final = frozenset({fx.JoinQueue, fx.LeaveQueue, fx.Accept, fx.Decline, fx.Release, fx.Finish})
DONE_BEFORE: Final = (OF_THE_QUEUE - {fx.Finish}) | {fx.DropLeg, fx.Answer, fx.Hold, fx.StopHold, fx.Note}
"""What is carried out by then, and what nobody here can hear."""
_NUMBER: Final = "+33536490000"


class Held:
    """One call as the desk holds it."""

    __slots__ = ("call", "joined", "line", "timer")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.joined = False
        self.line: Line
        self.timer: Event | None = None


class Desk:
    """Holds every call of the run. `settle` empties the mailbox; nothing happens between two events of the agenda."""

    def __init__(self, queue: SyncQueue, plan: Plan, agenda: Agenda, calendar: Calendar = ALWAYS_OPEN) -> None:
        self._queue = queue
        self._plan = plan
        self._agenda = agenda
        self._calendar = calendar
        self._held: dict[str, Held] = {}
        self._mail: deque[tuple[Held, ev.Input]] = deque()
        self.world: World
        self.tape: Tape | None = None
        self.commands = 0
        self.ended = 0

    # -- the queue ---------------------------------------------------------

    def ask(self, command: Command[R]) -> R:
        """One command at this instant; what it set moving is not yet told."""
        self.commands += 1
        return self._queue.run(command, self._agenda.now)

    def tell(self, command: Command[Any]) -> None:
        """Send a command and bring what it moves to the calls."""
        self.route(self.ask(command))

    def route(self, reply: Moves) -> None:
        """Bring every offer, the end of one, and news to their calls; the books hear of each first."""
        books = self.world.books
        for gone in reply.withdrawn:
            books.ends_offer(gone.token, gone.reason)
            self._put(gone.call, ev.OfferWithdrawn(gone.token))
        for offer in reply.offers:
            if offer.accepted is None and not self._knows(offer.call, offer.token):
                books.offered(offer.token, offer.call, offer.agent)
                beside = self._plan.topics[offer.topic].strategy == "ring-many"
                self._put(offer.call, ev.OfferMade(offer.token, offer.agent, beside=beside))
        for news in reply.news:
            self._put(news.call, ev.Unstaffed() if news.kind == "unstaffed" else ev.Overflowed())

    def _knows(self, call: str, token: str) -> bool:
        held = self._held.get(call)
        if held is None or not isinstance(held.call.phase, Waiting):
            return False
        return any(offer.token == token for offer in held.call.phase.offers)

    @property
    def due(self) -> int | None:
        """When the queue has something to reap."""
        return self._queue.due

    def reap(self) -> None:
        """Let the queue end what is due."""
        self.tell(commands.reap())

    def dump(self) -> Dump:
        """The queue's own account of itself."""
        return self._queue.run(commands.dump(), self._agenda.now)

    # -- calls -------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._held)

    def arrives(self, visitor: Visitor) -> None:
        """A caller's channel enters."""
        key = CallId(f"{visitor.number:07}")
        number = None if visitor.hidden else f"{_NUMBER[:-7]}{visitor.number:07}"
        caller = Caller(
            CallerRef(key), number, "hidden" if visitor.hidden else "open", RELAY if visitor.relay else "normal"
        )
        call = Call(key, caller, _NUMBER, self._plan.version, self._agenda.now)
        held = self._held[key] = Held(call)
        held.line = Line(key, visitor, self.world, lambda happened: self._mail.append((held, happened)))
        self.world.books.begins(key, call.arrival)
        self._mail.append((held, ev.Started(full=len(self._held) > self._plan.max_calls)))

    def _put(self, call: str, happened: ev.Input) -> None:
        held = self._held.get(call)
        if held is not None:
            self._mail.append((held, happened))

    def settle(self) -> None:
        """Take every input of this instant through the core, in order."""
        mail = self._mail
        while mail:
            held, happened = mail.popleft()
            if held.call.id in self._held:
                self._handle(held, happened)

    def _handle(self, held: Held, happened: ev.Input) -> None:
        if self.tape is not None and isinstance(happened, ev.Digit):
            self.tape.pressed(held.call, happened.key, self._agenda.now)
        held.call, effects = step(held.call, happened, Env(self._agenda.now, self._plan, self._calendar))
        if not effects:
            return
        for effect in effects:
            if isinstance(effect, fx.DropLeg):
                held.line.drop_leg(effect.token)
        for effect in effects:
            if type(effect) in OF_THE_QUEUE:
                self._tell_queue(held, effect)
        for effect in effects:
            if type(effect) not in DONE_BEFORE:
                self._carry_out(held, effect)

    def _tell_queue(self, held: Held, effect: fx.Effect) -> None:
        """Carry out one effect on the queue."""
        books, key = self.world.books, held.call.id
        match effect:
            case fx.JoinQueue(topic, since, reason):
                held.joined = True
                held.line.waits()
                self.world.figures.joined(key, topic, self._agenda.now)
                books.joins(key, topic, since, reason or "")
                caller = held.call.caller
                ref = caller.ref if caller.number is not None else None
                joined = self.ask(
                    commands.join(key, NODE, topic, held.call.arrival, reason=reason, since=since, caller=ref)
                )
                self.route(joined)
                self._put(key, ev.Queued(joined.position or 0, joined.staffed, topic))
            case fx.LeaveQueue(reason):
                self.world.figures.stopped(key, self._agenda.now)
                books.leaves(key)
                self.tell(commands.leave(key, reason))
            case fx.Accept(token):
                accepted = self.ask(commands.accept(Token(token)))
                if isinstance(accepted, Accepted):
                    books.accepted(token)
                    self._put(key, ev.Accepted(token))
                else:
                    self._put(key, ev.AcceptRefused(token))
                self.route(accepted)
            case fx.Decline(token, reason):
                books.ends_offer(token, reason)
                self.tell(commands.decline(Token(token), reason))
            case fx.Release(void=void):
                books.talk_over(key)
                self.tell(commands.release(key, void=void))
            case fx.Finish(outcome):
                if held.joined:  # the queue never heard of the others
                    books.forgets(key)
                    facts = None if self.tape is None else self.tape.facts()
                    self.tell(commands.end(key, outcome, facts=facts))
            case _:
                pass

    def _carry_out(self, held: Held, effect: fx.Effect) -> None:
        line = held.line
        match effect:
            case fx.Play(serial, prompts):
                line.play(serial, prompts, held.call.phase)
            case fx.StopPlay(serial):
                line.stop_play(serial)
            case fx.StartTimer(serial, ms):
                if held.timer is not None:
                    held.timer.cancel()
                held.timer = self._agenda.after(ms, self._mail.append, (held, ev.TimerFired(serial)))
            case fx.DialAgent(token, agent):
                line.dial(token, agent)
            case fx.Bridge(token):
                line.bridge(token)
            case fx.Record(serial, max_ms):
                line.record(serial, max_ms)
            case fx.Promise():
                self.world.books.promised(held.call.id)
                self._put(held.call.id, ev.Promised())
            case fx.Hangup():
                line.hung_up_by_us()
            case fx.Finish(outcome):
                self._ends(held, outcome)
            case fx.HandBack():
                self._ends(held, "handed")
            case (
                fx.Answer()
                | fx.Hold()
                | fx.StopHold()
                | fx.DropLeg()
                | fx.JoinQueue()
                | fx.LeaveQueue()
                | fx.Accept()
                | fx.Decline()
                | fx.Release()
                | fx.Note()
            ):
                pass
            case _:
                assert_never(effect)

    def _ends(self, held: Held, outcome: str) -> None:
        key = held.call.id
        self.world.figures.over(key, outcome, self._agenda.now)
        self.world.books.ends(key, outcome)
        if self.tape is not None:
            self.tape.ended(held.call, outcome, self._agenda.now, told=held.joined)
        if held.timer is not None:
            held.timer.cancel()
        self._held.pop(key, None)
        self.ended += 1
