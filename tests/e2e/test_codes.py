"""Agents dial codes on the real line: heard, kept by the queue, and the phone is free for the next caller."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import PromptId
from ivr.lab.scenes import SOON_S, until, within
from tests.e2e.test_hangups import later

if TYPE_CHECKING:
    from ivr.lab.phones import Phone, PhoneCall
    from tests.e2e.trial import Trial

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

INSTANTS_MS = (0, 5, 20, 60, 200, 600)


async def dials(trial: Trial, agent: Phone, code: str) -> PhoneCall:
    """The agent's phone calls the code."""
    return await agent.dial(f"sip:{code}@{trial.house.registrar}")


async def says(trial: Trial, agent: Phone, code: str, sentence: str) -> None:
    """The agent dials a code, hears its sentence and is hung up."""
    call = await dials(trial, agent, code)
    await within(SOON_S, "the code is answered", call.established)
    await trial.hears(call, PromptId(sentence))
    await within(SOON_S, "the code's call ends", call.closed)


async def is_in(trial: Trial, agent: Phone, state: str) -> None:
    async def reached() -> bool:
        return await trial.state_of(agent) == state

    await until(SOON_S, f"{agent.user} is {state}", reached)


async def test_an_agent_who_dials_21_is_at_lunch_and_who_dials_1_gets_the_next_caller(trial: Trial) -> None:
    agent = await trial.agent()
    await says(trial, agent, "*21", "pause-dejeuner")
    await is_in(trial, agent, "paused")
    record = (await trial.state()).agents[trial._id(agent)]
    assert record.pause == "dejeuner"
    assert record.back is not None
    assert 0 < trial.house.queue.clock() + 3_600_000 - record.back < 60_000
    await says(trial, agent, "*1", "agent-pret")
    await is_in(trial, agent, "idle")
    call = await trial.talk_to_menu()
    await call.digits("1")
    ringing = await trial.rings(agent)
    await ringing.answer()
    await trial.talking()


async def test_a_caller_who_waits_reaches_who_dials_1_once_the_phone_is_free(trial: Trial) -> None:
    agent = await trial.agent()
    await says(trial, agent, "*23", "pause-courte")
    call = await trial.talk_to_menu()
    await call.digits("1")

    async def waits() -> bool:
        return any((await trial.state()).waiting.values())

    await until(SOON_S, "the caller waits", waits)
    await says(trial, agent, "*1", "agent-pret")
    ringing = await trial.rings(agent)
    told = [fields["reason"] if kind == "agent" else kind for kind, fields in await trial.told_of(agent)]
    assert told[-4:] == ["busy", "resumed", "free", "offered"]
    await ringing.answer()
    await trial.talking()


@pytest.mark.parametrize("ms", INSTANTS_MS)
async def test_who_hangs_up_at_any_moment_of_a_code_is_free(trial: Trial, ms: int) -> None:
    agent = await trial.agent()
    for code in ("*1", "*23", "*1"):
        call = await dials(trial, agent, code)
        await later(ms + random.uniform(0, 3))
        await call.hangup()
        await within(SOON_S, "the code's call ends", call.closed)
        await trial.nothing_left()
    await trial.resume(agent)
    await is_in(trial, agent, "idle")


async def test_what_is_no_code_is_refused(trial: Trial) -> None:
    agent = await trial.agent()
    for dialled in ("*29", "*39", "*5", "15", "0536490000"):
        call = await dials(trial, agent, dialled)
        await within(SOON_S, f"{dialled} is refused", call.closed)
        assert not call.established.happened, dialled
    await is_in(trial, agent, "idle")
