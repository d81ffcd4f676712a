"""`ivr hours`: when people will really answer, day by day, and why."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.commands.terminal import ERR, OUT
from ivr.errors import IvrError
from ivr.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from ivr.core.plan import Plan
    from ivr.core.schedule import Span, Timeline
    from ivr.publish.states import States

DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
LAYERS = {
    "crisis": "crise",
    "forced": "forcé",
    "one-off": "exception",
    "school": "vacances scolaires",
    "holiday": "jour férié",
    "weekly": "",
    "error": "ERREUR : compte comme ouvert",
}
MOST_DAYS = 366
ALWAYS = "site, à toute heure"
"""The name of what a site without hours of its own keeps to."""


class BadSpan(IvrError):
    """`--next` or `--at` cannot be read."""

    language = "fr"


def hours(
    plan: Annotated[Path | None, typer.Argument(help="Dossier d'un brouillon ; par défaut ce qui est servi.")] = None,
    *,
    next_: Annotated[str, typer.Option("--next", help="Combien de jours : 14d, 14 jours.")] = "14d",
    at: Annotated[str, typer.Option(help="Dire plutôt un instant : « 2026-12-24 18h ».")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Pour les machines.")] = False,
) -> None:
    """Montrer les horaires qui s'appliqueront vraiment, jour par jour, et pourquoi."""
    from ivr.commands.terminal import served_plan  # noqa: PLC0415 - each command imports what it needs
    from ivr.plan import load_or_raise  # noqa: PLC0415

    settings = Settings()
    made = load_or_raise(plan)[0] if plan is not None else served_plan(settings)
    days, now = _days(next_), time.time_ns() // 1_000_000
    states = asyncio.run(_states(settings, made, now))
    if not (made.schedules or states.all() or at or as_json):
        OUT.print("Ce site n'a pas d'horaires (hours.yaml) : il répond à toute heure.")
        return
    if at:
        _at(made, states, at, as_json=as_json)
        return
    first = dt.datetime.fromtimestamp(now / 1000, _zone()).date()
    shown = _timelines(made, states, first, first + dt.timedelta(days=days - 1))
    if as_json:
        told = {name: [_row(span) for span in timeline.spans] for name, timeline in shown.items()}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for name, timeline in shown.items():
        OUT.print(_table(made, name, timeline, first, days))


def _zone() -> dt.tzinfo:
    from ivr.plan.calendar import ZONE  # noqa: PLC0415

    return ZONE


def _days(text: str) -> int:
    found = re.fullmatch(r"\s*(\d{1,3})\s*(?:d|j|jours?|days?)?\s*", text)
    if found is None or not 1 <= int(found[1]) <= MOST_DAYS:
        raise BadSpan(f"« {text} » n'est pas une durée en jours : écrivez --next 14d, de 1 à {MOST_DAYS} jours")
    return int(found[1])


async def _states(settings: Settings, plan: Plan, now: int) -> States:
    """What is forced now; nothing, and that is told, where Redis does not answer."""
    from ivr.ledger.store import Ledger  # noqa: PLC0415
    from ivr.publish.errors import StoreAway  # noqa: PLC0415
    from ivr.publish.states import States  # noqa: PLC0415
    from ivr.publish.store import Publications  # noqa: PLC0415
    from ivr.queueing.connect import connect  # noqa: PLC0415

    redis = connect(settings.redis_url, timeout_s=3)
    try:
        return (await Publications(redis, Ledger(settings.ledger), plan.site).in_force(now)).states
    except StoreAway:
        ERR.print("[yellow]Redis ne répond pas : ce qui est forcé en ce moment n'est pas montré.[/yellow]")
        return States()
    finally:
        await redis.aclose()


def _timelines(plan: Plan, states: States, first: dt.date, last: dt.date) -> dict[str, Timeline]:
    """Return the spans of each schedule over some days, with what is forced; of the site too, if it has none."""
    from ivr.core.schedule import Timeline  # noqa: PLC0415
    from ivr.plan.calendar import timeline, with_states  # noqa: PLC0415

    always = {ALWAYS: with_states(Timeline(), None, states.of_calendar())} if plan.hours is None else {}
    return always | {
        str(name): with_states(timeline(schedule, first, last), name, states.of_calendar())
        for name, schedule in plan.schedules.items()
    }


def _row(span: Span) -> dict[str, object]:
    def said(at: int) -> str:
        return dt.datetime.fromtimestamp(at / 1000, _zone()).isoformat(timespec="minutes")

    return {
        "from": said(span.start),
        "to": said(span.end),
        "open": span.open,
        "layer": span.layer,
        "reason": span.reason,
    }


def _table(plan: Plan, name: str, timeline: Timeline, first: dt.date, days: int) -> Table:
    from rich.table import Table  # noqa: PLC0415

    whose = " (le site)" if name == plan.hours else ""
    followers = [topic.label for topic in plan.topics.values() if topic.hours == name]
    table = Table(title=f"{name}{whose}{' : ' if followers else ''}{', '.join(followers)}", title_justify="left")
    table.add_column("Jour", no_wrap=True)
    table.add_column("Ouvert", no_wrap=True)
    table.add_column("Pourquoi")
    for n in range(days):
        date = first + dt.timedelta(days=n)
        spans = list(_of_day(timeline, date))
        is_open = ", ".join(f"{_clock(a)}-{_clock(b, last=True)}" for a, b, span in spans if span.open)
        why = dict.fromkeys(filter(None, (_why(span) for _, _, span in spans)))
        if _clock_changes(date):
            why["changement d'heure"] = None
        shown = f"[green]{is_open}[/green]" if is_open else "[red]fermé[/red]"
        table.add_row(f"{DAYS[date.weekday()]} {date:%d/%m}", shown, " ; ".join(why))
    return table


def _of_day(timeline: Timeline, date: dt.date) -> list[tuple[dt.datetime, dt.datetime, Span]]:
    """Return the parts of a day; two that meet and are alike open count as one."""
    start = dt.datetime.combine(date, dt.time(), _zone())
    end = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), _zone())
    found: list[tuple[dt.datetime, dt.datetime, Span]] = []
    for span in timeline.spans:
        a = max(start, dt.datetime.fromtimestamp(span.start / 1000, _zone()) if span.start > 0 else start)
        b = min(end, dt.datetime.fromtimestamp(min(span.end, 4_000_000_000_000) / 1000, _zone()))
        if a < b:
            found.append((a, b, span))
    return found


def _why(span: Span) -> str:
    words = [word for word in (LAYERS[span.layer], span.reason) if word]
    return " : ".join(words)


def _clock(at: dt.datetime, *, last: bool = False) -> str:
    if last and (at.hour, at.minute) == (0, 0):
        return "24h"
    return f"{at.hour}h{at.minute:02d}" if at.minute else f"{at.hour}h"


def _clock_changes(date: dt.date) -> bool:
    midnight = dt.datetime.combine(date, dt.time(), _zone())
    after = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), _zone())
    return midnight.utcoffset() != after.utcoffset()


def _at(plan: Plan, states: States, text: str, *, as_json: bool) -> None:
    from ivr.plan.moments import milliseconds_of, moment  # noqa: PLC0415

    asked = moment(text)
    if asked is None:
        raise BadSpan(f"« {text} » n'est pas un instant : écrivez par exemple --at « 2026-12-24 18h »")
    date = asked.date()
    shown = _timelines(plan, states, date - dt.timedelta(days=1), date + dt.timedelta(days=1))
    spans = {name: timeline.at(milliseconds_of(asked)) for name, timeline in shown.items()}
    if as_json:
        typer.echo(json.dumps({name: _row(span) for name, span in spans.items()}, ensure_ascii=False, indent=2))
        return
    for name, span in spans.items():
        why = _why(span)
        OUT.print(f"{name} : {'ouvert' if span.open else 'fermé'}{f' ({why})' if why else ''}", markup=False)
