"""A crowd waits, the worker is killed, and the next one takes every caller where they are.

Judged by Redis (each arrival is what it was) and by the phones' own notes (each caller is answered afterwards).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from ivr.lab.crowd import KEY, LoadFailed
from ivr.lab.sipp import Callers, start_callers
from ivr.lab.storm import Phones, ended
from ivr.stack.root import ensure_root

if TYPE_CHECKING:
    from ivr.core.caller import CallId
    from ivr.lab.crowd import Crowd
    from ivr.lab.report import Report

FILL_RATE: Final = 5.0
"""Callers a second: who waits has a stream of music from Asterisk, which leaves little for who comes meanwhile."""
PATIENCE_MS: Final = 280_000
STAFF_MS: Final = 290_000
"""A pause that is shorter than five minutes still counts as staff: callers wait."""


def rtp_ports(callers: int, agents: int) -> int:
    """Return how many UDP ports a crowd needs for it: two for a leg, and some to spare."""
    return 2 * (callers + agents) + 200


async def adoption(house: Crowd, callers: int) -> dict[str, Any]:
    """Return what became of so many waiting callers whose worker was killed; `house` has a crowd, registered by this.

    Let its agents talk for 2 s or more: a shorter talk is none, and its caller is offered again.

    `adopted` are in Redis afterwards, each where it waited and as old as it was; `adopt_s` is from the new worker's
    connection to the last call adopted, by its own measure; `back_s` from the kill to that; `lost` were not answered,
    nor `promised` to be called back by a machine that had nothing left for them.
    """
    async with await house.crowd() as agents:
        for agent in house.staff:
            await house.queue.pause(agent, "adoption", house.queue.clock() + STAFF_MS)
        fill = asyncio.create_task(_call(house, callers), name="fill")
        await _all_wait(house, callers, fill)
        before = await _waiting(house)
        promised = ended(await house.metrics(), "promised")
        killed = time.monotonic()
        await house.worker.kill()
        await house.worker.start()
        await house.worker.ready()

        async def all_adopted() -> bool:
            return (await house.metrics())["ivr_adoption_seconds"] > 0

        await house.until("the next worker has adopted everybody", all_adopted, seconds=30)
        back_s = time.monotonic() - killed
        figures = await house.metrics()
        after = await _waiting(house)
        for agent in house.staff:
            await house.queue.resume(agent)
        report = await fill
        await house.quiet()
        counted = await house.metrics()
        await agents.stop()
        talks = Phones.read(agents.log())
    return {
        "callers": callers,
        "adopted": sum(after.get(call) == arrival for call, arrival in before.items()),
        "adopt_s": round(figures["ivr_adoption_seconds"], 2),
        "back_s": round(back_s, 2),
        "promised": promised,
        "lost": callers - promised - min(talks.talks, ended(counted, "answered")),
        "doubled": talks.doubled,
        "callers_failed": report.failed,
    }


async def _waiting(house: Crowd) -> dict[CallId, int]:
    """Return the arrival of everybody who waits."""
    held = await house.state()
    waiting = {call for line in held.waiting.values() for call in line}
    return {call: record.arrival for call, record in held.calls.items() if call in waiting}


async def _all_wait(house: Crowd, callers: int, fill: asyncio.Task[Report]) -> None:
    async def all_wait() -> bool:
        if fill.done():
            raise LoadFailed(f"callers did not wait: {fill.result()}")
        return len(await _waiting(house)) + ended(await house.metrics(), "promised") >= callers

    await house.until("everybody waits", all_wait, seconds=30 + 2 * callers / FILL_RATE)


async def _call(house: Crowd, callers: int) -> Report:
    root = await asyncio.to_thread(ensure_root)
    spec = Callers(
        number=house.public_number,
        registrar=house.registrar,
        calls=callers,
        rate=FILL_RATE,
        keys=KEY,
        patience_ms=PATIENCE_MS,
        at_once=callers,
        quiet_ms=1_000,
    )
    async with await start_callers(root, spec) as running:
        return await running.done()
