"""The ledger of promises: what a caller was told will happen, with an owner and a date.

A promise is committed here before the caller hears it. Numbers stand in one row per
caller ref, apart from everything else, so that erasing the row erases the number.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    String,
    Table,
    event,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ivr.errors import IvrError

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_META: Final = MetaData()
_FILES: Final = Table(
    "files",
    _META,
    Column("id", String, primary_key=True),
    Column("site", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("caller_ref", String, nullable=False),
    Column("recording", String, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
)
_NUMBERS: Final = Table(
    "numbers",
    _META,
    Column("caller_ref", String, primary_key=True),
    Column("number", String, nullable=False),
)
_SATURDAY: Final = 5


class LedgerError(IvrError):
    """The ledger did not take a write; nothing may be promised to the caller."""


@dataclass(frozen=True, slots=True)
class File:
    """A promise: `id` is the call's, `owner` the group that must keep it, `recording` a path or empty."""

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


def due(opened_ms: int, working_days: int) -> int:
    """Return the instant `working_days` later, Saturdays and Sundays left out."""
    when = datetime.fromtimestamp(opened_ms / 1000, UTC)
    while working_days > 0:
        when += timedelta(days=1)
        if when.weekday() < _SATURDAY:
            working_days -= 1
    return int(when.timestamp() * 1000)


class Ledger:
    """The ledger over one database; SQLite runs in WAL mode with full durability."""

    def __init__(self, url: str) -> None:
        self._engine: AsyncEngine = create_async_engine(url)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine.sync_engine, "connect", _sqlite_pragmas)

    async def __aenter__(self) -> Self:
        # Asked first: a connection that fails leaves its thread behind for a while (aiosqlite 0.22).
        path = self._engine.url.database
        if self._engine.dialect.name == "sqlite" and path and not os.access(Path(path).parent, os.W_OK | os.X_OK):
            raise LedgerError(f"the ledger cannot be opened: {Path(path).parent} is not a folder that can be written")
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(_META.create_all)
        except SQLAlchemyError as error:
            await self._engine.dispose()
            reason = getattr(error, "orig", None) or type(error).__name__
            raise LedgerError(f"the ledger cannot be opened: {reason}") from error
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._engine.dispose()

    async def promise(self, file: File, number: str | None) -> None:
        """Commit a promise; the same id again changes nothing. Raises LedgerError."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(self._once(_FILES, **{c.name: getattr(file, c.name) for c in _FILES.c}))
                if number is not None:
                    await connection.execute(self._once(_NUMBERS, caller_ref=file.caller_ref, number=number))
        except SQLAlchemyError as error:
            msg = f"the ledger did not keep the promise of call {file.id}: {type(error).__name__}"
            raise LedgerError(msg) from error

    def _once(self, table: Table, **row: object) -> Executable:
        """Return the insertion of a row that changes nothing where its key is known."""
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        return insert(table).values(**row).on_conflict_do_nothing()

    async def files(self) -> list[File]:
        """Return every file, the earliest due first."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(_FILES).order_by(_FILES.c.due_ms))
            return [File(**row) for row in rows.mappings()]


def _sqlite_pragmas(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=2000")
    cursor.close()
