"""Whoever hangs up, and whenever: nothing is left (the `trial` fixture looks after every test)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from ivr.core.plan import BEEP
from ivr.lab import audio
from ivr.lab.moments import PhoneError
from ivr.lab.phones import PhoneBank
from ivr.lab.scenes import SOON_S, until, within
from tests.e2e.conftest import PROMPT_S

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.lab.phones import PhoneCall
    from tests.e2e.trial import Trial

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

INSTANTS_MS = (0, 2, 5, 10, 15, 20, 30, 50)
ROUNDS = 30
NEAR_MS = 8.0
LIFE_MS = 1_200.0


async def later(ms: float) -> None:
    """The offset of a race; nothing is waited for."""
    await asyncio.sleep(max(0.0, ms) / 1000)


async def answers_after(ringing: PhoneCall, ms: float) -> None:
    await later(ms)
    with contextlib.suppress(PhoneError):  # the caller may be gone by now
        await ringing.answer()


async def hangs_up_after(call: PhoneCall, ms: float) -> None:
    await later(ms)
    await call.hangup()


@pytest.mark.parametrize("ms", INSTANTS_MS)
async def test_while_it_rings_or_is_being_answered(trial: Trial, ms: int) -> None:
    call = await trial.call()
    await later(ms)
    await call.hangup()


async def test_in_the_greeting(trial: Trial) -> None:
    call = await trial.talk_to_menu()
    await trial.hears(call, trial.said.greeting)
    await call.hangup()


@pytest.mark.parametrize("ms", INSTANTS_MS)
async def test_right_after_the_key(trial: Trial, ms: int) -> None:
    agent = await trial.agent()
    call = await trial.talk_to_menu()
    await call.digits("1")
    await later(ms)
    await call.hangup()
    await trial.nothing_left()
    assert await trial.state_of(agent) == "idle"


async def test_on_hold(trial: Trial) -> None:
    agent = await trial.agent()
    await trial.pause(agent)
    call = await trial.talk_to_menu()
    await call.digits("1")
    await trial.hears(call, "hold")
    await call.hangup()


async def test_while_the_agents_phone_rings(trial: Trial) -> None:
    agent = await trial.agent()
    call = await trial.talk_to_menu()
    await call.digits("1")
    ringing = await trial.rings(agent)
    await call.hangup()
    await within(SOON_S, "the agent's phone stops ringing", ringing.closed)
    await trial.nothing_left()
    assert await trial.state_of(agent) == "idle"


@pytest.mark.parametrize("spread_ms", [NEAR_MS, 5 * NEAR_MS])
async def test_in_the_same_moment_as_the_agents_answer(trial: Trial, spread_ms: float) -> None:
    """Below 0 the caller is first, above it the agent."""
    agent = await trial.agent()
    for _ in range(ROUNDS):
        ms = random.triangular(-spread_ms, spread_ms)
        call = await trial.talk_to_menu()
        await call.digits("1")
        ringing = await trial.rings(agent)
        await asyncio.gather(answers_after(ringing, -ms), hangs_up_after(call, ms))
        await within(SOON_S, f"the agent's line ends ({ms:.2f} ms)", ringing.closed)
        await trial.nothing_left()
        assert await trial.state_of(agent) == "idle", f"{ms:.2f} ms"


async def test_at_any_moment_of_a_whole_call(trial: Trial) -> None:
    """More callers than agents, so that some wait; every agent is free again for the next."""
    agents = [await trial.agent(answers_ms=wait) for wait in (1, 50, 200, 400)]
    for _ in range(4):
        await asyncio.gather(*(lives_shortly(trial, random.uniform(0, LIFE_MS)) for _ in range(10)))
        await trial.nothing_left()
        assert {agent.user: await trial.state_of(agent) for agent in agents} == {agent.user: "idle" for agent in agents}


async def lives_shortly(trial: Trial, ms: float) -> None:
    call = await trial.call()
    end = asyncio.create_task(hangs_up_after(call, ms))
    with contextlib.suppress(PhoneError):
        await call.established
        await call.digits(random.choice(("1", "21", "0")))
    await end


async def test_while_talking(trial: Trial) -> None:
    agent = await trial.agent()
    call, ringing = await trial.joined(agent)
    await call.hangup()
    await within(SOON_S, "the agent's line ends", ringing.closed)
    await trial.nothing_left()
    assert await trial.state_of(agent) == "idle"


async def test_while_recording_leaves_a_file_with_the_message(trial: Trial) -> None:
    before = len(await files(trial))
    call = await trial.talk_to_menu()
    await call.digits("1")
    await trial.hears(call, BEEP, seconds=10.0)
    folder = trial.house.stack.spool / "recording" / "message"
    known = set(folder.iterdir()) if folder.is_dir() else set()

    async def recording() -> bool:
        return folder.is_dir() and bool(set(folder.iterdir()) - known)

    await until(SOON_S, "the recording begins", recording)
    await call.play_tone(440)
    await later(300)
    await call.hangup()
    await trial.nothing_left()
    new = (await files(trial))[before:]
    ((kind, owner, name),) = new
    assert (kind, owner) == ("message", "group:etat-civil")
    assert message(trial, name).stat().st_size > 1_000


async def test_while_told_that_nobody_is_there_leaves_a_file(trial: Trial) -> None:
    before = len(await files(trial))
    call = await trial.talk_to_menu()
    await call.digits("1")
    await trial.hears(call, trial.said.unstaffed)
    await call.hangup()
    await trial.nothing_left()
    assert [(kind, owner) for kind, owner, _ in (await files(trial))[before:]] == [("callback", "group:etat-civil")]


async def test_around_the_beginning_of_the_recording_leaves_one_file_each_and_no_message_without_sound(
    trial: Trial,
) -> None:
    before = len(await files(trial))
    offsets = [random.uniform(-60, 60) for _ in range(10)]
    await asyncio.gather(*(hangs_up_around_the_recording(trial, ms) for ms in offsets))
    await trial.nothing_left()
    new = (await files(trial))[before:]
    assert len(new) == len(offsets)
    silent = [name for kind, _, name in new if kind == "message" and not message(trial, name).exists()]
    assert not silent


async def hangs_up_around_the_recording(trial: Trial, ms: float) -> None:
    call = await trial.talk_to_menu()
    await call.digits("1")
    await trial.hears(call, BEEP, seconds=10.0)
    heard = await call.heard()
    beep = audio.longest_tone(heard.pcm, heard.rate, trial.hertz[BEEP])
    ends_ns = heard.instant(int((beep.start + PROMPT_S) * heard.rate))
    await later(ms + (ends_ns - time.monotonic_ns()) / 1e6)
    await call.hangup()


async def files(trial: Trial) -> list[tuple[str, str, str]]:
    """Kind, owner and recording of every promise to a caller, in their order."""
    async with aiosqlite.connect(trial.house.stack.state_dir / "ledger.sqlite") as ledger:
        rows = await ledger.execute_fetchall(
            "SELECT kind, owner, recording FROM files WHERE kind IN ('message', 'callback') ORDER BY opened_ms, id"
        )
        return [(kind, owner, recording) for kind, owner, recording in rows]


def message(trial: Trial, name: str) -> Path:
    return trial.house.stack.spool / "recording" / f"{name}.wav"


# The agent's side


async def test_the_agent_hangs_up_first(trial: Trial) -> None:
    agent = await trial.agent()
    call, ringing = await trial.joined(agent)
    await later(1_600)  # a shorter talk is taken for none
    await ringing.hangup()
    await within(SOON_S, "the caller's line ends", call.closed)


async def test_an_agent_who_drops_the_call_at_once_has_not_served_the_caller(trial: Trial) -> None:
    agent, other = await trial.agent(), await trial.agent()
    call = await trial.talk_to_menu()
    await call.digits("1")
    ringing = await trial.rings(agent)
    await ringing.answer()
    await trial.talking()
    await ringing.hangup()
    second = await trial.rings(other)
    assert not call.closed.happened
    await second.answer()
    await trial.talking()
    await call.hangup()


async def test_an_agent_who_rejects_sends_the_caller_to_the_next(trial: Trial) -> None:
    first, second = await trial.agent(), await trial.agent()
    await first.behave(reject=486)
    call = await trial.talk_to_menu()
    await call.digits("1")
    ringing = await trial.rings(second)
    await ringing.answer()
    await trial.talking()
    await call.hangup()


@pytest.mark.parametrize("status", [486, 480, 603, 404, 500, 503])
async def test_an_agents_refusal_keeps_the_caller_waiting_and_the_agent_on_the_books(trial: Trial, status: int) -> None:
    agent = await trial.agent()
    await agent.behave(reject=status)
    call = await trial.talk_to_menu()
    await call.digits("1")
    await trial.rings(agent)

    async def waits() -> bool:
        return any((await trial.state()).waiting.values())

    await until(SOON_S, "the caller waits again", waits)
    assert await trial.state_of(agent) == "cooldown"
    await trial.hears(call, "hold", seconds=10.0)
    await call.hangup()


async def test_an_agent_dies_while_the_phone_rings(trial: Trial) -> None:
    async with PhoneBank("127.0.0.4") as bank:
        agent, other = await trial.agent(bank=bank), await trial.agent()
        call = await trial.talk_to_menu()
        await call.digits("1")
        await trial.rings(agent)
        await bank.kill()
        ringing = await trial.rings(other, 5 + SOON_S)
        await ringing.answer()
        await trial.talking()
        await call.hangup()
        await trial.nothing_left()
        await trial.withdraw(agent)


async def test_an_agent_dies_while_talking(trial: Trial) -> None:
    async with PhoneBank("127.0.0.4") as bank:
        agent = await trial.agent(bank=bank)
        call, _ = await trial.joined(agent)
        await bank.kill()
        await call.hangup()
        await trial.nothing_left()
        await trial.withdraw(agent)


async def test_an_agent_whose_phone_is_withdrawn_while_talking_talks_on(trial: Trial) -> None:
    agent = await trial.agent()
    call, ringing = await trial.joined(agent)
    await agent.unregister()
    since = time.monotonic_ns()
    await ringing.play_tone(2_200)
    await trial.hears_tone(call, 2_200, since)
    await call.hangup()
    await within(SOON_S, "the agent's line ends", ringing.closed)
    await trial.nothing_left()
    assert await trial.state_of(agent) == "away"


async def test_an_agents_phone_that_is_withdrawn_while_it_rings_rings_no_more(trial: Trial) -> None:
    agent, other = await trial.agent(), await trial.agent()
    call = await trial.talk_to_menu()
    await call.digits("1")
    ringing = await trial.rings(agent)
    await agent.unregister()
    second = await trial.rings(other)
    await within(SOON_S, "the first phone stops ringing", ringing.closed)
    await second.answer()
    await trial.talking()
    await call.hangup()


async def test_twenty_callers_hang_up_at_once(trial: Trial) -> None:
    agents = [await trial.agent() for _ in range(3)]
    calls = await asyncio.gather(*(trial.call() for _ in range(20)))
    await asyncio.gather(*(within(SOON_S, "answered", call.established) for call in calls))
    await asyncio.gather(*(call.digits("1") for call in calls))
    await asyncio.gather(*(call.hangup() for call in calls))
    await trial.nothing_left()
    assert {await trial.state_of(agent) for agent in agents} == {"idle"}
