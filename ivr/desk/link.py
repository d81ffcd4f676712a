"""A desk's own connection to the site's queue: it joins what the workers founded, and founds nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from ivr.desk.errors import DeskError
from ivr.plan import load_or_raise
from ivr.queueing.connect import connect
from ivr.queueing.errors import QueueUnavailable, StateLost
from ivr.queueing.queue import Queue
from ivr.queueing.retry import Retry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ivr.core.plan import Plan
    from ivr.queueing.model import Dump
    from ivr.settings import Settings

PATIENCE_S: Final = 3.0
"""A person at a terminal waits longer than a caller may: a busy machine is no fault."""
ONCE: Final = Retry(attempts=2)


class Link:
    """The plan, and the queue under the epoch in force, looked up again when another one begins."""

    def __init__(self, plan: Plan, queue: Queue) -> None:
        self.plan = plan
        self.queue = queue

    async def dump(self) -> Dump:
        """Read everything; raises DeskError when no worker has run, QueueUnavailable when Redis is away."""
        try:
            if self.queue.epoch is None:
                await self.queue.learn_clock()
            return await self.queue.dump()
        except StateLost as lost:
            if lost.found is None:
                raise DeskError(
                    f"Aucun standard n'a encore fonctionné pour « {self.plan.site} » sur ce Redis. "
                    "Lancez-le (« ivr serve »), puis recommencez."
                ) from None
            self.queue.epoch = lost.found
            return await self.queue.dump()


@contextlib.asynccontextmanager
async def linked(settings: Settings) -> AsyncIterator[Link]:
    """A link by the settings. Redis need not be there yet: the first command finds out."""
    plan, _ = load_or_raise(settings.plan)
    connection = connect(settings.redis_url, timeout_s=PATIENCE_S)
    try:
        # No topics of ours: the routing in force names them.
        yield Link(plan, Queue(connection, plan.site, (), retry=ONCE))
    finally:
        await connection.aclose()


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Say in French that Redis does not answer."""
    try:
        yield
    except QueueUnavailable as error:
        raise DeskError("Redis ne répond pas. Vérifiez qu'il tourne, et IVR_REDIS_URL.") from error
