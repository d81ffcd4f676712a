"""A promise outlives a ledger that is away: locked, read-only, on a full disk, a server that is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from ivr.ledger.journal import Journal
from ivr.ledger.store import File, Ledger, LedgerError, Met
from ivr.queueing.retry import Retry
from ivr.telephony.metrics import Metrics
from ivr.telephony.promises import Promises
from tests.ledger.conftest import Look, Server, create, serving
from tests.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

NUMBER = "+33639980001"
FILE = File(
    "a-1.1", "pessac", "message", "etat-civil", "group:etat-civil", "r1", "message/a-1.1.3", 1_000, 2_000, call="a-1.1"
)
SECOND = replace(FILE, id="a-1.2")
THIRD = replace(FILE, id="a-1.3")
QUICK = Retry(first_ms=5, factor=1, max_ms=5)


def promises(ledger: Ledger | str, folder: Path, **how: Any) -> Promises:
    given = {"retry": QUICK, "every_s": 0.02, **how}
    return Promises(Ledger(ledger) if isinstance(ledger, str) else ledger, Journal(folder / "journal"), **given)


@contextlib.asynccontextmanager
async def running(kept: Promises) -> AsyncIterator[None]:
    task = asyncio.create_task(kept.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else writes to a SQLite database."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own, of this size."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)


def said(logged: list[Any]) -> list[str]:
    return [f"{entry['log_level']}: {entry['event']}" for entry in logged]


# Both databases


async def test_a_ledger_that_answers_keeps_it_and_the_journal_stays_empty(url: str, tmp_path: Path) -> None:
    async with promises(url, tmp_path) as kept:
        await kept.promise(FILE, NUMBER)
        assert kept.waiting() == 0
        assert await kept.ledger.files() == [FILE]


async def test_what_another_process_left_is_brought_in_once(url: str, tmp_path: Path) -> None:
    left = Journal(tmp_path / "journal")
    for file in (FILE, SECOND, FILE):
        left.append(file, NUMBER)
    left.close()
    async with promises(url, tmp_path) as kept:
        await kept.ledger.promise(SECOND, NUMBER)  # it had come so far
        with capture_logs() as logged:
            async with running(kept):
                await until(lambda: len(logged) > 0)
        assert kept.waiting() == 0
        assert await kept.ledger.files() == [FILE, SECOND]
        assert await kept.ledger.numbers() == {"r1": NUMBER}
        assert said(logged) == ["info: promises that were left in the journal are in the ledger"]


async def test_cut_short_before_the_journal_is_shortened_it_is_brought_in_again(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with promises(url, tmp_path) as kept:
        kept.journal.append(FILE, NUMBER)

        def dies(_part: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(kept.journal, "shorten", dies)
            with pytest.raises(OSError, match="No space"):
                await kept.bring_in()
        assert (kept.waiting(), await kept.ledger.files()) == (1, [FILE])
        closed = await kept.ledger.close(FILE.id, 3_000)
        assert await kept.bring_in() == 1
        assert (kept.waiting(), await kept.ledger.files()) == (0, [closed])


# SQLite


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.sqlite"


@pytest.mark.sqlite
async def test_while_the_ledger_is_locked_promises_wait_and_come_in_after(sqlite: str, tmp_path: Path) -> None:
    async with promises(sqlite, tmp_path, patience_s=1.0) as kept:
        metrics = Metrics()
        metrics.watch_journal(kept.waiting)
        with capture_logs() as logged:
            async with running(kept):
                with locked(tmp_path / "ledger.sqlite"):
                    began = time.monotonic()
                    await kept.promise(FILE, NUMBER)
                    assert 0.9 < time.monotonic() - began < 1.9
                    began = time.monotonic()
                    await asyncio.gather(kept.promise(SECOND, NUMBER), kept.promise(THIRD, None))
                    assert time.monotonic() - began < 0.9  # known to be away: nobody waits for it again
                    assert kept.waiting() == 3
                    assert metrics.registry.get_sample_value("ivr_journal_promises") == 3
                await until(lambda: "info: the ledger is back; it has every promise" in said(logged))
        assert await kept.ledger.files() == [FILE, SECOND, THIRD]
        assert kept.waiting() == 0
        assert said(logged) == [
            "error: the ledger is away; promises wait in the journal",
            "info: the ledger is back; it has every promise",
        ]
        assert NUMBER not in str(logged)


@pytest.mark.sqlite
async def test_numbers_of_who_is_answered_wait_for_the_ledger_too_and_are_no_promises(
    sqlite: str, tmp_path: Path
) -> None:
    async with promises(sqlite, tmp_path, patience_s=0.3) as kept:
        await kept.met([Met("r1", NUMBER, 1_000)])
        with capture_logs() as logged:
            async with running(kept):
                with locked(tmp_path / "ledger.sqlite"):
                    await kept.met([Met("r1", NUMBER, 2_000), Met("r2", "+33639980002", 2_000)])
                    assert kept.waiting() == 0
                await until(lambda: "info: the ledger is back; it has every promise" in said(logged))
        assert await kept.ledger.numbers() == {"r1": NUMBER, "r2": "+33639980002"}
        assert await kept.ledger.forget_numbers(9_000, 2_000) == 0
        assert NUMBER not in str(logged)


@pytest.mark.sqlite
async def test_a_ledger_that_is_locked_before_it_was_ever_opened_is_opened_later(sqlite: str, tmp_path: Path) -> None:
    with locked(tmp_path / "ledger.sqlite"):
        kept = promises(sqlite, tmp_path, patience_s=0.3)
        async with contextlib.AsyncExitStack() as life:
            began = time.monotonic()
            await life.enter_async_context(kept)
            assert time.monotonic() - began < 4
            await life.enter_async_context(running(kept))
            await kept.promise(FILE, NUMBER)
            assert kept.waiting() == 1
            living = life.pop_all()
    async with living:
        await until(lambda: not kept.waiting())
        assert await kept.ledger.files() == [FILE]


@pytest.mark.sqlite
async def test_a_worker_that_ends_meanwhile_leaves_its_promises_to_the_next(sqlite: str, tmp_path: Path) -> None:
    async with Ledger(sqlite):
        pass
    with locked(tmp_path / "ledger.sqlite"):
        async with promises(sqlite, tmp_path, patience_s=0.3) as kept:
            await kept.promise(FILE, NUMBER)
    async with promises(sqlite, tmp_path) as kept, running(kept):
        await until(lambda: not kept.waiting())
        assert await kept.ledger.files() == [FILE]


@pytest.mark.sqlite
async def test_where_neither_place_takes_it_nothing_is_promised(sqlite: str, tmp_path: Path) -> None:
    async with Ledger(sqlite):
        pass
    (tmp_path / "journal").write_text("no folder")
    async with promises(sqlite, tmp_path) as kept, running(kept):
        with locked(tmp_path / "ledger.sqlite"):
            for _ in range(2):
                with pytest.raises(LedgerError):
                    await kept.promise(FILE, NUMBER)
        await kept.promise(FILE, NUMBER)  # a journal that cannot be used keeps nobody from the ledger
        assert FILE in await kept.ledger.files()
        assert kept.waiting() == 0


@pytest.mark.sqlite
async def test_where_the_journal_fails_the_ledger_is_asked_though_it_was_away(sqlite: str, tmp_path: Path) -> None:
    async with promises(sqlite, tmp_path, patience_s=0.3) as kept:
        with locked(tmp_path / "ledger.sqlite"):
            await kept.promise(FILE, NUMBER)

        def full(*_args: object) -> None:
            raise OSError(28, "No space left on device")

        kept.journal.append = full  # type: ignore[assignment, method-assign]
        await kept.promise(SECOND, NUMBER)
        assert SECOND in await kept.ledger.files()


@pytest.mark.sqlite
async def test_a_full_disk_takes_promises_in_the_room_that_was_kept(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "16m") as place:
        async with promises(f"sqlite:///{place}/ledger.sqlite", place) as kept:
            await kept.promise(FILE, NUMBER)
            with (place / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(4_096))  # until the disk is full
            with capture_logs() as logged:
                async with running(kept):
                    made = [FILE]
                    while not kept.waiting():  # what the database had room for, it took
                        made.append(replace(FILE, id=f"a-2.{len(made):04}"))
                        await kept.promise(made[-1], NUMBER)
                    for n in range(100):
                        made.append(replace(FILE, id=f"a-3.{n:04}"))
                        await kept.promise(made[-1], NUMBER)
                    assert kept.waiting() > 0
                    (place / "filler").unlink()
                    await until(lambda: not kept.waiting())
                    await until(lambda: len(logged) > 1)
            assert await kept.ledger.files() == made
            assert "full" in logged[0]["reason"]


@pytest.mark.sqlite
async def test_a_disk_that_is_read_only_at_the_start_and_not_any_more(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "4m") as place:
        async with Ledger(f"sqlite:///{place}/ledger.sqlite") as ledger:
            await ledger.promise(FILE, NUMBER)
        remount(place, "ro")
        kept = promises(f"sqlite:///{place}/ledger.sqlite", tmp_path)
        async with kept, running(kept):
            await kept.promise(SECOND, NUMBER)
            assert kept.waiting() == 1
            remount(place, "rw")
            await until(lambda: not kept.waiting())
            assert await kept.ledger.files() == [FILE, SECOND]


@pytest.mark.sqlite
async def test_a_folder_that_may_not_be_written_and_then_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "place"
    place.mkdir(0o500)
    if os.geteuid() == 0:  # root may write everywhere: answered as to anybody else
        monkeypatch.setattr(os, "access", lambda path, _mode: bool(os.stat(path).st_mode & 0o200))  # noqa: PTH116
    kept = promises(f"sqlite:///{place}/ledger.sqlite", tmp_path)
    with capture_logs() as logged:
        async with kept, running(kept):
            await kept.promise(FILE, NUMBER)
            assert kept.waiting() == 1
            place.chmod(0o700)
            await until(lambda: not kept.waiting())
            assert await kept.ledger.files() == [FILE]
    assert "not a folder that can be written" in logged[0]["reason"]


@pytest.mark.sqlite
async def test_a_ledger_that_hangs_keeps_no_caller_waiting(sqlite: str, tmp_path: Path) -> None:
    released = asyncio.Event()

    class Hangs(Ledger):
        async def promise(self, file: File, number: str | None) -> None:
            await released.wait()
            await super().promise(file, number)

    async with promises(Hangs(sqlite), tmp_path, patience_s=0.05) as kept:
        began = time.monotonic()
        await kept.promise(FILE, NUMBER)
        assert time.monotonic() - began < 5
        assert kept.waiting() == 1
        released.set()  # late, it goes on behind
        await kept.bring_in()
        assert await kept.ledger.files() == [FILE]


# PostgreSQL


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.mark.postgresql
async def test_a_server_that_is_stopped_and_started_again_has_every_promise(server: Server, tmp_path: Path) -> None:
    url = await create(server.folder)
    async with promises(url, tmp_path, patience_s=2.0) as kept:
        await kept.promise(FILE, NUMBER)
        with capture_logs() as logged:
            async with running(kept):
                await asyncio.to_thread(server.stop)
                began = time.monotonic()
                await kept.promise(SECOND, NUMBER)
                assert time.monotonic() - began < 4
                assert kept.waiting() == 1
                await asyncio.to_thread(server.start)
                await until(lambda: not kept.waiting())
                await until(lambda: len(logged) == 2)
        await kept.promise(THIRD, None)
        assert await kept.ledger.files() == [FILE, SECOND, THIRD]
        assert kept.waiting() == 0
    look = Look(url)
    assert await look.rows("SELECT caller_ref, number FROM numbers") == [("r1", NUMBER)]
    await look.close()


@pytest.mark.postgresql
async def test_a_server_that_comes_after_the_worker_is_migrated_then(server: Server, tmp_path: Path) -> None:
    url = await create(server.folder)
    await asyncio.to_thread(server.stop)
    kept = promises(url, tmp_path)
    async with kept, running(kept):
        await kept.promise(FILE, NUMBER)
        assert kept.waiting() == 1
        await asyncio.to_thread(server.start)
        await until(lambda: not kept.waiting())
        assert await kept.ledger.files() == [FILE]
