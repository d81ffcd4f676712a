"""Counters of one worker, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """The worker's own registry and what it counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Gauge("ivr_calls", "Calls held by this worker", registry=self.registry)
        self.begun = Counter("ivr_calls_begun", "Calls begun or adopted", registry=self.registry)
        self.ended = Counter("ivr_calls_ended", "Calls ended, by outcome", ["outcome"], registry=self.registry)
        self.ari_up = Gauge("ivr_ari_up", "1 while connected to Asterisk", registry=self.registry)
