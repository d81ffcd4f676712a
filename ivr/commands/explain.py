"""`ivr explain`: one call's whole story, for whoever has to answer for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ivr.commands.terminal import ERR, OUT, plan_of, whole
from ivr.settings import Settings

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.ledger.derive import CallRow
    from ivr.ledger.store import File
    from ivr.queueing.stream import Line

RECENT = 20


def explain(
    call: Annotated[str, typer.Argument(help="Identifiant de l'appel.")] = "",
    *,
    recent: Annotated[bool, typer.Option("--list", help="Montrer plutôt les derniers appels.")] = False,
) -> None:
    """Raconter un appel : chaque choix, chaque attente, qui a été considéré et pourquoi."""
    settings = Settings()
    plan = plan_of(settings)
    if recent or not call:
        _show_recent(asyncio.run(_recent(settings, plan)), plan)
        return
    found, lines, files = asyncio.run(_read(settings, plan, call))
    _show(found, lines, files, plan)


async def _recent(settings: Settings, plan: Plan) -> list[CallRow]:
    from ivr.ledger.history import History  # noqa: PLC0415 - each command imports what it needs
    from ivr.ledger.store import Ledger  # noqa: PLC0415

    async with Ledger(settings.ledger) as ledger:
        return await History(ledger, plan.site).recent(RECENT)


async def _read(settings: Settings, plan: Plan, call: str) -> tuple[CallRow, list[Line], list[File]]:
    """The call, its lines and those of agents up to its end, its files; UnknownCall when there is nothing."""
    from ivr.ledger.derive import row_of  # noqa: PLC0415
    from ivr.ledger.errors import UnknownCall  # noqa: PLC0415 - each command imports what it needs
    from ivr.ledger.history import History, in_order  # noqa: PLC0415
    from ivr.ledger.store import Ledger  # noqa: PLC0415

    # Read first: a line that moves to the ledger meanwhile is in both rather than in neither.
    live = await _live(settings.redis_url, plan)
    async with Ledger(settings.ledger) as ledger:
        history = History(ledger, plan.site)
        own = in_order([line for line in live if line.fields.get("call") == call] + await history.lines_of(call))
        files = await history.files(call)
        if not own and not files:
            raise UnknownCall(call)
        start, end = (own[0].at, own[-1].at) if own else (0, 0)
        agents = [line for line in live if line.at <= end and (line.fields.get("agent") or line.type == "founded")]
        lines = own + agents + await history.crowd(plan.agents, start, end)
        return row_of(plan.site, call, own), lines, files


async def _live(url: str, plan: Plan) -> list[Line]:
    """The lines that are still in the stream; none, and a word, when Redis does not answer."""
    from ivr.queueing.connect import connect  # noqa: PLC0415 - each command imports what it needs
    from ivr.queueing.keys import Keys  # noqa: PLC0415
    from ivr.queueing.queue import AWAY  # noqa: PLC0415
    from ivr.telephony.projection import readable  # noqa: PLC0415

    redis = connect(url)
    try:
        raw: Any = await redis.xrange(Keys(plan.site, ()).name("events"))
        return readable(raw)
    except AWAY:
        ERR.print("Redis ne répond pas : les toutes dernières secondes peuvent manquer.")
        return []
    finally:
        await redis.aclose()


def _show(found: CallRow, lines: list[Line], files: list[File], plan: Plan) -> None:
    from rich.text import Text  # noqa: PLC0415 - each command imports what it needs

    from ivr.ledger import names as fr  # noqa: PLC0415
    from ivr.ledger.timeline import tell  # noqa: PLC0415

    moments = tell(found.id, lines, files, fr.Names(plan))
    day = fr.day(moments[0].at)
    OUT.print(Text(f"Appel {found.id}, {day}", style="bold"))
    if found.caller_ref:
        OUT.print(f"Appelant {found.caller_ref} (référence ; le numéro n'est pas montré)", markup=False)
    if found.plan and found.plan != plan.version:
        OUT.print(
            f"Plan d'appels {found.plan}, qui n'est plus en vigueur : les noms sont ceux d'aujourd'hui.", markup=False
        )
    for moment in moments:
        if fr.day(moment.at) != day:
            day = fr.day(moment.at)
            OUT.print(Text(day, style="bold"))
        OUT.print(Text.assemble((fr.clock(moment.at), "cyan"), "  ", moment.text), soft_wrap=True)
        for beside in moment.beside:
            OUT.print(Text(f"            {beside}", style="dim"), soft_wrap=True)
    if found.ended_ms is None:
        OUT.print("La fin de l'appel n'est pas connue : il dure encore, ou date d'avant l'historique.")


def _show_recent(found: list[CallRow], plan: Plan) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - each command imports what it needs
    from rich.table import Table  # noqa: PLC0415

    from ivr.ledger import names as fr  # noqa: PLC0415

    if not found:
        OUT.print("Aucun appel n'est encore dans l'historique.")
        return
    names = fr.Names(plan)
    table = Table(whole("Appel"), "Arrivé", "Motif", "Agent", "Fin", box=SIMPLE_HEAD, pad_edge=False)
    for call in found:
        outcome = fr.OUTCOMES.get(call.outcome, call.outcome or "en cours")
        table.add_row(call.id, fr.brief(call.arrival_ms), names.topic(call.topic), names.agent(call.agent), outcome)
    OUT.print(table)
