"""The ledger of promises: what a caller was told will happen, with an owner and a date.

A promise is committed here before the caller hears it. Numbers stand in one row per
caller ref, apart from everything else, so that erasing the row erases the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ivr.errors import IvrError

if TYPE_CHECKING:
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
        async with self._engine.begin() as connection:
            await connection.run_sync(_META.create_all)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._engine.dispose()

    async def promise(self, file: File, number: str | None) -> None:
        """Commit a promise; the same id again changes nothing. Raises LedgerError."""
        try:
            async with self._engine.begin() as connection:
                known = await connection.scalar(select(_FILES.c.id).where(_FILES.c.id == file.id))
                if known is not None:
                    return
                await connection.execute(_FILES.insert().values(**{c.name: getattr(file, c.name) for c in _FILES.c}))
                if number is not None and not await connection.scalar(
                    select(_NUMBERS.c.caller_ref).where(_NUMBERS.c.caller_ref == file.caller_ref)
                ):
                    await connection.execute(_NUMBERS.insert().values(caller_ref=file.caller_ref, number=number))
        except IntegrityError:
            return
        except SQLAlchemyError as error:
            msg = f"the ledger did not keep the promise of call {file.id}: {type(error).__name__}"
            raise LedgerError(msg) from error

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
