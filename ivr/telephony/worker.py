"""One worker: it serves one Asterisk node while it holds the node's lease.

Connect, compare, repair, then live events; every event is routed to the actor of its call
by the id that it carries. The worker's own loops: the lease, the reaper of deadlines, the
offers that other workers made for our calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from yarl import URL

from ivr import log
from ivr.ari import Connected, Disconnected, Replaced
from ivr.core.schedule import ALWAYS_OPEN
from ivr.core.staffing import USUAL
from ivr.queueing.errors import QueueError
from ivr.queueing.model import News, NodeId, Offer, Withdrawn
from ivr.queueing.routing import routing_of
from ivr.telephony.calls import Calls
from ivr.telephony.capacity import Capacity
from ivr.telephony.codes import Codes
from ivr.telephony.lease import NodeLease
from ivr.telephony.presence import Presence
from ivr.telephony.reconciler import Reconciler
from ivr.telephony.router import EVENTS, Router
from ivr.telephony.settlement import Settlement
from ivr.telephony.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from pathlib import Path
    from typing import Any

    from ivr.ari import AriClient, Event, State
    from ivr.core.plan import Plan
    from ivr.core.schedule import Calendar
    from ivr.core.staffing import Staffing
    from ivr.queueing.listener import OfferListener
    from ivr.queueing.model import Routing
    from ivr.queueing.queue import Queue
    from ivr.telephony.calls import Keeper
    from ivr.telephony.lease import Loss
    from ivr.telephony.metrics import Metrics

__all__ = ["EVENTS", "Worker"]

REAP_EVERY_S: Final = 0.25
DEAF_S: Final = 30.0
"""Without Asterisk for so long, the node is another worker's to have, or nobody's: then the agents of other nodes who
talked with its callers are free."""
NO_ASTERISK: Final = "no Asterisk"
ASIDE_AGAIN_S: Final = 5.0
"""After a side task broke."""

_log = log.get("worker")


class Worker:
    """Holds every call of one node. `run` returns only when cancelled.

    `admin` takes what somebody dialled after *9, and who it was. `find` brings a version of the plan that a call began
    with elsewhere; `retired` are topics that are gone, each with the one whose people answer who waits there still.
    `staffing` tells who is there as far as the plan knows, at each instant; `reroute` when that has changed. `aside`
    are tasks by name that live beside it, from the moment that the node is ours; they end with it.
    """

    def __init__(  # noqa: PLR0913 - everything that it serves with, by name
        self,
        *,
        ari: AriClient,
        queue: Queue,
        listener: Callable[[NodeId, Callable[[Offer | Withdrawn | News], None], Callable[[], None]], OfferListener],
        ledger: Keeper,
        plan: Plan,
        node: str,
        app: str,
        sounds: str,
        ref_key: bytes,
        metrics: Metrics,
        wrap_ms: int | None = None,
        recordings: Path | None = None,
        admin: Callable[[str, str], Awaitable[bool]] | None = None,
        find: Callable[[str], Awaitable[Plan | None]] | None = None,
        retired: Mapping[str, str] | None = None,
        staffing: Callable[[], Staffing] = lambda: USUAL,
        calendar: Callable[[], Calendar] = lambda: ALWAYS_OPEN,
        aside: Mapping[str, Callable[[], Coroutine[Any, Any, None]]] | None = None,
    ) -> None:
        self._ari = ari
        self._queue = queue
        self._node = NodeId(node)
        self._app = app
        self._listener = listener
        self._metrics = metrics
        self._aside = aside or {}
        self._tasks = Tasks()
        self._lease = NodeLease(queue, self._node)
        self._stepping = asyncio.Lock()
        self.calls = Calls(
            ari=ari,
            queue=queue,
            ledger=ledger,
            plan=plan,
            node=self._node,
            app=app,
            sounds=sounds,
            ref_key=ref_key,
            metrics=metrics,
            recordings=recordings,
            find=find,
            calendar=calendar,
        )
        self._wrap_ms, self._staffing, self._retired = wrap_ms, staffing, retired or {}
        self._capacity = Capacity(ari, metrics)
        self.calls.full = lambda: self._capacity.full
        self._presence = Presence(
            plan, app, self._node, queue, self.calls.route, self._tasks, sure=lambda: self._lease.sure
        )
        self._settlement = Settlement(
            ari=ari,
            queue=queue,
            routing=self._routing,
            lease=self._lease,
            presence=self._presence,
            calls=self.calls,
            metrics=metrics,
        )
        self.codes = Codes(ari, plan, queue, self._presence, self.calls.route, sounds, admin)
        self._router = Router(ari, self.calls, self.codes, self._presence)
        self._reconciler = Reconciler(
            ari=ari,
            queue=queue,
            calls=self.calls,
            codes=self.codes,
            presence=self._presence,
            router=self._router,
            tasks=self._tasks,
            metrics=metrics,
            routing=self._routing,
            node=self._node,
            app=app,
        )
        self.on_event: Callable[[Event], None] = self._router.route
        self.connected = False
        self._deaf_since = time.monotonic()

    # -- life --------------------------------------------------------------

    async def run(self) -> None:
        """Serve the node: take its lease, connect, live, and give it back at the end."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._settlement.begin()
                await self._lease.take()
                self._deaf_since = time.monotonic()
                group.create_task(self._lease.keep(self._lost_node))
                group.create_task(self._settlement.keep())
                group.create_task(self._reap())
                group.create_task(self._listener(self._node, self.calls.tell, lambda: None).run())
                aside = {
                    "reconciler": self._reconciler.run,
                    "fallback": self.calls.fallback.watch,
                    "capacity": self._capacity.run,
                    **self._aside,
                }
                for name, work in aside.items():
                    group.create_task(_beside(name, work), name=name)
                await self._ari.run()
        finally:
            await self.calls.close()
            await self.codes.close()
            await self._tasks.close()
            await self._lease.give_back()

    async def _lost_node(self, why: Loss) -> None:
        """Act no more until the node is ours again; without Redis nobody else can hold our callers: the desk does."""
        if why == "redis away":
            await self.calls.give_back()
        await self._step_back(why)

    async def _step_back(self, why: str) -> None:
        """Act no more until the node is ours again: then every call is adopted anew."""
        if self._stepping.locked():
            return
        async with self._stepping:
            _log.warning("stepping back from the node", node=self._node, reason=why)
            self._settlement.holds = self._lease.held = False
            self.calls.abandon()
            self.codes.abandon()
            self._ari.suspend(why)
            if why == "replaced":
                await self._settlement.go_home()
            if why == NO_ASTERISK:
                await self._lease.give_back()
                await self._listens()
            await self._lease.take()
            self._deaf_since = time.monotonic()
            self._ari.resume()

    async def _listens(self) -> None:
        """Return once something takes connections where Asterisk should be."""
        url = URL(self._ari.url)
        while True:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(1.0):
                    _, writer = await asyncio.open_connection(url.host, url.port)
                writer.close()
                return
            await asyncio.sleep(REAP_EVERY_S)

    async def _reap(self) -> None:
        """End what is due; learn every live offer again, so that a lost reply strands nobody."""
        down = False
        while True:
            await asyncio.sleep(REAP_EVERY_S)
            if not self.connected and self._lease.held and time.monotonic() - self._deaf_since > DEAF_S:
                self._tasks.start(self._step_back(NO_ASTERISK))
            try:
                reaped = await self._queue.reap()
                await self.calls.pay()
                await self._presence.pay()
            except QueueError as error:
                if not down:
                    _log.error("the queue cannot be reached", reason=str(error))
                down = True
            else:
                if down:
                    _log.info("the queue is back")
                down = False
                self.calls.look_at_hours()
                self.calls.route(reaped)
                for offer in reaped.live:
                    self.calls.tell(offer)

    # -- the plan ----------------------------------------------------------

    async def switch(self, plan: Plan, retired: Mapping[str, str]) -> None:
        """Serve another version of the plan; calls in progress finish on theirs. Raises QueueError, AriError.

        Then it is called again: what was done is not done anew.
        """
        self.calls.switch(plan)
        self.codes.switch(plan)
        await self._presence.switch(plan, self._ari)
        self._retired = retired
        await self._settlement.reroute()

    def _routing(self) -> Routing:
        return routing_of(self.calls.plans.current, self._wrap_ms, self._staffing(), self._retired)

    async def reroute(self) -> None:
        """Put in force what the plan and who is there say now; QueueError when the queue cannot be told."""
        await self._settlement.reroute()

    # -- the connection ----------------------------------------------------

    def on_state(self, state: State) -> None:
        """Take note of the ARI connection; logged once when it goes and once when it is back."""
        match state:
            case Connected():
                self.connected = True
                self._metrics.ari_up.set(1)
                _log.info("connected to Asterisk", node=self._node)
            case Disconnected(reason, attempt):
                if self.connected or attempt == 1:
                    _log.error("no connection to Asterisk; trying again", node=self._node, reason=reason)
                if self.connected:
                    self._deaf_since = time.monotonic()
                self.connected = False
                self._metrics.ari_up.set(0)
            case Replaced():
                self.connected, self._deaf_since = False, time.monotonic()
                self._metrics.ari_up.set(0)
                _log.error("another worker connected under our name", node=self._node)
                self._tasks.start(self._step_back("replaced"))

    async def on_connect(self, ari: AriClient) -> None:
        """Compare Asterisk with Redis and repair, while new events are held back."""
        await self._reconciler.connect(ari)
        self._settlement.holds = True


async def _beside(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Live beside the calls, which what breaks here does not touch: it begins again."""
    while True:
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - the boundary of a side task
            _log.error("a side task broke; it begins again", task=name, exc_info=error)
            await asyncio.sleep(ASIDE_AGAIN_S)
