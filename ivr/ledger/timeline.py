"""One call explained in plain French, from the lines of its site. Pure.

Nothing is guessed: each sentence stands for a line, and beside an offer stands who else might have answered, in
the state that the lines before it leave them in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.ledger import names as fr
from ivr.ledger.crowd import Crowd
from ivr.ledger.derive import KEY, number, read_object, steps
from ivr.ledger.history import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ivr.ledger.names import Names
    from ivr.ledger.store import File
    from ivr.queueing.stream import Line

WRAP_MS: Final = 45_000
"""How long an agent is taken to wrap up where no plan tells."""
_SILENT: Final = frozenset({"notice", "agent", "unstaffed", "configured", "lease", "unlease"})
"""Types that are no news of one call."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One sentence of a timeline; `beside` are the agents who were considered."""

    at: int
    text: str
    beside: tuple[str, ...] = ()


def tell(call: str, lines: Iterable[Line], files: Sequence[File], names: Names) -> list[Moment]:
    """The call's moments, in order. `lines`: the call's own, and those that tell the agents' states until its end."""
    teller = _Teller(call, names)
    told = [moment for line in in_order(lines) for moment in teller.take(line)]
    told += [moment for file in files for moment in _of_file(file, names, teller.ended, teller.began)]
    return sorted(told, key=lambda moment: moment.at)


class _Teller:
    def __init__(self, call: str, names: Names) -> None:
        self._call = call
        self._names = names
        self._crowd = Crowd(names.plan.wrap_ms if names.plan else WRAP_MS)
        self._menu = ""
        self._topic = ""
        self._crisis = ""
        self._begun = False
        self.began = 0
        self.ended: int | None = None

    def take(self, line: Line) -> Iterator[Moment]:
        if line.fields.get("call") == self._call:
            self.began = self.began if self._begun else line.at
            self._begun = True
            self._topic = line.fields.get("topic", self._topic)
            yield from self._said(line)
            if line.type == "ended":
                self.ended = line.at
        elif line.type == "founded" and self._begun and self.ended is None:
            yield Moment(line.at, "Réparation : l'état partagé était perdu, il est reconstruit ; l'appel a continué.")
        self._crowd.take(line)

    def _beside(self, line: Line, but: str = "") -> tuple[str, ...]:
        step = number(line.fields.get("step"), 0)
        return tuple(
            self._names.standing(agent, self._crowd.standing(agent, line.at), self._call)
            for agent in self._names.answering(self._topic, step, line.at, self._crowd.on_leave, self._crisis)
            if agent != but
        )

    def _said(self, line: Line) -> Iterator[Moment]:
        words = line.fields
        who = self._names.agent(words.get("agent", ""))
        match line.type:
            case "trail":
                yield from self._walked(words.get("trail", ""))
            case "offered":
                rule = fr.RULES.get(words.get("rule", ""), words.get("rule", ""))
                text = f"Proposé à {who}{f' ({rule})' if rule else ''}.{_ahead(words.get('reason', ''))}"
                yield Moment(line.at, text, self._beside(line, words.get("agent", "")))
            case "joined":
                text = f"Attend une personne pour « {self._names.topic(self._topic)} »."
                yield Moment(line.at, text + _ahead(words.get("reason", "")), self._beside(line))
            case "widened":
                step = number(words.get("step"), 0)
                why = fr.WIDENINGS.get(words.get("why", ""), words.get("why", ""))
                whom = self._names.widening(self._topic, step)
                yield Moment(line.at, f"La recherche s'élargit : {whom} ({why}).", self._beside(line))
            case _ if line.type not in _SILENT:
                yield Moment(line.at, _sentence(line, who, self._names))
            case _:
                pass

    def _walked(self, trail: str) -> Iterator[Moment]:
        for at, kind, detail in steps(trail):
            text = ""
            self._crisis = detail if kind == "crisis" else self._crisis
            if kind == "menu":
                self._menu, text = detail, f"Entend le menu « {detail} »."
            elif kind == KEY:
                key, _, menu = detail.partition(" ")
                self._menu = menu or self._menu
                where = f" (menu « {self._menu} »)" if self._menu else ""
                to = self._names.option(self._menu, key)
                text = f"Touche {key}{where}{f' : {to}' if to else ''}."
            yield Moment(at, text or _STEPS.get(kind, "{1} : {0}").format(detail, kind))


_STEPS: Final = {
    "silence": "Aucune touche.",
    "no_input": "Aucune touche.",
    "invalid": "Touche {0} : elle ne mène nulle part.",
    "information": "Écoute l'information « {0} ».",
    "prompt": "Entend « {0} ».",
    "closed": "Hors des horaires : {0}.",
    "closing": "Les horaires de « {0} » prennent fin : sa demande est gardée, à sa place.",
    "crisis": "Mode crise : entend le message « {0} ».",
    "language": "Choisit la langue : {0}.",
    "typed": "Tape un numéro de {0} chiffres.",
    "topic": "Suite prévue quand personne ne répond : « {0} ».",
    "outside": "Suite prévue : « {0} » lui est indiqué.",
    "callback": "Suite prévue : un rappel par « {0} ».",
    "message": "Suite prévue : un message pour « {0} ».",
}


def _ahead(reason: str) -> str:
    """Why a caller has the right of way, and so may overtake others."""
    return f" Peut passer devant d'autres appelants : {fr.PRIORITIES.get(reason, reason)}." if reason else ""


def _sentence(line: Line, who: str, names: Names) -> str:
    words = line.fields
    reason = words.get("reason", "")
    match line.type:
        case "arrived":
            return f"Appel reçu (nœud {words.get('node', '?')})."
        case "withdrawn":
            missed = fr.MISSES.get(reason, f"la proposition à {{}} est retirée ({reason or 'sans motif'})").format(who)
            place = " ; l'appelant garde sa place" if reason in fr.KEEPS_PLACE else ""
            return f"{missed[0].upper()}{missed[1:]}{place}."
        case "accepted":
            return f"{who} répond, après {fr.length(number(words.get('wait'), 0))} d'attente."
        case "released":
            return f"Fin de la conversation avec {who}, {fr.length(number(words.get('talk'), 0))}."
        case "restored":
            return f"Réparation : la conversation avec {who} est retrouvée après une panne, sans être coupée."
        case "left":
            return f"Quitte la file d'attente{f' : {fr.LEAVES.get(reason, reason)}' if reason else ''}."
        case "overflow":
            why = fr.OVERFLOWS.get(words.get("why", ""), words.get("why", ""))
            return f"Un message avec rappel lui est proposé ({why})."
        case "outcome":
            said = names.outcome(words.get("code", ""))
            said += f", vers « {names.topic(words['to'])} »" if words.get("to") else ""
            return f"{who} indique : {said}{' ; une suite est à donner' if words.get('follow_up') == '1' else ''}."
        case "unresolved":
            return f"{who} n'a pas indiqué la suite à temps : le dossier reste à son nom."
        case "repair":
            kind = words.get("kind", "")
            return f"Remise en ordre : {fr.REPAIRS.get(kind, kind)}."
        case "ended":
            outcome = words.get("outcome", "")
            plan = read_object(words.get("facts", "")).get("plan")
            version = f" Plan d'appels : version {plan}." if plan else ""
            return f"Fin de l'appel : {fr.OUTCOMES.get(outcome, outcome)}.{version}"
        case _:
            told = ", ".join(f"{name} {value}" for name, value in words.items() if name != "call")
            return f"{line.type}{f' : {told}' if told else ''}."


def _of_file(file: File, names: Names, ended: int | None, began: int) -> Iterator[Moment]:
    kind = fr.KINDS.get(file.kind, file.kind)
    owner = names.owner(file.owner)
    # One that is as old as its call, for the caller's place, was opened when the call ended.
    at = max(file.opened_ms, ended or 0) if file.kind == "dropped" or file.opened_ms <= began else file.opened_ms
    yield Moment(at, f"Dossier {file.id} ouvert : {kind}, à {owner}, avant le {fr.moment(file.due_ms)}.")
    if file.closed_ms is not None:
        by = f" par {names.owner(file.closed_by)}" if file.closed_by else ""
        note = f" : {file.note}" if file.note else ""
        yield Moment(file.closed_ms, f"Dossier {file.id} clos{by}{note}.")
