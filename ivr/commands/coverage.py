"""`ivr coverage`: which topics will have nobody or be slow in the days to come, and who could mend that."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.commands.terminal import ERR, OUT, served_plan
from ivr.settings import Settings

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.core.staffing import Absences
    from ivr.traffic.month import Month

WEEKS = 8
"""Of the past, where no month is given."""
MOST_DAYS = 60
_DAYS = re.compile(r"\s*(\d{1,3})\s*(?:d|j|jours?|days?)?\s*")
_DAY_MS = 86_400_000


def coverage(
    plan: Annotated[Path | None, typer.Argument(help="Dossier d'un brouillon ; par défaut ce qui est servi.")] = None,
    *,
    next_: Annotated[
        str, typer.Option("--next", help="Combien de jours, aujourd'hui compris : 10d, 10 jours.")
    ] = "10d",
    arrivals: Annotated[
        Path | None, typer.Option(metavar="MOIS", help="Un mois enregistré ; par défaut les 8 dernières semaines.")
    ] = None,
    starting: Annotated[str, typer.Option("--from", help="Premier jour : 2026-12-21 ; par défaut aujourd'hui.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Montrer aussi ce qui est à peine lent.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Pour un programme : un objet JSON.")] = False,
) -> None:
    """Prévoir quels motifs n'auront personne ou feront attendre, et quel collègue y remédie."""
    from datetime import datetime, timedelta  # noqa: PLC0415 - each command imports what it needs

    from ivr.commands.month import bar  # noqa: PLC0415
    from ivr.coverage.demand import Demand  # noqa: PLC0415
    from ivr.coverage.forecast import calibrated, forecast  # noqa: PLC0415
    from ivr.coverage.show import facts, show  # noqa: PLC0415
    from ivr.plan import load_or_raise  # noqa: PLC0415
    from ivr.plan.calendar import ZONE, calendar_of  # noqa: PLC0415
    from ivr.traffic.month import date_of, read  # noqa: PLC0415

    settings = Settings()
    days, now = _days(next_), time.time_ns() // 1_000_000
    start = _first(starting) if starting else now
    made = load_or_raise(plan)[0] if plan is not None else served_plan(settings)
    month = read(arrivals) if arrivals is not None else _past(settings, made, now)
    past, until, first = (datetime.fromtimestamp(at / 1000, ZONE).date() for at in (month.start, month.end, start))
    demand = calibrated(Demand.of(month, made), made, month, calendar_of(made, past, until))
    calendar = calendar_of(made, first, first + timedelta(days=days))
    feeds = asyncio.run(_feeds(settings, made))
    with bar("prévision") as tell:
        slots, found = forecast(made, demand, calendar, start, days, feeds, tell)
    if as_json:
        told = facts(slots, found, made, demand, {"from": date_of(start), "days": days, "learnt_from": month.name})
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        show(slots, found, made, demand, OUT, every=every)


def _days(text: str) -> int:
    from ivr.traffic.errors import TrafficError  # noqa: PLC0415 - each command imports what it needs

    found = _DAYS.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= MOST_DAYS:
        raise TrafficError(f"« {text} » n'est pas une durée en jours : écrivez --next 10d, de 1 à {MOST_DAYS} jours.")
    return int(found[1])


def _first(text: str) -> int:
    from ivr.plan.moments import milliseconds_of, moment  # noqa: PLC0415 - each command imports what it needs
    from ivr.traffic.errors import TrafficError  # noqa: PLC0415

    at = moment(text)
    if at is None:
        raise TrafficError(f"« {text} » n'est pas un jour : écrivez --from 2026-12-21.")
    return milliseconds_of(at)


def _past(settings: Settings, plan: Plan, now: int) -> Month:
    """Return the last weeks out of the ledger. Raises TrafficError where there are none."""
    from ivr.commands.month import recorded  # noqa: PLC0415 - each command imports what it needs
    from ivr.traffic.errors import TrafficError  # noqa: PLC0415
    from ivr.traffic.month import Period, midnight_of  # noqa: PLC0415

    today = midnight_of(now)
    month = recorded(settings, plan, Period(f"{WEEKS} semaines", midnight_of(today - WEEKS * 7 * _DAY_MS), today))
    if not month.calls:
        raise TrafficError(
            f"Le registre n'a aucun appel des {WEEKS} dernières semaines pour « {plan.site} » : donnez un mois "
            "enregistré, --arrivals mois.json (« ivr month export », ou « ivr simulate --record » pour essayer)."
        )
    return month


async def _feeds(settings: Settings, plan: Plan) -> Absences:
    """Return what the calendars at addresses said last; nothing, and that is told, where Redis does not answer."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - each command imports what it needs

    from ivr.queueing.connect import connect  # noqa: PLC0415
    from ivr.staffing.feeds import Feeds  # noqa: PLC0415

    if all(agent.feed is None for agent in plan.agents.values()):
        return {}
    redis = connect(settings.redis_url, timeout_s=3)
    feeds = Feeds(redis, plan.site, lambda: 0)
    try:
        await redis.ping()
        await feeds.read()
    except RedisError:
        ERR.print("[yellow]Redis ne répond pas : les agendas en ligne ne sont pas comptés.[/yellow]")
    finally:
        await redis.aclose()
    return feeds.absences(plan)
