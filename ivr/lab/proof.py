"""`make proof`: the full figures, in steps that are kept: a run that was cut off goes on where it was.

A step is done for the sources as they are; any change of them makes all steps due again.
Figures in .run/proof.json.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ivr.errors import IvrError
from ivr.lab import gauges
from ivr.lab import storm as stormy
from ivr.lab.crowd import Crowd, LoadFailed
from ivr.lab.editor import CALLS, RATE, publish_under_load
from ivr.lab.probe import probe
from ivr.lab.report import Quantiles
from ivr.prompts.studio import make_sounds
from ivr.queueing.queue import AT_ONCE
from ivr.stack.root import ensure_root

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN: Final = Path("dialplan/pessac")
RUN: Final = Path(".run")
SOURCES: Final = ("ivr", "dialplan", "asterisk-config", "tests", "requirements.txt", "pyproject.toml")
SOAK_CALLS: Final = 1_000
SOAK_RATE: Final = 5.0
SOAK_AGENTS: Final = 40
SOAK_TALK_MS: Final = 2_000
WARM_UP: Final = 40
POOLS: Final = {"redis_connections": AT_ONCE, "ledger_descriptors": 10}
"""By how much a pool may grow, as it keeps what was once needed at a time: SQLAlchemy's has up to five connections to
SQLite, of two files each."""
PROBES: Final = 200
QUEUE_STEPS: Final = 100_000
DRAWN: Final = ("tests/core", "tests/queueing", "tests/prove", "tests/sim")
"""The tests that are longer in the profile "proof"."""
LONG_WAIT_S: Final = 180
AT_CLOSING: Final = 500
REACH_MS: Final = 100.0
NEXT_MS: Final = 150.0
SIMULATED: Final = ("--days", "21", "--calls", "30000", "--seed", "7")
MONTH_S: Final = 60.0
OUTCOMES: Final = ("answered", "informed", "left", "promised")
MONTH: Final = (
    *("calls", *OUTCOMES, "violations", "overtakings_unexplained", "first_violations", "wait_s"),
    *("service_level", "answer_rate", "occupancy", "peak_waiting", "queue_commands", "wall_s"),
)
"""What is kept of a simulated month."""
SATURATED: Final = 0.85
"""A machine that is busier than this measures its own queue for a processor."""

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the proof; `take` returns its figures, "ok" among them."""

    name: str
    what: str
    take: Callable[[Console], Figures]


def sources() -> str:
    """Return a digest of everything that the figures depend on."""
    digest = hashlib.sha256()
    for name in SOURCES:
        top = Path(name)
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def command(argv: list[str], console: Console, env: dict[str, str] | None = None) -> Figures:
    """Run a command that tells its own progress; ok when it says so."""
    console.print(f"[dim]{' '.join(argv)}[/dim]", soft_wrap=True)
    ended = subprocess.run(argv, check=False, env={**os.environ, **(env or {})})
    return {"ok": ended.returncode == 0, "status": ended.returncode}


def scenes(console: Console) -> Figures:
    """Play the demo."""
    found = command([sys.executable, "-m", "ivr", "demo"], console)
    return {**found, "scenes": json.loads((RUN / "demo.json").read_text(encoding="utf-8"))["scenes"]}


def proven(console: Console) -> Figures:
    """Prove the plan: every state of its calls."""
    argv = [sys.executable, "-m", "ivr", "prove", str(PLAN), "--json"]
    ended = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
    found: Figures = json.loads(ended.stdout) if ended.stdout else {"ok": False}
    console.print(found.get("story") or f"[dim]{found.get('states')} states[/dim]", soft_wrap=True, markup=True)
    return found


def simulated(console: Console) -> Figures:
    """Live a month of calls on a virtual clock."""
    argv = [sys.executable, "-m", "ivr", "simulate", str(PLAN), *SIMULATED, "--json"]
    console.print(f"[dim]{' '.join(argv)}[/dim]", soft_wrap=True)
    ended = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
    return month(json.loads(ended.stdout)) if ended.stdout else {"ok": False, "status": ended.returncode}


def month(found: Figures) -> Figures:
    """Return what is kept of a month; ok when no rule was broken, each call ended as one thing, and it was quick."""
    broken = found["violations"] + found["overtakings_unexplained"]
    sums = sum(found[outcome] for outcome in OUTCOMES) == found["calls"]
    return {"ok": not broken and sums and found["wall_s"] < MONTH_S, **{name: found[name] for name in MONTH}}


def properties(console: Console) -> Figures:
    """Run the tests that draw their cases by chance, many times longer."""
    return command(
        [sys.executable, "-m", "pytest", "-q", "--timeout", "1200", *DRAWN],
        console,
        {"HYPOTHESIS_PROFILE": "proof", "IVR_QUEUE_STEPS": str(QUEUE_STEPS)},
    )


def cost(console: Console) -> Figures:
    """Take the bench's figures."""
    found = command([sys.executable, "-m", "ivr", "bench", "--quick"], console)
    figures = json.loads((RUN / "bench.json").read_text(encoding="utf-8"))
    figures.pop("turns", None)
    total = figures.get("cpu_per_call_ms", {}).get("ours", {}).get("total", float("inf"))
    return {**figures, "ok": found["ok"] and total <= figures.get("ceiling_ms", 0.0)}


def soak(console: Console) -> Figures:
    """Put a thousand calls through one worker; nothing may be left behind."""
    return asyncio.run(_in_crowd(_soak, console))


def published(console: Console) -> Figures:
    """Publish a version, and take it back, under calls; nobody may notice."""

    async def take(house: Crowd, bars: Progress) -> Figures:
        bar = bars.add_task(f"{CALLS} calls, {RATE:.0f} a second", total=1.0)
        with tempfile.TemporaryDirectory(prefix="proof-") as scratch:
            return await publish_under_load(house, Path(scratch), lambda share: bars.update(bar, completed=share))

    return asyncio.run(_in_crowd(take, console))


def reach(console: Console) -> Figures:
    """Measure how long a key takes to reach an agent's phone."""
    return asyncio.run(_in_crowd(_reach, console))


def failures(console: Console) -> Figures:
    """Live through the known failures of other queues, the long ones at their whole length."""
    return command(
        [sys.executable, "-m", "pytest", "-q", "tests/e2e/test_known_failures.py"],
        console,
        {"IVR_LONG_WAIT_S": str(LONG_WAIT_S), "IVR_AT_CLOSING": str(AT_CLOSING)},
    )


def many(console: Console, take: Callable[[Console, stormy.Storm], Figures] | None = None) -> Figures:
    """Have 500 callers wait, then 10 more a second for 5 minutes, with 200 agents.

    All must have waited, nobody be lost, and the next caller ring soon. On a machine that had nothing left half as
    many are taken as well, to tell what it can do; the step fails all the same.
    """
    take = take or _storm
    whole = stormed(take(console, stormy.FULL))
    saturated = whole["promised"] or whole["machine_busy"] >= SATURATED
    if whole["ok"] or not whole["clean"] or not saturated:
        return whole
    console.print(
        f"[yellow]the machine could not keep up ({whole['promised']} callers have a promise):"
        " half as many waiting, for information[/yellow]"
    )
    return {**whole, "half": stormed(take(console, stormy.HALF))}


def stormed(found: Figures) -> Figures:
    """Return the figures of a storm, judged: clean when nobody had less than their due, ok when it was all there."""
    clean = not (found["lost"] or found["doubled"] or found["callers_failed"] or found["complaints"])
    soon = found["free_to_invite_ms"]["p99"] <= NEXT_MS
    whole = found["waiting_beforehand"] >= found["waiting_wanted"]
    return {**found, "ok": clean and soon and whole, "clean": clean, "soon": soon}


def _storm(console: Console, shape: stormy.Storm) -> Figures:
    async def take(house: Crowd, bars: Progress) -> Figures:
        return await stormy.storm(house, shape, bars)

    found: Figures = asyncio.run(_in_crowd(take, console, shape))
    return found


async def _in_crowd(
    take: Callable[[Crowd, Progress], Any], console: Console, shape: stormy.Storm | None = None
) -> Figures:
    await asyncio.to_thread(make_sounds, PLAN, RUN / "prompts", console)
    what: dict[str, Any] = {"agents": SOAK_AGENTS, "talk_ms": SOAK_TALK_MS}
    if shape:
        what = {"agents": shape.agents, "talk_ms": shape.talk_ms, "rtp_ports": shape.rtp_ports, "quiet": True}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory(prefix="proof-") as scratch, Progress(*columns, console=console) as bars:
        async with Crowd(PLAN, RUN / "prompts", Path(scratch), **what) as house:
            return dict(await take(house, bars))


async def _soak(house: Crowd, bars: Progress) -> Figures:
    async with await house.crowd():
        bar = bars.add_task(f"{SOAK_CALLS} calls, {SOAK_RATE:.0f} a second", total=1.0)
        await house.load(house.public_number, calls=WARM_UP, rate=SOAK_RATE, watch=lambda _share: None)
        await house.quiet()
        before = await _held(house)
        report = await house.load(
            house.public_number,
            calls=SOAK_CALLS,
            rate=SOAK_RATE,
            watch=lambda share: bars.update(bar, completed=share),
        )
        await house.quiet()
        after: dict[str, int] = {}
        more: dict[str, int] = {}

        async def as_before() -> bool:
            after.update(await _held(house))
            more.clear()
            more.update((name, after[name]) for name in before if after[name] > before[name] + POOLS.get(name, 0))
            return not more

        with contextlib.suppress(LoadFailed):
            await house.until("as before", as_before)
    left = await house.left_behind()
    complaints = house.complaints()
    return {
        "ok": report.ok == SOAK_CALLS and not any(left.values()) and not complaints and not more,
        "why": ", ".join(f"{name}: {before[name]} before, {count} after" for name, count in more.items()),
        "calls": report.calls,
        "served": report.ok,
        "answered_ms": {"p50": report.response_ms.p50, "p99": report.response_ms.p99},
        "left": dict(left),
        "before": before,
        "after": after,
        "complaints": complaints[:5],
    }


async def _held(house: Crowd) -> dict[str, int]:
    metrics = await house.metrics()
    connections = await house.redis_connections()
    worker = gauges.descriptors(house.worker.process.pid)
    ledger = sum("/ledger.sqlite" in each for each in worker)
    return {
        "tasks": int(metrics["ivr_tasks"]),
        "worker_descriptors": len(worker) - ledger - connections,
        "asterisk_descriptors": len(gauges.descriptors(house.stack.asterisk.pid)),
        "redis_descriptors": len(gauges.descriptors(house.stack.redis.pid)) - connections,
        "redis_connections": connections,
        "ledger_descriptors": ledger,
    }


async def _reach(house: Crowd, bars: Progress) -> Figures:
    agent = await house.agent("awa-diallo")
    turns = bars.track(range(PROBES), description=f"{PROBES} keys")
    took = [await probe(house, agent, "3") for _ in turns]
    found = Quantiles.of(took)
    return {
        "ok": found.p99 <= REACH_MS,
        "digit_to_invite_ms": {"count": found.count, "p50": found.p50, "p99": found.p99, "longest": found.longest},
    }


STEPS: Final = (
    Step("prove", "every state of a call of the plan", proven),
    Step("simulator", "a month of calls on a virtual clock", simulated),
    Step("scenes", "the scenes of the demo", scenes),
    Step("reach", f"from a key to an agent's phone, {PROBES} times", reach),
    Step("cost", "processor time per call", cost),
    Step("soak", f"{SOAK_CALLS} calls in a row", soak),
    Step("publish", "a version is published and taken back under load", published),
    Step("storm", f"{stormy.FULL.waiting} callers wait, {stormy.FULL.coming} more come", many),
    Step("failures", "what other queues are known to fail at", failures),
    Step("properties", "the drawn tests, longer", properties),
)


def main() -> int:
    """Run what is due; the last line says how it went, and so does the exit status."""
    console = Console(highlight=False)
    RUN.mkdir(exist_ok=True)
    path = RUN / "proof.json"
    digest = sources()
    kept: Figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    steps: dict[str, Figures] = kept.get("steps", {}) if kept.get("sources") == digest else {}
    ensure_root()
    for number, step in enumerate(STEPS, 1):
        if steps.get(step.name, {}).get("ok"):
            console.print(f"[dim]{number}/{len(STEPS)} {step.what}: kept[/dim]")
            continue
        console.print(f"[bold]{number}/{len(STEPS)} {step.what}[/bold]")
        began = time.monotonic()
        try:
            found = step.take(console)
        except (IvrError, TimeoutError) as failed:
            found = {"ok": False, "why": str(failed)}
        steps[step.name] = {**found, "took_s": round(time.monotonic() - began, 1)}
        passed = all(steps.get(each.name, {}).get("ok") for each in STEPS)
        text = json.dumps({"ok": passed, "sources": digest, "steps": steps}, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
    failed_steps = [step.name for step in STEPS if not steps[step.name]["ok"]]
    if failed_steps:
        why = steps[failed_steps[0]].get("why") or f"see {path}"
        print(f"proof: FAILED {', '.join(failed_steps)}: {why}")
        return 1
    print("proof: ok")
    return 0
