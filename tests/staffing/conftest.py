"""A queue on a real redis-server, whose clock a test moves."""

from __future__ import annotations

from tests.queueing import conftest as of_queueing

clock, queue, redis, redis_url, site = (
    of_queueing.clock,
    of_queueing.queue,
    of_queueing.redis,
    of_queueing.redis_url,
    of_queueing.site,
)
