"""The plan's names, and the French words for what the event stream says. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from ivr.core.plan import (
    EVERYONE,
    Absence,
    AgentId,
    GroupId,
    Information,
    MenuId,
    ToLanguage,
    ToMenu,
    ToOutside,
    TopicId,
    ToTopic,
    Typed,
)
from ivr.core.staffing import leave_at
from ivr.ledger.crowd import MISSED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivr.core.plan import Plan
    from ivr.ledger.crowd import Standing

_PARIS: Final = ZoneInfo("Europe/Paris")
_DAYS: Final = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS: Final = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet"),
    *("août", "septembre", "octobre", "novembre", "décembre"),
)

KINDS: Final = {
    "message": "message à écouter",
    "callback": "rappel promis",
    "unresolved": "suite de l'appel à indiquer",
    "follow_up": "suite à donner",
    "dropped": "coupé, à rappeler",
}
OUTCOMES: Final = {
    "answered": "une personne a répondu",
    "informed": "l'appelant a entendu l'information qu'il cherchait",
    "left": "l'appelant a raccroché avant d'avoir une réponse",
    "promised": "une réponse est promise",
    "handed": "l'appel est passé au secours",
}
STATES: Final = {
    "idle": "libre",
    "offered": "son téléphone sonne pour un autre appel",
    "talking": "en communication",
    "wrap": "termine son appel précédent",
    "cooldown": "au repos après un appel manqué",
    "busy": "en ligne hors du standard",
    "away": "en congé, ou téléphone non connecté",
    "unknown": "téléphone jamais vu",
}
PRIORITIES: Final = {
    "relay": "appel par le service de relais pour personnes sourdes",
    "repeat": "déjà deux appels sans réponse en un jour",
    "transferred": "déjà en ligne avec un agent, qui l'a transféré",
    "crisis": "consigne de crise",
}
RULES: Final = {
    "longest-idle": "libre depuis le plus longtemps",
    "ordered": "premier libre dans l'ordre du plan d'appels",
    "ring-many": "plusieurs téléphones sonnent à la fois",
    "owner": "suit déjà la demande de cet appelant",
}
WIDENINGS: Final = {
    "time": "l'attente dure",
    "empty": "personne n'est là dans les premières équipes",
    "plan": "le plan d'appels a changé",
}
OVERFLOWS: Final = {"wait": "l'attente dure", "ratio": "trop d'appelants pour les agents présents"}
MISSES: Final = {
    "miss": "{} n'a pas décroché",
    "expired": "{} n'a pas décroché",
    "busy": "{} était en ligne",
    "gone": "le téléphone de {} s'est déconnecté",
    "failed": "le téléphone de {} n'a pas pu sonner",
    "paused": "{} s'est mis en pause",
    "taken": "un collègue répond avant {}",
    "moved": "l'appelant change de file avant que {} ne décroche",
    "left": "l'appelant raccroche avant que {} ne décroche",
    "told": "la file est close avant que {} ne décroche",
    "restored": "l'appel de {} a été remis en ordre après une panne",
    "settled": "l'appel à {} a été repris après une panne",
    "crash": "l'appel est coupé avant que {} ne décroche",
}

KEEPS_PLACE: Final = frozenset({"miss", "expired", "busy", "gone", "failed", "paused"})
"""Reasons of a miss after which the caller is the next to be offered."""
LEAVES: Final = {
    "told": "il sait que personne ne peut répondre",
    "left": "il raccroche",
    "promised": "une réponse lui est promise",
    "informed": "il a entendu sa réponse",
    "handed": "le secours le prend",
    "restored": "il est déjà en conversation",
    "settled": "sa place est reprise après une panne",
    "crash": "l'appel est coupé",
    "outside": "un autre organisme lui est indiqué",
    "closing": "le service ferme ; sa demande est gardée",
    "astray": "il n'attendait plus",
}
REPAIRS: Final = {
    "channel_without_call": "personne ne s'occupait de l'appel, il est pris comme un nouvel appel",
    "call_without_channel": "l'appelant n'était plus en ligne, l'appel est clos",
    "record_without_actor": "aucun processus ne s'occupait plus de l'appel, il est repris, ou clos s'il est fini",
    "actor_without_record": "l'état partagé ne connaissait plus l'appel, il y est remis",
    "record_astray": "la file tenait autre chose de l'appel que le serveur, qui le lui a redit",
    "talk_without_leg": "le téléphone de l'agent n'était plus en ligne, l'appelant est proposé de nouveau",
    "stray_leg": "un téléphone d'agent restait pris pour cet appel, il est raccroché",
    "stray_bridge": "une liaison audio restait de cet appel, elle est défaite",
    "crash": "Asterisk s'est arrêté brutalement, l'appel est coupé",
}


class Names:
    """Ids as people know them. Without a plan, or for what it does not know, the id itself."""

    def __init__(self, plan: Plan | None) -> None:
        self.plan = plan

    def topic(self, topic: str) -> str:
        """A topic's label."""
        known = self.plan.topics.get(TopicId(topic)) if self.plan else None
        return known.label if known else topic

    def agent(self, agent: str) -> str:
        """An agent's name."""
        known = self.plan.agents.get(AgentId(agent)) if self.plan else None
        return known.name if known else agent

    def group(self, group: str) -> str:
        """A group's label."""
        if group == EVERYONE:
            return "tous les agents"
        known = self.plan.groups.get(GroupId(group)) if self.plan else None
        return known.label if known else group

    def owner(self, owner: str) -> str:
        """The owner of a file, `group:…` or `agent:…`."""
        kind, _, name = owner.partition(":")
        return self.agent(name) if kind == "agent" else f"équipe {self.group(name)}" if kind == "group" else owner

    def outcome(self, code: str) -> str:
        """What an agent's code for a call means; by id or by key."""
        codes = self.plan.outcomes.values() if self.plan else ()
        return next((known.label for known in codes if code in {known.id, known.key}), code)

    def option(self, menu: str, key: str) -> str:
        """Where a key of a menu leads; empty where that is not known."""
        known = self.plan.menus.get(MenuId(menu)) if self.plan else None
        match known.options.get(key) if known else None:
            case ToTopic(topic):
                return self.topic(topic)
            case ToMenu(to):
                return f"menu {to}"
            case ToOutside(outside):
                return self.plan.outsides[outside].label if self.plan else ""
            case ToLanguage(language):
                return f"langue {language}"
            case Typed(topic=topic):
                return self.topic(topic)
            case Information(prompt):
                return f"information « {prompt} »"
            case None:
                return "une personne" if key == "0" else ""

    def answering(
        self, topic: str, step: int, at: int, on_leave: Iterable[AgentId] = (), crisis: str = ""
    ) -> tuple[AgentId, ...]:
        """The agents who may answer a topic after so many widenings, in the plan's order.

        Besides those of its groups: who stands in there at that instant for somebody on leave, by the plan or as
        `on_leave` says, and whom a crisis, known by its label, calls in.
        """
        known = self.plan.topics.get(TopicId(topic)) if self.plan else None
        if self.plan is None or known is None:
            return ()
        groups = {*known.groups, *(group for widening in known.widen[:step] for group in widening.groups)}
        groups.update(*(profile.groups for profile in self.plan.crises.values() if profile.label == crisis))
        told = {agent: (Absence(at, at + 1),) for agent in on_leave}
        _, stands_in = leave_at(self.plan.agents, at, told)
        return tuple(
            agent.id
            for agent in self.plan.agents.values()
            if EVERYONE in groups or not groups.isdisjoint((*agent.groups, *stands_in.get(agent.id, ())))
        )

    def widening(self, topic: str, step: int) -> str:
        """Whom a widening adds."""
        known = self.plan.topics.get(TopicId(topic)) if self.plan else None
        if known is None or not 0 < step <= len(known.widen):
            return f"étape {step}"
        return ", ".join(self.group(group) for group in known.widen[step - 1].groups)

    def standing(self, agent: AgentId, standing: Standing, call: str) -> str:
        """One line: who, and how they stand towards a call."""
        said = STATES.get(standing.state, standing.state)
        if standing.state == "paused":
            pauses = self.plan.pauses.values() if self.plan else ()
            unplanned = "deux appels manqués" if standing.pause == MISSED else standing.pause
            reason = next((p.label for p in pauses if standing.pause in {p.id, p.key}), unplanned)
            said = f"en pause ({reason})" if reason != "pause" else "en pause"
        elif standing.state == "offered" and standing.call == call:
            said = "son téléphone sonne déjà pour cet appel"
        return f"{self.agent(agent)} : {said}"


def length(ms: int) -> str:
    """A duration as people say it: 45 s, 2 min 05 s, 1 h 02 min."""
    seconds = round(ms / 1000)
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {seconds:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def clock(at: int) -> str:
    """The time of day in Paris."""
    return datetime.fromtimestamp(at / 1000, _PARIS).strftime("%H:%M:%S")


def day(at: int) -> str:
    """The day in Paris: mercredi 25 novembre 2026."""
    when = datetime.fromtimestamp(at / 1000, _PARIS)
    return f"{_DAYS[when.weekday()]} {when.day}{'er' if when.day == 1 else ''} {_MONTHS[when.month - 1]} {when.year}"


def moment(at: int) -> str:
    """Day and time in Paris."""
    when = datetime.fromtimestamp(at / 1000, _PARIS)
    return f"{day(at)} à {when.hour} h {when.minute:02}"


def brief(at: int) -> str:
    """Day and time in Paris, for a table: 25/11/2026 9 h 05."""
    when = datetime.fromtimestamp(at / 1000, _PARIS)
    return f"{when:%d/%m/%Y} {when.hour} h {when.minute:02}"


def masked(number: str) -> str:
    """A number down to its last two digits."""
    return "•" * (len(number) - 2) + number[-2:]
