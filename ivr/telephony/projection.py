"""The site's event stream on its way to the ledger: read, committed there, then trimmed here.

The stream is read from its beginning, since what is committed is gone from it: so a stream that began anew, with
smaller ids, is read whole. Killed between commit and trim, or two at a time: the ledger takes each line once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from ivr import log
from ivr.ledger.errors import LedgerError
from ivr.queueing.cancelling import heeding
from ivr.queueing.errors import QueueError
from ivr.queueing.model import NodeId, WorkerId
from ivr.queueing.retry import Retry
from ivr.queueing.stream import KEPT, Line
from ivr.telephony.liveness import is_dead, own_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis.asyncio import Redis

    from ivr.ledger.projector import Projector
    from ivr.queueing.queue import Queue

PROJECTOR: Final = NodeId("projector")
"""The lease's name: one worker of a site copies at a time."""
LEASE_MS: Final = 5_000
BATCH: Final = 200
"""Lines in one transaction: about 10 ms of the worker's time."""
EVERY_S: Final = 2.0
TIDY_EVERY_S: Final = 3_600.0
KEEP_NUMBERS_MS: Final = 30 * 86_400_000
"""How long a number outlives the last file of its caller."""
KEEP_MET_MS: Final = 7 * 86_400_000
"""How long it outlives an answer: an agent may still say that something is owed, until the next call."""
NEAR: Final = KEPT * 8 // 10
"""Lines that wait: more is nearly too many."""
UNREADABLE: Final = "unreadable"
"""The type of a line that is none: kept, so that it holds up nothing and can be looked at."""

_log = log.get("projector")


def readable(raw: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Line]:
    """The lines, in order."""
    found = []
    for id_, fields in raw:
        try:
            found.append(Line.of(id_, fields))
        except (KeyError, ValueError):
            words = {
                name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in fields.items()
            }
            id_text = id_.decode()
            epoch = words.pop("epoch", "")
            found.append(Line(epoch, id_text, UNREADABLE, int(id_text.partition("-")[0]), {"line": str(words)}))
    return found


def after(id_: str) -> str:
    """The id that follows a line's: everything below it is that line or older."""
    ms, _, n = id_.partition("-")
    return f"{ms}-{int(n) + 1}"


class Projection:
    """Copies while this worker holds the lease; `run` returns only when cancelled, and then gives it back.

    `alone`: nobody else copies from this Redis, and no lease is asked for. `noticed` is called for each agent whom
    the queue paused by itself.
    """

    def __init__(  # noqa: PLR0913 - what a copier stands on, by name
        self,
        redis: Redis,
        queue: Queue,
        projector: Projector,
        *,
        worker: WorkerId | None = None,
        retry: Retry | None = None,
        every_s: float = EVERY_S,
        alone: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        noticed: Callable[[], object] = lambda: None,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._projector = projector
        self._id = worker or WorkerId(own_name())
        self._retry = retry or Retry(first_ms=100, factor=2, max_ms=5_000)
        self._every_s = every_s
        self._alone = alone
        self._monotonic = monotonic
        self._noticed = noticed
        self._key = queue.keys.name("events")
        self._held_until = self._tidy_at = 0.0
        self._near = False
        self.copied = 0
        """Lines that were new to the ledger."""

    async def run(self) -> None:
        """Copy for ever, whatever Redis and the ledger do; says once that they are away and once that they are back."""
        failures = 0
        try:
            while True:
                try:
                    more = await self.step()
                except (LedgerError, QueueError, RedisError) as error:
                    failures += 1
                    if failures == 1:
                        _log.error("history is not copied to the ledger; its lines are kept", reason=str(error))
                    await asyncio.sleep(self._retry.pause_s(min(failures, 16)))
                    continue
                if failures:
                    _log.info("history is copied to the ledger again")
                failures = 0
                if not more:
                    await asyncio.sleep(self._every_s)
        finally:
            if not self._alone:
                with contextlib.suppress(QueueError):
                    await self._queue.unlease(PROJECTOR, self._id)

    async def step(self) -> bool:
        """Copy one batch if the lease is ours; whether more may be waiting. Raises what Redis or the ledger has."""
        if not self._alone and not await self._ours():
            return False
        await self._watch()
        raw: Any = await heeding(self._redis.xrange(self._key, count=BATCH))
        lines = readable(raw)
        if lines:
            self.copied += await self._projector.commit(lines)
            for line in lines:
                if line.type == "notice":
                    _log.warning("an agent was paused after two missed calls; somebody should look", **line.fields)
                    self._noticed()
            await heeding(self._redis.xtrim(self._key, minid=after(lines[-1].id), approximate=False))
        if len(lines) == BATCH:
            return True
        if not self._alone:
            # Only now: a line that waited may have opened a file, which keeps a number.
            await self._tidy()
        return False

    async def _watch(self) -> None:
        """Say once that lines will be lost soon, and once that they will not."""
        waiting = await heeding(self._redis.xlen(self._key))
        if waiting > NEAR and not self._near:
            _log.error(
                "history is about to be lost: Redis drops the oldest lines beyond its limit; mend the ledger",
                lines=waiting,
                limit=KEPT,
            )
        elif waiting <= NEAR and self._near:
            _log.info("history is in no danger any more", lines=waiting)
        self._near = waiting > NEAR

    async def _tidy(self) -> None:
        """Forget what has been kept for long enough, now and then."""
        if self._monotonic() >= self._tidy_at:
            now = self._queue.clock()
            forgotten = await self._projector.forget_numbers(now - KEEP_NUMBERS_MS, now - KEEP_MET_MS)
            if forgotten:
                _log.info("numbers of callers to whom nothing is owed are forgotten", count=forgotten)
            self._tidy_at = self._monotonic() + TIDY_EVERY_S

    async def _ours(self) -> bool:
        asked = self._monotonic()
        if asked < self._held_until:
            return True
        leased = await self._queue.lease(PROJECTOR, self._id, LEASE_MS)
        if not leased.granted and leased.holder is not None and is_dead(leased.holder):
            await self._queue.unlease(PROJECTOR, leased.holder)
            leased = await self._queue.lease(PROJECTOR, self._id, LEASE_MS)
        # Renewed when half of it is over. Two holders for a moment do no harm.
        self._held_until = asked + LEASE_MS / 2000 if leased.granted else 0.0
        return leased.granted
