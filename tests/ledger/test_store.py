"""A promise is kept once, durably, and a number stands apart from it."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ivr.ledger.store import File, Ledger, LedgerError, due

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit

FILE = File("a-1.1", "pessac", "message", "etat-civil", "etat-civil", "r1", "message/a-1.1.3", 1_000, 2_000)
NUMBER = "+33639980001"


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/ledger.sqlite"


def rows(folder: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(folder / "ledger.sqlite")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


async def test_what_was_promised_is_there_after_a_restart(tmp_path: Path) -> None:
    async with Ledger(url(tmp_path)) as ledger:
        await ledger.promise(FILE, NUMBER)
    async with Ledger(url(tmp_path)) as ledger:
        assert await ledger.files() == [FILE]
    assert rows(tmp_path, "PRAGMA journal_mode") == [("wal",)]


async def test_promised_twice_it_is_one_promise(tmp_path: Path) -> None:
    async with Ledger(url(tmp_path)) as one, Ledger(url(tmp_path)) as other:
        again = replace(FILE, due_ms=9_000)
        await asyncio.gather(*(ledger.promise(file, NUMBER) for ledger in (one, other) for file in (FILE, FILE)))
        await one.promise(again, NUMBER)
        assert await other.files() == [FILE]


async def test_a_callers_promises_share_one_row_for_the_number(tmp_path: Path) -> None:
    async with Ledger(url(tmp_path)) as ledger:
        await ledger.promise(FILE, NUMBER)
        await ledger.promise(replace(FILE, id="a-1.2", due_ms=1_500), NUMBER)
        await ledger.promise(replace(FILE, id="a-1.3", caller_ref="r2", due_ms=3_000), None)
        assert [file.id for file in await ledger.files()] == ["a-1.2", "a-1.1", "a-1.3"]
    assert rows(tmp_path, "SELECT * FROM numbers") == [("r1", NUMBER)]
    assert NUMBER not in str(rows(tmp_path, "SELECT * FROM files"))


async def test_a_promise_that_is_not_written_is_an_error(tmp_path: Path) -> None:
    async with Ledger(url(tmp_path)) as ledger:
        rows(tmp_path, "DROP TABLE files")
        with pytest.raises(LedgerError, match=r"promise of call a-1\.1"):
            await ledger.promise(FILE, NUMBER)
    assert rows(tmp_path, "SELECT * FROM numbers") == []


async def test_a_ledger_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="nowhere is not a folder that can be written"):
        async with Ledger(url(tmp_path / "nowhere")):
            pytest.fail("it opened")


@pytest.mark.parametrize(
    ("opened", "days", "expected"),
    [
        ("2026-11-23 09:00", 2, "2026-11-25 09:00"),  # Monday
        ("2026-11-27 09:00", 2, "2026-12-01 09:00"),  # Friday
        ("2026-11-28 09:00", 1, "2026-11-30 09:00"),  # Saturday
        ("2026-11-23 09:00", 0, "2026-11-23 09:00"),
    ],
)
def test_due_counts_working_days(opened: str, days: int, expected: str) -> None:
    def ms(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)

    assert due(ms(opened), days) == ms(expected)
