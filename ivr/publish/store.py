"""Where versions and states are: Redis, which every worker looks at, and the ledger, which forgets nothing.

Two keys under the site's hash tag: `published`, a small hash with the number and the version in force and a field
for each state, and `plans`, the files of each version by its content. Whoever changes them runs one script, which
does so only from the version that was seen. Where Redis came back empty or older, the ledger's newest version is
put back, or what a worker holds where the ledger is away too.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from ivr.ledger.errors import LedgerError
from ivr.ledger.plans import PlanRow, keep_plan, plan_rows
from ivr.publish.errors import NoSuchVersion, Overtaken, StoreAway
from ivr.publish.states import InForce, State, States, field_of, to_json
from ivr.publish.version import Files, Published, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from redis.asyncio import Redis

    from ivr.core.plan import SiteId
    from ivr.ledger.store import Ledger

PUBLISH: Final = """
local known = tonumber(redis.call('HGET', KEYS[1], 'number') or 0)
if known ~= tonumber(ARGV[1]) then return known end
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], 'number', ARGV[2], 'content', ARGV[4], 'version', ARGV[3])
return tonumber(ARGV[1])
"""
RESTORE: Final = """
local known = tonumber(redis.call('HGET', KEYS[1], 'number') or 0)
if known >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[1], 'number', ARGV[1], 'content', ARGV[3], 'version', ARGV[2])
if known == 0 then
  for i = 5, #ARGV, 2 do redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
return 1
"""
SET: Final = """
for i = 4, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if fields[i] == 'crisis' or string.sub(fields[i], 1, 7) == 'forced:' then
    if cjson.decode(fields[i + 1])['until'] <= tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], fields[i]) end
  end
end
return 1
"""

TRY: Final = """
local now, kept = tonumber(ARGV[1]), {}
for at in string.gmatch(redis.call('GET', KEYS[1]) or '', '%d+') do
  if now - tonumber(at) < tonumber(ARGV[2]) then kept[#kept + 1] = at end
end
if #kept >= tonumber(ARGV[3]) then return 0 end
kept[#kept + 1] = ARGV[1]
redis.call('SET', KEYS[1], table.concat(kept, ' '))
return 1
"""
TRIES: Final = 3
TRIES_WITHIN_MS: Final = 3_600_000


class Publications:
    """One site's versions and states. Every method raises StoreAway; what needs the ledger, LedgerError too."""

    def __init__(self, redis: Redis, ledger: Ledger, site: SiteId) -> None:
        self._redis: Any = redis
        self._ledger = ledger
        self.site = site
        self._tries = f"{{{site}}}:pin"
        self._keys = (f"{{{site}}}:published", f"{{{site}}}:plans")

    async def in_force(self, now: int) -> InForce:
        """Return what is in force, in one small reading."""
        fields = await self._fields()
        return InForce(int(fields.get("number", 0)), fields.get("content", ""), States.of(fields, now))

    async def _fields(self) -> Mapping[str, str]:
        return {name.decode(): text.decode() for name, text in (await self._ask("hgetall", self._keys[0])).items()}

    # -- versions ----------------------------------------------------------

    async def current(self) -> Published | None:
        """Return the version in force with its files, Redis brought up to the ledger first; None: none was published.

        Raises LedgerError when Redis has none and the ledger cannot be asked.
        """
        fields = await self._fields()
        number = int(fields.get("number", 0))
        try:
            newest = await plan_rows(self._ledger, self.site, last=1)
        except LedgerError:
            if not number:
                raise
            newest = []
        if newest and newest[0].number > number:
            await self._restore(_published(newest[0]), ())
            return _published(newest[0])
        return await self._from(fields) if number else None

    async def shown(self) -> Published | None:
        """Return the version in force as Redis shows it; the ledger is asked only for what Redis has lost."""
        fields = await self._fields()
        return await self._from(fields) if "version" in fields else None

    async def newest(self) -> Published | None:
        """Return the ledger's newest version."""
        rows = await plan_rows(self._ledger, self.site, last=1)
        return _published(rows[0]) if rows else None

    async def _from(self, fields: Mapping[str, str]) -> Published:
        version = Version.from_json(fields["version"])
        files = await self._ask("hget", self._keys[1], version.content)
        if files is None:  # half of Redis is lost
            return await self.version(version.number)
        return Published(version, Files.from_json(files.decode()))

    async def publish(self, new: Published, moved: Mapping[str, str] | None = None) -> None:
        """Put a version in force, if its parent still is. Overtaken, and nothing is changed, if another one is.

        `moved`: open files of these owners become another's.
        """
        parent = new.version.parent
        now = await self.current()
        if (now.version.number if now else 0) != parent:
            raise Overtaken(now.version if now else new.version)
        # The ledger first: its key decides between two, and what it has is never lost.
        if not await keep_plan(self._ledger, _row(new), moved):
            raise Overtaken(await self._winner(new))
        version, files = new.version.to_json(), new.files.to_json()
        known = await self._ask(
            "eval", PUBLISH, 2, *self._keys, parent, new.version.number, version, new.version.content, files
        )
        if known >= new.version.number:
            found = await self.shown() or new
            if not await self._has(found):  # through another ledger
                raise Overtaken(found.version)
        elif known != parent:  # Redis fell back meanwhile
            await self._restore(new, ())

    async def _has(self, found: Published) -> bool:
        """Whether what is in force came by this ledger: who read it brought Redis up to it first, or followed on it."""
        rows = await plan_rows(self._ledger, self.site, number=found.version.number)
        return bool(rows) and _published(rows[0]) == found

    async def _winner(self, new: Published) -> Version:
        rows = await plan_rows(self._ledger, self.site, number=new.version.number)
        return _published(rows[0]).version if rows else new.version

    async def put_back(self, held: Published, states: Iterable[State]) -> Published:
        """Fill a Redis that came back empty: with the ledger's newest, else with what is held here, and the states."""
        best = held
        with contextlib.suppress(LedgerError):
            newest = await plan_rows(self._ledger, self.site, last=1)
            if newest and newest[0].number > held.version.number:
                best = _published(newest[0])
        await self._restore(best, tuple(states))
        return best

    async def _restore(self, best: Published, states: Sequence[State]) -> None:
        version = best.version
        kept = [text for state in states for text in (field_of(state), to_json(state))]
        await self._ask(
            "eval",
            RESTORE,
            2,
            *self._keys,
            version.number,
            version.to_json(),
            version.content,
            best.files.to_json(),
            *kept,
        )

    async def version(self, number: int) -> Published:
        """Return a version by its number; raises NoSuchVersion."""
        rows = await plan_rows(self._ledger, self.site, number=number)
        if not rows:
            raise NoSuchVersion(number)
        return _published(rows[0])

    async def files_of(self, content: str) -> Files | None:
        """Return the files of a plan's own version, for a call that began with it; None if it is known nowhere."""
        with contextlib.suppress(StoreAway):
            files = await self._ask("hget", self._keys[1], content)
            if files is not None:
                return Files.from_json(files.decode())
        rows = await plan_rows(self._ledger, self.site, content=content)
        return Files.from_json(rows[0].files) if rows else None

    async def history(self, last: int = 50) -> list[Version]:
        """Return the newest versions, the newest first."""
        return [_published(row).version for row in await plan_rows(self._ledger, self.site, last=last)]

    # -- states ------------------------------------------------------------

    async def set(self, state: State, now: int) -> None:
        """Set a state, in place of one of its kind; what is over goes."""
        await self._ask("eval", SET, 1, self._keys[0], now, field_of(state), to_json(state))

    async def unset(self, fields: Iterable[str], now: int) -> None:
        """End states, by the names that they are kept by."""
        await self._ask("eval", SET, 1, self._keys[0], now, "", "", *fields)

    async def may_try(self, now: int) -> bool:
        """Count a try at the PIN, before it is looked at; False where there were too many within the hour."""
        return bool(await self._ask("eval", TRY, 1, self._tries, now, TRIES_WITHIN_MS, TRIES))

    async def tried_well(self) -> None:
        """Forget the tries: the last one was right."""
        await self._ask("delete", self._tries)

    async def _ask(self, command: str, *args: object) -> Any:
        try:
            return await getattr(self._redis, command)(*args)
        except RedisError as error:
            raise StoreAway(str(error) or type(error).__name__) from error


def _row(new: Published) -> PlanRow:
    version = new.version
    return PlanRow(version.site, version.number, version.content, version.to_json(), new.files.to_json())


def _published(row: PlanRow) -> Published:
    return Published(Version.from_json(row.version), Files.from_json(row.files))
