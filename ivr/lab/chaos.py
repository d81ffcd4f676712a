"""`make chaos`: one fault after another, on real processes under a steady load, and what callers had of each.

Figures in .run/chaos.json, as they come; a run that was cut off goes on where it was, for the sources as they are.
`make chaos-kills` gives random blows instead, drawn from a seed: .run/chaos-kills.json.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from ivr.errors import IvrError
from ivr.lab import adopting, notes
from ivr.lab.agreement import grown, standing
from ivr.lab.chaos_line import ChaosLine
from ivr.lab.chaos_load import FULL, SMALL, Shape
from ivr.lab.crowd import Crowd, LoadFailed
from ivr.lab.faults import BY_NAME, FAULTS, SILENCE_S, Fault, random_kill
from ivr.lab.proof import PLAN, RUN, sources
from ivr.prompts.studio import make_sounds
from ivr.stack.root import ensure_root

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = dict[str, Any]

STEADY_S: Final = 60.0
STRETCH_S: Final = 5.0
NOTED_S: Final = 2.0
"""A caller who was answered so long before is one who waits or talks."""
FILES_S: Final = 5.0
"""After the return of Asterisk every caller whom it dropped is owed a file."""
KILLS_AMONG: Final = 20
SEED: Final = 7
ADOPTED: Final = 500
ADOPT_S: Final = 2.0
LOGS: Final = RUN / "chaos-logs"
"""Of each fault that failed last time."""
LAST: Final = "the last callers"
ADOPTED_BY: Final = 25
"""Agents, so that everybody is answered soon afterwards."""
ADOPTED_TALK_MS: Final = 2_500
ADOPTION: Final = "adoption"
COLUMNS: Final = {
    "callers": "calls",
    "answered": "answ.",
    "promised": "prom.",
    "lost": "lost",
    "doubled": "dbl.",
    "worst_silence_s": "mute",
    "steady_after_s": "back",
    "violations": "viol.",
    "tries": "tries",
}
"""What the table shows, on 80 columns; the file has more."""
KEPT_OF_FAILURES: Final = ("why", "lost", "lost_by", "doubled", "violations", "broken", "worst_silence_s")


async def endure(line: ChaosLine, fault: Fault, say: Callable[[str], None]) -> Row:
    """Have the line live through one fault, and return what became of the callers who ended meanwhile."""
    await fault.ready(line)
    before = await line.counts()
    began = time.time()
    await fault.begin(line)
    owed: set[str] = set()
    lives: list[notes.Life] = []
    if fault.ends_calls:
        lives = line.lives()
        owed = notes.up(lives, began, NOTED_S)
        line.dropped |= notes.there(lives, began)
        line.crashes.append(began)
    await asyncio.sleep(max(0.0, began + fault.seconds - time.time()))
    violations = set(await fault.check(line))
    await fault.end(line)
    ended = time.time()
    say(f"over after {ended - began:.1f} s")
    missing: set[str] = set()
    if fault.ends_calls:
        await asyncio.sleep(FILES_S)
        missing = owed - await line.promised()
    steady = await _steady(line, ended)
    say("talks as before" if steady is not None else f"no talks as before within {STEADY_S:.0f} s")
    await asyncio.sleep(max(0.0, ended + fault.watch_s - time.time()))
    violations |= await standing(line.discrepancies)
    await asyncio.sleep(1.0)  # what the phones and the capture have on their way
    until = time.time()
    after = await line.counts()
    row = await _judged(line, began, until, fault.mute_s)
    row |= {
        "what": fault.what,
        "steady_after_s": steady,
        "repairs": grown(before, after, "ivr_repairs"),
        "violations": len(violations) + grown(before, after, "ivr_violations_total"),
        "broken": sorted(violations)[:10],
        "took_s": round(until - began, 1),
    }
    if fault.ends_calls:
        since = {life.number: round(began - life.began, 1) for life in lives if life.number in missing}
        row |= {"dropped": len(owed), "without_file": len(missing), "missing_had_called_s": since}
    await fault.tidy(line)
    return judged_whole(row, fault.silence_s)


def judged_whole(row: Row, silence_s: float) -> Row:
    """Return a row with whether it is ok, and why not."""
    why = [f"{row[name]} {name}" for name in ("lost", "doubled", "violations", "without_file") if row.get(name)]
    if row["steady_after_s"] is None:
        why.append("no talks as before")
    if row["worst_silence_s"] > silence_s:
        why.append(f"{row['worst_silence_s']} s of silence, {silence_s:g} at most")
    return {**row, "ok": not why, **({"why": ", ".join(why)} if why else {})}


async def _steady(line: ChaosLine, since: float) -> float | None:
    rate = line.shape.rate * 0.9
    while True:
        now = time.time()
        talks = [talk for group in line.desks() for talk in group.talks]
        after = notes.steady_after(talks, since, now, rate, STRETCH_S)
        if after is not None or now > since + STEADY_S:
            return after
        await asyncio.sleep(0.5)


async def _judged(line: ChaosLine, since: float, until: float, mute_s: float = notes.MUTE_S) -> Row:
    """Judge who ended since the last judgement; times in the figures count from `since`."""
    judged, line.judged = line.judged, until
    lives = line.lives()
    heard = [gap for gap in notes.heard_by(line.ears.gaps(judged, until), lives) if gap.ended >= judged]
    verdict = notes.judge(
        lives,
        line.desks(),
        await line.promised(),
        judged,
        until,
        but=line.dropped,
        unheard=notes.unheard(lives, heard, mute_s),
    )
    gaps = [gap for gap in heard if notes.plain(gap.caller) not in line.dropped]
    gaps.sort(key=lambda gap: -gap.seconds)
    line.ears.forget(until)
    rings = [life.up - life.began for life in lives if life.up is not None and judged <= life.up < until]
    return {
        "callers": verdict.callers,
        "answered": verdict.answered,
        "promised": verdict.promised,
        "left": verdict.left,
        "lost": len(verdict.lost),
        "lost_by": notes.failures_by_kind(verdict.lost),
        "lost_callers": [
            {**asdict(each), "began": round(each.began - since, 1), "ended": round(each.ended - since, 1)}
            for each in verdict.lost[:20]
        ],
        "doubled": verdict.doubled,
        "worst_silence_s": round(gaps[0].seconds, 2) if gaps else 0.0,
        "silences": [
            {"caller": gap.caller[-4:], "from": round(gap.began - since, 1), "s": round(gap.seconds, 2)}
            for gap in gaps[:10]
        ],
        "silent_over_2_s": sum(gap.seconds > 2.0 for gap in gaps),  # noqa: PLR2004 - named in the figure
        "worst_answer_s": round(max(rings, default=0.0), 2),
    }


async def last(line: ChaosLine, since: float) -> Row:
    """Let the last callers end, and judge them; nothing of any call may be left."""
    await line.no_more()
    deadline = time.monotonic() + 15.0
    left = await line.left()
    while any(left.values()) and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        left = await line.left()
    row = await _judged(line, since, time.time())
    left = {name: count for name, count in left.items() if count}
    row |= {"what": "the load ends", "violations": len(left), "broken": [f"left: {left}"] if left else []}
    row |= {"steady_after_s": 0.0, "repairs": 0, "took_s": round(time.time() - since, 1)}
    return judged_whole(row, SILENCE_S)


async def run(
    faults: Sequence[Fault],
    shape: Shape,
    prompts: Path,
    keep: Callable[[str, Row], None],
    say: Callable[[str], None],
    plan_dir: Path = PLAN,
) -> None:
    """Live through the faults one after another; `keep` gets each row. A line that broke is built anew."""
    due = list(faults)
    while due:
        with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
            async with ChaosLine(plan_dir, prompts, Path(scratch), shape) as line:
                say(f"{shape.agents} agents, {shape.waiting} callers wait, {shape.rate:g} more a second")
                await line.begin()
                whole = True
                while due and whole:
                    whole = await _next(line, due.pop(0), keep, say)
                if whole:
                    say("the load ends")
                    row = await last(line, time.time())
                    if not row["ok"]:
                        await _keep_logs(line, LAST, row["why"], say)
                    keep(LAST, row)


async def _next(line: ChaosLine, fault: Fault, keep: Callable[[str, Row], None], say: Callable[[str], None]) -> bool:
    """Whether the line can be used further."""
    say(f"[bold]{fault.name}[/bold]: {fault.what}")
    try:
        row = await endure(line, fault, say)
        if not row["ok"]:
            await _keep_logs(line, fault.name, row["why"], say)
        await line.top_up()
    except (IvrError, RedisError, OSError, TimeoutError) as failed:
        why = f"{type(failed).__name__} {failed}"
        await _keep_logs(line, fault.name, why, say)
        keep(fault.name, {"ok": False, "what": fault.what, "why": why})
        return False
    keep(fault.name, row)
    return row["steady_after_s"] is not None


async def _keep_logs(line: ChaosLine, name: str, why: str, say: Callable[[str], None]) -> None:
    folder = LOGS / name.replace(" ", "-")
    await asyncio.to_thread(line.keep, folder)
    say(f"[red]failed[/red]: {why}; logs and notes are in {folder}")


async def adoption(prompts: Path, callers: int, say: Callable[[str], None]) -> Row:
    """Return how long a worker takes to adopt so many waiting callers, whose worker was killed."""
    say(f"{callers} callers come to wait")
    ports = adopting.rtp_ports(callers, ADOPTED_BY)
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        async with Crowd(
            PLAN, prompts, Path(scratch), agents=ADOPTED_BY, talk_ms=ADOPTED_TALK_MS, rtp_ports=ports
        ) as house:
            found = await adopting.adoption(house, callers)
    good = found["adopted"] == callers and not (found["lost"] or found["doubled"] or found["callers_failed"])
    return {"ok": good and found["adopt_s"] <= ADOPT_S, **found}


def table(rows: dict[str, Row]) -> Table:
    """Return the rows as a table."""
    fault = Column("  fault", no_wrap=True, min_width=23)
    figures = (Column(name, no_wrap=True, min_width=5, justify="right") for name in COLUMNS.values())
    shown = Table(fault, *figures, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, row in rows.items():
        cells = ["–" if row.get(column) is None else str(row[column]) for column in COLUMNS]
        mark = "[green]✓[/green]" if good(row) else "[red]✗[/red]"
        shown.add_row(f"{mark} {name}", *cells)
    return shown


def the_list(names: Sequence[str], seed: int) -> list[Fault]:
    """Return the faults of these names, or all with random kills among them; IvrError for a name of none."""
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise LoadFailed(f"no such fault: {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    if names:
        return [BY_NAME[name] for name in names]
    kills = [random_kill(seed, n) for n in range(1, KILLS_AMONG + 1)]
    mixed: list[Fault] = []
    for n, fault in enumerate(FAULTS):
        # The crash of Asterisk, which leaves callers who wait for nothing, comes last.
        share = len(kills) * n // len(FAULTS)
        mixed += [*kills[share : len(kills) * (n + 1) // len(FAULTS)], fault]
    return mixed


def good(row: Row) -> bool:
    """Whether a row is ok, and was at each try."""
    return bool(row.get("ok")) and not row.get("failed_before")


def tried_again(before: Row | None, row: Row) -> Row:
    """Return a row with what is known of the tries before it: what fails once in three is not mended by a third."""
    if before is None:
        return {**row, "tries": 1}
    failed = list(before.get("failed_before", []))
    if not before["ok"]:
        failed.append({name: before[name] for name in KEPT_OF_FAILURES if name in before})
    return {**row, "tries": before.get("tries", 1) + 1, **({"failed_before": failed} if failed else {})}


class Book:
    """The figures as they come, kept in a file after each; ok once every row of the `whole` is, and was at each try."""

    def __init__(self, path: Path, digest: str, facts: Row, whole: Sequence[str]) -> None:
        self._path = path
        self._whole = whole
        # As it reads again: a tuple is a list then.
        self._facts: Row = json.loads(json.dumps({"sources": digest, **facts}))
        kept: Row = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        same = all(kept.get(name) == value for name, value in self._facts.items())
        self.rows: dict[str, Row] = {row.pop("name"): row for row in kept.get("faults", [])} if same else {}
        self.adopted: Row = kept.get("adopt_500", {}) if same else {}

    def keep(self, name: str, row: Row) -> None:
        """Keep one row, and how the tries before it failed."""
        self.rows[name] = tried_again(self.rows.get(name), row)
        self.write()

    def adopt(self, row: Row) -> None:
        """Keep the adoption, in the same way."""
        self.adopted = tried_again(self.adopted or None, row)
        self.write()

    def write(self) -> None:
        """Write what there is."""
        rows = [self.rows.get(name, {}) for name in self._whole if name != ADOPTION]
        adopted = ADOPTION not in self._whole or good(self.adopted)
        text = {
            "ok": all(map(good, rows)) and adopted,
            **self._facts,
            "faults": [{"name": name, **row} for name, row in self.rows.items()],
        }
        if self.adopted:
            text |= {"adopt_500_s": self.adopted["adopt_s"], "adopt_500": self.adopted}
        self._path.write_text(json.dumps(text, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(*, faults: Sequence[str] = (), kills: int | None = None, seed: int = SEED, small: bool = False) -> int:
    """Run what is due; the last line says how it went, and so does the exit status."""
    console = Console(highlight=False)
    RUN.mkdir(exist_ok=True)
    ensure_root()
    wanted = [random_kill(seed, n) for n in range(1, kills + 1)] if kills else the_list(faults, seed)
    whole = wanted if kills else the_list((), seed)
    parts = [*(fault.name for fault in whole), LAST, *([] if kills else [ADOPTION])]
    name_of_file = "chaos-kills.json" if kills else "chaos.json"
    shape = SMALL if small else FULL
    book = Book(RUN / name_of_file, sources(), {"seed": seed, "load": asdict(shape)}, parts)
    console.print(f"chaos: seed {seed}, {len(wanted)} faults, {len(book.rows)} kept")
    prompts = RUN / "prompts"
    make_sounds(PLAN, prompts, console)
    began = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.0f} s[/dim] {what}", soft_wrap=True)

    # What went wrong is tried again.
    due = [fault for fault in wanted if not book.rows.get(fault.name, {}).get("ok")]
    try:
        asyncio.run(run(due, shape, prompts, book.keep, say))
        if not faults and not kills and not book.adopted.get("ok"):
            book.adopt(asyncio.run(adoption(prompts, ADOPTED, say)))
    except (IvrError, TimeoutError) as error:
        print(f"chaos: FAILED {error}")
        return 1
    console.print(table(book.rows))
    if book.adopted:
        console.print(f"{ADOPTED} waiting callers adopted in {book.adopted['adopt_s']} s")
    asked = {*(fault.name for fault in wanted), LAST}
    rows = {name: row for name, row in book.rows.items() if name in asked}
    rows |= {ADOPTION: book.adopted} if book.adopted else {}
    for name, row in rows.items():
        for failure in row.get("failed_before", []):
            console.print(f"[red]{name} failed before[/red]: {failure}", soft_wrap=True)
    failed = [name for name, row in rows.items() if not good(row)]
    if failed:
        print(f"chaos: FAILED {', '.join(failed)}: see {RUN / name_of_file}")
        return 1
    print("chaos: ok")
    return 0
