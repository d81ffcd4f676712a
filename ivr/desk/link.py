"""A desk's own connection to the site's queue: it joins what the workers founded, and founds nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from ivr.desk.errors import DeskError
from ivr.plan import load_or_raise
from ivr.queueing.connect import connect
from ivr.queueing.errors import QueueError, QueueUnavailable, StateLost
from ivr.queueing.queue import Queue
from ivr.queueing.retry import Retry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ivr.core.plan import Plan
    from ivr.queueing.model import Dump, Epoch
    from ivr.queueing.queue import Home
    from ivr.settings import Settings

PATIENCE_S: Final = 3.0
"""A person at a terminal waits longer than a caller may: a busy machine is no fault."""
ONCE: Final = Retry(attempts=2)


class Link:
    """The plan, and the queue under the epoch in force, looked up again when another one begins."""

    def __init__(self, plan: Plan, queue: Queue) -> None:
        self.plan = plan
        self.queue = queue
        queue.on_loss = self._elsewhere

    async def dump(self) -> Dump:
        """Read everything; raises DeskError when no worker has run, QueueUnavailable when Redis is away."""
        try:
            if self.queue.epoch is None:
                await self._learn_clock()
            return await self.queue.dump()
        except StateLost as lost:
            if lost.found is None:
                raise DeskError(
                    f"Aucun standard n'a encore fonctionné pour « {self.plan.site} » sur ce Redis. "
                    "Lancez-le (« ivr serve »), puis recommencez."
                ) from None
            self.queue.epoch = lost.found
            return await self.queue.dump()

    async def _learn_clock(self) -> None:
        try:
            await self.queue.learn_clock()
        except QueueUnavailable as away:
            if not await self._elsewhere(self.queue.home, None, away):
                raise

    async def _elsewhere(self, home: Home, _epoch: Epoch | None, why: QueueError) -> bool:
        """Go where the calls are: while the shared Redis is away, the node's own has them."""
        if home != "shared" or not self.queue.sheltered or not isinstance(why, QueueUnavailable):
            return False
        there = self.queue.at("emergency")
        try:
            await there.learn_clock()
            await there.people()
        except StateLost as lost:
            there.epoch = lost.found
        except QueueUnavailable:
            return False
        if there.epoch is None:
            return False
        self.queue.become(there)
        return True


@contextlib.asynccontextmanager
async def linked(settings: Settings) -> AsyncIterator[Link]:
    """A link by the settings. Redis need not be there yet: the first command finds out."""
    plan, _ = load_or_raise(settings.plan)
    async with contextlib.AsyncExitStack() as closing:
        urls = [url for url in (settings.redis_url, settings.emergency_redis_url) if url]
        shared, *own = [connect(url, timeout_s=PATIENCE_S) for url in urls]
        for connection in (shared, *own):
            closing.push_async_callback(connection.aclose)
        # No topics of ours: the routing in force names them.
        yield Link(plan, Queue(shared, plan.site, (), retry=ONCE, emergency=own[0] if own else None))


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Say in French that Redis does not answer."""
    try:
        yield
    except QueueUnavailable as error:
        raise DeskError("Redis ne répond pas. Vérifiez qu'il tourne, et IVR_REDIS_URL.") from error
