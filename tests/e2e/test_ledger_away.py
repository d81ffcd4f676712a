"""The ledger is away before the worker starts, and while a caller is promised an answer: the promise holds."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from ivr.core.plan import BEEP
from ivr.lab.house import House
from ivr.lab.scenes import SOON_S, until, within
from ivr.stack.root import ensure_root
from tests.e2e.test_hangups import later
from tests.e2e.test_history import ivr
from tests.e2e.trial import Trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ivr.core.plan import Plan

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger") / "ledger.sqlite"


@pytest.fixture(scope="module")
def locker(ledger: Path) -> Iterator[sqlite3.Connection]:
    """Who lets nobody else write; the database is new, and has no table yet."""
    locker = sqlite3.connect(ledger, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    yield locker
    locker.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trial(
    quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]], ledger: Path, locker: sqlite3.Connection
) -> AsyncIterator[Trial]:
    await asyncio.to_thread(ensure_root)
    env = {"IVR_LEDGER_URL": f"sqlite:///{ledger}"}
    async with House(*quick_plan, tones[0], env) as house, Trial(house, tones[1]) as trial:
        yield trial
        assert house.complaints() == []


async def test_a_promise_is_told_while_the_ledger_is_locked_and_is_in_it_once_after(
    trial: Trial, ledger: Path, locker: sqlite3.Connection
) -> None:
    call = await trial.talk_to_menu()
    await call.digits("1")
    await trial.hears(call, BEEP, seconds=10.0)
    await call.play_tone(440)
    await later(1_500)
    await call.digits("#")
    await trial.hears(call, trial.said.message_kept)
    assert (await trial.metrics())["ivr_journal_promises"] == 1
    await call.hangup()
    await within(SOON_S, "the call ends", call.closed)
    await trial.nothing_left()
    status, told = await ivr(trial, "files")
    assert status == 1
    assert "1 promesse attend dans le journal" in told

    locker.execute("ROLLBACK")

    async def brought_in() -> bool:
        return (await trial.metrics())["ivr_journal_promises"] == 0

    await until(SOON_S * 3, "the promise is brought in", brought_in)
    with sqlite3.connect(ledger) as look:
        ((kind, owner, recording),) = look.execute("SELECT kind, owner, recording FROM files").fetchall()
    look.close()
    assert (kind, owner) == ("message", "group:etat-civil")
    assert (trial.house.stack.spool / "recording" / f"{recording}.wav").stat().st_size > 1_000
    status, told = await ivr(trial, "files")
    assert status == 0, told
    assert "1 ouvert" in told
    log = trial.house.worker.log.read_text(encoding="utf-8")
    assert log.count("the ledger is away") == log.count("the ledger is back") == 1
