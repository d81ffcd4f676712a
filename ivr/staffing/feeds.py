"""The calendars of agents that are addresses: read now and then, their busy times kept in Redis for every worker.

Nothing else of a calendar is kept, and its address, which may hold a secret, is written nowhere. A calendar that
cannot be read leaves what it said last, and is told of once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from redis.exceptions import RedisError

from ivr import log
from ivr.core.plan import Absence
from ivr.plan.ical import MAX_BYTES, CalendarError, busy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from redis.asyncio import Redis

    from ivr.core.plan import AgentId, Plan, SiteId

    Fetch = Callable[[str], Awaitable[bytes]]

EVERY_MS: Final = 15 * 60_000
"""How old a copy of a calendar may be before it is read again."""
AGAIN_MS: Final = 2 * 60_000
"""After it could not be read."""
AHEAD: Final = timedelta(days=60)
WITHIN_S: Final = 20.0
HOPS: Final = 4
_ELSEWHERE: Final = frozenset({301, 302, 303, 307, 308})

_log = log.get("feeds")


async def fetch(url: str, *, schemes: frozenset[str] = frozenset({"https"})) -> bytes:
    """Return what an address holds; CalendarError when it cannot be had, is too large, or leads out of `schemes`."""
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WITHIN_S), trust_env=True) as session:
            here = url
            for _ in range(HOPS):
                if urlsplit(here).scheme not in schemes:
                    raise CalendarError("l'adresse mène hors de https", "the address leads out of https")
                async with session.get(here, allow_redirects=False, headers={"Accept": "text/calendar"}) as answer:
                    if answer.status not in _ELSEWHERE or "Location" not in answer.headers:
                        answer.raise_for_status()
                        return await _whole(answer)
                    here = urljoin(here, answer.headers["Location"])
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        status = getattr(error, "status", None)
        reason = f"HTTP {status}" if status else type(error).__name__
        raise CalendarError(reason, reason) from error
    raise CalendarError("l'adresse renvoie sans fin à une autre", "the address leads from one to another for ever")


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for part in answer.content.iter_chunked(64 * 1024):
        raw += part
        if len(raw) > MAX_BYTES:
            raise CalendarError("il dépasse 1 Mo", "it is larger than 1 MB")
    return bytes(raw)


class Feeds:
    """The busy times that the feeds of a plan's agents tell, shared through Redis."""

    def __init__(self, redis: Redis, site: SiteId, clock: Callable[[], int], fetch_one: Fetch = fetch) -> None:
        self._redis = redis
        self._key = f"{{{site}}}:feeds"
        self._clock = clock
        self._fetch = fetch_one
        self._kept: dict[str, tuple[int, tuple[Absence, ...]]] = {}
        self._failed: dict[str, int] = {}

    def absences(self, plan: Plan) -> Mapping[AgentId, tuple[Absence, ...]]:
        """Return what the feeds of a plan's agents said last."""
        return {
            agent.id: self._kept[name][1]
            for agent in plan.agents.values()
            if agent.feed is not None and (name := _name(agent.feed)) in self._kept
        }

    async def read(self) -> None:
        """Take what every worker knows; without Redis, what is known here stays."""
        try:
            raw = await self._redis.hgetall(self._key)
        except RedisError:
            return
        for field, value in raw.items():
            name = field.decode() if isinstance(field, bytes) else str(field)
            try:
                at, spans = json.loads(value)
                copy = (int(at), tuple(Absence(int(start), int(end)) for start, end in spans))
            except (ValueError, TypeError):
                continue  # of another version: it is read anew when it is old
            if name not in self._kept or copy[0] > self._kept[name][0]:
                self._kept[name] = copy

    async def refresh(self, plan: Plan) -> None:
        """Read the feeds whose copy is old, and share what they say."""
        now = self._clock()
        for agent in plan.agents.values():
            if agent.feed is None:
                continue
            name = _name(agent.feed)
            old = name not in self._kept or now - self._kept[name][0] >= EVERY_MS
            if old and now - self._failed.get(name, -AGAIN_MS) >= AGAIN_MS:
                await self._renew(agent.id, agent.feed, name, now)

    async def _renew(self, agent: AgentId, url: str, name: str, now: int) -> None:
        here = datetime.fromtimestamp(now / 1000, UTC)
        try:
            raw = await self._fetch(url)
            spans = await asyncio.to_thread(busy, raw, here - timedelta(days=1), here + AHEAD)
        except CalendarError as error:
            if name not in self._failed:
                _log.warning("a calendar cannot be read; what it said last stays", agent=agent, reason=str(error))
            self._failed[name] = now
            return
        if self._failed.pop(name, None) is not None:
            _log.info("a calendar can be read again", agent=agent)
        self._kept[name] = (now, spans)
        value = json.dumps([now, [[span.start, span.end] for span in spans]], separators=(",", ":"))
        try:
            await self._redis.hset(self._key, name, value)
        except RedisError:
            _log.debug("a calendar's copy is kept by this worker alone", agent=agent)


def _name(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:32]
