"""Asks Redis and the ledger what they are; neither gets a write, a missing ledger is not made."""

from __future__ import annotations

import contextlib
import re
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from ivr.doctor import facts
from ivr.ledger.errors import LedgerError
from ivr.ledger.migrate import version_of
from ivr.ledger.schema import HEAD
from ivr.ledger.store import Ledger
from ivr.queueing.connect import RedisAddressError, connect

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from ivr.settings import Settings

PATIENCE_S: Final = 3.0
ASKED: Final = 21
_PASSWORD: Final = re.compile(r"(://[^:/@]*:)[^/]*@")


def without_password(url: str) -> str:
    """The same address, to be shown."""
    return _PASSWORD.sub(r"\1…@", url)


async def redis(url: str) -> facts.Redis:
    """What a Redis keeps, throws away, and how soon it answers."""
    shown = without_password(url)
    try:
        client = connect(url, timeout_s=PATIENCE_S)
    except (RedisAddressError, ValueError) as error:
        return facts.Redis(shown, problem=str(error))
    try:
        return await _redis(client, shown)
    except (RedisError, OSError, ValueError) as error:
        return facts.Redis(shown, problem=str(error) or type(error).__name__)
    finally:
        with contextlib.suppress(RedisError, OSError):
            await client.aclose()


async def _redis(client: Redis, url: str) -> facts.Redis:
    info: dict[str, Any] = await client.info()
    spent = []
    for _ in range(ASKED):
        began = time.perf_counter()
        await client.ping()
        spent.append((time.perf_counter() - began) * 1_000)
    before = time.time()
    seconds, micros = await client.time()
    here = (before + time.time()) / 2
    saves = False
    with contextlib.suppress(RedisError):  # a Redis of others may not tell
        saves = bool((await client.config_get("save")).get("save"))
    return facts.Redis(
        url=url,
        version=str(info.get("redis_version", "")),
        appends=bool(info.get("aof_enabled")),
        saves=saves,
        written=info.get("aof_last_write_status", "ok") == "ok" and info.get("aof_last_bgrewrite_status", "ok") == "ok",
        policy=str(info.get("maxmemory_policy", "")),
        used=int(info.get("used_memory", 0)),
        limit=int(info.get("maxmemory", 0)),
        latency_ms=statistics.median(spent),
        drift_ms=(here - (seconds + micros / 1e6)) * 1_000,
    )


async def ledger(settings: Settings) -> facts.Ledger:
    """The schema that the ledger has; it is not brought to ours."""
    where = without_password(settings.ledger)
    path = Path(settings.ledger.partition(":///")[2]) if settings.ledger.startswith("sqlite") else None
    if path is not None and not path.exists():
        problem = "" if path.parent.is_dir() else f"le dossier {path.parent} n'existe pas"
        return facts.Ledger(where, HEAD, problem)
    book = Ledger(settings.ledger)
    try:
        async with contextlib.AsyncExitStack() as closing:
            closing.push_async_callback(book.disconnect)
            connection = await closing.enter_async_context(book.as_it_is("le registre ne s'ouvre pas"))
            return facts.Ledger(where, HEAD, version=await connection.run_sync(version_of))
    except LedgerError as error:
        return facts.Ledger(where, HEAD, str(error))
