"""Who is there as far as the plan knows: who is on leave, who stands in for them, whom a crisis calls in.

Pure: a plan, what calendars say, an instant. Instants are Unix ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ivr.core.plan import Absence, Agent, AgentId, GroupId, Plan
    from ivr.core.schedule import Crisis

Absences: TypeAlias = "Mapping[AgentId, tuple[Absence, ...]]"
"""Absences by agent, beside those that the plan itself holds: what the feeds say."""
NONE: Final[Absences] = {}


@dataclass(frozen=True, slots=True)
class Staffing:
    """What holds from an instant to before `until` (None: for ever, as far as is known).

    `leave`: who is on leave, and until when. `stands_in`: the groups that a substitute answers in besides their
    own. `called_in`: groups that answer every topic, while a crisis is on.
    """

    leave: Mapping[AgentId, int] = field(default_factory=dict)
    stands_in: Mapping[AgentId, tuple[GroupId, ...]] = field(default_factory=dict)
    called_in: tuple[GroupId, ...] = ()
    until: int | None = None


USUAL: Final = Staffing()


def staffing_at(plan: Plan, now: int, feeds: Absences = NONE, crisis: Crisis | None = None) -> Staffing:
    """Return who is on leave and who stands in at an instant.

    Every substitute who is not on leave stands in; a substitute's own substitutes do not: who answers for whom
    stays what the plan says.
    """
    leave, stands_in = leave_at(plan.agents, now, feeds)
    on = crisis is not None and now < crisis.until and crisis.id in plan.crises
    called_in = plan.crises[crisis.id].groups if crisis is not None and on else ()
    later = [at for at in boundaries(plan.agents, feeds) if at > now]
    if crisis is not None and on:
        later.append(crisis.until)
    return Staffing(leave, stands_in, called_in, min(later, default=None))


def leave_at(
    agents: Mapping[AgentId, Agent], now: int, feeds: Absences = NONE
) -> tuple[dict[AgentId, int], dict[AgentId, tuple[GroupId, ...]]]:
    """Return who is on leave until when, and the groups that substitutes answer in besides their own."""
    leave = {name: until for name, agent in agents.items() if (until := away_until(agent, now, feeds)) is not None}
    stands_in: dict[AgentId, list[GroupId]] = {}
    for absent in leave:
        for who in agents[absent].substitutes:
            if who not in leave and who in agents:
                more = stands_in.setdefault(who, [])
                more += [group for group in agents[absent].groups if group not in (*agents[who].groups, *more)]
    return leave, {who: tuple(groups) for who, groups in stands_in.items() if groups}


def away_until(agent: Agent, now: int, feeds: Absences = NONE) -> int | None:
    """Return until when an agent is on leave, absences that meet counted as one; None if they are there."""
    spans = sorted((one.start, one.end) for one in absences_of(agent, feeds))
    until = None
    for start, end in spans:
        if start <= (now if until is None else until) < end:
            until = end
    return until


def absences_of(agent: Agent, feeds: Absences = NONE) -> tuple[Absence, ...]:
    """Return the absences of an agent from the plan and from the feeds."""
    return (*agent.absences, *feeds.get(agent.id, ()))


def groups_at(plan: Plan, staffing: Staffing) -> dict[GroupId, tuple[AgentId, ...]]:
    """Return who answers in each group, leave and substitutes counted in."""
    return {
        group: (
            *(agent for agent in known.agents if agent not in staffing.leave),
            *(agent for agent, more in staffing.stands_in.items() if group in more),
        )
        for group, known in plan.groups.items()
    }


def boundaries(agents: Mapping[AgentId, Agent], feeds: Absences = NONE) -> Iterator[int]:
    """Yield every instant at which somebody's leave begins or ends, in no order."""
    for agent in agents.values():
        for absence in absences_of(agent, feeds):
            yield absence.start
            yield absence.end
