"""Where the site's state is, and that it holds what this worker holds.

The shared Redis is the state's home. When it does not answer, this node's own emergency Redis takes the same
functions with what the worker knows: its calls, at their places, its agents and their pauses. When the shared one
is back, what it still holds of this node is put right, and the calls move home. A Redis that failed to answer for
a moment only may have lost what it had acknowledged: then it is compared, and told what it lacks.

Only who holds the node moves anything. A standby goes where the holder took the state; it begins a new one only
when nobody has for as long as a lease lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.ari import AriError
from ivr.queueing.errors import QueueError, QueueFault, QueueUnavailable
from ivr.queueing.model import Epoch
from ivr.telephony.lease import LEASE_MS
from ivr.telephony.resync import astray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ivr.ari import AriClient
    from ivr.queueing.model import AgentRecord, CallRecord, Routing
    from ivr.queueing.queue import Home, Queue
    from ivr.telephony.actor import CallActor
    from ivr.telephony.calls import Calls
    from ivr.telephony.lease import NodeLease
    from ivr.telephony.metrics import Metrics
    from ivr.telephony.presence import Presence

LOOK_S: Final = 1.0
"""Between two looks whether the shared Redis is back, and whether one that failed holds what it should."""
STEADY: Final = 2
"""So many answers in a row, and it is back."""
CLOCK_EVERY: Final = 60
"""Looks between two questions to Redis for the time."""
PAUSES_EVERY: Final = 5
"""Looks between two readings of who is paused, to be known when Redis is away."""

_log = log.get("queue")


class Settlement:
    """Moves the state of one worker's site between its homes, and keeps it right. `keep` runs beside the worker.

    `routing` tells the routing that holds at the instant at which it is asked.

    While it moves, no command of anybody else's goes out: each finds the state as its call left it.
    """

    def __init__(
        self,
        *,
        ari: AriClient,
        queue: Queue,
        routing: Callable[[], Routing],
        lease: NodeLease,
        presence: Presence,
        calls: Calls,
        metrics: Metrics,
    ) -> None:
        self._ari = ari
        self._queue = queue
        self._routing = routing
        self._lease = lease
        self._presence = presence
        self._calls = calls
        self._metrics = metrics
        self._moving = asyncio.Lock()
        self._moves = 0
        self._paused: tuple[AgentRecord, ...] = ()
        self._said = ""
        self._nowhere_since: float | None = None
        self.holds = False
        """Whether every call of the node that lives is held here: what the queue has besides is over."""

    # -- beginnings --------------------------------------------------------

    async def begin(self) -> None:
        """Return once the state has a home: where it is, or a new one."""
        homes = self._homes()
        for turn in itertools.count():
            home: Home = "emergency" if await self._emergency_has_it() else homes[turn % len(homes)]
            there = self._queue.at(home)
            try:
                await self._enter(there)
            except QueueUnavailable as error:
                if turn < len(homes):
                    _log.error("the queue cannot be reached", home=home, reason=str(error))
                await asyncio.sleep(LOOK_S / 4)
            else:
                self._arrived(there)
                break
        self._queue.on_loss = self._lost

    def _homes(self) -> list[Home]:
        return ["shared", "emergency"] if self._queue.sheltered else ["shared"]

    async def _emergency_has_it(self) -> bool:
        """Return whether this node's own Redis has a state: it holds until that is brought home."""
        try:
            return self._queue.sheltered and await self._queue.at("emergency").known() is not None
        except QueueUnavailable:
            return False

    async def go_home(self) -> None:
        """Return once the state is where the worker that replaced this one has the node's lease from.

        In the emergency that is here, or else where every worker looks: then what is here is nobody's any more.
        """
        if self._queue.home == "emergency":
            with contextlib.suppress(QueueError):
                if not (await self._queue.lease(self._calls.node, self._lease.id, LEASE_MS)).granted:
                    return
        while self._queue.home != "shared":
            there = self._queue.at("shared")
            try:
                await self._enter(there)
            except QueueUnavailable:
                await asyncio.sleep(LOOK_S / 4)
            else:
                self._arrived(there)
                await self._queue.vacate()

    async def _enter(self, queue: Queue) -> None:
        """Enter the site's present epoch, or begin one, with the routing that holds now."""
        await queue.learn_clock()
        founded = await queue.found(Epoch(secrets.token_hex(4)), self._calls.node, self._lease.id, LEASE_MS)
        await queue.configure(self._routing())
        if founded.created:
            _log.info("began a new epoch", epoch=founded.epoch, home=queue.home)

    def _arrived(self, there: Queue) -> None:
        self._queue.become(there)
        away = there.home == "emergency"
        self._calls.ends = (self._calls.ends or {}) if away else None
        self._metrics.emergency.set(away)

    # -- life --------------------------------------------------------------

    async def reroute(self) -> None:
        """Put the routing that holds now in force, where the state is; nothing else of it changes."""
        self._calls.route(await self._queue.configure(self._routing()))

    async def keep(self) -> None:
        """Go home when home is back; compare after every doubt. For ever."""
        answers = looks = 0
        while True:
            await asyncio.sleep(LOOK_S)
            looks += 1
            if not self._lease.held:
                continue
            try:
                if self._queue.home == "emergency":
                    answers = answers + 1 if await self._queue.answers("shared") else 0
                    if answers >= STEADY:
                        answers = 0
                        await self._return()
                elif self._queue.doubtful and self.holds:
                    if await self._queue.answers(self._queue.home):  # or it would be asked while everybody waits
                        await self._compare()
                elif looks % PAUSES_EVERY == 0:
                    people = await self._queue.people()
                    self._paused = tuple(agent for agent in people if agent.pause is not None)
                if looks % CLOCK_EVERY == 0:
                    await self._queue.learn_clock()
            except QueueError as error:
                _log.debug("the queue is still unsettled", reason=str(error))

    async def _lost(self, home: Home, epoch: Epoch | None, _why: QueueError) -> bool:
        """Answer a command that found no Redis at `home`, or another epoch: whether to send it again.

        Of the commands that fail together the first brings back what is lost: each time costs every offer its ringing.
        """
        moves = self._moves
        async with self._moving:
            if self._moves != moves or (self._queue.home, self._queue.epoch) != (home, epoch):
                return True
            if not await (self._recover(home) if self._lease.held else self._stand_by()):
                return False
            self._moves += 1
        if self._lease.held:
            await self._look()
        return True

    async def _stand_by(self) -> bool:
        """Go where the holder of the node takes the state; begin a new one when nobody has for a lease's time."""
        home: Home = "emergency" if await self._emergency_has_it() else "shared"
        there = self._queue.at(home)
        try:
            if await there.known() is not None:
                await there.learn_clock()
                self._arrived(there)
                self._nowhere_since = None
                return True
        except QueueUnavailable as error:
            _log.debug("the holder of the node is looked for", reason=str(error))
        return await self._begin_anew()

    async def _begin_anew(self) -> bool:
        now = time.monotonic()
        self._nowhere_since = self._nowhere_since or now
        if (now - self._nowhere_since) * 1000 < LEASE_MS:
            return False
        for home in self._homes():
            there = self._queue.at(home)
            with contextlib.suppress(QueueUnavailable):
                await self._enter(there)
                self._arrived(there)
                self._nowhere_since = None
                return True
        return False

    async def _recover(self, home: Home) -> bool:
        """Bring everything into that home, or into the emergency when it is away.

        It is asked once more whether it is: a process that stood still finds every answer late.
        """
        homes: list[Home] = [home]
        if home == "shared" and self._queue.sheltered:
            homes.append("emergency")
        for where in homes:
            try:
                async with self._queue.quiet(patience_s=0.0):
                    await self._bring(self._queue.at(where))
            except QueueUnavailable as error:
                if where == "emergency":
                    self._say("the emergency queue cannot be reached either", error)
            except QueueError as error:
                self._say("the queue cannot be told what this worker holds", error)
                return False
            else:
                self._said = ""
                if where != home:
                    _log.error("the shared queue is away; this node's own has its calls", calls=len(self._calls))
                return True
        return False

    async def _return(self) -> None:
        async with self._moving:
            try:
                async with self._queue.quiet():
                    people = await self._queue.at("emergency").people()
                    await self._bring(self._queue.at("shared"), people)
            except QueueError as error:
                self._say("the shared queue cannot have its calls yet", error)
                return
            self._said = ""
            await self._queue.vacate()
        await self._look()
        _log.info("the shared queue is back and has its calls again", calls=len(self._calls))

    async def _compare(self) -> None:
        """Tell the queue again what it lost of what it had acknowledged."""
        async with self._moving, self._queue.quiet():
            self._queue.doubtful = False
            here = self._queue.at(self._queue.home)
            try:
                records = await here.calls_of(self._calls.node)
                by_call = {record.call: record for record in records}
                lost = [actor for actor in self._calls if astray(actor.call, by_call.get(actor.id))]
                ended = await self._free(here, records)
                await self._tell(here, lost)
                await self._read_agents(here)
            except QueueError:
                self._queue.doubtful = True
                raise
        if lost or ended:
            _log.warning("the queue had lost what it had acknowledged", told_again=len(lost), ended=ended)
            await self._look()

    def _say(self, what: str, error: QueueError) -> None:
        """Log it once, not at each command that meets it, until the state has a home again."""
        if what != self._said:
            _log.error(what, reason=str(error))
        self._said = what

    # -- one move ----------------------------------------------------------

    async def _bring(self, there: Queue, people: Sequence[AgentRecord] | None = None) -> None:
        """Bring everything that this worker holds into that home, and go there.

        `people` are the agents as the emergency has them, whose pauses come too. Raises QueueError, and nothing
        is changed but in that home.
        """
        await self._enter(there)
        leased = await there.lease(self._calls.node, self._lease.id, LEASE_MS)
        if not leased.granted:
            raise QueueFault(there.site, "lease", "another worker holds the node")
        await self._free(there, await there.calls_of(self._calls.node))
        if people is None:
            for agent in self._paused:
                await there.pause(agent.id, agent.pause or "", agent.back, create=True)
        else:
            await self._pauses(there, people)
        await self._tell(there, self._calls)
        await self._read_agents(there)
        self._arrived(there)

    async def _tell(self, there: Queue, actors: Iterable[CallActor]) -> None:
        """Tell of talks first, whose agents are engaged, then of the others in the order of their arrival."""
        for actor in sorted(actors, key=lambda actor: (actor.talk() is None, actor.call.arrival)):
            try:
                await actor.tell(there)
            except QueueFault as error:
                _log.error("the queue does not take a call", call=actor.id, reason=str(error))

    async def _free(self, there: Queue, records: Sequence[CallRecord]) -> int:
        """End what is over, and free the agents of talks that are others by now; how many calls were over."""
        ends, ended = self._calls.ends or {}, 0
        for record in records:
            actor = self._calls.get(record.call)
            if actor is None:
                if self.holds:
                    await there.end(record.call, ends.get(record.call, "left"))
                    ended += 1
            elif record.token is not None and ((talk := actor.talk()) is None or talk.token != record.token):
                await there.release(record.call, void=True)
        return ended

    async def _pauses(self, there: Queue, people: Sequence[AgentRecord]) -> None:
        """Tell who began a pause, and who ended one, in the emergency."""
        known = {agent.id: agent.pause for agent in await there.people()}
        for agent in people:
            if agent.pause is not None and known.get(agent.id) != agent.pause:
                await there.pause(agent.id, agent.pause, agent.back, create=True)
            elif agent.pause is None and known.get(agent.id) is not None:
                await there.resume(agent.id)

    async def _read_agents(self, queue: Queue) -> None:
        try:
            await self._presence.read(self._ari, queue)
        except AriError as error:
            _log.warning("Asterisk cannot be asked who is there; its next connection tells", reason=str(error))

    async def _look(self) -> None:
        """Learn every offer that the move has made."""
        reaped = await self._queue.reap()
        self._calls.route(reaped)
        for offer in reaped.live:
            self._calls.tell(offer)
