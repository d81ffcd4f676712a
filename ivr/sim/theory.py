"""The queue itself held against theory: its Lua functions on callers whose every wait is known beforehand."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ivr.core.plan import AgentId, GroupId, SiteId, TopicId
from ivr.queueing import commands
from ivr.queueing.model import CallId, Epoch, NodeId, Routing, TopicRouting
from ivr.queueing.sync import SyncQueue
from ivr.sim.erlang import Fates, Formula, Sample, Traffic, drawn, formula, half_width_s, kiefer_wolfowitz, mean_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from ivr.queueing.model import Moves

_START: Final = 1_790_000_000_000
_NODE: Final = NodeId("sim")
_LINE: Final = TopicId("line")
_ALL: Final = GroupId("all")
# At one ms, talks end first, then callers give up, then others come: as the recursion has it.
_END, _GIVE_UP, _COME = range(3)


def engine(redis: Redis, site: SiteId, sample: Sample, agents: int, tell: Callable[[int], None] | None = None) -> Fates:
    """What becomes of each caller in the queue's own functions: offers are answered at once, no wrap-up."""
    queue = SyncQueue(redis, site, (), _NODE)
    queue.found(Epoch("theory"), _START)
    queue.run(commands.configure(Routing({_LINE: TopicRouting.plain(_ALL)}, wrap_ms=0)), _START)
    for n in range(agents):
        queue.run(commands.presence(AgentId(f"agent-{n}"), (_ALL,), _NODE, present=True), _START)
    run = _Run(queue, sample)
    for n in range(len(sample.arrivals)):
        run.until_comes(n)
        if tell is not None:
            tell(n)
    run.to_the_end()
    return Fates(run.waits, run.left)


class _Run:
    """The events of one sample, in order. Calls are named by their number, so that names sort as they come."""

    def __init__(self, queue: SyncQueue, sample: Sample) -> None:
        self._queue = queue
        self._sample = sample
        self._events: list[tuple[int, int, int]] = []
        self.waits = [0] * len(sample.arrivals)
        self.left = [False] * len(sample.arrivals)
        self._begun = bytearray(len(sample.arrivals))

    def until_comes(self, n: int) -> None:
        """Live until caller `n` has come."""
        heapq.heappush(self._events, (self._sample.arrivals[n], _COME, n))
        while self._next() != (_COME, n):
            pass

    def to_the_end(self) -> None:
        """Live until nothing is left to happen."""
        while self._events:
            self._next()

    def _next(self) -> tuple[int, int]:
        at, kind, n = heapq.heappop(self._events)
        now, call = _START + at, CallId(f"{n:09}")
        if kind == _COME:
            self._do(commands.join(call, _NODE, _LINE, now), now)
            if not self._begun[n] and self._sample.patience is not None:
                heapq.heappush(self._events, (at + self._sample.patience[n], _GIVE_UP, n))
        elif kind == _END:
            self._do(commands.release(call), now)
        elif not self._begun[n]:
            self.waits[n], self.left[n] = at - self._sample.arrivals[n], True
            self._do(commands.leave(call, "left"), now)
        return kind, n

    def _do(self, command: commands.Command[Any], now: int) -> None:
        moves: Moves = self._queue.run(command, now)
        for offer in moves.offers:
            n = int(offer.call)
            self._begun[n] = True
            self.waits[n] = now - _START - self._sample.arrivals[n]
            heapq.heappush(self._events, (now - _START + self._sample.talks[n], _END, n))
            self._do(commands.accept(offer.token), now)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One sample three times: the queue's functions, the recursion, the formula."""

    traffic: Traffic
    calls: int
    engine: Fates
    recursion: Fates
    formula: Formula
    wall_s: float

    @property
    def differing(self) -> int:
        """Callers whose fate is not the same, to the ms, in the queue and in the recursion."""
        ours = zip(self.engine.waits, self.engine.left, strict=True)
        theirs = zip(self.recursion.waits, self.recursion.left, strict=True)
        return sum(one != other for one, other in zip(ours, theirs, strict=True))

    def facts(self) -> dict[str, Any]:
        """Everything, ready for JSON; means are of all callers but the first twentieth, in seconds."""
        traffic = self.traffic
        return {
            "agents": traffic.agents,
            "arrivals_per_hour": traffic.per_hour,
            "aht_s": traffic.talk_s,
            "patience_s": traffic.patience_s,
            "erlangs": round(traffic.erlangs, 4),
            "calls": self.calls,
            "engine": _told(self.engine),
            "recursion": _told(self.recursion),
            "formula": {"wait_s": {"mean": round(self.formula.wait_s, 4)}, "left": round(self.formula.left, 5)},
            "half_width_s": round(half_width_s(self.engine.waits), 4),
            "differing": self.differing,
            "wall_s": round(self.wall_s, 2),
        }


def _told(fates: Fates) -> dict[str, Any]:
    left = sum(fates.left) / max(1, len(fates.left))
    return {"wait_s": {"mean": round(mean_s(fates.waits), 4)}, "left": round(left, 5)}


def compare(
    redis: Redis, traffic: Traffic, calls: int, seed: int, tell: Callable[[int], None] | None = None
) -> Comparison:
    """Draw a sample and run it in the queue's functions and in the recursion."""
    began = time.monotonic()
    sample = drawn(traffic, calls, seed)
    ours = engine(redis, SiteId("theory"), sample, traffic.agents, tell)
    theirs = kiefer_wolfowitz(sample, traffic.agents)
    return Comparison(traffic, calls, ours, theirs, formula(traffic), time.monotonic() - began)
