"""Who is there as far as the plan knows: who is on leave, who stands in for them, whom a crisis calls in.

Pure: a plan, what calendars say, an instant. Instants are Unix ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ivr.core.plan import Absence, AgentId, GroupId, Plan
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
    leave = {agent: until for agent in plan.agents if (until := away_until(plan, agent, now, feeds)) is not None}
    stands_in: dict[AgentId, list[GroupId]] = {}
    for absent in leave:
        for who in plan.agents[absent].substitutes:
            if who in leave or who not in plan.agents:
                continue
            more = stands_in.setdefault(who, [])
            own = plan.agents[who].groups
            more += [group for group in plan.agents[absent].groups if group not in (*own, *more)]
    on = crisis is not None and now < crisis.until and crisis.id in plan.crises
    called_in = plan.crises[crisis.id].groups if crisis is not None and on else ()
    boundaries = [at for at in _boundaries(plan, feeds) if at > now]
    if crisis is not None and on:
        boundaries.append(crisis.until)
    return Staffing(
        leave=leave,
        stands_in={who: tuple(groups) for who, groups in stands_in.items() if groups},
        called_in=called_in,
        until=min(boundaries, default=None),
    )


def away_until(plan: Plan, agent: AgentId, now: int, feeds: Absences = NONE) -> int | None:
    """Return until when an agent is on leave, absences that meet counted as one; None if they are there."""
    spans = sorted((one.start, one.end) for one in absences_of(plan, agent, feeds))
    until = None
    for start, end in spans:
        if start <= (now if until is None else until) < end:
            until = end
    return until


def absences_of(plan: Plan, agent: AgentId, feeds: Absences = NONE) -> tuple[Absence, ...]:
    """Return the absences of an agent from the plan and from the feeds."""
    return (*plan.agents[agent].absences, *feeds.get(agent, ()))


def groups_at(plan: Plan, staffing: Staffing) -> dict[GroupId, tuple[AgentId, ...]]:
    """Return who answers in each group, leave and substitutes counted in."""
    return {
        group: (
            *(agent for agent in known.agents if agent not in staffing.leave),
            *(agent for agent, more in staffing.stands_in.items() if group in more),
        )
        for group, known in plan.groups.items()
    }


def _boundaries(plan: Plan, feeds: Absences) -> Iterator[int]:
    for agent in plan.agents:
        for absence in absences_of(plan, agent, feeds):
            yield absence.start
            yield absence.end
