"""The ledger: what a caller was told will happen, with an owner and a date, and what happened.

A promise is committed here before the caller hears it. Numbers stand in one row per
caller ref, apart from everything else, so that erasing the row erases the number.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import delete, event, make_url, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ivr.ledger.errors import LedgerError, UnknownFile
from ivr.ledger.migrate import migrate
from ivr.ledger.schema import FILES, NUMBERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from sqlalchemy import URL, Table
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from ivr.core.plan import AgentId, GroupId

__all__ = ["File", "Ledger", "LedgerError", "Met", "of_agent", "of_group"]

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_PATIENCE_S: Final = 5.0
"""A server that is slower is away: a caller waits for the promise."""
_AT_ONCE: Final = 500
"""Ids in one question."""


@dataclass(frozen=True, slots=True)
class File:
    """A promise. `owner` is who must keep it (`of_group`, `of_agent`), `recording` a path or empty.

    `kind` is message, callback, unresolved (how the call went is not said), follow_up or dropped (the crash of
    Asterisk cut the call off; opened when it had arrived).
    """

    id: str
    site: str
    kind: str
    topic: str
    owner: str
    caller_ref: str
    recording: str
    opened_ms: int
    due_ms: int
    closed_ms: int | None = None
    call: str = ""
    closed_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Met:
    """A caller whom an agent answered, with the number: what the agent says of the talk may leave a file."""

    ref: str
    number: str
    at: int


@dataclass(slots=True, eq=False)
class _Promise:
    """A promise on its way into the ledger."""

    file: File
    number: str | None
    done: bool = False
    error: LedgerError | None = None


def of_group(group: GroupId) -> str:
    """The owner that a group is."""
    return f"group:{group}"


def of_agent(agent: AgentId) -> str:
    """The owner that an agent is."""
    return f"agent:{agent}"


class Ledger:
    """The ledger over one database; SQLite runs in WAL mode with full durability.

    `async with` opens it, or says why not. Who can wait for it does without: whatever is asked opens it first, and
    is refused while it cannot be opened.
    """

    def __init__(self, url: str) -> None:
        address = _address(url)
        self._opening = asyncio.Lock()
        self._is_open = False
        self._promises: list[_Promise] = []
        self._promising = asyncio.Lock()
        self._faults: tuple[type[Exception], ...] = (SQLAlchemyError, OSError)
        patience: dict[str, float] = {}
        if address.get_backend_name() == "postgresql":
            patience = {"timeout": _PATIENCE_S, "command_timeout": _PATIENCE_S}
            import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - only where it is used

            # What fails while it connects reaches us as it is.
            self._faults += (asyncpg.PostgresError, asyncpg.InterfaceError)
        self._engine: AsyncEngine = create_async_engine(address, pool_pre_ping=True, connect_args=patience)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine.sync_engine, "connect", _sqlite_pragmas)

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except LedgerError:
            await self.disconnect()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.disconnect()

    async def open(self) -> None:
        """The ledger is there, its schema the newest; nothing is done the second time. Raises LedgerError."""
        async with self._opening:
            if self._is_open:
                return
            # Asked first: a connection that fails leaves its thread behind for a while (aiosqlite 0.22).
            path = self._engine.url.database
            if self._engine.dialect.name == "sqlite" and path and not os.access(Path(path).parent, os.W_OK | os.X_OK):
                raise LedgerError(
                    f"the ledger cannot be opened: {Path(path).parent} is not a folder that can be written"
                )
            async with self.as_it_is("the ledger cannot be opened") as connection:
                await connection.run_sync(migrate)
                await connection.commit()
            self._is_open = True

    async def disconnect(self) -> None:
        """No connection is kept: the next is a new one, since one that began on a read-only disk stays read-only."""
        await self._engine.dispose()

    @contextlib.asynccontextmanager
    async def reading(self, sorry: str) -> AsyncIterator[AsyncConnection]:
        """A connection; whatever fails on it is a LedgerError that begins with `sorry`."""
        await self.open()
        async with self.as_it_is(sorry) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def as_it_is(self, sorry: str) -> AsyncIterator[AsyncConnection]:
        """A connection to a ledger whose schema is left as it is; failures as of `reading`."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except self._faults as error:
            # The first line alone: PostgreSQL goes on with the row, which may hold a number.
            reason = str(getattr(error, "orig", None) or type(error).__name__).partition("\n")[0]
            raise LedgerError(f"{sorry}: {reason}") from error

    @contextlib.asynccontextmanager
    async def writing(self, sorry: str) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end. SQLite: let its first statement be a write, which takes the lock."""
        async with self.reading(sorry) as connection, connection.begin():
            yield connection

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An insertion that can say what happens where its key is known."""
        return (postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert)(table)

    async def promise(self, file: File, number: str | None) -> None:
        """Commit a promise; the same id again changes nothing. Raises LedgerError.

        Promises that come while one is being committed are committed together after it: a disk takes some hundred
        commits a second, and a crash of Asterisk brings as many promises at once.
        """
        mine = _Promise(file, number)
        self._promises.append(mine)
        try:
            async with self._promising:
                if not mine.done:
                    await self._commit(tuple(each for each in self._promises if not each.done))
        finally:
            self._promises.remove(mine)
        if mine.error is not None:
            raise LedgerError(str(mine.error)) from mine.error

    async def _commit(self, promises: tuple[_Promise, ...]) -> None:
        """Keep all of them in one transaction, or none."""
        first = promises[0].file
        others = f" and {len(promises) - 1} more" if len(promises) > 1 else ""
        error = None
        try:
            sorry = f"the ledger did not keep the promise of call {first.call or first.id}{others}"
            async with self.writing(sorry) as connection:
                rows = [row(promise.file) for promise in promises]
                await connection.execute(self.insert(FILES).on_conflict_do_nothing(), rows)
                numbers = [
                    {"caller_ref": promise.file.caller_ref, "number": promise.number}
                    for promise in promises
                    if promise.number is not None
                ]
                if numbers:
                    await connection.execute(self.insert(NUMBERS).on_conflict_do_nothing(), numbers)
        except LedgerError as refused:
            error = refused
        for promise in promises:
            promise.done, promise.error = True, error

    async def met(self, callers: Sequence[Met]) -> None:
        """The numbers of callers whom an agent answered are known, in one transaction. Raises LedgerError."""
        insertion = self.insert(NUMBERS)
        newer = insertion.excluded.met_ms
        query = insertion.on_conflict_do_update(
            index_elements=[NUMBERS.c.caller_ref], set_={"met_ms": newer}, where=NUMBERS.c.met_ms < newer
        )
        rows = [{"caller_ref": each.ref, "number": each.number, "met_ms": each.at} for each in callers]
        async with self.writing("the ledger did not take the numbers of callers who were answered") as connection:
            await connection.execute(query, rows)

    async def files(self, *, still_open: bool = False, owner: str = "") -> list[File]:
        """Every file, or those still open, or an owner's; the earliest due first."""
        query = select(FILES).order_by(FILES.c.due_ms, FILES.c.id)
        if still_open:
            query = query.where(FILES.c.closed_ms.is_(None))
        if owner:
            query = query.where(FILES.c.owner == owner)
        async with self.reading("the ledger does not answer") as connection:
            return [File(**found) for found in (await connection.execute(query)).mappings()]

    async def files_of(self, refs: Iterable[str]) -> list[File]:
        """Every file of these callers, the earliest due first."""
        query = select(FILES).where(FILES.c.caller_ref.in_(tuple(refs))).order_by(FILES.c.due_ms, FILES.c.id)
        async with self.reading("the ledger does not answer") as connection:
            return [File(**found) for found in (await connection.execute(query)).mappings()]

    async def known(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that a file has, open or closed."""
        wanted, found = list(ids), set[str]()
        async with self.reading("the ledger does not answer") as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                query = select(FILES.c.id).where(FILES.c.id.in_(wanted[start : start + _AT_ONCE]))
                found |= set((await connection.execute(query)).scalars())
        return found

    async def close(self, file: str, at: int, by: str = "", note: str = "") -> File:
        """The file is kept: closed now, by somebody, with a word. UnknownFile unless one of that id is open."""
        open_one = update(FILES).where(FILES.c.id == file, FILES.c.closed_ms.is_(None))
        async with self.writing(f"the ledger did not close the file {file}") as connection:
            values = {"closed_ms": at, "closed_by": by, "note": note}
            found = (await connection.execute(open_one.values(values).returning(FILES))).mappings().first()
        if found is None:
            raise UnknownFile(file)
        return File(**found)

    async def numbers(self) -> dict[str, str]:
        """Every number that is known, by caller ref."""
        async with self.reading("the ledger does not answer") as connection:
            query = select(NUMBERS.c.caller_ref, NUMBERS.c.number)
            return {ref: number for ref, number in await connection.execute(query)}  # noqa: C416 - rows

    async def erase(self, ref: str, recordings_gone: Iterable[str] = ()) -> bool:
        """The number of a caller is known no more, nor the recordings that are gone; whether it had been known."""
        async with self.writing("the ledger did not erase the number") as connection:
            erased = await connection.execute(delete(NUMBERS).where(NUMBERS.c.caller_ref == ref))
            for name in recordings_gone:
                gone = update(FILES).where(FILES.c.caller_ref == ref, FILES.c.recording == name)
                await connection.execute(gone.values(recording=""))
        if self._engine.dialect.name == "sqlite":
            # What was overwritten is still in the log until it is emptied.
            async with self.reading("the ledger did not empty its log") as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return erased.rowcount > 0

    async def forget_numbers(self, before: int, met_before: int) -> int:
        """The numbers of callers to whom nothing is owed, nor was since `before`, are known no more; how many.

        Unless an agent answered them since `met_before`.
        """
        still = select(FILES.c.caller_ref).where(FILES.c.closed_ms.is_(None) | (FILES.c.closed_ms >= before))
        async with self.writing("the ledger did not forget old numbers") as connection:
            old = delete(NUMBERS).where(NUMBERS.c.met_ms < met_before, NUMBERS.c.caller_ref.not_in(still))
            gone = await connection.execute(old)
        return gone.rowcount


def row(file: File) -> dict[str, object]:
    """The file as its row."""
    return {field.name: getattr(file, field.name) for field in fields(File)}


def _address(url: str) -> URL:
    """The address with the driver that we bring; LedgerError when it is none that we know."""
    try:
        address = make_url(url)
        return address.set(drivername=_DRIVERS[address.get_backend_name()])
    except (ArgumentError, KeyError) as error:
        raise LedgerError("IVR_LEDGER_URL must begin with sqlite:/// or postgresql://") from error


def _sqlite_pragmas(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # Less than a caller waits for a promise, so that the reason is known by then.
    cursor.execute("PRAGMA busy_timeout=1800")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()
