"""Asterisk against Redis and the actors: compared at every connect, and then every 10 s; what differs is mended.

At a connect everything is compared while events wait, and every call is adopted. In between, a look races with calls
in motion: what differs counts only when two looks in a row show it, and no healthy call is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from ivr import log
from ivr.ari import AriError, NotFound
from ivr.ari.models import instant_ms
from ivr.core import inputs as ev
from ivr.core.caller import CallId
from ivr.core.state import Recording, Talking, encode
from ivr.queueing.errors import QueueError
from ivr.telephony.codes import CODE
from ivr.telephony.ids import offer_number, parse, recording_name
from ivr.telephony.invariants import broken
from ivr.telephony.resync import Held, compare, died_with_asterisk, differences, revive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ivr.ari import AriClient
    from ivr.ari.models import Bridge, Channel
    from ivr.queueing.model import CallRecord, NodeId, Routing
    from ivr.queueing.queue import Queue
    from ivr.telephony.actor import CallActor
    from ivr.telephony.calls import Calls
    from ivr.telephony.codes import Codes
    from ivr.telephony.invariants import Breach
    from ivr.telephony.metrics import Metrics
    from ivr.telephony.presence import Presence
    from ivr.telephony.resync import Adoption, Difference, Kind, Repairs
    from ivr.telephony.router import Router
    from ivr.telephony.tasks import Tasks

LOOK_EVERY_S: Final = 10.0
AGAIN_S: Final = 3.0
"""After a look that showed something: is it still so?"""
SETTLED_S: Final = 10.0
"""A call that was not adopted by then is not waited for."""

_log = log.get("reconciler")


class Reconciler:
    """The comparisons of one node. `connect` at each connect, `run` beside the calls."""

    def __init__(  # noqa: PLR0913 - what it compares and what it mends with, by name
        self,
        *,
        ari: AriClient,
        queue: Queue,
        calls: Calls,
        codes: Codes,
        presence: Presence,
        router: Router,
        tasks: Tasks,
        metrics: Metrics,
        routing: Callable[[], Routing],
        node: NodeId,
        app: str,
    ) -> None:
        self._ari = ari
        self._queue = queue
        self._calls = calls
        self._codes = codes
        self._presence = presence
        self._router = router
        self._tasks = tasks
        self._metrics = metrics
        self._routing = routing
        self._node = node
        self._app = app
        self._began: int | None = None
        """When the Asterisk of the last connection had started."""
        self._seen: frozenset[Difference] = frozenset()
        self._broken: frozenset[Breach] = frozenset()

    # -- at a connect ------------------------------------------------------

    async def connect(self, ari: AriClient) -> None:
        """Adopt what Asterisk holds and mend what differs, while new events are held back."""
        started = time.monotonic()
        self._seen = frozenset()
        await self._presence.read(ari)
        ping, info = ari.asterisk.ping(), ari.asterisk.getInfo(only="status")
        channels, bridges = await ari.channels.list(), await ari.bridges.list()
        status, now = (await info).status, instant_ms((await ping).timestamp)
        began = instant_ms(status.startup_time) if status is not None else 0
        restarted = self._began not in (None, began)
        held = self._held(await self._queue.calls_of(self._node))
        await self._calls.plans.learn(known.call.plan for known in held.values() if known is not None)
        await self._end_unreadable(held)
        await self._listen(held)
        repairs = self._compare(channels, bridges, held)
        mended: list[Kind] = []
        for call_id in repairs.close:
            known = held[call_id]
            if known is not None and died_with_asterisk(known.call.arrival, began, restarted=restarted):
                mended.append("crash")
                actor = self._calls.get(call_id) or self._calls.begin(known.call)
                self._tell(actor, "crash", ev.Dropped())
            else:
                mended.append("call_without_channel")
                await self._close(call_id, "call_without_channel", known)
        if restarted:
            mended += await self._call_back(now)
        for leg in repairs.legs:
            mended.append("stray_leg")
            await self._end_leg(leg)
        for bridge in repairs.bridges:
            mended.append("stray_bridge")
            await self._end_bridge(bridge)
        self._calls.phones.forget()  # whose legs may have ended unheard
        settled = [self._adopt(adoption) for adoption in repairs.adopt]
        for channel in repairs.new:
            mended.append("channel_without_call")
            self._arrives(channel, now)
        await self._calls.fallback.look(channels)
        self._began = began
        self._count(mended, "connect")
        if repairs.adopt or mended:
            self._tasks.start(self._say_adopted(repairs, mended, settled, started))

    async def _call_back(self, now: int) -> list[Kind]:
        """Have everybody called back whom the fallback served when Asterisk ended. Raises AriError."""
        guests = [guest for guest in await self._calls.fallback.cut_off() if self._calls.get(guest.call) is None]
        for guest in guests:
            arrival = self._calls.now() - max(0, now - guest.arrival)
            call = self._calls.introduced(guest.call, guest.called, guest.number, guest.presentation, arrival)
            self._tell(self._calls.begin(call), "crash", ev.Dropped())
        return ["crash"] * len(guests)

    async def _listen(self, held: dict[CallId, Held | None]) -> None:
        """Note whose message is being recorded still: the end of one may have gone unheard. Raises AriError."""
        asked = {}
        for call, known in held.items():
            if known is not None and isinstance(known.call.phase, Recording):
                name = recording_name(call, known.call.phase.recording)
                asked[call] = known, self._ari.recordings.getLive(recordingName=name)
        for call, (known, reply) in asked.items():
            with contextlib.suppress(NotFound):
                await reply
                held[call] = replace(known, recording=True)

    async def _end_unreadable(self, held: Mapping[CallId, Held | None]) -> None:
        """End the records that no version wrote: their callers are taken as new."""
        for call, known in held.items():
            if known is None:
                await self._queue.end(call, "left")

    async def _say_adopted(
        self, repairs: Repairs, mended: list[Kind], settled: list[asyncio.Future[float]], started: float
    ) -> None:
        """Log what the connect found, once the last call was adopted; `ms` is until then."""
        done: set[asyncio.Future[float]] = set()
        if settled:
            done, _ = await asyncio.wait(settled, timeout=SETTLED_S)
        last = max((each.result() for each in done), default=time.monotonic())
        counts = Counter(mended)
        self._metrics.adopted.set(len(done))
        self._metrics.adoption_s.set(last - started)
        _log.info(
            "adopted what Asterisk held",
            adopted=len(done),
            unsettled=len(settled) - len(done),
            new=counts["channel_without_call"],
            closed=len(repairs.close),
            crashed=counts["crash"],
            legs=len(repairs.legs),
            bridges=len(repairs.bridges),
            ms=round((last - started) * 1000),
        )

    # -- while connected ---------------------------------------------------

    async def run(self) -> None:
        """Look for ever; says once that it cannot, and once that it can again."""
        blind = False
        while True:
            await asyncio.sleep(AGAIN_S if self._seen or self._broken else LOOK_EVERY_S)
            if not self._ari.connected:
                continue
            try:
                await self.look()
            except (AriError, QueueError) as error:
                if not blind:
                    _log.warning("Asterisk and Redis cannot be compared", reason=str(error))
                blind = True
            else:
                if blind:
                    _log.info("Asterisk and Redis are compared again")
                blind = False

    async def look(self) -> None:
        """Compare once, and mend what the look before showed too. Raises AriError, QueueError."""
        ari, connection = self._ari, self._ari.stats.connections

        def ours() -> bool:
            return ari.connected and ari.stats.connections == connection

        ping = ari.asterisk.ping()
        channels, bridges = await ari.channels.list(), await ari.bridges.list()
        now = instant_ms((await ping).timestamp)
        records = {record.call: record for record in await self._queue.calls_of(self._node)}
        if not ours():
            return  # what was seen belongs to another connection
        await self._calls.fallback.look(channels)
        await self._judge(bridges)
        actors = {actor.id: actor.call for actor in self._calls if not actor.over}
        held = self._held(record for record in records.values() if not self._calls.owes(record.call))
        await self._calls.plans.learn(known.call.plan for known in held.values() if known is not None)
        await self._listen(held)
        repairs = self._compare(channels, bridges, held)
        found = differences(repairs, actors, records)
        sure, self._seen = found & self._seen, found - self._seen
        if not sure:
            return
        mended: list[Kind] = []
        for difference in sure:
            if ours():  # and the node with it
                await self._mend(difference, repairs, held, now)
                mended.append(difference.kind)
        self._count(mended, "look")
        if mended:
            _log.warning("mended what differed", **Counter[str](mended))

    async def _judge(self, bridges: Sequence[Bridge]) -> None:
        """Count, and log, what must hold of the site and did not at this look and the one before."""
        found = broken(await self._queue.dump(), bridges, self._routing())
        sure, self._broken = found & self._broken, found
        for breach in sorted(sure, key=str):
            self._metrics.violations.labels(breach.rule).inc()
            _log.error("what must hold does not", rule=breach.rule, of=breach.of)

    async def _mend(
        self, difference: Difference, repairs: Repairs, held: Mapping[CallId, Held | None], now: int
    ) -> None:
        kind, call_id = difference.kind, CallId(difference.id)
        actor = self._calls.get(call_id)
        match kind:
            case "channel_without_call":
                self._arrives(next(channel for channel in repairs.new if channel.id == call_id), now)
            case "stray_leg":
                await self._end_leg(difference.id)
            case "stray_bridge":
                await self._end_bridge(difference.id)
            case "record_without_actor":
                adoption = next((each for each in repairs.adopt if each.call.id == call_id), None)
                if adoption is None:
                    await self._close(call_id, kind, held.get(call_id))
                elif actor is None:
                    self._adopt(adoption)
                    self._tell(self._calls.get(call_id), kind)
            case "call_without_channel":
                await self._close(call_id, kind, held.get(call_id))
            case "actor_without_record" if actor is not None:
                self._tell(actor, kind)
                actor.also(partial(self._write_again, actor))
            case "record_astray" if actor is not None:
                self._tell(actor, kind)
                self._queue.doubtful = True  # then it is told again, while every command waits
            case "talk_without_leg" if actor is not None and isinstance(actor.call.phase, Talking):
                self._tell(actor, kind)
                actor.leg_gone(offer_number(actor.call.phase.offer.token), "failed", lost=True)
            case _:
                pass  # over meanwhile

    async def _write_again(self, actor: CallActor) -> None:
        """Make a call known to the queue, as it is now; that it had ended there is not so."""
        call, queue = actor.call, self._queue
        try:
            self._calls.route(await queue.save(call.id, self._node, encode(call), call.arrival, again=True))
            await actor.tell(queue)
        except QueueError as error:
            _log.warning("the queue does not hold the call", call=call.id, reason=str(error))

    # -- repairs -----------------------------------------------------------

    def _held(self, records: Iterable[CallRecord]) -> dict[CallId, Held | None]:
        """Return every call of the node: as its actor has it, else as Redis has it; None for what cannot be read."""
        held: dict[CallId, Held | None] = {}
        for record in records:
            try:
                held[record.call] = revive(record)
            except ValueError as error:
                held[record.call] = None
                _log.error("a call's snapshot cannot be read", call=record.call, reason=str(error))
        held.update((actor.id, Held(actor.call, actor.playing)) for actor in self._calls if not actor.over)
        return held

    def _compare(
        self, channels: Sequence[Channel], bridges: Sequence[Bridge], held: Mapping[CallId, Held | None]
    ) -> Repairs:
        """Return the repairs; an agent's code that is being dialled needs none."""
        calls = {call: known for call, known in held.items() if known is not None}
        repairs = compare(channels, bridges, calls, self._app)
        repairs.new[:] = [channel for channel in repairs.new if not self._codes.holds(channel.id)]
        return repairs

    def _adopt(self, adoption: Adoption) -> asyncio.Future[float]:
        """Let an actor take the call where it is; the future is the instant at which it had."""
        actor = self._calls.get(adoption.call.id) or self._calls.begin(adoption.call)
        if adoption.facts.placed:
            actor.written()
        for token, state in adoption.facts.legs:
            actor.adopt_leg(token, up=state == "up", bridged=adoption.facts.bridged == token)
        actor.put(adoption.facts)
        settled: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        async def settle() -> None:
            if not settled.done():
                settled.set_result(time.monotonic())

        actor.also(settle)
        return settled

    async def _close(self, call_id: CallId, kind: Kind, known: Held | None) -> None:
        """End a call whose caller is gone; one that nobody held ends as its state says: something may be owed."""
        actor = self._calls.get(call_id)
        if actor is None and known is not None:
            actor = self._calls.begin(known.call)
        if actor is not None:
            self._tell(actor, kind, ev.HungUp())
        else:
            await self._note(kind, call_id)
            self._calls.route(await self._queue.end(call_id, "left"))

    def _arrives(self, channel: Channel, now: int) -> None:
        """Take a channel that nobody has; of an agent's code nothing is known any more."""
        args = channel.dialplan.app_data.split(",")[1:]
        if args[:1] == [CODE]:
            self._codes.found(channel.id)
        else:
            self._router.arrived(channel.id, args, now - instant_ms(channel.creationtime))
            self._tell(self._calls.get(channel.id), "channel_without_call")

    async def _end_leg(self, leg: str) -> None:
        self._ari.channels.hangup(channelId=leg)
        await self._note_of("stray_leg", leg)

    async def _end_bridge(self, bridge: str) -> None:
        self._ari.bridges.destroy(bridgeId=bridge)
        await self._note_of("stray_bridge", bridge)

    # -- what is told of it ------------------------------------------------

    def _tell(self, actor: CallActor | None, kind: Kind, *happened: ev.Input) -> None:
        """Put the repair into the call's history, in the call's own turn; then tell the call what happened."""
        if actor is None:
            return
        actor.also(partial(self._note, kind, actor.id))
        for each in happened:
            actor.put(each)

    async def _note_of(self, kind: Kind, name: str) -> None:
        own = parse(name)
        if own is not None:
            await self._note(kind, own.call)

    async def _note(self, kind: Kind, call: CallId) -> None:
        """Write a repair down in the call's history."""
        try:
            await self._queue.repair(call, kind, self._node, secrets.token_hex(4))
        except QueueError as error:
            _log.warning("a repair is not in the call's history", call=call, kind=kind, reason=str(error))

    def _count(self, kinds: Iterable[Kind], when: Literal["connect", "look"]) -> None:
        for kind in kinds:
            self._metrics.repairs.labels(kind, when).inc()
