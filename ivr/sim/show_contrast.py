"""A month on two plans told in a terminal, in French: what changes, and whether one may believe it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ivr.core.plan import AgentId
from ivr.sim.contrast import misrouted
from ivr.sim.show import number, percent, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from ivr.core.plan import Plan
    from ivr.sim.bootstrap import Contrast
    from ivr.sim.contrast import Compared
    from ivr.sim.recorded import Notes

_LABELS: Final = {
    "answer_rate": "Réponse par un agent",
    "service_level": "… en moins de 60 s",
    "wait_p50_s": "Attente médiane",
    "wait_p90_s": "Attente, 9 sur 10",
    "promised": "Promesses",
    "left": "Ont raccroché",
    "informed": "Renseignés",
}
_BETTER_UP: Final = {"answer_rate": True, "service_level": True, "informed": None}
NOTES: Final = {
    "calls of another month": "appels d'un autre mois, laissés de côté",
    "calls without an end": "appels sans fin connue, laissés de côté",
    "calls with keys of a menu that the plan has no more": "appels dont les touches sont d'un menu qui n'est plus",
}
NOTHING: Final = "–"


def show_contrast(found: Compared, draft: Plan, console: Console) -> None:
    """Print both plans side by side."""
    count, times = len(found.asked.days), found.asked.times
    days = f"{count} jour{'s' if count > 1 else ''}"
    console.print(
        f"[bold]{draft.name}[/bold] : {number(found.calls)} appels de {found.month.name} ({days}), "
        f"vécus de nouveau sur le plan publié et sur le brouillon en {number(found.wall_s, 1)} s"
    )
    console.print(_overall(found))
    console.print(_topics(found))
    console.print("Entre crochets : où le changement se trouve, à 95 % (les jours tirés au sort, 1 000 fois).")
    if times > 1:
        console.print(
            f"[yellow]{days} seulement, vécu{'s' if count > 1 else ''} {times} fois : l'intervalle dit la part du "
            "hasard ce jour-là, pas ce qui sépare un jour d'un autre.[/yellow]"
        )
    console.print(_verdict(found))
    for line in _remarks(found, draft):
        console.print(line, markup=False, soft_wrap=True)
    if found.violations:
        console.print(f"[bold red]{number(found.violations)} règles enfreintes[/bold red] :")
        for broken in found.first_violations:
            console.print(f"  règle {broken}", markup=False, soft_wrap=True)


def _overall(found: Compared) -> Table:
    table = Table(
        "", "Relevé", "Publié", "Brouillon", "Changement", "", title="Tous les appels", title_justify="left",
        box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for name, label in _LABELS.items():
        contrast, said = found.figures[name], _said(name)
        cells = (
            NOTHING if value is None else said(value)
            for value in (found.recorded[name], contrast.before, contrast.after)
        )
        table.add_row(label, *cells, _change(name, contrast, "\n"), _word(name, contrast))
    return table


def _topics(found: Compared) -> Table:
    table = Table(
        "Motif", "Répondus", "9 sur 10 attendent", "Promesses", title="Par motif (publié → brouillon)",
        title_justify="left", box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for topic, figures in found.topics.items():
        asked, rate, wait, promised = (figures[name] for name in ("asked", "answer_rate", "wait_p90_s", "promised"))
        table.add_row(
            f"{topic}\n{_pair(asked, number)} par jour",
            f"{_pair(rate, percent)}\n{_change('answer_rate', rate)}",
            f"{_pair(wait, seconds)}\n{_change('wait_p90_s', wait)}",
            _pair(promised, percent),
        )
    return table


def _said(name: str) -> Callable[[float], str]:
    return seconds if name.endswith("_s") else percent


def _pair(contrast: Contrast, said: Callable[[float], str]) -> str:
    before, after = (NOTHING if value is None else said(value) for value in (contrast.before, contrast.after))
    return before if before == after else f"{before} → {after}"


def _change(name: str, contrast: Contrast, before_interval: str = " ") -> str:
    if contrast.change is None:
        return NOTHING
    scale, unit, digits = (1.0, " s", 1) if name.endswith("_s") else (100.0, " pt", 1)
    if name.endswith("_s") and abs(contrast.change) >= 10:  # noqa: PLR2004
        digits = 0
    said = f"{_signed(contrast.change * scale, digits)}{unit}"
    if contrast.low is None or contrast.high is None:
        return said
    style = _style(name, contrast)
    between = f"\\[{_signed(contrast.low * scale, digits)} ; {_signed(contrast.high * scale, digits)}]"
    told = f"{said}{before_interval}{between}"
    return f"[{style}]{told}[/{style}]" if style else told


def _signed(value: float, digits: int) -> str:
    if round(value, digits) == 0:
        return number(0.0, digits)
    return ("+" if value > 0 else "−") + number(abs(value), digits)


def _better(name: str, contrast: Contrast) -> bool | None:
    """Whether the change is for the better; None: neither, or not sure."""
    up = _BETTER_UP.get(name, False)
    if not contrast.sure or contrast.change is None or up is None:
        return None
    return (contrast.change > 0) == up


def _style(name: str, contrast: Contrast) -> str:
    match _better(name, contrast):
        case True:
            return "green"
        case False:
            return "red"
        case None:
            return ""


def _word(name: str, contrast: Contrast) -> str:
    match _better(name, contrast):
        case True:
            return "mieux"
        case False:
            return "moins bien"
        case None:
            return "autre" if contrast.sure else "pas sûr" if contrast.change else "pareil"


def _verdict(found: Compared) -> str:
    words = {name: _better(name, contrast) for name, contrast in found.figures.items()}
    topics = {
        topic: [_better(name, figures[name]) for name in ("answer_rate", "wait_p90_s")]
        for topic, figures in found.topics.items()
    }
    worse = [topic for topic, known in topics.items() if False in known]
    if False not in words.values() and not worse:
        if True in words.values():
            return "[green]Le brouillon fait mieux, et rien n'y est sûrement moins bien.[/green]"
        return "Le brouillon ne change rien de sûr."
    told = "[red]Attention : avec le brouillon, quelque chose est sûrement moins bien"
    return told + (f" (motifs : {', '.join(worse)}).[/red]" if worse else ".[/red]")


def _remarks(found: Compared, draft: Plan) -> list[str]:
    before, notes = found.asked.notes
    lines = [f"Motif « {old} » : il n'est plus dans le brouillon, ses appelants vont à « {new} »."
             for old, new in sorted(notes.moved.items())]  # fmt: skip
    lines += [
        f"« {name} » : aucun chemin n'y mène dans le brouillon, {number(count)} appels demandent une personne."
        for name, count in notes.unreached.most_common()
    ]
    lines += [
        f"« {name} » : aucun chemin n'y mène dans le plan publié, {number(count)} appels demandent une personne."
        for name, count in before.unreached.most_common()
    ]
    lines += _of_agents(notes, draft)
    lines += [f"{number(count)} {NOTES.get(what, what)}." for what, count in found.month.notes.items()]
    erred = misrouted(found.month)
    of = sum(topic["answered"] for topic in erred.values())
    wrong = sum(topic["misrouted"] for topic in erred.values())
    if wrong:
        worst = max(erred, key=lambda topic: erred[topic]["misrouted"])
        lines.append(
            f"Mauvaises orientations constatées dans le mois : {number(wrong)} sur {number(of)} réponses, surtout "
            f"« {worst} » ({number(erred[worst]['misrouted'])}). Le brouillon n'y change rien ici : ce que les "
            "appelants comprendraient d'un autre menu ne se calcule pas."
        )
    return lines


def _of_agents(notes: Notes, draft: Plan) -> list[str]:
    def name(agent: str) -> str:
        known = draft.agents.get(AgentId(agent))
        return known.name if known is not None else agent

    lines = [
        f"{name(agent)} n'était pas là dans le mois : compté présent comme {name(other)}."
        for agent, other in notes.like.items()
    ]
    lines += [f"{name(agent)} n'est jamais là dans le mois." for agent in notes.unknown]
    lines += [f"{agent} était là dans le mois et n'est plus dans le brouillon." for agent in notes.gone]
    return lines
