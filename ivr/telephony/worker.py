"""One worker: it serves one Asterisk node while it holds the node's lease.

Connect, compare, repair, then live events; every event is routed to the actor of its call
by the id that it carries. The worker's own loops: the lease, the reaper of deadlines, the
offers that other workers made for our calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.ari import Connected, Disconnected, Replaced
from ivr.ari import events as ari_events
from ivr.core import inputs as ev
from ivr.core.caller import CallId
from ivr.core.state import Call
from ivr.ledger.store import File, due
from ivr.queueing.errors import QueueError, StateLost
from ivr.queueing.model import Epoch, NodeId, Offer, Routing, Withdrawn, WorkerId
from ivr.telephony.actor import CallActor
from ivr.telephony.callers import identify
from ivr.telephony.events import leg_failure
from ivr.telephony.ids import parse, recording_name
from ivr.telephony.line import Line
from ivr.telephony.liveness import is_dead, own_name
from ivr.telephony.presence import EVENTS as PRESENCE_EVENTS
from ivr.telephony.presence import Presence
from ivr.telephony.recorder import Recorder
from ivr.telephony.resync import compare, revive
from ivr.telephony.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ivr.ari import AnyEvent, AriClient, Event, State
    from ivr.core import effects as fx
    from ivr.core.plan import Plan
    from ivr.ledger.store import Ledger
    from ivr.queueing.listener import OfferListener
    from ivr.queueing.model import Moves
    from ivr.queueing.queue import Queue
    from ivr.telephony.metrics import Metrics

EVENTS: Final = (
    "StasisStart",
    "StasisEnd",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "PlaybackFinished",
    "RecordingFinished",
    "RecordingFailed",
    *PRESENCE_EVENTS,
)
REAP_EVERY_S: Final = 0.25
LEASE_MS: Final = 5_000
LEASE_EVERY_S: Final = 1.0
LEASE_MARGIN_MS: Final = 1_000

_log = log.get("worker")


class Worker:
    """Holds every call of one node. `run` returns only when cancelled."""

    def __init__(  # noqa: PLR0913 - everything that it serves with, by name
        self,
        *,
        ari: AriClient,
        queue: Queue,
        listener: Callable[[NodeId, Callable[[Offer | Withdrawn], None], Callable[[], None]], OfferListener],
        ledger: Ledger,
        plan: Plan,
        node: str,
        app: str,
        sounds: str,
        ref_key: bytes,
        metrics: Metrics,
        wrap_ms: int = 0,
        recordings: Path | None = None,
    ) -> None:
        self._ari = ari
        self.queue = queue
        self._ledger = ledger
        self._plan = plan
        self.node = NodeId(node)
        self._id = WorkerId(own_name())
        self._listener = listener
        self._wrap_ms = wrap_ms
        self._app = app
        self._sounds = f"{sounds}/{plan.language}"
        self._ref_key = ref_key
        self._metrics = metrics
        self._recordings = recordings
        self._actors: dict[CallId, CallActor] = {}
        self._lives = Tasks()
        self._tasks = Tasks()
        self._presence = Presence(plan, app, self.node, queue, self.route, self._tasks)
        self.connected = False

    # -- what actors need (Desk) -------------------------------------------

    def now(self) -> int:
        """Return the site's time, Unix ms."""
        return self.queue.clock()

    def route(self, reply: Moves) -> None:
        """Bring the offers made and withdrawn by a queue function to their calls."""
        for withdrawn in reply.withdrawn:
            self._tell(withdrawn)
        for offer in reply.offers:
            self._tell(offer)

    def _tell(self, news: Offer | Withdrawn) -> None:
        """Tell a call of its offer; one that it knows already is no news."""
        actor = self._actors.get(news.call)
        if actor is None:
            return
        if isinstance(news, Withdrawn):
            actor.put(ev.OfferWithdrawn(news.token))
        elif news.accepted is None and not actor.knows(news.token):
            actor.put(ev.OfferMade(news.token, news.agent))

    async def promise(self, call: Call, effect: fx.Promise) -> None:
        """Commit a promise to the ledger."""
        topic = self._plan.topics[effect.topic]
        now = self.now()
        recording = recording_name(call.id, effect.serial) if effect.kind == "message" else ""
        file = File(
            id=call.id,
            site=self._plan.site,
            kind=effect.kind,
            topic=topic.id,
            owner=topic.groups[0],
            caller_ref=call.caller.ref,
            recording=recording,
            opened_ms=now,
            due_ms=due(now, self._plan.message_due_days),
        )
        await self._ledger.promise(file, call.caller.number)

    def ended(self, actor: CallActor) -> None:
        """Forget a call; one that was abandoned is another worker's, or another actor's, by now."""
        call = actor.call
        if self._actors.get(call.id) is not actor:
            return
        del self._actors[call.id]
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

    # -- life --------------------------------------------------------------

    async def run(self) -> None:
        """Serve the node: take its lease, connect, live, and give it back at the end."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._found()
                await self._take_lease()
                group.create_task(self._keep_lease())
                group.create_task(self._reap())
                group.create_task(self._listener(self.node, self._tell, lambda: None).run())
                await self._ari.run()
        finally:
            await self._lives.close()
            await self._tasks.close()
            with contextlib.suppress(QueueError):
                await self.queue.unlease(self.node, self._id)

    async def _found(self) -> None:
        """Enter the site's present epoch, or begin one; put the plan's routing in force."""
        await self.queue.learn_clock()
        founded = await self.queue.found(Epoch(secrets.token_hex(4)))
        await self.queue.configure(
            Routing(
                topics={topic.id: topic.groups for topic in self._plan.topics.values()},
                ring_ms=self._plan.ring_timeout_ms,
                wrap_ms=self._wrap_ms,
            )
        )
        if founded.created:
            _log.info("began a new epoch", epoch=founded.epoch)

    @property
    def calls(self) -> int:
        """Return how many calls this worker holds."""
        return len(self._actors)

    async def _take_lease(self) -> None:
        waiting = False
        while True:
            leased = await self.queue.lease(self.node, self._id, LEASE_MS)
            if leased.granted:
                return
            if leased.holder is not None and is_dead(leased.holder):
                await self.queue.unlease(self.node, leased.holder)
                continue
            if not waiting:
                _log.info("another worker holds the node; standing by", node=self.node)
                waiting = True
            await asyncio.sleep(LEASE_EVERY_S / 4)

    async def _keep_lease(self) -> None:
        """Renew the lease; where it was lost, stop acting at once, then take it again."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(LEASE_EVERY_S)
            late_ms = (time.monotonic() - renewed) * 1000
            if late_ms > LEASE_MS - LEASE_MARGIN_MS:
                await self._step_back(f"frozen for {late_ms:.0f} ms")
            try:
                leased = await self.queue.lease(self.node, self._id, LEASE_MS)
            except QueueError:
                continue
            renewed = time.monotonic()
            if not leased.granted:
                await self._step_back("another worker took the node")

    async def _step_back(self, why: str) -> None:
        _log.warning("stepping back from the node", node=self.node, reason=why)
        self.abandon()
        self._ari.suspend(why)
        await self._take_lease()
        self._ari.resume()

    def abandon(self) -> None:
        """Drop every call without a word to anyone: they are another worker's now."""
        for actor in self._actors.values():
            actor.abandon()
        self._actors.clear()
        self._lives.cancel()

    async def _reap(self) -> None:
        """End what is due; learn every live offer again, so that a lost reply strands nobody."""
        down = False
        while True:
            await asyncio.sleep(REAP_EVERY_S)
            try:
                reaped = await self.queue.reap()
            except StateLost:
                _log.error("the queue's state is lost; beginning anew")
                self._tasks.start(self._rebuild())
                await asyncio.sleep(LEASE_EVERY_S)
            except QueueError as error:
                if not down:
                    _log.error("the queue cannot be reached", reason=str(error))
                down = True
            else:
                if down:
                    _log.info("the queue is back")
                down = False
                self.route(reaped)
                for offer in reaped.live:
                    self._tell(offer)

    async def _rebuild(self) -> None:
        """Bring agents and calls into a new epoch."""
        await self._found()
        await self._take_lease()
        self._ari.suspend("the queue's state was lost")
        self._ari.resume()

    # -- the connection ----------------------------------------------------

    def on_state(self, state: State) -> None:
        """Take note of the ARI connection; logged once when it goes and once when it is back."""
        match state:
            case Connected():
                self.connected = True
                self._metrics.ari_up.set(1)
                _log.info("connected to Asterisk", node=self.node)
            case Disconnected(reason, attempt):
                if self.connected or attempt == 1:
                    _log.error("no connection to Asterisk; trying again", node=self.node, reason=reason)
                self.connected = False
                self._metrics.ari_up.set(0)
            case Replaced():
                self.connected = False
                self._metrics.ari_up.set(0)
                _log.error("another worker connected under our name", node=self.node)
                self._tasks.start(self._step_back("replaced"))

    async def on_connect(self, ari: AriClient) -> None:
        """Compare Asterisk with Redis and repair, while new events are held back."""
        started = time.monotonic()
        await self._presence.read(ari)
        channels, bridges = await ari.channels.list(), await ari.bridges.list()
        calls: dict[CallId, Call] = {}
        for record in await self.queue.calls_of(self.node):
            held = self._actors.get(record.call)
            try:
                calls[record.call] = held.call if held else revive(record)
            except ValueError as error:
                _log.error("a call's snapshot cannot be read", call=record.call, reason=str(error))
                await self.queue.end(record.call, "left")
        for call_id, actor in self._actors.items():
            calls.setdefault(call_id, actor.call)
        repairs = compare(channels, bridges, calls, self._app)
        for leg in repairs.legs:
            ari.channels.hangup(channelId=leg)
        for bridge in repairs.bridges:
            ari.bridges.destroy(bridgeId=bridge)
        for call_id in repairs.close:
            if held := self._actors.get(call_id):
                held.put(ev.HungUp())
            else:
                self.route(await self.queue.end(call_id, "left"))
        for adoption in repairs.adopt:
            actor = self._actors.get(adoption.call.id) or self._begin(adoption.call)
            if adoption.offer is not None:
                actor.adopt_leg(adoption.offer, up=adoption.facts.leg == "up", bridged=adoption.facts.bridged)
            actor.put(adoption.facts)
        for channel in repairs.new:
            self._arrived(channel.id, channel.dialplan.app_data.split(",")[1:])
        if calls or repairs.new or repairs.legs or repairs.bridges:
            _log.info(
                "adopted what Asterisk held",
                adopted=len(repairs.adopt),
                new=len(repairs.new),
                closed=len(repairs.close),
                legs=len(repairs.legs),
                bridges=len(repairs.bridges),
                ms=round((time.monotonic() - started) * 1000),
            )

    # -- events ------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        """Route one event; never awaits."""
        match event.type:
            case "PlaybackFinished":
                self._played(event.decode())
            case "StasisEnd":
                if actor := self._actor(event):
                    actor.put(ev.HungUp())
            case "ChannelDtmfReceived" | "StasisStart" | "ChannelDestroyed":
                self._channel_event(event.decode())
            case "RecordingFinished" | "RecordingFailed":
                self._recorded(event)
            case "ContactStatusChange" | "PeerStatusChange" | "ChannelStateChange":
                self._presence.heard(event.decode())
            case _:
                pass

    def _channel_event(self, event: AnyEvent) -> None:
        match event:
            case ari_events.ChannelDtmfReceived():
                if actor := self._actors.get(CallId(event.channel.id)):
                    actor.put(ev.Digit(event.digit))
            case ari_events.StasisStart():
                self._arrived(event.channel.id, event.args)
            case ari_events.ChannelDestroyed():
                self._destroyed(event.channel.id, event.cause)
            case _:
                pass

    def _played(self, event: AnyEvent) -> None:
        if isinstance(event, ari_events.PlaybackFinished):
            own = parse(event.playback.id)
            if own is not None and (actor := self._actors.get(own.call)):
                actor.put(ev.PromptDone(own.n, played=event.playback.state != "failed"))

    def _actor(self, event: Event) -> CallActor | None:
        return self._actors.get(CallId(event.channel_id or ""))

    def _arrived(self, channel: str, args: Sequence[str]) -> None:
        own = parse(channel)
        if own is not None:
            actor = self._actors.get(own.call)
            if actor is None or not actor.leg_up(own.n):
                self._ari.channels.hangup(channelId=channel)
            return
        if not args or args[0] != "caller" or CallId(channel) in self._actors:
            return
        called, number, presentation = (*args[1:4], "", "", "")[:3]
        call_id = CallId(channel)
        caller = identify(call_id, number, presentation, self._plan, self._ref_key)
        call = Call(call_id, caller, called, self._plan.version, self.now())
        self._begin(call).put(ev.Started())

    def _begin(self, call: Call) -> CallActor:
        line = Line(self._ari, self._app, call.id, self._sounds)
        recorder = Recorder.begin(self._recordings, call) if self._recordings else None
        actor = CallActor(call, self._plan, self, line, recorder)
        self._actors[call.id] = actor
        self._metrics.calls.set(len(self._actors))
        self._metrics.begun.inc()
        self._lives.start(actor.run())
        return actor

    def _destroyed(self, channel: str, cause: int) -> None:
        own = parse(channel)
        if own is None:
            self._presence.gone(channel)
            if actor := self._actors.get(CallId(channel)):
                actor.put(ev.HungUp())
        elif own.kind == "leg" and (actor := self._actors.get(own.call)):
            actor.leg_gone(own.n, leg_failure(cause))

    def _recorded(self, event: Event) -> None:
        _, _, rest = (event.recording or "").partition("/")
        call, _, serial = rest.rpartition(".")
        if actor := self._actors.get(CallId(call)):
            actor.put(ev.RecordingDone(int(serial), kept=event.type == "RecordingFinished"))
