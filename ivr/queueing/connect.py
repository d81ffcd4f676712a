"""A Redis client whose patience is ours: it does not retry by itself, `Retry` does."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry as ClientRetry
from redis.backoff import NoBackoff


def connect(url: str, *, timeout_s: float = 1.0) -> Redis:
    """A client for `unix:///…` or `redis://…`; answers later than `timeout_s` are failures."""
    client: Redis = Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=ClientRetry(NoBackoff(), 0),
    )
    return client
