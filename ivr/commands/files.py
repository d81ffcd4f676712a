"""`ivr files`: what is owed to callers, by whom and until when."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ivr.commands.terminal import OUT, plan_of, whole
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.ledger.store import File

AGENT: Final = "agent:"
"""How the name of an owner begins who is one person."""

files_app = typer.Typer(help="Les dossiers : ce qui est dû aux appelants, par qui, avant quand.")


@files_app.callback(invoke_without_command=True)
def files(
    context: typer.Context,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Aussi les dossiers clos.")] = False,
    owner: Annotated[str, typer.Option(help="Ceux d'une équipe ou d'un agent : son nom ou son identifiant.")] = "",
    numbers: Annotated[bool, typer.Option("--numbers", help="Montrer les numéros en entier.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="En JSON, pour un programme.")] = False,
) -> None:
    """Montrer les dossiers ouverts, le plus pressé d'abord."""
    if context.invoked_subcommand is not None:
        return
    settings = Settings()
    plan = plan_of(settings)
    waiting = _waiting(settings.journal)
    if waiting:
        from ivr.commands.terminal import ERR  # noqa: PLC0415 - each command imports what it needs

        ERR.print(waiting, markup=False)
    found, known = asyncio.run(_read(settings.ledger, plan, owner, still_open=not all_))
    if not numbers:
        from ivr.ledger.names import masked  # noqa: PLC0415 - each command imports what it needs

        known = {ref: masked(number) for ref, number in known.items()}
    now = time.time_ns() // 1_000_000
    if as_json:
        rows = [asdict(file) | {"number": known.get(file.caller_ref), "late": _late(file, now)} for file in found]
        OUT.print(json.dumps(rows, ensure_ascii=False, indent=2), markup=False, soft_wrap=True)
        return
    _show(found, known, plan, now)


@files_app.command("close")
def close(
    file: Annotated[str, typer.Argument(help="Identifiant du dossier, comme `ivr files` le montre.")],
    by: Annotated[str, typer.Option(help="Qui le clôt.")] = "",
    note: Annotated[str, typer.Option(help="Ce qui a été répondu.")] = "",
) -> None:
    """Clore un dossier : la réponse a été donnée."""
    settings = Settings()
    closed, told = asyncio.run(_close(settings, file, by, note))
    OUT.print(f"Dossier {closed.id} clos.", markup=False)
    if not told:
        from ivr.commands.terminal import ERR  # noqa: PLC0415 - each command imports what it needs

        ERR.print(
            "Redis ne répond pas : cet appelant ira encore d'abord à l'agent qui suivait le dossier, "
            "une semaine au plus.",
            markup=False,
        )


async def _read(url: str, plan: Plan, owner: str, *, still_open: bool) -> tuple[list[File], dict[str, str]]:
    from ivr.ledger.store import Ledger  # noqa: PLC0415 - each command imports what it needs

    async with Ledger(url) as ledger:
        files = await ledger.files(still_open=still_open, owner=_owner(owner, plan))
        return [file for file in files if file.site == plan.site], await ledger.numbers()


def _waiting(folder: Path) -> str:
    """What is to be said of promises that are not in the ledger yet; "" where there are none."""
    from ivr.ledger.errors import JournalUnreadable  # noqa: PLC0415 - each command imports what it needs
    from ivr.ledger.journal import Journal  # noqa: PLC0415

    try:
        count = Journal(folder).count()
    except OSError as error:
        return str(JournalUnreadable(folder, error))
    if not count:
        return ""
    are, they = ("promesses attendent", "elles seront") if count > 1 else ("promesse attend", "elle sera")
    where = f"dans le journal ({folder})"
    return f"{count} {are} {where} : {they} ici dès que le service pourra écrire dans la base des dossiers."


async def _close(settings: Settings, file: str, by: str, note: str) -> tuple[File, bool]:
    """Close it in the ledger; False beside it when the queue could not be told that its agent owes nothing now."""
    from ivr.ledger.store import Ledger  # noqa: PLC0415 - each command imports what it needs
    from ivr.queueing.errors import QueueError  # noqa: PLC0415

    async with Ledger(settings.ledger) as ledger:
        closed = await ledger.close(file, time.time_ns() // 1_000_000, by, note)
        theirs = await ledger.files(still_open=True, owner=closed.owner) if closed.owner.startswith(AGENT) else []
    about = (closed.site, closed.caller_ref, closed.topic)
    if not closed.owner.startswith(AGENT) or about in ((one.site, one.caller_ref, one.topic) for one in theirs):
        return closed, True
    try:
        await _disown(settings, closed)
    except QueueError:
        return closed, False
    return closed, True


async def _disown(settings: Settings, closed: File) -> None:
    """The caller of a closed file comes to anybody again. Raises QueueError."""
    from ivr.core.plan import AgentId, SiteId, TopicId  # noqa: PLC0415 - each command imports what it needs
    from ivr.queueing.connect import connect  # noqa: PLC0415
    from ivr.queueing.errors import StateLost  # noqa: PLC0415
    from ivr.queueing.queue import Queue  # noqa: PLC0415
    from ivr.queueing.retry import Retry  # noqa: PLC0415

    agent = AgentId(closed.owner.removeprefix(AGENT))
    redis = connect(settings.redis_url)
    queue = Queue(redis, SiteId(closed.site), retry=Retry(attempts=2))
    try:
        await queue.learn_clock()
        try:
            await queue.disown(closed.caller_ref, TopicId(closed.topic), agent)
        except StateLost as lost:
            if lost.found is not None:  # an empty site remembers nobody
                queue.epoch = lost.found
                await queue.disown(closed.caller_ref, TopicId(closed.topic), agent)
    finally:
        await redis.aclose()


def _owner(typed: str, plan: Plan) -> str:
    """The owner that was meant by an id or a name; BadParameter when the plan has none such."""
    if not typed or typed.startswith(("group:", "agent:")):
        return typed
    wanted = typed.casefold()
    owners: dict[str, tuple[str, str]] = {
        f"group:{group.id}": (group.id, group.label) for group in plan.groups.values()
    }
    owners |= {f"agent:{agent.id}": (agent.id, agent.name) for agent in plan.agents.values()}
    for owner, called in owners.items():
        if wanted in {name.casefold() for name in called}:
            return owner
    raise typer.BadParameter(f"ni équipe ni agent ne s'appelle « {typed} » ; équipes : {', '.join(plan.groups)}")


def _late(file: File, now: int) -> bool:
    return file.closed_ms is None and file.due_ms < now


def _show(found: Sequence[File], known: dict[str, str], plan: Plan, now: int) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415 - each command imports what it needs
    from rich.text import Text  # noqa: PLC0415

    from ivr.ledger import names as fr  # noqa: PLC0415

    if not found:
        OUT.print("Aucun dossier : rien n'est dû à personne.")
        return
    names = fr.Names(plan)
    columns = (Column("Avant", min_width=10), whole("Dossier"), "Nature", "Motif", "À qui", whole("Appelant"))
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for file in found:
        until = Text(fr.brief(file.due_ms))
        if _late(file, now):
            until = Text(f"EN RETARD {fr.brief(file.due_ms)}", style="bold red")
        elif file.closed_ms is not None:
            by = f" par {names.owner(file.closed_by)}" if file.closed_by else ""
            until = Text(f"clos le {fr.brief(file.closed_ms)}{by}", style="dim")
        kind = fr.KINDS.get(file.kind, file.kind)
        cells = (file.id, kind, names.topic(file.topic), names.owner(file.owner))
        table.add_row(until, *map(Text, cells), Text(known.get(file.caller_ref, "numéro non connu")))
    OUT.print(table)
    late = sum(_late(file, now) for file in found)
    waiting = sum(file.closed_ms is None for file in found)
    OUT.print(f"{waiting} ouvert{'s' if waiting > 1 else ''}, dont {late} en retard.")
