"""One call's actor: one task, one mailbox; the core decides, the actor carries out.

Order within a step: legs that end first (an agent's phone must be free before the queue
gives the agent away), then a promise with which the call ends (its record is what another
worker would know of it), then what Redis must hold (queue function and snapshot in one
write), then everything else in the core's order. Results come back through the mailbox.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from ivr import log
from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.state import Arriving, Call, Ended, Recording, Talking, Typing, Waiting, durable, encode
from ivr.errors import IvrError
from ivr.queueing.errors import QueueError
from ivr.queueing.model import Accepted, Talk, Token
from ivr.telephony.ids import offer_number
from ivr.telephony.recorder import Recorder
from ivr.telephony.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ivr.ari import Reply
    from ivr.core.caller import CallId
    from ivr.core.plan import Plan
    from ivr.core.state import Offer
    from ivr.queueing.queue import Queue
    from ivr.telephony.desk import Desk
    from ivr.telephony.line import Line

_log = log.get("call")


@dataclass(frozen=True, slots=True)
class _Chore:
    """Something to be done in the call's own turn."""

    work: Callable[[], Awaitable[None]]


class CallActor:
    """Holds one call until it ends. `put` is the only way in, and never blocks."""

    def __init__(self, call: Call, plan: Plan, desk: Desk, line: Line, recorder: Recorder | None = None) -> None:
        self.call = call
        self._plan = plan
        self._desk = desk
        self._line = line
        self._recorder = recorder or Recorder.off()
        self._mailbox: asyncio.Queue[ev.Input | _Chore] = asyncio.Queue()
        self._saved: Call | None = None
        self._unknown = isinstance(call.phase, Arriving)
        self._timer: asyncio.TimerHandle | None = None
        self._watchdog = Watchdog(line)
        self._given_away = False
        self._tokens: dict[int, str] = {}
        self._legs_up: set[int] = set()
        self._told: set[str] = set()
        self._trail: list[tuple[int, str, str]] = []
        self._tokens.update((offer_number(offer.token), offer.token) for offer in _offers(call))

    @property
    def id(self) -> CallId:
        """Return the call's id."""
        return self.call.id

    def put(self, happened: ev.Input) -> None:
        """Tell the call that something happened."""
        self._mailbox.put_nowait(happened)

    def also(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have something done in the call's turn, after all that it was told so far; never, if it is over by then."""
        self._mailbox.put_nowait(_Chore(work))

    async def run(self) -> None:
        """Live until the call is over. What breaks here breaks this call alone: its caller gets the general desk."""
        match self.call.phase:
            case Arriving():
                self._watchdog.start()
            case Talking():
                self._desk.met(self.call)
            case phase:
                self._watchdog.adopt(recording=phase.recording if isinstance(phase, Recording) else 0)
        try:
            while not self.over:
                happened = await self._mailbox.get()
                await (happened.work() if isinstance(happened, _Chore) else self._handle(happened))
        except Exception as error:  # noqa: BLE001 - the boundary of one call
            _log.error("call broke; the caller goes to the general desk", call=self.id, exc_info=error)
            self._line.hand_back()
            await self._forget()
        finally:
            self._stop_clocks()
            self._recorder.close()
            self._desk.ended(self)

    @property
    def playing(self) -> tuple[int, ...]:
        """Return the serials of what may be heard."""
        return self._line.playing

    @property
    def over(self) -> bool:
        """Return whether the call ended, or was given to the dialplan."""
        return self._given_away or isinstance(self.call.phase, Ended)

    def abandon(self) -> None:
        """Stop acting for the call at once: another worker holds it."""
        self._given_away = True
        self._stop_clocks()

    def give_back(self) -> Reply[None] | None:
        """Give the caller to the dialplan, unless somebody talks to them."""
        if self.over or isinstance(self.call.phase, Talking):
            return None
        return self._line.hand_back()

    def talk(self) -> Talk | None:
        """Return the call's talk, as the queue must know it."""
        match self.call.phase:
            case Talking(topic, offer):
                node, token = self._desk.node, Token(offer.token)
                return Talk(self.id, node, topic, self.call.arrival, offer.agent, node, token)
            case _:
                return None

    async def tell(self, queue: Queue) -> None:
        """Tell a queue what it must hold of the call, its place and all; offers that nobody took are void.

        For a queue whose state is another one, or an older one, than the call was told to.
        """
        call, node = self.call, self._desk.node
        match call.phase:
            case Arriving() | Ended():
                return
            case Talking():
                if talk := self.talk():
                    await queue.restore(talk, encode(call))
            case Waiting(topic=topic, since=since, offers=offers):
                await queue.leave(self.id, "settled")
                await queue.join(
                    self.id,
                    node,
                    topic,
                    call.arrival,
                    reason="relay" if call.caller.klass == "relay" else None,
                    since=since,
                    caller=self._known_ref(),
                    snapshot=encode(call),
                )
                for offer in offers:
                    self.put(ev.OfferWithdrawn(offer.token))
            case _:
                await queue.leave(self.id, "settled")
                await queue.save(self.id, node, encode(call), call.arrival, again=True)

    def knows(self, token: str) -> bool:
        """Return whether the call was told of that offer: a list of offers may have been read before the end of one."""
        return token in self._told or any(offer.token == token for offer in _offers(self.call))

    # -- legs --------------------------------------------------------------

    def written(self) -> None:
        """Note that Redis has the call as it is."""
        self._saved = durable(self.call)

    def adopt_leg(self, token: str, *, up: bool, bridged: bool) -> None:
        """Take over a leg that was there before this actor."""
        n = offer_number(token)
        self._line.known(n, bridged=bridged)
        for offer in _offers(self.call):
            if offer.token == token:
                self._line.on_phone(n, self._desk.agent(self._plan, offer.agent))
        if up:
            self._legs_up.add(n)

    def leg_up(self, n: int) -> bool:
        """Note that a leg is up; False when the call has no such leg (any more)."""
        token = self._tokens.get(n)
        if token is None:
            return False
        self._legs_up.add(n)
        self.put(ev.AgentAnswered(token))
        return True

    def leg_gone(self, n: int, reason: ev.AgentFailure, *, lost: bool) -> None:
        """Note that a leg ended: before it was up it failed, after it the agent left, or their phone was `lost`."""
        self._line.leg_gone(n)
        token = self._tokens.pop(n, None)
        if token is not None:
            self.put(ev.AgentLeft(token, lost) if n in self._legs_up else ev.AgentFailed(token, reason))
        self._legs_up.discard(n)

    # -- one step ----------------------------------------------------------

    async def _handle(self, happened: ev.Input) -> None:
        env = Env(self._desk.now(), self._plan, self._desk.calendar)
        typing, talked = isinstance(self.call.phase, Typing), isinstance(self.call.phase, Talking)
        self._recorder.write(happened, env, secret=typing)
        if isinstance(happened, ev.OfferMade):
            self._told.add(happened.token)
        elif isinstance(happened, ev.Adopted):
            self._told.clear()  # what nobody dialled is told again
        if isinstance(happened, ev.PromptDone):
            self._line.played(happened.serial)
        if isinstance(happened, ev.PromptDone | ev.RecordingDone):
            self._watchdog.over(happened.serial)
        if isinstance(happened, ev.Digit) and not typing:
            self._trail.append((env.now, "key", f"{happened.key} {getattr(self.call.phase, 'menu', '')}".rstrip()))
        self.call, effects = step(self.call, happened, env)
        self._recorder.did(effects)
        if not talked and isinstance(self.call.phase, Talking):
            self._desk.met(self.call)
        if not effects:
            return
        self._trail += [(env.now, each.kind, each.detail) for each in effects if isinstance(each, fx.Note)]
        rest = [effect for effect in effects if not isinstance(effect, fx.DropLeg | fx.Note)]
        for effect in effects:
            if isinstance(effect, fx.DropLeg):
                self._drop_leg(effect.token)
        if isinstance(self.call.phase, Ended):
            for effect in rest:
                if isinstance(effect, fx.Promise):
                    await self._promise(effect)
            rest = [effect for effect in rest if not isinstance(effect, fx.Promise)]
        await self._write(rest)
        for effect in rest:
            await self._carry_out(effect)
        self._watchdog.settled()

    async def _write(self, effects: Sequence[fx.Effect]) -> None:
        """Send to Redis, in order, what the queue must know; the first write carries the snapshot."""
        kept = durable(self.call)
        # A wait that is looked at again is written again: who adopts it knows what may be playing.
        again = any(isinstance(effect, fx.JoinQueue) for effect in effects)
        snapshot = encode(self.call) if kept is not None and (again or kept != self._saved) else None
        queue, node = self._desk.queue, self._desk.node
        try:
            if self._unknown and snapshot is not None and not isinstance(self.call.phase, Ended):
                self._desk.route(await queue.save(self.id, node, snapshot, self.call.arrival, again=True))
                self._unknown, self._saved, snapshot = False, kept, None
            for effect in effects:
                if await self._tell_queue(effect, snapshot):
                    snapshot = None
                    self._saved = kept
            if snapshot is not None and not isinstance(self.call.phase, Ended):
                self._desk.route(await queue.save(self.id, node, snapshot, self.call.arrival))
                self._saved = kept
        except QueueError as error:
            _log.warning("the queue does not hold the call", call=self.id, reason=str(error))
            if isinstance(self.call.phase, Ended):
                self._desk.owe(self.id, self.call.phase.outcome)
            self.put(ev.QueueLost())

    async def _tell_queue(self, effect: fx.Effect, snapshot: str | None) -> bool:
        """Carry out one effect on the queue; False for an effect of another kind."""
        queue, desk, key = self._desk.queue, self._desk, self.id
        match effect:
            case fx.JoinQueue(topic, since, reason):
                self._watchdog.start()
                joined = await queue.join(
                    key,
                    desk.node,
                    topic,
                    self.call.arrival,
                    reason=reason,
                    since=since,
                    caller=self._known_ref(),
                    snapshot=snapshot,
                    trail=self._take_trail(),
                )
                desk.route(joined)
                self.put(ev.Queued(joined.position or 0, joined.staffed, topic))
            case fx.LeaveQueue(reason):
                desk.route(await queue.leave(key, reason, snapshot, trail=self._take_trail()))
            case fx.Accept(token):
                accepted = await queue.accept(Token(token), snapshot)
                taken = isinstance(accepted, Accepted)
                self.put(ev.Accepted(token) if taken else ev.AcceptRefused(token))
                desk.route(accepted)
            case fx.Decline(token, reason):
                desk.route(await queue.decline(Token(token), reason, snapshot))
            case fx.Release(void=void):
                desk.route(await queue.release(key, snapshot, void=void))
            case fx.Finish(outcome):
                desk.route(await queue.end(key, outcome, facts=self._facts(), trail=self._take_trail()))
            case _:
                return False
        return True

    def _known_ref(self) -> str | None:
        """Return what the caller is remembered by, unless the number is hidden."""
        return self.call.caller.ref if self.call.caller.number is not None else None

    def _facts(self) -> str:
        """Return what only the worker knows of a call, for its history."""
        call = self.call
        facts = {"caller": call.caller.ref, "called": call.called, "plan": call.plan, "keys": call.keys}
        return json.dumps(facts, ensure_ascii=False)

    def _take_trail(self) -> str | None:
        """Return what the caller did since this was last asked; the queue's next write carries it to the history."""
        trail, self._trail = self._trail, []
        return json.dumps(trail, ensure_ascii=False) if trail else None

    async def _carry_out(self, effect: fx.Effect) -> None:
        line = self._line
        match effect:
            case fx.Answer():
                line.answer()
            case fx.Play(serial, prompts, language):
                self._watchdog.play(serial)
                line.play(serial, prompts, language, lambda: self.put(ev.PromptDone(serial, played=False)))
            case fx.StopPlay(serial):
                line.stop_play(serial)
                self._watchdog.over(serial)
            case fx.StartTimer(serial, ms):
                self._arm(serial, ms)
            case fx.Hold():
                line.hold()
            case fx.StopHold():
                line.stop_hold()
            case fx.DialAgent(token, agent, node):
                self._tokens[offer_number(token)] = token
                refused = self._failed(ev.AgentFailed(token, "failed"))
                beyond = node if node != self._desk.node else ""
                line.dial(token, self._desk.agent(self._plan, agent), self._plan.ring_timeout_ms, refused, beyond)
            case fx.Bridge(token):
                self._watchdog.end()
                line.bridge(token, self._failed(ev.BridgeFailed(token)))
            case fx.Record(serial, max_ms):
                self._watchdog.record(serial, max_ms)
                line.record(serial, max_ms, self._failed(ev.RecordingDone(serial, kept=False)))
            case fx.Promise():
                await self._promise(effect)
            case fx.HandBack():
                line.hand_back()
                await self._forget()
            case fx.Hangup():
                line.hangup(self._failed(ev.HungUp()))
            case (
                fx.DropLeg()
                | fx.Note()
                | fx.JoinQueue()
                | fx.LeaveQueue()
                | fx.Accept()
                | fx.Decline()
                | fx.Release()
                | fx.Finish()
            ):
                pass
            case _:
                assert_never(effect)

    def _failed(self, happened: ev.Input) -> Callable[[], None]:
        return lambda: self.put(happened)

    async def _promise(self, effect: fx.Promise) -> None:
        try:
            await self._desk.promise(self.call, effect)
        except IvrError as error:
            _log.error("the promise was not kept in the ledger", call=self.id, reason=str(error))
            self.put(ev.PromiseFailed())
        else:
            self.put(ev.Promised())

    async def _forget(self) -> None:
        """Give up what the call holds: the dialplan has its caller now."""
        self._given_away = True
        for offer in _offers(self.call):
            self._drop_leg(offer.token)
        try:
            self._desk.route(await self._desk.queue.end(self.id, "handed", facts=self._facts()))
        except QueueError as error:
            _log.warning("the queue cannot be reached", call=self.id, reason=str(error))
            self._desk.owe(self.id, "handed")

    def _drop_leg(self, token: str) -> None:
        """End a leg of ours: its end is no news any more."""
        self._tokens.pop(offer_number(token), None)
        self._line.drop_leg(token)

    # -- clocks ------------------------------------------------------------

    def _arm(self, serial: int, ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(ms / 1000, self.put, ev.TimerFired(serial))

    def _stop_clocks(self) -> None:
        self._watchdog.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _offers(call: Call) -> tuple[Offer, ...]:
    """Return the offers that a call has now: those that ring, or the one that became its talk."""
    match call.phase:
        case Waiting(offers=offers):
            return offers
        case Talking(offer=offer):
            return (offer,)
        case _:
            return ()
