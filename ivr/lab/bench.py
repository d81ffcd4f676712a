"""`make bench`: what a call costs, ours beside Asterisk's own Read() and Queue() on the same Asterisk.

Both take turns on one running Asterisk, with the same callers and agents (SIPp), the same
music and modules, and prompts of the same kind, interrupted at the same moment. Processor
time is that of the real processes between two marks: before the first call of a turn, and
once nothing of its last call is left. While app_queue has its turn our worker is stopped and
Asterisk has forgotten its subscriptions. Then real phones call under the same load, to learn
how long a key takes to reach an agent's phone. Figures in .run/bench.json.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ivr.errors import IvrError
from ivr.lab import gauges
from ivr.lab.crowd import Crowd, LoadFailed
from ivr.lab.probe import probe
from ivr.lab.report import Quantiles
from ivr.prompts.studio import make_sounds
from ivr.stack.root import ensure_root

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN: Final = Path("dialplan/pessac")
RUN: Final = Path(".run")
RATE: Final = 20.0
AGENTS: Final = 60
TALK_MS: Final = 2_000
CEILING_MS: Final = 25.0
REFERENCE_MS: Final = 15.6
"""What a call by Read() + Queue() cost where the ceiling was set: it moves with what that costs elsewhere."""
PROBE_ROOM: Final = 1_000
TICKS: Final = frozenset({"reap", "lease"})
"""Commands that a worker sends by the clock, calls or none."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many calls: to warm up, in each turn, under the probes; `turns` of each side."""

    warm_up: int
    turn: int
    turns: int
    probed: int


QUICK: Final = Size(warm_up=60, turn=500, turns=2, probed=500)
FULL: Final = Size(warm_up=100, turn=1_400, turns=4, probed=1_400)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did and cost; `cpu_ms` by process."""

    side: str
    calls: int
    failed: int
    rate: float
    cpu_ms: dict[str, float]
    asked: dict[str, float]
    why: str = ""


async def ours(house: Crowd, calls: int, watch: Callable[[float], None]) -> Turn:
    """Put calls through the worker."""
    cpu, before = house.cpu(worker=True), await house.metrics()
    began = time.monotonic()
    report = await house.load(house.public_number, calls=calls, rate=RATE, watch=watch)
    await house.quiet()
    after = await house.metrics()
    spent, asked = gauges.grown(cpu, house.cpu(worker=True)), gauges.grown(before, after)
    answered = asked.get('ivr_calls_ended_total{outcome="answered"}', 0)
    commands = gauges.labelled(asked, "ivr_queue_round_trips_total")
    return Turn(
        "ours",
        calls,
        failed=max(report.failed, calls - int(answered)),
        rate=calls / _calling_s(began, report.wall_s, calls),
        cpu_ms=spent,
        asked={
            "ari_requests": asked["ivr_ari_requests_total"],
            "ari_events": asked["ivr_ari_events_total"],
            "redis_round_trips": sum(count for name, count in commands.items() if name not in TICKS),
            **{f"redis_{name}": count for name, count in commands.items() if name not in TICKS and count},
        },
        why=report.errors,
    )


async def app_queue(house: Crowd, calls: int, watch: Callable[[float], None]) -> Turn:
    """Put calls through Read() and Queue()."""
    cpu, before = house.cpu(worker=False), await house.app_queue_counts()
    began = time.monotonic()
    report = await house.load(house.bench_number, calls=calls, rate=RATE, watch=watch)

    async def nothing() -> bool:
        return not await house.channels()

    await house.until("Asterisk's channels are gone", nothing)
    spent, after = gauges.grown(cpu, house.cpu(worker=False)), await house.app_queue_counts()
    return Turn(
        "app_queue",
        calls,
        failed=max(report.failed, calls - (after[0] - before[0])),
        rate=calls / _calling_s(began, report.wall_s, calls),
        cpu_ms={"asterisk": spent["asterisk"]},
        asked={},
        why=report.errors,
    )


def _calling_s(began: float, wall_s: float, calls: int) -> float:
    """Return for how long calls were begun: the last one then took its own time."""
    one_s = 1.0 + 0.3 + TALK_MS / 1000
    return max(calls / RATE, min(wall_s, time.monotonic() - began) - one_s)


async def measure(house: Crowd, size: Size, bars: Progress) -> dict[str, Any]:
    """Return the figures."""
    turns: list[Turn] = []
    bar = bars.add_task("warming up", total=1.0)

    def watch(share: float) -> None:
        bars.update(bar, completed=share)

    def begin(what: str) -> None:
        bars.reset(bar, description=what, total=1.0)

    async with await house.crowd():
        await ours(house, size.warm_up, watch)
        for n in range(1, size.turns + 1):
            await house.worker.stop()
            await house.forget_agents()
            begin(f"app_queue {n}/{size.turns}")
            if n == 1:
                await app_queue(house, size.warm_up, lambda _share: None)
            turns.append(await app_queue(house, size.turn, watch))
            await house.worker.start()
            await house.worker.ready()
            begin(f"ours {n}/{size.turns}")
            turns.append(await ours(house, size.turn, watch))
        begin("a key to a phone, under load")
        agent = await house.agent("awa-diallo")
        loading = asyncio.create_task(
            house.load(house.public_number, calls=size.probed, rate=RATE, watch=watch), name="load"
        )
        probes: list[float] = []
        while not loading.done() and len(probes) < PROBE_ROOM:
            probes.append(await probe(house, agent, "3"))
        await loading
        await house.quiet()
    if faults := house.complaints():
        raise LoadFailed(f"Asterisk complains: {faults[0]}")
    return figures(turns, probes)


def ceiling_ms(app_queue_ms: float) -> float:
    """Return what a call of ours may cost on a machine where one by Read() + Queue() costs so much."""
    return round(CEILING_MS * max(1.0, app_queue_ms / REFERENCE_MS), 2)


def figures(turns: list[Turn], probes: list[float]) -> dict[str, Any]:
    """Return what .run/bench.json holds."""
    own = [turn for turn in turns if turn.side == "ours"]
    theirs = [turn for turn in turns if turn.side == "app_queue"]
    calls = sum(turn.calls for turn in own)

    def per_call(side: list[Turn], name: str) -> float:
        return round(sum(turn.cpu_ms[name] for turn in side) / sum(turn.calls for turn in side), 2)

    def asked(name: str) -> float:
        return round(sum(turn.asked.get(name, 0) for turn in own) / calls, 2)

    parts = {name: per_call(own, name) for name in ("asterisk", "ivr", "redis")}
    commands = sorted({name for turn in own for name in turn.asked if name.startswith("redis_")})
    reach = Quantiles.of(probes)
    failed = [turn for turn in turns if turn.failed]
    total, ceiling = round(sum(parts.values()), 2), ceiling_ms(per_call(theirs, "asterisk"))
    above = f"a call costs {total:.2f} ms of processor time, above the ceiling of {ceiling:.2f} ms"
    return {
        "ok": not failed and total <= ceiling,
        "cpu_per_call_ms": {
            "ours": {**parts, "total": total},
            "app_queue": {"asterisk": per_call(theirs, "asterisk")},
        },
        "ceiling_ms": ceiling,
        "unscaled": {"ceiling_ms": CEILING_MS, "ok": total <= CEILING_MS},
        "rate": round(min(turn.rate for turn in turns), 1),
        "calls": sum(turn.calls for turn in turns),
        "failed": sum(turn.failed for turn in turns),
        "why": failed[0].why if failed else above if total > ceiling else "",
        "digit_to_invite_ms": {
            "count": reach.count,
            "p50": round(reach.p50, 1),
            "p99": round(reach.p99, 1),
            "longest": round(reach.longest, 1),
        },
        "ari_requests_per_call": asked("ari_requests"),
        "ari_events_per_call": asked("ari_events"),
        "redis_round_trips_per_call": asked("redis_round_trips"),
        "redis_commands_per_call": {
            name.removeprefix("redis_"): asked(name) for name in commands if name != "redis_round_trips"
        },
        "talk_ms": TALK_MS,
        "agents": AGENTS,
        "turns": [asdict(turn) for turn in turns],
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures as a small table."""
    own, theirs = found["cpu_per_call_ms"]["ours"], found["cpu_per_call_ms"]["app_queue"]["asterisk"]
    table = Table(title="processor time per call, ms")
    for column in ("", "ours", "Read() + Queue()"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("asterisk", f"{own['asterisk']:.1f}", f"{theirs:.1f}")
    table.add_row("ivr", f"{own['ivr']:.1f}", "–")
    table.add_row("redis", f"{own['redis']:.1f}", "–")
    table.add_row("all", f"{own['total']:.1f}", f"{theirs:.1f}", style="bold")
    console.print(table)
    reach = found["digit_to_invite_ms"]
    console.print(
        f"{found['calls']} calls at {found['rate']} calls/s, {found['failed']} failed; per call of ours "
        f"{found['ari_requests_per_call']} ARI requests, {found['ari_events_per_call']} events, "
        f"{found['redis_round_trips_per_call']} Redis round trips; from a key to an agent's phone, under this load: "
        f"median {reach['p50']} ms, longest of {reach['count']} {reach['longest']} ms",
        soft_wrap=True,
    )


async def bench(size: Size, console: Console) -> dict[str, Any]:
    """Start everything, measure, end everything."""
    prompts = RUN / "prompts"
    await asyncio.to_thread(make_sounds, PLAN, prompts, console)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch, Progress(*columns, console=console) as bars:
        async with Crowd(PLAN, prompts, Path(scratch), agents=AGENTS, talk_ms=TALK_MS) as house:
            return await measure(house, size, bars)


def main(*, quick: bool) -> int:
    """Run the bench; the last line says how it went, and so does the exit status."""
    console = Console(highlight=False)
    RUN.mkdir(exist_ok=True)
    try:
        ensure_root()
        found = asyncio.run(bench(QUICK if quick else FULL, console))
    except IvrError as error:
        found = {"ok": False, "failed": None, "why": str(error)}
    (RUN / "bench.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if "calls" in found:
        show(found, console)
    if not found["ok"]:
        print(f"bench: FAILED {found['why'] or str(found['failed']) + ' calls failed'}")
        return 1
    print("bench: ok")
    return 0
