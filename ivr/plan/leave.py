"""Rules of who is away: substitutes who can stand in, and absences that leave a topic with nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from ivr.core.plan import AgentId
from ivr.core.staffing import boundaries, leave_at
from ivr.plan.compile import agent_of
from ivr.plan.faults import fault, warning
from ivr.plan.moments import ZONE, milliseconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ivr.core.plan import Agent
    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault, Place

AHEAD: Final = timedelta(days=10)
"""How far ahead a planned absence must be provided for."""


def substitutes(draft: Draft) -> Iterator[Fault]:
    """Nobody stands in for themselves, and who stands in is there meanwhile."""
    if draft.agents is None:
        return
    source = draft.sources["agents.yaml"]
    for name, entry in draft.agents.agents.items():
        for index, who in enumerate(entry.substitutes):
            place = source.value(("agents", name, "substitutes", index))
            if who == name:
                yield fault("own-substitute", place, agent=name)
            elif who in entry.substitutes[:index]:
                yield warning("listed-twice", place, value=who)
    if draft.now is None:
        return
    agents = _agents(draft)
    for name, agent in agents.items():
        for index, who in enumerate(agent.substitutes):
            at = _both_away(agent, agents.get(who), draft.now)
            if at is not None and who != name:
                place = source.value(("agents", name, "substitutes", index))
                yield warning("substitute-away", place, substitute=who, agent=name, **_when(at))


def _both_away(agent: Agent, other: Agent | None, now: datetime) -> int | None:
    """Return the first instant of the days ahead at which both are away."""
    begin, end = milliseconds_of(now), milliseconds_of(now + AHEAD)
    return min(
        (
            max(one.start, two.start, begin)
            for one in agent.absences
            for two in (other.absences if other is not None else ())
            if max(one.start, two.start, begin) < min(one.end, two.end, end)
        ),
        default=None,
    )


def absences(draft: Draft) -> Iterator[Fault]:
    """No planned absence of the days ahead leaves a topic with nobody, unless its own chain provides for that."""
    if draft.topics is None or draft.now is None or not {"agents.yaml", "topics.yaml"} <= draft.whole:
        return
    agents = _agents(draft)
    begin, end = milliseconds_of(draft.now), milliseconds_of(draft.now + AHEAD)
    instants = sorted({begin, *(at for at in boundaries(agents) if begin < at < end)})
    for name, topic in draft.topics.topics.items():
        first = set(topic.groups)
        later = {group for step in topic.widen for group in step.groups or ()}
        everyone = any(step.everyone for step in topic.widen)
        thin: tuple[int, frozenset[AgentId]] | None = None
        for at in instants:
            leave, stands_in = leave_at(agents, at)
            there = {who: {*agents[who].groups, *stands_in.get(who, ())} for who in agents if who not in leave}
            usual = frozenset(who for who in leave if first & set(agents[who].groups))
            if not usual or any(first & groups for groups in there.values()):
                continue
            thin = thin or (at, usual)
            answered = bool(there) if everyone else any(later & groups for groups in there.values())
            if not answered and topic.continuity is None:
                place, names = _cause(draft, agents, usual, at)
                yield fault("absence-empties", place, topic=name, absent=names, **_when(at))
                break
        else:
            if thin is not None and topic.continuity is None:
                place, names = _cause(draft, agents, thin[1], thin[0])
                yield warning("absence-thins", place, topic=name, absent=names, **_when(thin[0]))


def _cause(draft: Draft, agents: Mapping[AgentId, Agent], away: frozenset[AgentId], at: int) -> tuple[Place, str]:
    """Return where the last absence that came to it is written, and the names of all who are away."""
    starts = {who: max(one.start for one in agents[who].absences if one.start <= at < one.end) for who in away}
    last = max(sorted(away), key=lambda who: starts[who])
    names = " et ".join(agents[who].name for who in sorted(away))
    source, loc = draft.sources["agents.yaml"], ("agents", str(last))
    entry = draft.agents.agents[last] if draft.agents is not None else None
    for index, absence in enumerate(entry.absences if entry is not None else ()):
        if milliseconds_of(absence.begin) <= at < milliseconds_of(absence.end):
            return source.value((*loc, "absences", index)), names
    return source.value((*loc, "calendar")), names


def _agents(draft: Draft) -> dict[AgentId, Agent]:
    if draft.agents is None:
        return {}
    return {
        AgentId(name): agent_of(AgentId(name), entry, draft.calendars.get(name, ()))
        for name, entry in draft.agents.agents.items()
    }


def _when(at: int) -> dict[str, str]:
    local = datetime.fromtimestamp(at / 1000, ZONE)
    hour = f" à {local.hour} h {local.minute:02}".removesuffix(" 00") if local.hour or local.minute else ""
    return {
        "when_fr": f"le {local:%d/%m/%Y}{hour}",
        "when_en": f"on {local:%Y-%m-%d}" + (f" at {local:%H:%M}" if hour else ""),
    }
