"""Whether the machine keeps up with the calls that it has: one that does not takes no more.

A stream of music is due 50 times a second whether or not there is a processor for it. Once more are due than can be
sent, Asterisk falls behind for good: hundreds of its threads want to run, and the worker, one thread, hardly does
(seen: 500 streams and 10 calls a second on two cores ended no call in four minutes). So the load is shed before that,
as at `max_calls`: new callers have a sentence and a promise, and those who are here are served.

Two signs together tell it. Answers are late: those of Asterisk to a ping, or the worker's own waking. And the
processors have no time left, that of niced programs counted as theirs. One of them alone is a slow network, or a
machine at work that still answers in time.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.ari import AriError, AriTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.ari import AriClient
    from ivr.telephony.metrics import Metrics

LOOK_EVERY_S: Final = 0.5
PING_MS: Final = 2_000
_TICKS: Final = os.sysconf("SC_CLK_TCK")

_log = log.get("capacity")


@dataclass(frozen=True, slots=True)
class Limits:
    """Full after `looks` in a row so late, with so much of the processors at work; over after `eased` better ones."""

    late_ms: float = 100.0
    busy: float = 0.9
    looks: int = 2
    eased: int = 6


@dataclass(slots=True)
class Judgement:
    """What the looks so far say."""

    limits: Limits = Limits()
    full: bool = False
    _in_a_row: int = 0

    def look(self, late_ms: float, busy: float) -> bool:
        """Take one look into account; return whether the verdict changed."""
        against = (late_ms >= self.limits.late_ms and busy >= self.limits.busy) != self.full
        self._in_a_row = self._in_a_row + 1 if against else 0
        if self._in_a_row < (self.limits.eased if self.full else self.limits.looks):
            return False
        self.full, self._in_a_row = not self.full, 0
        return True


def machine_ms() -> tuple[float, float]:
    """Return how long the machine's processors have worked and been free, all together (proc_stat(5)).

    What niced programs use is free: they give way.
    """
    fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
    spent = [int(field) for field in fields]
    free = spent[1] + spent[3] + spent[4]
    return (sum(spent) - free) * 1000 / _TICKS, free * 1000 / _TICKS


def busy_share(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Return the share of the machine's processors that was at work between two `machine_ms`."""
    worked, free = after[0] - before[0], after[1] - before[1]
    return worked / (worked + free) if worked + free else 0.0


class Capacity:
    """Looks twice a second. A ping costs Asterisk some microseconds, and is sent only to a busy machine's."""

    def __init__(
        self, ari: AriClient, metrics: Metrics, machine: Callable[[], tuple[float, float]] = machine_ms
    ) -> None:
        self._ari = ari
        self._metrics = metrics
        self._machine = machine
        self._judgement = Judgement()

    @property
    def full(self) -> bool:
        """Whether a new caller is one too many."""
        return self._judgement.full

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            before, due = self._machine(), loop.time() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            late_ms = (loop.time() - due) * 1000
            busy = busy_share(before, self._machine())
            if busy >= self._judgement.limits.busy:
                late_ms = max(late_ms, await self._answers_in())
            if self._judgement.look(late_ms, busy):
                self._tell(late_ms, busy)

    async def _answers_in(self) -> float:
        """Return how long Asterisk takes to answer, ms; 0 where there is none to ask."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        try:
            await self._ari.asterisk.ping(timeout_ms=PING_MS)
        except AriTimeout:
            pass
        except AriError:
            return 0.0
        return (loop.time() - asked) * 1000

    def _tell(self, late_ms: float, busy: float) -> None:
        self._metrics.full.set(self.full)
        figures = {"late_ms": round(late_ms), "busy": round(busy, 2)}
        if self.full:
            _log.error("the machine cannot keep up: new callers have a promise to be called back", **figures)
        else:
            _log.info("the machine keeps up again: every caller is taken", **figures)
