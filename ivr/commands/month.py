"""`ivr month export`: a month of traffic out of the ledger, without numbers, to live it again on a draft."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.commands.terminal import ERR, OUT, served_plan
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ivr.core.plan import Plan
    from ivr.traffic.month import Month, Period

month_app = typer.Typer(help="Le trafic enregistré d'un mois.", no_args_is_help=True)


@month_app.callback()
def months() -> None:
    """Le trafic enregistré d'un mois."""


@month_app.command("export")
def export(
    month: Annotated[str, typer.Option(help="Le mois : 2026-10.")],
    out: Annotated[Path | None, typer.Option(help="Fichier à écrire ; par défaut mois-2026-10.json, ici.")] = None,
) -> None:
    """Écrire le trafic d'un mois, sans numéros ni références d'appelants, pour « ivr simulate --against »."""
    from ivr.sim.show import number  # noqa: PLC0415 - each command imports what it needs
    from ivr.sim.show_contrast import NOTES  # noqa: PLC0415
    from ivr.traffic.month import Period, write  # noqa: PLC0415

    settings = Settings()
    period = Period.of(month)
    path = out or Path(f"mois-{period.name}.json")
    plan = served_plan(settings)
    found = recorded(settings, plan, period)
    if not found.calls:
        from ivr.traffic.errors import TrafficError  # noqa: PLC0415

        raise TrafficError(f"Le registre n'a aucun appel de {period.name} pour « {plan.site} » : rien n'est écrit.")
    write(found, path)
    there = sum(bool(presence.here) for presence in found.agents.values())
    OUT.print(
        f"{path} : {number(len(found.calls))} appels (jours : {len(found.days())}, agents : {there}), ni numéros ni "
        "références d'appelants. Les agents y sont nommés : à garder comme un planning.",
        markup=False,
        soft_wrap=True,
    )
    for what, count in found.notes.items():
        OUT.print(f"{number(count)} {NOTES.get(what, what)}.", markup=False, soft_wrap=True)


def recorded(settings: Settings, plan: Plan, period: Period) -> Month:
    """Return a period out of the ledger of the settings; a bar on a terminal. Raises LedgerError."""
    return asyncio.run(_read(settings, plan, period))


async def _read(settings: Settings, plan: Plan, period: Period) -> Month:
    from ivr.ledger.history import History  # noqa: PLC0415 - each command imports what it needs
    from ivr.ledger.store import Ledger  # noqa: PLC0415
    from ivr.traffic.ledger import recorded as read  # noqa: PLC0415

    async with Ledger(settings.ledger) as ledger:
        with bar("registre") as tell:
            return await read(History(ledger, plan.site), plan, period, opening(plan, period), tell)


def opening(plan: Plan, period: Period) -> Callable[[int], bool]:
    """Whether a plan's site answers, at instants of a period."""
    from datetime import datetime  # noqa: PLC0415 - each command imports what it needs

    from ivr.plan.calendar import ZONE, calendar_of  # noqa: PLC0415

    first, last = (datetime.fromtimestamp(at / 1000, ZONE).date() for at in (period.start, period.end))
    site = calendar_of(plan, first, last).site
    return lambda at: site.at(at).open


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    from rich.progress import Progress  # noqa: PLC0415 - each command imports what it needs

    with Progress(console=ERR, transient=True, disable=not ERR.is_terminal) as shown:
        task = shown.add_task(title)
        yield lambda done, of: shown.update(task, completed=done, total=of)
