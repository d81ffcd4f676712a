"""One call by real phones: how long from a key's release to the INVITE at an agent's phone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ivr.errors import IvrError

if TYPE_CHECKING:
    from ivr.lab.house import House
    from ivr.lab.phones import Phone

PATIENCE_S: Final = 10.0


class ProbeFailed(IvrError):
    """The call did not reach the agent; the sentence says where it stopped."""


async def probe(house: House, agent: Phone, key: str, number: str | None = None) -> float:
    """Call, press `key`, and return the milliseconds to the INVITE at `agent`'s phone; hang up then.

    The agent must be the only one who is free for what the key means, and only ring.
    """
    call = await (house.call(number) if number else house.call())
    at = "the answer"
    try:
        async with asyncio.timeout(PATIENCE_S):
            await call.established
            at = "the agent's phone"
            pressed = (await call.digits(key))[-1]
            ringing = await agent.next_call()
            await call.hangup()
            at = "the end of the agent's ringing"
            await ringing.closed
    except TimeoutError:
        await call.hangup()
        raise ProbeFailed(f"a call did not come to {at} within {PATIENCE_S:.0f} s") from None
    return (ringing.invited_ns - pressed.released_ns) / 1e6
