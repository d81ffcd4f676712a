"""A Redis client whose patience is ours: it does not retry by itself, `Retry` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry as ClientRetry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SENTINEL: Final = "redis+sentinel"
SENTINEL_PORT: Final = 26_379


class RedisAddressError(IvrError):
    """An address that names no Redis; the sentence says how one reads."""


def connect(url: str, *, timeout_s: float = 1.0) -> Redis:
    """A client for `unix:///…`, `redis://…` or `redis+sentinel://host:port,host:port/primary`.

    Answers later than `timeout_s` are failures. By Sentinel, each new connection goes to the primary of the moment.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": ClientRetry(NoBackoff(), 0),
    }
    if url.startswith(f"{SENTINEL}://"):
        return _by_sentinel(url, options)
    client: Redis = Redis.from_url(url, **options)
    return client


class _ToPrimary(Redis):
    """A client that closes the connections to its Sentinels with its own."""

    sentinels: Sequence[Redis] = ()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - as it is there
        """Close everything."""
        await super().aclose(close_connection_pool)
        for sentinel in self.sentinels:
            await sentinel.aclose()


def _by_sentinel(url: str, options: Mapping[str, Any]) -> Redis:
    parts = urlsplit(url)
    primary = parts.path.strip("/")
    login, _, places = parts.netloc.rpartition("@")
    hosts = [place.rpartition(":") if ":" in place else (place, "", "") for place in places.split(",") if place]
    if not primary or not hosts or not all(port.isdigit() or not port for _, _, port in hosts):
        raise RedisAddressError(f"{SENTINEL}://…: write {SENTINEL}://host:port,host:port/name-of-the-primary")
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [(host, int(port or SENTINEL_PORT)) for host, _, port in hosts],
        sentinel_kwargs=dict(options),
        password=login.rpartition(":")[2] or None,
        **options,
    )
    client: _ToPrimary = sentinels.master_for(primary, redis_class=_ToPrimary)
    client.sentinels = sentinels.sentinels
    return client
