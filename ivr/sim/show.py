"""A run told in a terminal, in French, for the people of the town hall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from ivr.sim.figures import spread
from ivr.sim.load import QUARTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ivr.sim.figures import Report
    from ivr.sim.theory import Comparison

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ROWS: Final = 5
_OUTCOMES: Final = {
    "answered": "répondus par un agent",
    "informed": "renseignés par le serveur",
    "promised": "promesse de rappel",
    "left": "ont raccroché",
}
_RULES: Final = {
    "ringing elsewhere": "le plus ancien sonnait déjà chez un autre agent",
    "in line since": "le plus ancien est arrivé (ou revenu) pendant la sonnerie",
    "relay": "appel relayé pour une personne sourde",
    "unexplained": "SANS EXPLICATION",
}


def number(value: float, digits: int = 0) -> str:
    """A number as French people write it: 12 345,6."""
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace(".", ",")


def percent(share: float) -> str:
    """A share in percent."""
    return f"{number(100 * share, 1)} %"


def seconds(value: float) -> str:
    """A duration of some seconds or minutes."""
    if value < 60:  # noqa: PLR2004 - a minute
        return f"{number(value, 0 if value >= 10 else 1)} s"  # noqa: PLR2004
    return f"{int(value // 60)} min {int(value % 60):02}"


def show(report: Report, console: Console, name: str) -> None:
    """Print what a run came to."""
    days = f"{report.days} jour{'s' if report.days > 1 else ''}"
    console.print(
        f"[bold]{name}[/bold] : {number(report.calls)} appels en {days}, {report.agents} agents, "
        f"simulés en {number(report.wall_s, 1)} s"
    )
    console.print(_ends(report))
    console.print(_waits(report))
    base = report.joined - report.brief
    console.print(
        f"Réponse par un agent : [bold]{percent(report.answer_rate)}[/bold] des {number(report.joined)} appelants "
        "qui ont demandé quelqu’un."
    )
    console.print(
        f"En moins de 60 s : [bold]{percent(report.service_level)}[/bold] de {number(base)} appelants "
        f"({number(report.brief)} partis en moins de 10 s, non comptés)."
    )
    console.print(
        f"Occupation des agents : [bold]{percent(report.occupancy)}[/bold] du temps de présence, dont "
        f"{percent(report.talking)} en conversation ; {number(report.all.missed)} sonneries manquées ; "
        f"au plus {report.all.peak_waiting} appelants en attente à la fois."
    )
    for rule, count in sorted(report.all.overtakings.items()):
        console.print(f"Dépassements : {number(count)}, {_RULES.get(rule, rule)}.")
    console.print()
    _plots(report, console)
    if report.violations:
        console.print(f"[bold red]{number(report.violations)} règles enfreintes[/bold red] :")
        for broken in report.all.first_violations[:10]:
            console.print(f"  règle {broken.invariant} : {broken.what}", markup=False)
    else:
        console.print("[green]Aucune règle enfreinte[/green] (invariants 1, 2, 4, 8 et 9).")


def _ends(report: Report) -> Table:
    table = Table("Issue", "Appels", "Part", title="Comment les appels finissent", title_justify="left")
    for outcome, label in _OUTCOMES.items():
        count = report.outcomes.get(outcome, 0)
        table.add_row(label, number(count), percent(count / max(1, report.calls)))
    return table


def _waits(report: Report) -> Table:
    table = Table(
        "Motif", "Demandes", "Répondus", "Moyenne", "Médiane", "9 sur 10", "99 %",
        title="Attente avant la réponse, par motif", title_justify="left",
    )  # fmt: skip
    rows = [(topic, tally.asked, tally.answered) for topic, tally in sorted(report.tallies.items())]
    rows.append(("ensemble", report.joined, [wait for _, _, waits in rows for wait in waits]))
    for topic, asked, waits in rows:
        found = spread(waits)
        times = (seconds(found[name]) for name in ("mean", "p50", "p90", "p99"))
        table.add_row(topic, number(asked), percent(len(waits) / max(1, asked)), *times)
    return table


def _plots(report: Report, console: Console) -> None:
    arrivals, waiting, staff = (report.mean_day(name) for name in ("arrivals", "waiting", "staff"))
    busy = [n for n in range(QUARTERS) if arrivals[n] or staff[n]]
    if not busy:
        return
    first, last = busy[0] // 4 * 4, -(-(busy[-1] + 1) // 4) * 4
    for title, values in (
        ("Appels par quart d’heure", arrivals),
        ("Appelants en attente", waiting),
        ("Agents présents", staff),
    ):
        for line in plot(title, values[first:last], first // 4):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def plot(title: str, values: Sequence[float], hour: int) -> list[str]:
    """Values by quarter of an hour as columns of blocks, under their highest, over the hours."""
    top = max(values, default=0.0) or 1.0
    lines = [f"{title} (moyenne d’un jour ; au plus {number(top, 1)})"]
    for row in range(_ROWS - 1, -1, -1):
        heights = (round(value / top * _ROWS * 8) - row * 8 for value in values)
        lines.append("  " + "".join(_BLOCKS[max(0, min(8, height))] * 2 for height in heights))
    lines.append("  " + "".join(f"{f'{hour + n} h':<8}" for n in range(len(values) // 4)))
    return lines


def show_theory(found: Comparison, console: Console) -> None:
    """Print the queue's functions beside the theory."""
    facts = found.facts()
    console.print(
        f"{number(found.calls)} appels, {found.traffic.agents} agents, {number(found.traffic.erlangs, 2)} erlangs ; "
        f"{number(found.wall_s, 1)} s"
    )
    table = Table("", "Attente moyenne", "Ont raccroché")
    labels = {"engine": "le standard", "recursion": "récurrence de Kiefer-Wolfowitz"}
    labels["formula"] = "formule d’Erlang " + ("C" if found.traffic.patience_s is None else "A")
    for key, label in labels.items():
        table.add_row(label, f"{number(facts[key]['wait_s']['mean'], 3)} s", percent(facts[key]["left"]))
    console.print(table)
    console.print(
        f"± {number(facts['half_width_s'], 3)} s à 95 % ; appelants dont l’attente n’est pas la même, à la "
        f"milliseconde, au standard et dans la récurrence : [bold]{found.differing}[/bold]"
    )
