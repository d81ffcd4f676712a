"""Counters of one worker, for Prometheus."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ivr.telephony.invariants import Rule
from ivr.telephony.resync import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric

    from ivr.ari import AriClient
    from ivr.queueing.queue import Queue


class Metrics:
    """The worker's own registry and what it counts; also its process: time, memory, descriptors."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Gauge("ivr_calls", "Calls held by this worker", registry=self.registry)
        self.begun = Counter("ivr_calls_begun", "Calls begun or adopted", registry=self.registry)
        self.ended = Counter("ivr_calls_ended", "Calls ended, by outcome", ["outcome"], registry=self.registry)
        self.ari_up = Gauge("ivr_ari_up", "1 while connected to Asterisk", registry=self.registry)
        self.emergency = Gauge(
            "ivr_queue_emergency",
            "1 while the shared Redis is away and the node's own has its calls",
            registry=self.registry,
        )
        self.full = Gauge(
            "ivr_machine_full",
            "1 while the machine cannot keep up: new callers have a promise",
            registry=self.registry,
        )
        self.hours_unknown = Gauge(
            "ivr_hours_unknown", "Schedules that cannot be worked out, and count as open", registry=self.registry
        )
        self.noticed = Counter(
            "ivr_agents_paused_missed", "Agents paused after two missed calls in a row", registry=self.registry
        )
        self.adopted = Gauge("ivr_adopted", "Calls adopted at the last connect", registry=self.registry)
        self.adoption_s = Gauge(
            "ivr_adoption_seconds", "From the last connect until its last call was adopted", registry=self.registry
        )
        self.repairs = Counter(
            "ivr_repairs",
            "Differences between Asterisk, Redis and the actors that were mended, by kind and occasion",
            ["kind", "when"],
            registry=self.registry,
        )
        self.violations = Counter(
            "ivr_violations", "What must hold of the site and does not, by rule", ["kind"], registry=self.registry
        )
        for rule in get_args(Rule):
            self.violations.labels(rule)
        for kind in get_args(Kind):  # there from the start: the first of a kind is then seen as a growth
            for when in ("connect", "look"):
                self.repairs.labels(kind, when)
        ProcessCollector(registry=self.registry)

    def watch_journal(self, waiting: Callable[[], float]) -> None:
        """Show how many promises wait in the journal, counted at each request."""
        gauge = Gauge("ivr_journal_promises", "Promises that wait for the ledger", registry=self.registry)
        gauge.set_function(waiting)

    def watch(self, ari: AriClient, queue: Queue) -> None:
        """Show, too, what passes between the worker and Asterisk and Redis, counted where it happens."""
        self.registry.register(_Traffic(ari, queue))


class _Traffic(Collector):
    """Read at each request of /metrics; costs nothing in between."""

    def __init__(self, ari: AriClient, queue: Queue) -> None:
        self._ari = ari
        self._queue = queue

    def describe(self) -> list[Metric]:
        """Say nothing beforehand: a task count needs the running loop."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the counters as they stand."""
        stats = self._ari.stats
        yield CounterMetricFamily("ivr_ari_requests", "Requests sent to Asterisk", stats.requests)
        yield CounterMetricFamily("ivr_ari_events", "Events of Asterisk that were acted upon", stats.events)
        yield CounterMetricFamily("ivr_ari_timeouts", "Requests that Asterisk never answered", stats.timeouts)
        yield CounterMetricFamily("ivr_ari_connections", "Times that Asterisk was connected to", stats.connections)
        yield CounterMetricFamily("ivr_ari_deaf", "Connections given up because no events came", stats.deaf)
        sent = CounterMetricFamily("ivr_queue_round_trips", "Round trips to Redis, by command", labels=["command"])
        for command, count in sorted(self._queue.sent.items()):
            sent.add_metric([command], count)
        yield sent
        yield GaugeMetricFamily("ivr_tasks", "Tasks of the worker's loop", len(asyncio.all_tasks()))
