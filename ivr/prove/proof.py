"""The proof of a plan: its figures, and the shortest story of what goes wrong, if anything does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ivr.core import state as phases
from ivr.core.plan import CallBack, TakeMessage
from ivr.prove.explore import Edge, Explorer, Map
from ivr.prove.progress import HOUR_MS, MOST_STEPS, Longest, circle, dead_end, longest
from ivr.prove.rest import MANY
from ivr.prove.story import Teller, seconds, way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ivr.core.plan import Plan, TopicId
    from ivr.prove.regimes import Regime

LOOP: Final = "l'appel revient là où il était, et cela recommence sans fin"


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of it. `story` is empty when `ok`; `never` lists what no caller can reach, by kind.

    `steps` and `seconds`: the longest that a call can still last after the last fault, key or agent's refusal, the
    talk itself not counted.
    """

    ok: bool
    states: int
    transitions: int
    took_s: float
    why: str = ""
    story: str = ""
    steps: int = 0
    seconds: int = 0
    never: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)


def prove(
    plan: Plan,
    texts: Mapping[str, str] | None = None,
    regimes: tuple[Regime, ...] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Return the proof of a plan, or its shortest counter-example.

    `texts`: what prompts say, for the story. `regimes`: what the calendar may say, all that the plan's can where empty.
    `on_progress` is told the states done and known, about once a second.
    """
    began = time.monotonic()
    explorer = Explorer(plan, regimes, on_progress)
    found = explorer.run()
    teller = Teller(plan, texts, [each.words for each in explorer.regimes])
    why, story, most = _judged(found, explorer.plan, teller, explorer.rest.topic)
    return Proof(
        ok=not why,
        states=len(found.states),
        transitions=found.transitions,
        took_s=round(time.monotonic() - began, 2),
        why=why,
        story=story,
        steps=most.steps,
        seconds=most.ms // 1_000,
        never={} if why else never(found, plan, explorer),
        ends=dict(sorted(found.ends.items())),
    )


def _judged(found: Map, plan: Plan, teller: Teller, alike: Callable[[TopicId], TopicId]) -> tuple[str, str, Longest]:
    none = Longest(0, 0)
    if (wrong := found.wrong) is not None:
        steps = way(found, wrong.state) + ([(wrong.state, wrong.edge)] if wrong.edge else [])
        return wrong.what, teller.tell(found, steps, wrong.what), none
    if around := circle(found.onward):
        why = LOOP
        if any(getattr(found.states[each].call.phase, "no_input", 0) >= MANY for each in around):
            why = f"après {MANY} silences l'appelant n'a toujours personne : le menu recommence sans fin"
        if any(getattr(found.states[each].call.phase, "invalid", 0) >= MANY for each in around):
            why = f"après {MANY} erreurs l'appelant n'a toujours personne : le menu recommence sans fin"
        return why, teller.tell(found, way(found, around[0]) + _around(found, around), why), none
    if (stuck := dead_end(found.onward, found.refused)) is not None:
        why = "il ne se passe plus rien"
        return why, teller.tell(found, way(found, stuck), why), none
    if cut := _cut(found, plan, alike):
        state, topic = cut
        why = f"la chaîne de continuité de « {plan.topics[topic].label} » s'arrête : rien n'y promet de réponse"
        return why, teller.tell(found, way(found, state), why), none
    most = longest(found.onward)
    limit = plan.max_wait_ms + HOUR_MS
    if most.ms > limit or most.steps > MOST_STEPS:
        why = f"l'appelant peut rester {seconds(most.ms)} sans personne, ni réponse, ni promesse ({most.steps} étapes)"
        return why, teller.tell(found, way(found, most.state), why), most
    return "", "", most


def _cut(found: Map, plan: Plan, alike: Callable[[TopicId], TopicId]) -> tuple[int, TopicId] | None:
    """Return a topic whose chain names nobody who owes an answer, and where its callers come to the end of it.

    The core promises nevertheless, by the topic's first group: but nobody has said that they would. A plan without
    any chain means just that.
    """
    if not any(topic.continuity for topic in plan.topics.values()):
        return None
    for topic in plan.topics.values():
        if not (topic.continuity and isinstance(topic.continuity[-1], CallBack | TakeMessage)):
            for number, state in enumerate(found.states):
                phase = state.call.phase
                if isinstance(phase, phases.Apologising | phases.Promising) and phase.topic == alike(topic.id):
                    return number, topic.id
            return 0, topic.id
    return None


def _around(found: Map, around: Sequence[int]) -> list[tuple[int, Edge]]:
    """Return the edges of a circle that are known: those by which its states were first found."""
    known = []
    for state in around:
        parent = found.parents[state]
        if parent is not None and parent[0] in around:
            known.append(parent)
    return known


def never(found: Map, plan: Plan, explorer: Explorer) -> dict[str, tuple[str, ...]]:
    """Return what no caller reached: menus, options, topics, prompts, phases."""
    options = {(menu.id, key) for menu in plan.menus.values() for key in menu.options}
    fallback = {plan.announcements.fallback, plan.announcements.fallback_message, plan.announcements.fallback_kept}
    agents = {pause.prompt for pause in plan.pauses.values()}
    if (said := plan.agent_sentences) is not None:
        agents |= {said.ready, said.outcome_kept, said.wrap_longer, said.refused}
    kinds = {kind.__name__ for kind in phases.Phase.__args__}
    alike = explorer.rest.topic
    asked = {alike(topic) for topic in plan.topics if topic in found.lines}
    left: dict[str, set[str]] = {
        "menus": set[str](plan.menus) - found.menus,
        "choix": {f"{menu} {key}" for menu, key in options - found.pressed},
        "motifs": {topic for topic in plan.topics if alike(topic) not in asked},
        "messages": set[str](plan.prompts) - found.heard - fallback - agents,
        "phases": kinds - found.phases - {"Ended"},
    }
    return {kind: tuple(sorted(names)) for kind, names in left.items() if names}
