"""A worker whose ledger is away: what its callers are told holds."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest

from ivr.core import call as core
from ivr.ledger.journal import Journal
from ivr.queueing.retry import Retry
from ivr.telephony.promises import Promises

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivr.ledger.store import File, Met
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis


async def test_a_promise_is_told_while_the_ledger_is_locked_and_is_in_it_after(hall: Hall, tmp_path: Path) -> None:
    promises = Promises(hall.ledger, Journal(tmp_path / "journal"), patience_s=0.05, retry=Retry(first_ms=5, max_ms=5))
    await hall.stop()
    other = hall.again()
    other.worker.calls._ledger = promises
    other.worker._aside = {"promises": promises.run}
    locker = sqlite3.connect(tmp_path / "l.sqlite", isolation_level=None)
    async with promises:
        other.start()
        await other.until(lambda: other.worker.connected, "connected")
        call, name = await other.speaks()
        locker.execute("BEGIN EXCLUSIVE")
        other.switch.recorded(name)
        await other.until(lambda: "message-kept" in other.switch.said(call))
        assert promises.waiting() == 1
        assert not other.switch.handed_back(call)
        locker.close()
        await other.until(lambda: not promises.waiting(), "it is brought in")
        assert [file.id for file in await other.ledger.files()] == [call]
        await other.nothing_left()
        await other.stop()


class Hangs:
    """A keeper that takes nothing and says nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def promise(self, file: File, _number: str | None) -> None:
        self.asked.append(file.id)
        await asyncio.Event().wait()

    async def met(self, _callers: Sequence[Met]) -> None:
        await asyncio.Event().wait()


async def kept_by_the_next(hall: Hall, outcome: str) -> list[tuple[str, str]]:
    """The files, and their recordings, once another worker has ended what the killed one had not."""
    other = hall.again()
    other.start()
    try:
        await other.until(lambda: other.worker.connected, "connected")
        await other.nothing_left()
    finally:
        await other.stop()
    assert other.metrics.registry.get_sample_value("ivr_calls_ended_total", {"outcome": outcome}) == 1
    return [(file.id, file.recording) for file in await other.ledger.files()]


@pytest.mark.parametrize("killed", ["before the caller hangs up", "while the promise is kept", "after the message"])
async def test_a_message_is_owed_though_its_worker_is_killed_at_the_end_of_the_call(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    """Its record ends when the promise is kept, so that whoever finds it, and no caller any more, keeps it."""
    monkeypatch.setattr(core, "LEAST_MESSAGE_MS", 0)
    hangs = Hangs()
    hall.worker.calls._ledger = hangs
    call, name = await hall.speaks()
    if killed == "while the promise is kept":
        hall.switch.ends(call)
        await hall.until(lambda: hangs.asked == [call])
    if killed == "after the message":
        hall.switch.recorded(name)
        await hall.until(lambda: hangs.asked == [call])
    await hall.stop()
    if call in hall.switch.channels:
        hall.switch.ends(call)
    assert await kept_by_the_next(hall, "promised") == [(call, name)]


async def test_a_talk_that_ends_while_no_worker_is_there_was_answered_and_owes_nothing(hall: Hall) -> None:
    await hall.agent()
    call, _leg = await hall.talks()
    await hall.stop()
    hall.switch.ends(call)
    assert await kept_by_the_next(hall, "answered") == []
