"""A worker whose ledger is away: what its callers are told holds."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from ivr.ledger.journal import Journal
from ivr.queueing.retry import Retry
from ivr.telephony.promises import Promises

if TYPE_CHECKING:
    from pathlib import Path

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
