"""Keeps one worker on the version and the states in force: a look at one small hash, twice a second."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from ivr import log
from ivr.errors import IvrError
from ivr.ledger.errors import LedgerError
from ivr.plan import PlanError
from ivr.publish.admin import Admin
from ivr.publish.errors import Overtaken, PublishError, StoreAway
from ivr.publish.serving import differs
from ivr.publish.states import States
from ivr.publish.version import SYSTEM, Files, Published, Version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.core.schedule import Crisis
    from ivr.plan import Loaded
    from ivr.publish.shelf import Shelf
    from ivr.publish.store import Publications

LOOK_S: Final = 0.4
PATIENCE_S: Final = 3.0
"""At the start, with each store: a worker that cannot know serves what its machine served last."""
_log = log.get("publish")


class Served(Protocol):
    """What is told of a change; it raises, and is told again at the next look, if it could not follow."""

    async def plan(self, loaded: Loaded, version: Version) -> None:
        """Serve another version from now on; called again for the same one, it does nothing new."""

    async def states(self, states: States) -> None:
        """Other states are set, or one of them is over."""


class Watch:
    """What one worker holds of what is published. `published` is None while nothing could be."""

    def __init__(self, store: Publications, shelf: Shelf, clock: Callable[[], int]) -> None:
        self._store = store
        self._shelf = shelf
        self._clock = clock
        self.published: Published | None = None
        self.states = States()
        self.plan: Plan | None = None
        """What is served; set before what serves it is told."""
        self._wanted: Published | None = None
        self._refused = ""

    @property
    def retired(self) -> dict[str, str]:
        """Return the topics that are gone, each with the one whose people answer who still waits there."""
        return dict(self.published.version.retired) if self.published is not None else {}

    @property
    def crisis(self) -> Crisis | None:
        """Return the crisis that is on."""
        return self.states.as_crisis()

    def admin(self, *, pin: str, token: str) -> Admin:
        """Return what sets states for who has the PIN, or the token."""
        return Admin(self._store, self._in_service, self._clock, pin=pin, token=token)

    def _in_service(self) -> Plan:
        if self.plan is None:
            raise PublishError("Aucun plan n'est servi encore.")
        return self.plan

    async def begin(self, folder: Loaded) -> Loaded:
        """Return what to serve: the version in force, else the folder, published as the first by the system.

        Where neither Redis nor the ledger answers: what this machine served last, else the folder as it is. Raises
        PlanError where there is nothing that can be served.
        """
        found = await self._found(folder)
        loaded = self._shelf.lay(found) if found is not None else folder
        if loaded.plan is None:
            raise PlanError(loaded.faults)
        self.plan = loaded.plan
        with contextlib.suppress(StoreAway, TimeoutError):  # the first callers of a crisis meet it already
            async with asyncio.timeout(PATIENCE_S):
                self.states = (await self._store.in_force(self._clock())).states
        if found is not None:
            self._take(found)
            if folder.plan is None:
                _log.error(
                    "the folder of the plan is broken; the last good version is served", version=found.version.number
                )
            elif differs(found, folder.folder):
                _log.info(
                    "the folder of the plan is not what is served: ivr plan publish", version=found.version.number
                )
        return loaded

    async def _found(self, folder: Loaded) -> Published | None:
        for ask in (partial(self._in_force, folder), self._store.newest):
            try:
                async with asyncio.timeout(PATIENCE_S):
                    if (found := await ask()) is not None:
                        return found
            except (PublishError, LedgerError, TimeoutError) as error:
                _log.warning("what is published cannot be read", reason=str(error) or "no answer in time")
        last = self._shelf.last()
        return last if last is not None and last.version.site == self._store.site else None

    async def _in_force(self, folder: Loaded) -> Published | None:
        found = await self._store.current()
        return await self._first(folder, folder.plan) if found is None and folder.plan is not None else found

    async def _first(self, folder: Loaded, plan: Plan) -> Published:
        new = first(folder.folder, plan, self._clock())
        try:
            await self._store.publish(new)
        except Overtaken:
            return await self._store.current() or new
        _log.info("published the folder as the first version", plan=plan.version)
        return new

    def _take(self, found: Published) -> None:
        self.published = found
        self._shelf.remember(found)

    async def find(self, content: str) -> Plan | None:
        """Return the plan of a call that began elsewhere, or before this worker. Raises LedgerError."""
        files = await self._store.files_of(content)
        return self._shelf.lay_files(files.digest, files).plan if files is not None else None

    async def run(self, served: Served) -> None:
        """Look for ever; say once that nothing can be read, and once that it can again."""
        blind = ""
        while True:
            try:
                await self.look(served)
            except (StoreAway, LedgerError) as error:
                if not blind:
                    _log.warning("what is published cannot be read; this worker goes on", reason=str(error))
                blind = "blind"
            else:
                if blind:
                    _log.info("what is published can be read again")
                blind = ""
            await asyncio.sleep(LOOK_S)

    async def look(self, served: Served) -> None:
        """Look once, and follow. Raises StoreAway, LedgerError."""
        now = await self._store.in_force(self._clock())
        held = self.published
        if held is not None and now.number < held.version.number:
            _log.warning("Redis has lost what was published; putting it back", version=held.version.number)
            await self._store.put_back(held, self.states.all())
            now = await self._store.in_force(self._clock())
        if now.number and now.number != (held.version.number if held else 0):
            await self._follow(now.number, served)
        if now.states != self.states:
            await served.states(now.states)
            self.states = now.states

    async def _follow(self, number: int, served: Served) -> None:
        if self._wanted is None or self._wanted.version.number != number:
            self._wanted = await self._store.shown()
        if self._wanted is None:
            return
        version = self._wanted.version
        loaded = self._shelf.lay(self._wanted)
        if loaded.plan is None:
            if self._refused != version.digest:
                _log.error("the published version does not load here; the last good one is served", number=number)
            self._refused = version.digest
            return
        self.plan = loaded.plan
        try:
            await served.plan(loaded, version)
        except IvrError as error:
            _log.warning("cannot switch to the published version yet", number=number, reason=str(error))
            return
        self._take(self._wanted)
        _log.info("serving another version", number=version.number, plan=version.content, author=version.author)


def first(folder: Path, plan: Plan, now: int) -> Published:
    """Return a folder as the first version of its site."""
    files = Files.of(folder)
    return Published(Version(plan.site, 1, plan.version, files.digest, SYSTEM, now, "première version"), files)
