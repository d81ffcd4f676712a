"""What the whole line did is in the ledger a moment later, and is told in French."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from ivr.lab.scenes import SOON_S, until

if TYPE_CHECKING:
    from tests.e2e.trial import Trial

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def ivr(trial: Trial, *args: str) -> tuple[int, str]:
    """What a command prints beside the running worker."""
    environment = {**os.environ, **trial.house.env, "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", *args),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_a_call_is_a_row_of_the_ledger_and_is_explained(trial: Trial) -> None:
    agent = await trial.agent()
    call, ringing = await trial.joined(agent)
    (held,) = (await trial.state()).calls
    status, told = await ivr(trial, "explain", held)
    assert status == 0, told
    assert "répond, après" in told
    assert "La fin de l'appel n'est pas connue" in told
    await call.hangup()
    await ringing.closed
    await trial.nothing_left()

    async def known() -> bool:
        async with aiosqlite.connect(trial.house.stack.state_dir / "ledger.sqlite") as ledger:
            query = "SELECT outcome, agent, topic FROM calls WHERE id = ? AND ended_ms IS NOT NULL"
            rows = [tuple(row) for row in await ledger.execute_fetchall(query, (held,))]
        return rows == [("answered", agent.user.removeprefix("agent-"), "etat-civil")]

    await until(SOON_S, "the call is a row of the ledger", known)
    status, told = await ivr(trial, "explain", held)
    assert status == 0, told
    assert "Fin de l'appel : une personne a répondu." in told
    assert "+33" not in told
    _, told = await ivr(trial, "explain", "--list")
    assert held in told


async def test_a_caller_is_forgotten(trial: Trial) -> None:
    call = await trial.call("+33639985678")
    await call.established
    await call.digits("1")
    await trial.hears(call, trial.said.leave_message)
    await call.hangup()
    await trial.nothing_left()
    _, told = await ivr(trial, "files", "--numbers")
    assert "+33639985678" in told, told
    _, told = await ivr(trial, "privacy", "erase", "06 39 98 56 78")
    assert "Numéro effacé." in told
    assert "Restent à effacer" not in told
    for path in trial.house.stack.state_dir.glob("ledger.sqlite*"):
        assert b"39985678" not in path.read_bytes(), path
