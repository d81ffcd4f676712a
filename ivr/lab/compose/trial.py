"""The call that proves the whole line: a resident, the menu, an agent's phone, both heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from ivr.core.plan import ToTopic
from ivr.lab.audio import level_dbfs, longest_tone
from ivr.lab.compose.teller import ComposeTestError
from ivr.lab.moments import NotEstablished, PhoneError
from ivr.lab.phones import PhoneBank

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ivr.core.plan import AgentId, Plan
    from ivr.lab.heard import Heard
    from ivr.lab.phones import PhoneCall

_T = TypeVar("_T")

TRUNK: Final = "127.0.0.2"
_DESK: Final = "127.0.0.3"
_CALLER: Final = "0639980001"
_CALLER_HZ: Final = 440.0
_AGENT_HZ: Final = 620.0
_HEARD_S: Final = 1.0
_HEARD_NS: Final = 1_000_000_000
_SPEECH_DBFS: Final = -45.0
_PATIENCE_S: Final = 10.0
_LOOK_S: Final = 0.25
_CALL_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the call showed, in milliseconds and dBFS."""

    answered_ms: int
    prompt_dbfs: float
    digit_to_ring_ms: int


def specialist(plan: Plan) -> tuple[str, AgentId]:
    """Return a key of the first menu and an agent whom it leads to."""
    for key, option in plan.menus[plan.root].options.items():
        if isinstance(option, ToTopic):
            for group in plan.topics[option.topic].groups:
                for agent in plan.groups[group].agents:
                    return key, agent
    raise ComposeTestError("no key of the first menu leads to an agent")


async def place_call(plan: Plan, registrar: str, password_of: Callable[[AgentId], str]) -> Outcome:
    """Put one call through to an agent, and say what was measured; raise `ComposeTestError` when it fails."""
    key, agent = specialist(plan)
    try:
        async with asyncio.timeout(_CALL_S), PhoneBank(TRUNK) as callers, PhoneBank(_DESK) as desks:
            desk = await desks.phone(plan.agents[agent].endpoint, password_of(agent), registrar=registrar)
            await desk.register()
            caller = await callers.phone(_CALLER, registrar=registrar)
            call = await caller.dial(f"sip:{plan.numbers[0].replace('+33', '0')}@{registrar}")
            answered_ns = await _in_time(call.established, "the call was not answered")
            prompt = await _sound(call, answered_ns)
            pressed = await call.digits(key)
            ringing = await _in_time(desk.next_call(), "the agent's phone did not ring")
            await ringing.answer()
            await asyncio.gather(call.play_tone(_CALLER_HZ), ringing.play_tone(_AGENT_HZ))
            await asyncio.gather(_tone(ringing, _CALLER_HZ, "the agent"), _tone(call, _AGENT_HZ, "the caller"))
            await call.hangup()
            await _in_time(ringing.closed, "the agent's phone was not hung up")
    except (PhoneError, NotEstablished) as error:
        raise ComposeTestError(str(error)) from error
    except TimeoutError:
        raise ComposeTestError(f"the phones did not do their part within {_CALL_S:.0f} s") from None
    return Outcome(
        answered_ms=(answered_ns - call.invited_ns) // 1_000_000,
        prompt_dbfs=prompt,
        digit_to_ring_ms=(ringing.invited_ns - pressed[-1].pressed_ns) // 1_000_000,
    )


async def _in_time(wanted: Awaitable[_T], otherwise: str) -> _T:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await wanted
    except TimeoutError:
        raise ComposeTestError(f"{otherwise} within {_PATIENCE_S:.0f} s") from None


async def _until(found: Callable[[Heard], bool], call: PhoneCall, otherwise: str) -> Heard:
    """Return what a call has heard once that is `found` to be what was wanted."""

    async def listen() -> Heard:
        while not found(heard := await call.heard()):  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(_LOOK_S)
        return heard

    return await _in_time(listen(), otherwise)


async def _sound(call: PhoneCall, since_ns: int) -> float:
    """Return the level of the first second of speech that the caller hears."""

    def spoken(heard: Heard) -> bool:
        last = heard.between(heard.end_ns - _HEARD_NS)
        return last.start_ns >= since_ns and last.seconds > _HEARD_S - 0.1 and level_dbfs(last.pcm) > _SPEECH_DBFS

    heard = await _until(spoken, call, "no sentence was heard")
    return level_dbfs(heard.between(heard.end_ns - _HEARD_NS).pcm)


async def _tone(call: PhoneCall, hertz: float, who: str) -> None:
    """Return once a second of the other side's tone has come, 20 dB over all else."""
    await _until(
        lambda heard: longest_tone(heard.pcm, heard.rate, hertz).seconds >= _HEARD_S,
        call,
        f"{who} did not hear the other side",
    )
