"""Builds one worker out of its settings, and runs it. Nothing imports this but the command line."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop

from ivr import log
from ivr.ari import AriClient, Connected
from ivr.core.plan import SiteId
from ivr.ledger.journal import Journal
from ivr.ledger.projector import Projector
from ivr.ledger.store import Ledger
from ivr.notify import Notifier
from ivr.plan import PlanError, load
from ivr.provision.secrets import Secrets
from ivr.publish.hours import HoursNow
from ivr.publish.serving import SHELF
from ivr.publish.shelf import Shelf
from ivr.publish.store import Publications
from ivr.publish.watch import Watch
from ivr.queueing.clock import SiteClock
from ivr.queueing.connect import connect
from ivr.queueing.listener import OfferListener
from ivr.queueing.model import NodeId
from ivr.queueing.queue import Queue
from ivr.queueing.routing import routing_of
from ivr.staffing.feeds import Feeds
from ivr.staffing.roster import Roster
from ivr.telephony.drain import Drain
from ivr.telephony.messages import FallbackMessages
from ivr.telephony.metrics import Metrics
from ivr.telephony.projection import Projection
from ivr.telephony.promises import Promises
from ivr.telephony.worker import EVENTS, Worker
from ivr.web.health import serve_health
from ivr.web.states import routes

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from ivr.ari import State
    from ivr.core.plan import Plan
    from ivr.plan import Loaded
    from ivr.publish.states import States
    from ivr.publish.version import Version
    from ivr.settings import Settings

GC_ALLOCATIONS: Final = 20_000
"""New objects between two collections: some calls' worth, instead of one step's."""
STOP_WITHIN_S: Final = 2.0
"""After SIGTERM. Whatever still holds us then (a Redis that does not answer) is left: so does a crash, and it is
survived."""

_log = log.get("app")


def serve(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT. Its calls stay in Asterisk: the next worker adopts them."""
    log.configure(settings.log_level)
    # What is loaded by now stays: not looked through again at each collection.
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    notifier = Notifier()
    stop = _Stop(notifier)
    secrets = Secrets.load_or_create(settings.secrets_file)
    metrics = Metrics()
    connection = connect(settings.redis_url)
    emergency = connect(settings.emergency_redis_url) if settings.emergency_redis_url else None
    worker: Worker | None = None
    messages: FallbackMessages | None = None

    async def on_connect(client: AriClient) -> None:
        if worker is not None:
            await worker.on_connect(client)

    def on_state(state: State) -> None:
        if worker is not None:
            worker.on_state(state)
        if messages is not None and isinstance(state, Connected):
            messages.look()

    ari = AriClient(
        url=settings.ari_url,
        user=settings.ari_user,
        password=secrets.ari_password,
        accounts=lambda: Secrets.load_or_create(settings.secrets_file).ari_accounts(settings.ari_user),
        app=settings.app,
        transport=settings.ari_transport,
        event_filter=EVENTS,
        on_event=lambda event: worker.on_event(event) if worker is not None else None,
        on_state=on_state,
        on_connect=on_connect,
    )
    try:
        async with Promises(Ledger(settings.ledger), Journal(settings.journal)) as promises:
            ledger = promises.ledger
            clock = SiteClock()
            watch, plan = await _published(settings, connection, ledger, clock)
            queue = Queue(
                connection,
                plan.site,
                routing_of(plan, retired=watch.retired).lines,
                node=NodeId(settings.node),
                clock=clock,
                emergency=emergency,
            )
            metrics.watch(ari, queue)
            metrics.watch_journal(promises.waiting)
            messages = FallbackMessages(ari, ledger, plan, secrets.caller_key, clock.true_ms)
            projector = Projector(ledger, plan.site, plan.message_due_days)
            roster = await _roster(connection, watch, plan, queue)
            aside = {
                "roster": roster.run,
                "projector": Projection(connection, queue, projector, noticed=metrics.noticed.inc).run,
                "messages": messages.run,
                "promises": promises.run,
                "publication": lambda: watch.run(Served(worker, messages, projector)),
            }
            if emergency is not None:
                aside["emergency projector"] = Projection(
                    emergency, queue, projector, alone=True, noticed=metrics.noticed.inc
                ).run
            drain = Drain(ari)
            admin = watch.admin(pin=secrets.admin_pin, token=secrets.admin_token)
            worker = Worker(
                ari=ari,
                queue=queue,
                listener=lambda node, tell, listening: OfferListener(connection, queue.keys, node, tell, listening),
                ledger=promises,
                plan=plan,
                node=settings.node,
                app=settings.app,
                sounds=settings.sounds,
                ref_key=secrets.caller_key,
                metrics=metrics,
                wrap_ms=settings.wrap_ms,
                admin=admin.dialled,
                find=watch.find,
                retired=watch.retired,
                recordings=Path(settings.recordings) if settings.recordings else None,
                staffing=roster.staffing,
                calendar=HoursNow(
                    plan=lambda: watch.plan or plan,
                    states=lambda: watch.states,
                    clock=clock,
                    ahead=clock.ahead_ms,
                    alert=metrics.hours_unknown.set,
                ),
                aside=aside,
            )
            roster.tell = worker.reroute

            async def ready() -> dict[str, bool]:
                return {"asterisk": worker.connected, "plan": True, "open": not (stop.asked or await drain.look())}

            def state() -> tuple[bool, str]:
                if not worker.connected:
                    return False, f"node {settings.node}: standing by, or without Asterisk or Redis"
                return True, f"node {settings.node}: {len(worker.calls)} calls held"

            async with (
                serve_health(settings.http_bind, metrics.registry, ready, routes(admin)),
                asyncio.TaskGroup() as group,
            ):
                _log.info("serving", site=plan.site, plan=plan.version, node=settings.node)
                group.create_task(notifier.run(state))
                await worker.run()
    except asyncio.CancelledError:
        _log.info("stopped; calls in progress are kept by Asterisk")
    finally:
        await connection.aclose()
        if emergency is not None:
            await emergency.aclose()


def _site(folder: Loaded, shelf: Shelf) -> SiteId:
    """Return whose worker this is: the folder's, or where that is broken, whom this machine served last."""
    if folder.plan is not None:
        return folder.plan.site
    last = shelf.last()
    if last is None:
        raise PlanError(folder.faults)
    return SiteId(last.version.site)


async def _published(settings: Settings, redis: Redis, ledger: Ledger, clock: SiteClock) -> tuple[Watch, Plan]:
    """Return the watch over what is published, and the plan to begin with; raises PlanError where there is none."""
    shelf, folder = Shelf(settings.state_dir / SHELF), load(settings.plan)
    watch = Watch(Publications(redis, ledger, _site(folder, shelf)), shelf, clock.true_ms)
    loaded = await watch.begin(folder)
    if loaded.plan is None:
        raise PlanError(loaded.faults)
    return watch, loaded.plan


@dataclass(slots=True)
class Served:
    """What of this process follows the version and the states in force."""

    worker: Worker | None
    messages: FallbackMessages
    projector: Projector

    async def plan(self, loaded: Loaded, version: Version) -> None:
        """Serve another version; raises IvrError where it cannot be followed yet."""
        if self.worker is None or loaded.plan is None:
            return
        self.messages.plan = loaded.plan
        self.projector.due_in(loaded.plan.message_due_days)
        await self.worker.switch(loaded.plan, version.retired)

    async def states(self, states: States) -> None:
        """Take note of what is forced, and of a crisis."""
        _log.info("forced states", forced=len(states.forced), crisis=states.crisis.id if states.crisis else "")


async def _roster(redis: Redis, watch: Watch, plan: Plan, queue: Queue) -> Roster:
    """Return who is there, the calendars as other workers know them included."""
    feeds = Feeds(redis, plan.site, queue.clock.true_ms)
    await feeds.read()
    return Roster(plan=lambda: watch.plan or plan, clock=queue.clock.true_ms, feeds=feeds, crisis=lambda: watch.crisis)


class _Stop:
    """SIGTERM and SIGINT end the task that made this, at the latest by leaving everything as it is."""

    def __init__(self, notifier: Notifier) -> None:
        self.asked = False
        self._notifier = notifier
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._now)

    def _now(self) -> None:
        if self.asked or self._task is None:
            return
        self.asked = True
        self._notifier.tell("STOPPING=1", "STATUS=stopping; Asterisk keeps the calls")
        self._loop.call_later(STOP_WITHIN_S, _leave)
        self._task.cancel()


def _leave() -> None:
    _log.error("the end takes too long; leaving everything as it is", seconds=STOP_WITHIN_S)
    os._exit(1)
