from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from ivr.lab.report import SippError
from ivr.lab.sipp import Agents, Callers, start_agents, start_callers
from ivr.stack.root import ensure_root
from tests.lab.line import KEY, lab_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ivr.stack.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with lab_line(tmp_path_factory.mktemp("line")) as running:
        yield running


async def test_callers_press_a_key_and_agents_answer_until_they_hang_up(stack: Stack) -> None:
    root = ensure_root()
    registrar = f"{stack.sip_host}:{stack.sip_port}"
    known = [(f"agent-desk{n}", stack.secrets.agent_password(f"desk{n}")) for n in range(1, 10)]
    desks = Agents(credentials=known, registrar=registrar, answer_ms=100, talk_ms=400, calls=10)
    people = Callers(number=KEY, registrar=registrar, calls=10, rate=2, keys="4", before_ms=300, patience_ms=30_000)
    async with await start_agents(root, desks) as agents, await start_callers(root, people) as callers:
        called = await callers.done()
        answered = await agents.done()
    assert (called.calls, called.ok, called.failed, called.unexpected) == (10, 10, 0, 0), called
    assert (answered.calls, answered.ok, answered.failed) == (10, 10, 0), answered
    assert called.response_ms.count == 10
    assert 0 < called.response_ms.p50 <= called.response_ms.p99 <= called.response_ms.longest < 1_000
    assert 0 < called.cpu_s < called.wall_s < 20, "the agents hang up, not the callers"


async def test_agents_that_are_not_known_cannot_start(stack: Stack) -> None:
    unknown = Agents(credentials=[("agent-desk1", "wrong")], registrar=f"{stack.sip_host}:{stack.sip_port}")
    with pytest.raises(SippError, match="could not register"):
        await start_agents(ensure_root(), unknown)


async def test_a_run_is_ended_on_request(stack: Stack) -> None:
    root = ensure_root()
    people = Callers(
        number="0536499002", registrar=f"{stack.sip_host}:{stack.sip_port}", calls=1_000, rate=5, patience_ms=300
    )
    async with await start_callers(root, people) as callers:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(callers.done(), 1)
        report = await callers.stop()
    assert 0 < report.ok == report.calls < 1_000
