"""What the calendar of a plan may say: its layers, each as if it held for ever.

A proof lets any of them hold at any step that looks at the calendar, in any order: closing or opening while a caller
waits is one of them at one step and another one at the next. So it covers every hour of every year, and the moments
between two layers too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.core.schedule import NEVER, Calendar, Crisis, Span, Timeline

if TYPE_CHECKING:
    from ivr.core.plan import Plan

CLOSED: Final = Timeline((Span(-NEVER, NEVER, open=False, layer="weekly"),))
OPEN: Final = Timeline()


@dataclass(frozen=True, slots=True)
class Regime:
    """What the calendar may say: `words` for the story, "" for the ordinary hours."""

    calendar: Calendar
    words: str = ""


def regimes_of(plan: Plan) -> tuple[Regime, ...]:
    """Return every regime of a plan, the ordinary hours first; these alone where nothing ever closes."""
    own = {topic.id: topic.hours for topic in plan.topics.values() if topic.hours is not None}
    names = sorted(set(own.values()))
    found = [Regime(Calendar(OPEN, own, dict.fromkeys(names, OPEN)))]
    if plan.hours is not None:
        found.append(Regime(Calendar(CLOSED, own, dict.fromkeys(names, CLOSED)), "tout est fermé"))
    for name in names:
        hours = {each: CLOSED if each == name else OPEN for each in names}
        found.append(Regime(Calendar(OPEN, own, hours), f"« {name} » est fermé"))
        if plan.hours is not None:
            others = {each: OPEN if each == name else CLOSED for each in names}
            found.append(Regime(Calendar(CLOSED, own, others), f"seul « {name} » est ouvert"))
    for profile in plan.crises.values():
        crisis = Crisis(profile.id, NEVER)
        found.append(Regime(Calendar(OPEN, own, dict.fromkeys(names, OPEN), crisis), f"crise « {profile.label} »"))
        if plan.hours is not None:
            shut = Calendar(CLOSED, own, dict.fromkeys(names, CLOSED), crisis)
            found.append(Regime(shut, f"crise « {profile.label} », tout est fermé"))
    return tuple(found)
