"""A storm: callers wait already when the agents begin, and more come than they can take, for minutes.

Judged by the phones' own notes: nobody is lost, no phone rings while it rings or talks, and how long an
agent who hangs up is without the next caller, while somebody waits. A machine that cannot keep up promises to call
back whom it cannot take (`promised`): they are not lost.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ivr.core.plan import AgentId
from ivr.lab.crowd import KEY, LoadFailed, names
from ivr.lab.report import Quantiles
from ivr.lab.sipp import Callers, start_callers
from ivr.stack.root import ensure_root
from ivr.telephony.capacity import busy_share, machine_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.progress import Progress

    from ivr.lab.crowd import Crowd
    from ivr.lab.report import Report
    from ivr.lab.sipp import Sipp

FILL_RATE: Final = 10.0
PATIENCE_MS: Final = 170_000
CHUNK: Final = 1_000
"""Calls of one SIPp."""
STAFF_MS: Final = 290_000
"""A pause that is shorter than five minutes still counts as staff: callers wait."""
_NOTE: Final = re.compile(r"(ring|talk|free) .*?sip:([^@>]+)@\S* (\d+)\s*$")


@dataclass(frozen=True, slots=True)
class Storm:
    """How hard: `waiting` callers beforehand, then `rate` a second for `seconds`; agents talk `talk_ms`."""

    agents: int
    waiting: int
    rate: float
    seconds: int
    talk_ms: int

    @property
    def calls(self) -> int:
        """All callers."""
        return self.waiting + self.coming

    @property
    def coming(self) -> int:
        """The callers who come once the agents have begun."""
        return round(self.rate * self.seconds)

    @property
    def rtp_ports(self) -> int:
        """UDP ports for everybody who can be there at once, two for a leg, and some to spare."""
        return 2 * (self.calls + self.agents) + 200


FULL: Final = Storm(agents=200, waiting=500, rate=10.0, seconds=300, talk_ms=20_000)
HALF: Final = replace(FULL, waiting=FULL.waiting // 2)
"""For a machine that has nothing left while all of `FULL` wait: each hears music, 50 packets a second."""
SHORT: Final = Storm(agents=12, waiting=20, rate=3.0, seconds=10, talk_ms=3_000)


@dataclass(frozen=True, slots=True)
class Phones:
    """What the agents' phones noted."""

    talks: int
    doubled: int
    next_ms: tuple[float, ...]

    @classmethod
    def read(cls, notes: Iterable[str]) -> Phones:
        """A phone that rings while it rings or talks has been given two callers."""
        engaged: set[str] = set()
        freed: dict[str, int] = {}
        talks = doubled = 0
        gaps: list[float] = []
        for note in notes:
            found = _NOTE.search(note)
            if found is None:
                continue
            what, phone, at = found[1], found[2], int(found[3])
            if what == "ring":
                doubled += phone in engaged
                engaged.add(phone)
                if phone in freed:
                    gaps.append(at - freed.pop(phone))
            elif what == "talk":
                talks += 1
            else:
                engaged.discard(phone)
                freed[phone] = at
        return cls(talks, doubled, tuple(gaps))


async def storm(house: Crowd, shape: Storm, bars: Progress) -> dict[str, Any]:
    """Return the figures; `house` is a crowd of the shape's agents and talk."""
    bar = bars.add_task(f"{shape.waiting} callers come to wait", total=1.0)
    async with await house.crowd() as agents:
        before = await house.metrics()
        for name in names(shape.agents):
            await house.queue.pause(AgentId(name), "storm", house.queue.clock() + STAFF_MS)
        fill = asyncio.create_task(_call(house, shape.waiting, FILL_RATE, shape), name="fill")
        waiting = 0

        async def all_wait() -> bool:
            nonlocal waiting
            waiting = sum(map(len, (await house.state()).waiting.values()))
            there = waiting + ended(await house.metrics(), "promised") - ended(before, "promised")
            bars.update(bar, completed=there / shape.waiting)
            if fill.done():
                raise LoadFailed(f"callers did not wait: {fill.result()}")
            return there >= shape.waiting

        await house.until("everybody waits", all_wait, seconds=30 + 2 * shape.waiting / FILL_RATE)
        bars.reset(bar, description=f"{shape.coming} more at {shape.rate:.0f} a second", total=1.0)
        began, machine = time.monotonic(), machine_ms()
        resuming = asyncio.create_task(_come_on_duty(house, shape), name="agents come on duty")
        chunks = [
            asyncio.create_task(_later(house, first, min(CHUNK, shape.coming - first), shape), name=f"chunk {first}")
            for first in range(0, shape.coming, CHUNK)
        ]
        everybody = asyncio.gather(fill, *chunks)
        longest_s = shape.seconds + 2 * PATIENCE_MS / 1000
        while not everybody.done():
            await asyncio.wait({everybody}, timeout=0.5)
            if time.monotonic() - began > longest_s:
                everybody.cancel()
                raise LoadFailed(f"callers are still there after {longest_s:.0f} s; does Asterisk run?")
            bars.update(bar, completed=min(1.0, (time.monotonic() - began) / (shape.seconds + 60)))
        reports = everybody.result()
        busy = busy_share(machine, machine_ms())
        await resuming
        await house.quiet()
        after = await house.metrics()
        figures = await _figures(house, shape, agents, list(reports), before, after)
        return {**figures, "waiting_beforehand": waiting, "machine_busy": round(busy, 2)}


def ended(metrics: Mapping[str, float], outcome: str) -> int:
    """Return how many calls of a worker ended so."""
    return int(metrics.get(f'ivr_calls_ended_total{{outcome="{outcome}"}}', 0))


async def _come_on_duty(house: Crowd, shape: Storm) -> None:
    """Agents come one after another over one talk's time: talks of one length would end all at once for ever."""
    began = time.monotonic()
    for n, name in enumerate(names(shape.agents)):
        await asyncio.sleep(began + n * shape.talk_ms / 1000 / shape.agents - time.monotonic())
        await house.queue.resume(AgentId(name))


async def _later(house: Crowd, first: int, calls: int, shape: Storm) -> Report:
    await asyncio.sleep(first / shape.rate)
    return await _call(house, calls, shape.rate, shape)


async def _call(house: Crowd, calls: int, rate: float, shape: Storm) -> Report:
    root = await asyncio.to_thread(ensure_root)
    spec = Callers(
        number=house.public_number,
        registrar=house.registrar,
        calls=calls,
        rate=rate,
        keys=KEY,
        patience_ms=PATIENCE_MS,
        at_once=shape.calls,
        quiet_ms=1_000,
    )
    async with await start_callers(root, spec) as callers:
        return await callers.done()


async def _figures(
    house: Crowd,
    shape: Storm,
    agents: Sipp,
    reports: list[Report],
    before: dict[str, float],
    after: dict[str, float],
) -> dict[str, Any]:
    served = await agents.stop()
    phones = Phones.read(agents.log())
    gaps = Quantiles.of(phones.next_ms)
    answered, promised = (ended(after, how) - ended(before, how) for how in ("answered", "promised"))
    coming = reports[1:]
    sipp_cpu = sum(report.cpu_s for report in (*reports, served))
    longest = max((report.wall_s for report in (*reports, served)), default=0.0)
    return {
        "agents": shape.agents,
        "waiting_wanted": shape.waiting,
        "calls": shape.calls,
        "answered": phones.talks,
        "answered_by_our_count": answered,
        "promised": promised,
        "lost": shape.calls - promised - min(phones.talks, answered),
        "doubled": phones.doubled,
        "free_to_invite_ms": {"count": gaps.count, "p50": gaps.p50, "p90": gaps.p90, "p99": gaps.p99},
        "rate_wanted": shape.rate,
        "rate": round(shape.coming / max(shape.seconds, sum(report.begun_s for report in coming)), 2),
        "callers_failed": sum(report.failed for report in reports),
        "retransmissions": sum(report.retransmissions for report in (*reports, served)),
        "sipp_cpu_share": round(sipp_cpu / longest, 2) if longest else 0.0,
        "complaints": house.complaints()[:5],
    }
