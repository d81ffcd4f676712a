"""`ivr simulate`: days of calls lived in seconds, drawn or recorded, on a plan or on two."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.commands.terminal import ERR, OUT
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.core.plan import AgentId, Plan
    from ivr.sim.recorded import Side
    from ivr.traffic.month import Month

_WITHOUT = re.compile(
    r"(?P<who>[^@]+?)\s*(?:@\s*(?P<first>\d{4}-\d\d-\d\d)(?:\s*\.\.\s*(?P<last>\d{4}-\d\d-\d\d))?)?\s*"
)
_HELP_WITHOUT = (
    "Qui n'est pas là, avec le brouillon : marie,paul@2026-10-12, ou @2026-10-12..2026-10-16, ou tout le mois."
)


def simulate(  # noqa: PLR0913 - options of one command
    plan: Annotated[Path | None, typer.Argument(help="Folder of the call plan; default: IVR_PLAN.")] = None,
    *,
    days: Annotated[int, typer.Option(help="Working days.")] = 21,
    calls: Annotated[int | None, typer.Option(help="Default: 30000 for a plan, 10000 for a theory.")] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn: the same seed, the same figures.")] = 7,
    agents: Annotated[
        int | None, typer.Option(help="What if there were so many: the plan's first ones, then others like them.")
    ] = None,
    load: Annotated[Path | None, typer.Option(help="JSON file of what callers do: docs/simulator.md.")] = None,
    record: Annotated[
        Path | None, typer.Option(help="Keep the days in this file, as « ivr month export » does.")
    ] = None,
    theory: Annotated[
        str | None,
        typer.Option(metavar="C,PER_HOUR,AHT_S[,PATIENCE_S]", help="No plan: one line, held against Erlang."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="MOIS", help="Un mois enregistré, vécu sur le plan publié et sur un brouillon."),
    ] = None,
    draft: Annotated[Path | None, typer.Option("--plan", help="Le brouillon ; par défaut le plan publié.")] = None,
    published: Annotated[Path | None, typer.Option(help="Le plan publié ; par défaut celui qui est servi.")] = None,
    without: Annotated[list[str] | None, typer.Option(help=_HELP_WITHOUT)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")] = False,
) -> None:
    """Live days of calls in seconds: the same core and queue, a virtual clock. Exit 1 where a rule was broken."""
    from ivr.sim import command  # noqa: PLC0415 - each command imports what it needs
    from ivr.stack.private import private_redis  # noqa: PLC0415

    processes = os.cpu_count() or 1
    with ExitStack() as servers:
        if theory is not None:
            good = command.theory(
                servers.enter_context(private_redis()), theory, calls or 10_000, seed, OUT, as_json=as_json
            )
        elif against is not None:
            month, sides = _sides(against, draft or plan, published, without or ())
            urls = [servers.enter_context(private_redis()) for _ in range(processes)]
            good = command.against(urls, month, sides, seed, OUT, ERR, as_json=as_json)
        elif draft is not None or published is not None or without:
            raise typer.BadParameter("--plan, --published et --without vont avec --against MOIS.")
        else:
            from ivr.plan import load_or_raise  # noqa: PLC0415

            settings = Settings()
            made, loaded = load_or_raise(plan or settings.plan)
            texts = {prompt: said.get(made.language, "") for prompt, said in loaded.texts.items()}
            sounds = Path(settings.sounds) / made.language
            run = command.Asked(made, texts, sounds, days, calls or 30_000, seed, agents, load, record)
            urls = [servers.enter_context(private_redis()) for _ in range(max(1, min(days, processes)))]
            good = command.plan(urls, run, OUT, ERR, as_json=as_json)
    if not good:
        raise typer.Exit(1)


def _sides(
    against: Path, draft: Path | None, published: Path | None, without: Sequence[str]
) -> tuple[Month, tuple[Side, Side]]:
    """Return the month and what it is lived on: the published plan as it was, the draft without who is away."""
    from ivr.traffic.month import read  # noqa: PLC0415 - each command imports what it needs

    month = read(against)
    before = _side(month, published)
    after = _side(month, draft if draft is not None else published, without)
    return month, (before, after)


def _side(month: Month, folder: Path | None, without: Sequence[str] = ()) -> Side:
    from datetime import datetime  # noqa: PLC0415 - each command imports what it needs

    from ivr.commands.terminal import served  # noqa: PLC0415
    from ivr.plan import load_or_raise  # noqa: PLC0415
    from ivr.plan.calendar import ZONE, calendar_of  # noqa: PLC0415
    from ivr.sim.recorded import Side  # noqa: PLC0415
    from ivr.sim.sounds import lengths  # noqa: PLC0415

    settings = Settings()
    plan, loaded = load_or_raise(folder) if folder is not None else served(settings)
    texts = {prompt: said.get(plan.language, "") for prompt, said in loaded.texts.items()}
    first, last = (datetime.fromtimestamp(at / 1000, ZONE).date() for at in (month.start, month.end))
    return Side(
        plan=plan,
        lengths=lengths(plan.prompts, texts, Path(settings.sounds) / plan.language),
        calendar=calendar_of(plan, first, last),
        without=away(plan, without, month),
    )


def away(plan: Plan, said: Sequence[str], month: Month) -> dict[int, frozenset[AgentId]]:
    """Return who is said to be away on each day (its midnight) of a month. Raises TrafficError."""
    from ivr.traffic.errors import TrafficError  # noqa: PLC0415 - each command imports what it needs
    from ivr.traffic.month import date_of  # noqa: PLC0415

    found: dict[int, frozenset[AgentId]] = {}
    for text in said:
        match = _WITHOUT.fullmatch(text)
        if match is None:
            raise TrafficError(f"« {text} » : écrivez qui et quand, --without marie,paul@2026-10-12.")
        who = frozenset(agent_named(plan, name.strip()) for name in match["who"].split(",") if name.strip())
        wanted = None if match["first"] is None else _dates(text, match["first"], match["last"] or match["first"])
        days = [midnight for midnight in month.days() if wanted is None or date_of(midnight) in wanted]
        if not days:
            raise TrafficError(f"« {text} » : personne n'a appelé ce jour-là dans le mois {month.name}.")
        for midnight in days:
            found[midnight] = found.get(midnight, frozenset()) | who
    return found


def _dates(text: str, first: str, last: str) -> set[str]:
    from ivr.traffic.errors import TrafficError  # noqa: PLC0415 - each command imports what it needs

    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise TrafficError(f"« {text} » : cette date n'existe pas.") from error
    return {(begin + timedelta(days=n)).isoformat() for n in range((end - begin).days + 1)}


def agent_named(plan: Plan, name: str) -> AgentId:
    """Return the agent of an id, a name, or the beginning of either if it is nobody else's. Raises TrafficError."""
    from ivr.traffic.errors import TrafficError  # noqa: PLC0415 - each command imports what it needs

    wanted = name.casefold()
    for same in (str.__eq__, str.startswith):
        found = [
            agent.id
            for agent in plan.agents.values()
            if same(str(agent.id).casefold(), wanted) or same(agent.name.casefold(), wanted)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise TrafficError(f"« {name} » peut être {' ou '.join(map(str, found))} : écrivez son identifiant.")
    raise TrafficError(f"Personne ne s'appelle « {name} » dans le plan : il y a {', '.join(map(str, plan.agents))}.")
