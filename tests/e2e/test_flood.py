"""A scanner's flood costs calls nothing, gets refusals alone, and is in the log that bans read."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import pytest

from ivr.lab import audio
from ivr.lab.house import DESKS, TRUNK
from ivr.lab.scenes import AGENT_HZ, CALLER_HZ, within
from tests.provision.ban import offenders
from tests.stranger import stranger

if TYPE_CHECKING:
    from ivr.lab.phones import PhoneCall
    from tests.e2e.trial import Trial

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SCANNER: Final = "127.0.0.66"
RATE: Final = 200
SECONDS: Final = 5
GAP_S: Final = 0.2
ANSWERED_S: Final = 2.0


async def gap(call: PhoneCall, since_ns: int, until_ns: int) -> float:
    """The longest time in which the call heard nothing, in seconds."""
    heard = (await call.heard()).between(since_ns, until_ns)
    assert heard.seconds > 0.9 * (until_ns - since_ns) / 1e9, "it ended early"
    return audio.longest_silence(heard.pcm, heard.rate).seconds


async def test_a_flood_costs_a_talk_and_a_new_call_nothing(trial: Trial) -> None:
    house = trial.house
    agent = await trial.agent()
    caller, talk = await trial.joined(agent)
    await talk.play_tone(AGENT_HZ)
    await caller.play_tone(CALLER_HZ)
    await trial.hears_tone(caller, AGENT_HZ)
    await trial.hears_tone(talk, CALLER_HZ)
    names = ("admin", agent.user, "100", "agent-nobody", "+33639980001", "trunk", "anonymous")
    since = time.monotonic_ns()
    async with stranger(SCANNER, (house.stack.sip_host, house.stack.sip_port)) as scanner:
        for method in ("REGISTER", "INVITE", "OPTIONS"):
            flood = asyncio.create_task(scanner.flood(method, names, rate=RATE, seconds=SECONDS))
            call = await trial.call()
            answered = await within(ANSWERED_S, f"a call in a flood of {method} is answered", call.established)
            assert (answered - call.invited_ns) / 1e9 < ANSWERED_S
            await flood
            await call.hangup()
    until = time.monotonic_ns()
    assert set(scanner.statuses) == {401}
    assert scanner.statuses[401] > 0.95 * 3 * RATE * SECONDS
    for heard in (caller, talk):
        silence = await gap(heard, since, until)
        assert silence < GAP_S, f"{heard} heard nothing for {silence:.3f} s"
    found = offenders(house.stack.logs / "security.log")
    assert set(found) == {SCANNER}
    assert {TRUNK, DESKS}.isdisjoint(found)
    assert len(found) > RATE * SECONDS
