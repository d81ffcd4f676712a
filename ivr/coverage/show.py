"""The days to come told in a terminal, in French: a strip of heat for each topic, then what is bad and who mends it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from ivr.coverage.demand import HALF_MS
from ivr.coverage.outlook import BAD
from ivr.sim.show import number, seconds
from ivr.traffic.month import ZONE, date_of, midnight_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from ivr.core.plan import AgentId, Plan, TopicId
    from ivr.coverage.demand import Demand
    from ivr.coverage.outlook import Slot
    from ivr.coverage.remedy import Problem

_DAYS: Final = ("lun", "mar", "mer", "jeu", "ven", "sam", "dim")
_HEAT: Final = ((0.5, "▁", "green"), (1.0, "▃", "green"), (1.5, "▅", "yellow"), (2.5, "▆", "red"), (9.0, "█", "red"))
_STATES: Final = {"nobody": "personne", "relayed": "équipe absente", "slow": "lent"}
_STYLES: Final = {"nobody": "bold red", "relayed": "magenta", "slow": "yellow"}
_DAYS_IN_A_ROW: Final = 5
_SHOWN: Final = 2
"""Topics of a day that are slow, where not every one is asked for."""


def show(
    slots: Sequence[Slot],
    found: Sequence[Problem],
    plan: Plan,
    demand: Demand,
    console: Console,
    *,
    every: bool = False,
) -> None:
    """Print the strips, then the problems by day, the worst of each day first; `every`: the slightest too."""
    for line in strips(slots, plan):
        console.print(line, soft_wrap=True)
    console.print(
        "▁ ▃ attente habituelle   [yellow]▅[/yellow] au-delà   [red]▆ █[/red] bien au-delà   "
        "[magenta]◇[/magenta] équipe absente, d'autres répondent   [bold red]✗[/bold red] personne   · fermé",
        soft_wrap=True,
    )
    console.print(
        f"Appris de {demand.days} jours enregistrés ; un caractère par demi-heure. « Habituelle » : l'attente que "
        "quatre appelants sur cinq n'ont pas dépassée.",
        soft_wrap=True,
    )
    if not found:
        console.print("[green]Rien à signaler : chaque motif aura quelqu'un, sans attente inhabituelle.[/green]")
        return
    for line in told(found, plan, every=every):
        console.print(line, soft_wrap=True)


def strips(slots: Sequence[Slot], plan: Plan) -> list[Text]:
    """One line for each topic, a character for each half-hour in which anything is open, some days to a block."""
    by_day: dict[int, dict[tuple[TopicId, int], Slot]] = {}
    for slot in slots:
        by_day.setdefault(midnight_of(slot.at), {})[slot.topic, slot.at] = slot
    open_days = [day for day, found in by_day.items() if any(slot.state != "closed" for slot in found.values())]
    width = max(len(topic) for topic in plan.topics) + 1
    lines: list[Text] = []
    for first in range(0, len(open_days), _DAYS_IN_A_ROW):
        block = open_days[first : first + _DAYS_IN_A_ROW]
        hours = {day: _hours(by_day[day].values()) for day in block}
        lines.append(Text(" " * width + "  ".join(day_of(day).ljust(len(hours[day])) for day in block), style="bold"))
        for topic in plan.topics:
            line = Text(f"{topic:<{width}}")
            for n, day in enumerate(block):
                line.append("  " if n else "")
                for at in hours[day]:
                    line.append_text(_mark(by_day[day][topic, at]))
                line.append(" " * max(0, len(day_of(day)) - len(hours[day])))
            lines.append(line)
        lines.append(Text())
    return lines


def _hours(slots: Iterable[Slot]) -> list[int]:
    """From the first half-hour in which something is open to the last."""
    open_at = sorted({slot.at for slot in slots if slot.state != "closed"})
    return list(range(open_at[0], open_at[-1] + 1, HALF_MS))


def _mark(slot: Slot) -> Text:
    match slot.state:
        case "closed":
            return Text("·", style="dim")
        case "nobody":
            return Text("✗", style="bold red")
        case "relayed":
            return Text("◇", style="magenta")
        case "slow" | "good":
            heat = slot.heat if slot.state == "slow" else min(slot.heat, 0.99)
            _, block, style = next(known for known in _HEAT if heat < known[0] or known is _HEAT[-1])
            return Text(block, style=style)


def told(found: Sequence[Problem], plan: Plan, *, every: bool) -> list[Text]:
    """The problems by day, the worst first, and what mends each; those that are slow alone some to a day."""
    lines: list[Text] = []
    width = max(len(topic) for topic in plan.topics)
    for midnight in sorted({problem.midnight for problem in found}):
        today = [problem for problem in found if problem.midnight == midnight]
        shown = today if every else [p for n, p in enumerate(today) if n < _SHOWN or p.state != "slow"]
        lines.append(Text(day_of(midnight), style="bold"))
        for problem in shown:
            hours = ", ".join(f"{clock(begin)}-{clock(end)}" for begin, end in problem.spans)
            lines.append(
                Text.assemble(
                    (f"  {_STATES[problem.state]:<14} ", _STYLES[problem.state]),
                    f"{problem.topic:<{width}}  {hours} : {_expected(problem)}",
                )
            )
            lines.append(Text(f"{'':17}→ {mended(problem, plan)}"))
        if rest := [problem.topic for problem in today if problem not in shown]:
            lines.append(Text(f"  lents aussi, mais moins : {', '.join(rest)} (--all)", style="dim"))
    return lines


def _expected(problem: Problem) -> str:
    calls = f"{number(problem.calls)} appels" if problem.calls >= 1.5 else "1 appel au plus"  # noqa: PLR2004
    if problem.state == "nobody":
        return f"{calls} sans personne"
    return f"{calls}, {seconds(problem.wait_s)} d'attente au lieu de {seconds(problem.slots[0].usual_s)}"


def mended(problem: Problem, plan: Plan) -> str:
    """What would mend a problem, as one says it to a colleague."""
    away = f"absents : {_names(problem.away, plan)} ; " if problem.away else ""
    remedy = problem.remedy
    if remedy is None:
        if problem.state == "slow":
            return f"{away}tous les présents sont déjà pris : seul un renfort aiderait"
        return f"{away}aucun collègue n'est là tout ce temps : déplacer un congé, ou nommer une chaîne de continuité"
    who, group = _names(remedy.agents, plan), plan.topics[problem.topic].groups[0]
    named = " (remplaçant désigné)" if remedy.named else ""
    word = "suffit" if remedy.mended else "aide sans suffire"
    but = f", au prix d’attentes sur {' et '.join(remedy.worse)}" if remedy.worse else ""
    return f"{away}{who}{named} aussi sur « {group} » {word}, attente {seconds(remedy.wait_s)}{but}"


def _names(agents: Iterable[AgentId], plan: Plan) -> str:
    return " et ".join(plan.agents[agent].name for agent in agents)


def day_of(at: int) -> str:
    """A day, short: lun 30/11."""
    local = datetime.fromtimestamp(at / 1000, ZONE)
    return f"{_DAYS[local.weekday()]} {local:%d/%m}"


def clock(at: int) -> str:
    """A time of day: 8h30."""
    local = datetime.fromtimestamp(at / 1000, ZONE)
    return f"{local.hour}h{local.minute:02}" if local.minute else f"{local.hour}h"


def facts(
    slots: Sequence[Slot], found: Sequence[Problem], plan: Plan, demand: Demand, days: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything, ready for JSON."""
    return {
        **days,
        "site": plan.site,
        "learnt_from_days": demand.days,
        "usual_wait_s": {topic: round(wait, 1) for topic, wait in demand.usual_s.items()},
        "patience_s": round(demand.patience_s, 1),
        "share_of_time_there": round(demand.there, 3),
        "problems": [_problem(problem) for problem in found],
        "half_hours": [
            {
                "at": slot.at,
                "topic": slot.topic,
                "state": slot.state,
                "calls": round(slot.calls, 2),
                "wait_s": round(slot.wait_s, 1),
                "agents": list(slot.agents),
            }
            for slot in slots
            if slot.state != "closed"
        ],
        "bad": {state: sum(slot.state == state for slot in slots) for state in BAD},
    }


def _problem(problem: Problem) -> dict[str, Any]:
    remedy = problem.remedy
    return {
        "date": date_of(problem.midnight),
        "topic": problem.topic,
        "state": problem.state,
        "hours": [[clock(begin), clock(end)] for begin, end in problem.spans],
        "calls": round(problem.calls, 1),
        "wait_s": round(problem.wait_s, 1),
        "usual_s": round(problem.slots[0].usual_s, 1),
        "away": list(problem.away),
        "remedy": None
        if remedy is None
        else {
            "agents": list(remedy.agents),
            "enough": remedy.enough,
            "mended": remedy.mended,
            "worse": list(remedy.worse),
            "named_substitutes": remedy.named,
            "wait_s": round(remedy.wait_s, 1),
        },
    }
