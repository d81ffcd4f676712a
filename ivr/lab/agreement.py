"""Whether Redis, Asterisk and the workers' counters agree: the invariants that can be read from outside."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ivr.queueing.model import Dump

FALL_S: Final = 6.0
"""What is wrong for as long is no passing state: every channel has its call within 5 s."""


def disagreements(held: Dump, channels: Sequence[Sequence[str]], bridges: str, app: str) -> set[str]:
    """Return the broken invariants as sentences; `channels` as `core show channels concise` has them, split."""
    found: set[str] = set()
    ours = {row[-1] for row in channels if row[5] == "Stasis" and row[6].split(",")[:2] == [app, "caller"]}
    present = {row[-1] for row in channels}
    found |= {f"channel {channel} belongs to no call" for channel in ours - {str(call) for call in held.calls}}
    found |= {f"call {call} has no channel" for call in held.calls if str(call) not in present}
    engaged: dict[str, int] = {}
    for offer in (*held.offers.values(), *held.talks.values()):
        engaged[str(offer.agent)] = engaged.get(str(offer.agent), 0) + 1
        if offer.call not in held.calls:
            found.add(f"the offer {offer.token} is for a call that is over")
    found |= {f"{agent} has {count} offers or talks" for agent, count in engaged.items() if count > 1}
    for agent in held.agents.values():
        if agent.token is not None and agent.token not in held.offers and agent.token not in held.talks:
            found.add(f"{agent.id} is held by {agent.token}, which is no more")
    waiting = any(held.waiting.values())
    if waiting:
        found |= {
            f"{agent.id} is idle while somebody waits"
            for agent in held.agents.values()
            if agent.present and agent.state == "idle" and not agent.busy
        }
    for row in bridges.splitlines():
        name, *rest = row.split()
        numbers = [int(word) for word in rest if word.isdecimal()]
        if numbers and numbers[0] > 2:  # noqa: PLR2004 - two parties
            found.add(f"{numbers[0]} channels are in the bridge {name}")
    return found


async def standing(look: Callable[[], Awaitable[set[str]]], fall_s: float = FALL_S, every_s: float = 0.5) -> set[str]:
    """Return what was so at every look, one `every_s`, for so long; nothing as soon as nothing is left of it."""
    deadline = time.monotonic() + fall_s
    kept = await look()
    while kept and time.monotonic() < deadline:
        await asyncio.sleep(every_s)
        kept &= await look()
    return kept


def grown(before: Mapping[str, float], after: Mapping[str, float], family: str) -> int:
    """Return by how much counters of a family grew; those of a worker that began anew count whole."""
    total = 0.0
    for name, value in after.items():
        if name.startswith(family) and not name.partition("{")[0].endswith("_created"):
            was = before.get(name, 0.0)
            total += value - was if value >= was else value
    return round(total)
