"""Asterisk is killed with callers in it: agents are free, records closed, and everybody is called back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from ivr.lab.house import House
from ivr.lab.scenes import SOON_S, until
from tests.e2e.test_history import ivr
from tests.e2e.trial import QUALIFY_S, Trial

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.core.plan import Plan

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
WITHIN_S = 5.0


async def test_whom_a_crash_of_asterisk_cuts_off_is_called_back(
    quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]]
) -> None:
    plan, folder = quick_plan
    async with House(plan, folder, tones[0], {"IVR_WRAP_MS": "0"}) as house, Trial(house, tones[1]) as trial:
        agent = await trial.agent()
        await until(SOON_S, "Asterisk has the phone on disk", lambda: _kept(house, agent.user))
        await trial.joined(agent)
        waiting = await trial.talk_to_menu()
        await waiting.digits("1")

        async def waits() -> bool:
            return any((await trial.state()).waiting.values())

        await until(SOON_S, "the second caller waits", waits)
        await trial.talk_to_menu()
        before = (await trial.state()).calls
        assert len(before) == 3
        await house.stack.kill_asterisk()
        await house.stack.start_asterisk()
        back = time.monotonic()

        async def settled() -> bool:
            held = await trial.state()
            free = all(known.token is None and known.call is None for known in held.agents.values())
            return free and not held.calls and await trial.state_of(agent) in {"idle", "away"}

        await until(WITHIN_S, "every record is closed and every agent free", settled)
        assert time.monotonic() - back < WITHIN_S
        async with aiosqlite.connect(house.stack.state_dir / "ledger.sqlite") as ledger:
            query = "SELECT id, kind, topic, owner, opened_ms, due_ms - opened_ms FROM files"
            files = {row[0]: tuple(row[1:]) for row in await ledger.execute_fetchall(query)}
        assert set(files) == set(before)
        for call, (kind, topic, owner, opened, term) in files.items():
            group = plan.topics[before[call].topic or plan.general].groups[0]
            assert (kind, topic, owner) == ("dropped", before[call].topic or plan.general, f"group:{group}")
            assert opened == before[call].arrival
            assert term > 0
        status, told = await ivr(trial, "files")
        assert status == 0, told
        assert told.count("coupé") == 3
        for call in before:
            _, told = await ivr(trial, "explain", call)
            assert "Asterisk s'est arrêté brutalement" in told
            assert "Fin de l'appel : une réponse est promise." in told
        # A phone that stays registered takes the next caller.
        await until(QUALIFY_S + SOON_S, "the agent's phone is there again", lambda: _idle(trial, agent.user))
        caller = await trial.call()
        await caller.established
        await caller.digits("1")
        ringing = await trial.rings(agent)
        await ringing.answer()
        await trial.talking()
        await caller.hangup()
        await ringing.closed


async def _kept(house: House, user: str) -> bool:
    """Whether a phone is in Asterisk's database for good: that is a second after it registered (main/db.c)."""
    # Immutable: Asterisk is not to wait for our lock. What is there halfway is no answer yet.
    where = f"file:{house.stack.state_dir}/lib/astdb.sqlite3?immutable=1"
    try:
        async with aiosqlite.connect(where, uri=True) as kept:
            query = "SELECT count(*) FROM astdb WHERE key LIKE ?"
            ((found,),) = await kept.execute_fetchall(query, (f"/registrar/contact/{user};%",))
    except aiosqlite.DatabaseError:
        return False
    return bool(found)


async def _idle(trial: Trial, user: str) -> bool:
    agents = (await trial.state()).agents.values()
    return any(f"agent-{agent.id}" == user and agent.state == "idle" for agent in agents)
