"""A counter-example told as what a caller lives, with times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.plan import TopicId
from ivr.core.state import Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivr.core.plan import Plan
    from ivr.core.state import Phase
    from ivr.prove.explore import Edge, Map

TEN: Final = 10 * 3_600
PROMPT_S: Final = 8
"""A sentence lasts about so long: for the times of a story alone."""
TAKES_S: Final = 2


def way(found: Map, state: int) -> list[tuple[int, Edge]]:
    """Return how a state is reached from a call's arrival: each state and what happened there."""
    steps: list[tuple[int, Edge]] = []
    while (parent := found.parents[state]) is not None:
        steps.append(parent)
        state = parent[0]
    return steps[::-1]


class Teller:
    """Tells steps of calls; `texts` are what prompts say, where known."""

    def __init__(self, plan: Plan, texts: Mapping[str, str] | None, regimes: Sequence[str]) -> None:
        self.plan = plan
        self.texts = texts or {}
        self.regimes = regimes

    def tell(self, found: Map, steps: Sequence[tuple[int, Edge]], last: str) -> str:
        """Return the story of these steps and its end, one line for each."""
        at, lines = TEN, []
        for state, edge in steps:
            at += edge.ms // 1_000 or self._takes(edge.happened)
            before = found.states[state].call
            who = self._who(edge.happened, before.caller.number is None, before.caller.klass == "relay")
            words = who or self._happened(edge.happened, before.phase, edge.ms)
            heard = self._asked(edge.effects)
            when = f" ({self.regimes[edge.regime]})" if self.regimes[edge.regime] else ""
            lines.append(f"À {clock(at)}{when}, {words}{' ; ' if heard else ''}{heard}.")
        return "\n".join([*lines, f"Là : {last}."])

    def _takes(self, happened: ev.Input) -> int:
        return PROMPT_S if isinstance(happened, ev.PromptDone) else TAKES_S

    def _who(self, happened: ev.Input, hidden: bool, relay: bool) -> str:  # noqa: FBT001 - what is known of a caller
        if not isinstance(happened, ev.Started):
            return ""
        caller = "un service de relais appelle" if relay else "un appelant sans numéro appelle" if hidden else ""
        return (caller or "un appelant appelle") + (", toutes les lignes sont prises" if happened.full else "")

    def _happened(self, happened: ev.Input, phase: Phase, ms: int) -> str:  # noqa: C901, PLR0911, PLR0912 - a table
        match happened:
            case ev.Digit(key):
                return f"l'appelant tape {key}"
            case ev.PromptDone(played=True):
                return "la phrase s'achève"
            case ev.PromptDone():
                return "la phrase ne peut pas être lue"
            case ev.TimerFired():
                return f"rien ne s'est passé depuis {seconds(ms)}"
            case ev.Queued(staffed=True):
                return "la file garde sa place"
            case ev.Queued() | ev.Unstaffed():
                return f"personne n'est là pour « {self._topic(phase.topic if isinstance(phase, Waiting) else '')} »"
            case ev.HoursChanged():
                return "les horaires changent"
            case ev.QueueLost():
                return "Redis ne répond plus"
            case ev.Overflowed():
                return "l'attente est longue"
            case ev.OfferMade():
                return "un agent est réservé pour l'appelant"
            case ev.OfferWithdrawn():
                return "cet agent est retiré"
            case ev.AgentAnswered():
                return "l'agent décroche"
            case ev.AgentFailed():
                return "l'agent ne décroche pas"
            case ev.AgentLeft(lost=True):
                return "le poste de l'agent meurt"
            case ev.AgentLeft():
                return "l'agent raccroche" + ("" if ms else " aussitôt")
            case ev.Accepted():
                return "la file lui donne l'appel"
            case ev.AcceptRefused():
                return "la file ne veut plus de lui"
            case ev.BridgeFailed():
                return "Asterisk ne peut pas les relier"
            case ev.RecordingDone(kept=kept):
                return "le message est fini" if kept else "le message ne peut pas être enregistré"
            case ev.Promised():
                return "le rappel est noté"
            case ev.PromiseFailed():
                return "le registre refuse le rappel"
            case ev.HungUp():
                return "l'appelant raccroche" + (" après avoir parlé" if ms else "")
            case ev.Dropped():
                return "Asterisk tombe"
            case ev.Adopted():
                return "le poste de travail du standard tombe, un autre reprend l'appel"
            case _:
                return type(happened).__name__

    def _topic(self, topic: str) -> str:
        known = self.plan.topics.get(TopicId(topic))
        return known.label if known is not None else topic

    def _asked(self, effects: Sequence[fx.Effect]) -> str:
        said = []
        for effect in effects:
            match effect:
                case fx.Play(_, prompts):
                    said.append("il entend " + " ".join(f"« {short(self.texts.get(p, p))} »" for p in prompts))
                case fx.JoinQueue(topic):
                    said.append(f"il est dans la file « {self._topic(topic)} »")
                case fx.DialAgent(_, agent):
                    name = self.plan.agents[agent].name if agent in self.plan.agents else agent
                    said.append(f"le poste de {name} sonne")
                case fx.Bridge():
                    said.append("ils sont reliés")
                case fx.Record():
                    said.append("il peut laisser un message")
                case fx.Promise():
                    said.append("un rappel est promis")
                case fx.HandBack():
                    said.append("le secours le reprend")
                case fx.Hangup():
                    said.append("la ligne est raccrochée")
                case _:
                    pass
        return ", ".join(said)


def clock(second: int) -> str:
    """Return a time of day as people write it: 10 h 02 min 05."""
    return f"{second // 3_600} h {second // 60 % 60:02} min {second % 60:02}"


def seconds(ms: int) -> str:
    """Return how long, in seconds or minutes."""
    return f"{ms / 1_000:g} s".replace(".", ",") if ms < 120_000 else f"{ms // 60_000} min"  # noqa: PLR2004 - two minutes


def short(text: str) -> str:
    """Return the beginning of a text."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57].rstrip() + "…"  # noqa: PLR2004 - a line's worth
