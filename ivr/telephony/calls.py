"""The calls that a worker holds, each with its actor, and what actors need of their worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ivr import log
from ivr.core import inputs as ev
from ivr.core.caller import CallId
from ivr.core.schedule import ALWAYS_OPEN
from ivr.core.state import Call, Waiting
from ivr.ledger.store import File, of_group
from ivr.ledger.workdays import due
from ivr.queueing.model import News, Offer, Withdrawn
from ivr.telephony.actor import CallActor
from ivr.telephony.callers import identify
from ivr.telephony.contacts import Contacts
from ivr.telephony.fallback import FallbackCallers
from ivr.telephony.ids import recording_name
from ivr.telephony.line import Line
from ivr.telephony.phones import Phones
from ivr.telephony.plans import Plans
from ivr.telephony.recorder import Recorder
from ivr.telephony.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from ivr.ari import AriClient
    from ivr.core import effects as fx
    from ivr.core.plan import Agent, AgentId, Plan, TopicId
    from ivr.core.schedule import Calendar
    from ivr.ledger.store import Met
    from ivr.queueing.model import Moves, NodeId
    from ivr.queueing.queue import Queue
    from ivr.telephony.metrics import Metrics

_log = log.get("worker")


class Keeper(Protocol):
    """What keeps promises: the ledger, or what stands before it."""

    async def promise(self, file: File, number: str | None) -> None:
        """Keep a promise for good; raises LedgerError, and then nothing may be promised."""

    async def met(self, callers: Sequence[Met]) -> None:
        """Keep the numbers of callers whom an agent answered; raises LedgerError."""


class Calls:
    """The registry of one node's calls; it is the `Desk` of their actors."""

    def __init__(  # noqa: PLR0913 - everything that calls need, by name
        self,
        *,
        ari: AriClient,
        queue: Queue,
        ledger: Keeper,
        plan: Plan,
        node: NodeId,
        app: str,
        sounds: str,
        ref_key: bytes,
        metrics: Metrics,
        recordings: Path | None,
        find: Callable[[str], Awaitable[Plan | None]] | None = None,
        calendar: Callable[[], Calendar] = lambda: ALWAYS_OPEN,
    ) -> None:
        self._ari = ari
        self.queue = queue
        self._ledger = ledger
        self._contacts = Contacts(ledger.met)
        self.plans = Plans(plan, find)
        self.node = node
        self._app = app
        self._sounds = sounds
        self._ref_key = ref_key
        self._metrics = metrics
        self._recordings = recordings
        self._actors: dict[CallId, CallActor] = {}
        self._owed: dict[CallId, str] = {}
        self.ends: dict[CallId, str] | None = None
        """How calls ended while the shared queue is away: it must hear of it. None: it is there."""
        self._calendar = calendar
        self._seen = ALWAYS_OPEN
        self.full: Callable[[], bool] = lambda: False
        """Whether the machine has nothing left for one more call."""
        self.phones = Phones()
        self.fallback = FallbackCallers(ari, app)
        self._lives = Tasks()

    def __len__(self) -> int:
        return len(self._actors)

    def __iter__(self) -> Iterator[CallActor]:
        return iter(tuple(self._actors.values()))

    def get(self, call: str | None) -> CallActor | None:
        """Return the actor of a call that is held here."""
        return self._actors.get(CallId(call or ""))

    # -- what actors need (Desk) -------------------------------------------

    @property
    def calendar(self) -> Calendar:
        """Return when people answer, as far as a step needs to know."""
        return self._calendar()

    def look_at_hours(self) -> None:
        """Tell those who wait for people when the calendar is another one; who is rung or talks has no use for it."""
        if (calendar := self.calendar) is not self._seen:
            self._seen = calendar
            for actor in self:
                if isinstance(actor.call.phase, Waiting):
                    actor.put(ev.HoursChanged())

    def now(self) -> int:
        """Return the site's time, Unix ms."""
        return self.queue.clock()

    def route(self, reply: Moves) -> None:
        """Bring what a queue function set moving to the calls that it is for."""
        heard: tuple[Offer | Withdrawn | News, ...] = (*reply.withdrawn, *reply.offers, *reply.news)
        for news in heard:
            self.tell(news)

    def tell(self, news: Offer | Withdrawn | News) -> None:
        """Tell a call of its offer, or of its wait; an offer that it knows already is no news."""
        actor = self._actors.get(news.call)
        if actor is None:
            return
        match news:
            case Withdrawn(token=token):
                actor.put(ev.OfferWithdrawn(token))
            case Offer(token=token, agent=agent, agent_node=node, accepted=None) if not actor.knows(token):
                actor.put(ev.OfferMade(token, agent, node, self._rings_several(news.topic)))
            case News(kind="unstaffed"):
                actor.put(ev.Unstaffed())
            case News(kind="overflow"):
                actor.put(ev.Overflowed())
            case _:
                pass

    def _rings_several(self, topic: TopicId) -> bool:
        """Return whether the queue rings several phones for a caller of that topic: by the plan in force."""
        known = self.plans.current.topics.get(topic)
        return known is None or known.strategy == "ring-many"

    async def promise(self, call: Call, effect: fx.Promise) -> None:
        """Commit a promise to the ledger, or to the journal that stands in for it."""
        plan = self.plans.of(call.plan)
        # Who is called back, or waited until the hours ended, keeps the place: the file is as old as the call.
        # By the true time: people read it, whatever the site's clock.
        now = self.now() if effect.kind == "message" and not effect.kept else call.arrival
        ahead = self.queue.clock.ahead_ms()
        recording = recording_name(call.id, effect.serial) if effect.kind == "message" else ""
        file = File(
            id=call.id,
            site=plan.site,
            kind=effect.kind,
            topic=effect.topic,
            owner=of_group(self.plans.heir(effect.owner)),
            caller_ref=call.caller.ref,
            recording=recording,
            opened_ms=now - ahead,
            due_ms=effect.due - ahead if effect.due is not None else due(now - ahead, plan.message_due_days),
            call=call.id,
        )
        await self._ledger.promise(file, call.caller.number)

    def met(self, call: Call) -> None:
        """Have the number of a caller whom an agent answers known, soon."""
        self._contacts.met(call.caller, self.now())

    def agent(self, plan: Plan, agent: AgentId) -> Agent:
        """Return an agent, also one who is newer than a call's plan."""
        return self.plans.agent(plan, agent)

    def switch(self, plan: Plan) -> None:
        """Begin new calls with another version; those in progress finish on theirs."""
        self.plans.switch(plan, (actor.call.plan for actor in self))

    def owe(self, call: CallId, outcome: str) -> None:
        """Note an end that the queue could not be told."""
        self._owed[call] = outcome

    def owes(self, call: CallId) -> bool:
        """Return whether the queue is still to hear of a call's end."""
        return call in self._owed

    async def pay(self) -> None:
        """Tell the queue every end that it could not be told; raises QueueError, and then owes on."""
        for call, outcome in tuple(self._owed.items()):
            self.route(await self.queue.end(call, outcome))
            self._owed.pop(call, None)

    def ended(self, actor: CallActor) -> None:
        """Forget a call; one that was abandoned is another worker's, or another actor's, by now."""
        call = actor.call
        if self._actors.get(call.id) is not actor:
            return
        del self._actors[call.id]
        if self.ends is not None:
            self.ends[call.id] = getattr(call.phase, "outcome", "handed")
        self._metrics.calls.set(len(self._actors))
        outcome = getattr(call.phase, "outcome", "handed")
        self._metrics.ended.labels(outcome).inc()
        _log.info(
            "call ended",
            call=call.id,
            caller=call.caller.ref,
            outcome=outcome,
            keys=call.keys,
            ms=self.now() - call.arrival,
        )

    # -- beginnings and ends -----------------------------------------------

    def arrived(self, channel: str, args: Sequence[str], age_ms: int = 0) -> None:
        """Begin the call of a channel that entered our application as a caller; once.

        `age_ms` is how long the channel has been there: one that the dialplan had meanwhile keeps its arrival.
        """
        call_id = CallId(channel)
        if not args or args[0] != "caller" or call_id in self._actors:
            return
        called, number, presentation = (*args[1:4], "", "", "")[:3]
        self._owed.pop(call_id, None)
        self.fallback.forget(call_id)
        crowded = len(self) >= self.plans.current.max_calls or self.full()
        actor = self.begin(self.introduced(call_id, called, number, presentation, self.now() - max(0, age_ms)))
        actor.put(ev.Started(full=crowded))

    def introduced(self, call_id: CallId, called: str, number: str, presentation: str, arrival: int) -> Call:
        """Return the call of a caller, of whom extensions.conf says so much, as it begins."""
        plan = self.plans.current
        caller = identify(call_id, number, presentation, plan, self._ref_key)
        return Call(call_id, caller, called, plan.version, arrival)

    def begin(self, call: Call) -> CallActor:
        """Return the living actor of a call that nobody here held."""
        plan = self.plans.of(call.plan)
        line = Line(self._ari, self._app, call.id, self._sounds, plan.language, self.phones)
        recorder = Recorder.begin(self._recordings, call) if self._recordings else None
        actor = CallActor(call, plan, self, line, recorder)
        self._actors[call.id] = actor
        self._metrics.calls.set(len(self._actors))
        self._metrics.begun.inc()
        self._lives.start(actor.run())
        return actor

    def abandon(self) -> None:
        """Drop every call without a word to anyone: they are another worker's now."""
        for actor in self._actors.values():
            actor.abandon()
        self._actors.clear()
        self.phones.forget()
        self._lives.cancel()

    async def give_back(self) -> None:
        """Give every caller who talks to nobody to the dialplan, which rings the general desk."""
        replies = [reply for actor in self if (reply := actor.give_back()) is not None]
        await asyncio.gather(*replies, return_exceptions=True)

    async def close(self) -> None:
        """Stop every actor and wait until none is left; the calls stay as they are."""
        self.abandon()
        await self._lives.close()
        await self._contacts.close()
