"""A promise is kept once, durably, and a number stands apart from it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.ledger.errors import UnknownFile
from ivr.ledger.store import File, Ledger, LedgerError, Met

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ledger.conftest import Look

FILE = File(
    "a-1.1", "pessac", "message", "etat-civil", "group:etat-civil", "r1", "message/a-1.1.3", 1_000, 2_000, call="a-1.1"
)
NUMBER = "+33639980001"


async def test_what_was_promised_is_there_after_a_restart(url: str, look: Look) -> None:
    async with Ledger(url) as ledger:
        await ledger.promise(FILE, NUMBER)
    async with Ledger(url) as ledger:
        assert await ledger.files() == [FILE]
        assert await ledger.numbers() == {"r1": NUMBER}
    if look.sqlite:
        assert await look.rows("PRAGMA journal_mode") == [("wal",)]


async def test_promised_twice_it_is_one_promise(url: str) -> None:
    async with Ledger(url) as one, Ledger(url) as other:
        again = replace(FILE, due_ms=9_000)
        await asyncio.gather(*(ledger.promise(file, NUMBER) for ledger in (one, other) for file in (FILE, FILE)))
        await one.promise(again, NUMBER)
        assert await other.files() == [FILE]


async def test_a_callers_promises_share_one_row_for_the_number(url: str, look: Look) -> None:
    async with Ledger(url) as ledger:
        await ledger.promise(FILE, NUMBER)
        await ledger.promise(replace(FILE, id="a-1.2", due_ms=1_500), NUMBER)
        await ledger.promise(replace(FILE, id="a-1.3", caller_ref="r2", due_ms=3_000), None)
        assert [file.id for file in await ledger.files()] == ["a-1.2", "a-1.1", "a-1.3"]
        assert [file.id for file in await ledger.files_of(["r2"])] == ["a-1.3"]
        assert await ledger.known(["a-1.3", "a-1.4"]) == {"a-1.3"}
    assert await look.rows("SELECT caller_ref, number FROM numbers") == [("r1", NUMBER)]
    assert NUMBER not in str(await look.rows("SELECT * FROM files"))


async def test_a_file_is_closed_once_by_somebody_with_a_word(url: str) -> None:
    async with Ledger(url) as ledger:
        await ledger.promise(FILE, None)
        closed = await ledger.close("a-1.1", 1_500, "agent:alice", "rappelé")
        assert closed == replace(FILE, closed_ms=1_500, closed_by="agent:alice", note="rappelé")
        assert await ledger.files(still_open=True) == []
        assert await ledger.files(owner="group:etat-civil") == [closed]
        assert await ledger.files(owner="group:voirie") == []
        for unknown in ("a-1.1", "a-9.9"):
            with pytest.raises(UnknownFile, match=unknown):
                await ledger.close(unknown, 1_600)
        await ledger.promise(FILE, None)
        assert await ledger.files() == [closed]


async def test_an_erased_number_is_nowhere(url: str, look: Look, tmp_path: Path) -> None:
    async with Ledger(url) as ledger:
        await ledger.promise(FILE, NUMBER)
        assert await ledger.erase("r1", [FILE.recording])
        assert not await ledger.erase("r1")
        assert await ledger.numbers() == {}
        assert await ledger.files() == [replace(FILE, recording="")]
        for path in tmp_path.glob("ledger.sqlite*"):
            assert NUMBER.encode() not in path.read_bytes(), path


async def test_a_number_is_forgotten_once_nothing_has_been_owed_for_long(url: str) -> None:
    async with Ledger(url) as ledger:
        for ref, closings in {"open": (500, None), "recent": (500, 1_000), "old": (500, 999)}.items():
            for closed in closings:
                file = replace(FILE, id=f"{ref}.{closed}", caller_ref=ref, closed_ms=closed)
                await ledger.promise(file, f"+3363998{ref}")
        assert await ledger.forget_numbers(1_000, 1_000) == 1
        assert await ledger.forget_numbers(1_000, 1_000) == 0
        assert set(await ledger.numbers()) == {"open", "recent"}
        assert len(await ledger.files()) == 6


async def test_the_number_of_who_was_answered_is_kept_for_a_while_or_for_what_is_owed(url: str) -> None:
    met = [Met(ref, f"+3363998{ref}", 1_000) for ref in ("0001", "0002", "0003")]
    async with Ledger(url) as ledger:
        await ledger.met(met)
        await ledger.met([replace(met[0], at=2_000)])
        await ledger.met([replace(met[0], at=1_500)])  # one that waited in a journal: older than what is known
        await ledger.promise(replace(FILE, caller_ref="0002"), None)
        assert await ledger.numbers() == {each.ref: each.number for each in met}
        assert await ledger.forget_numbers(9_000, 2_000) == 1
        assert set(await ledger.numbers()) == {"0001", "0002"}
        assert await ledger.erase("0002")
        assert await ledger.forget_numbers(9_000, 2_001) == 1
        assert await ledger.numbers() == {}


async def test_a_number_that_a_promise_brought_is_kept_from_the_answer_on(url: str) -> None:
    async with Ledger(url) as ledger:
        await ledger.promise(replace(FILE, closed_ms=1_100), NUMBER)
        await ledger.met([Met("r1", NUMBER, 3_000)])
        assert await ledger.forget_numbers(9_000, 3_000) == 0
        assert await ledger.forget_numbers(9_000, 3_001) == 1


async def test_a_promise_that_is_not_written_is_an_error(url: str, look: Look) -> None:
    async with Ledger(url) as ledger:
        await look.rows("DROP TABLE files")
        with pytest.raises(LedgerError, match=r"promise of call a-1\.1: .*files"):
            await ledger.promise(FILE, NUMBER)
    assert await look.rows("SELECT * FROM numbers") == []


async def test_connections_that_the_server_ended_are_made_anew(url: str, look: Look) -> None:
    async with Ledger(url) as ledger:
        await ledger.promise(FILE, NUMBER)
        if not look.sqlite:
            ended = await look.rows(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert ended == [(True,)]
        await ledger.promise(replace(FILE, id="a-1.2"), None)
        assert len(await ledger.files()) == 2


@pytest.mark.sqlite
async def test_a_ledger_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="nowhere is not a folder that can be written"):
        async with Ledger(f"sqlite:///{tmp_path}/nowhere/ledger.sqlite"):
            pytest.fail("it opened")
    with pytest.raises(LedgerError, match="opened: FileNotFoundError"):
        async with Ledger(f"postgresql://postgres@/ledger?host={tmp_path}"):
            pytest.fail("it opened")
    for address in ("mysql://somewhere/ledger", "ledger.sqlite", "rubbish://"):
        with pytest.raises(LedgerError, match="must begin with"):
            Ledger(address)


async def test_hundreds_of_promises_at_once_are_all_kept(url: str) -> None:
    files = [replace(FILE, id=f"a-1.{n}", caller_ref=f"r{n}") for n in range(300)]
    async with Ledger(url) as ledger:
        given_up, *rest = [
            asyncio.create_task(ledger.promise(file, NUMBER if n % 2 else None)) for n, file in enumerate(files)
        ]
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(*rest)
        assert {file.id for file in await ledger.files()} >= {file.id for file in files[1:]}
        assert len(await ledger.numbers()) == 150


async def test_promises_that_are_not_written_together_are_an_error_for_each(url: str, look: Look) -> None:
    async with Ledger(url) as ledger:
        await look.rows("ALTER TABLE files RENAME TO elsewhere")
        promises = (ledger.promise(replace(FILE, id=f"a-1.{n}"), NUMBER) for n in range(3))
        found = await asyncio.gather(*promises, return_exceptions=True)
        assert [type(error) for error in found] == [LedgerError] * 3
        await look.rows("ALTER TABLE elsewhere RENAME TO files")
        await ledger.promise(FILE, NUMBER)
        assert [file.id for file in await ledger.files()] == ["a-1.1"]
