"""What the queue must know of a call plan, and of who is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.core.plan import TopicId
from ivr.core.staffing import USUAL, groups_at
from ivr.queueing.model import Routing, Step, TopicRouting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.core.plan import GroupId, Plan, Topic
    from ivr.core.staffing import Staffing


def routing_of(
    plan: Plan, wrap_ms: int | None = None, staffing: Staffing = USUAL, retired: Mapping[str, str] | None = None
) -> Routing:
    """Return a plan's routing while a staffing holds; `wrap_ms` in place of the plan's own.

    Its lines are the plan's alone: a staffing changes who answers, never where callers wait. `retired` topics are
    none of the plan's: who waits there, or comes from a version that had them, keeps their place, and is answered by
    the people of the topic that each is given with.
    """
    topics = {topic.id: _topic(topic, staffing.called_in) for topic in plan.topics.values()}
    for gone, heir in sorted((retired or {}).items()):
        if gone not in plan.topics:
            topics[TopicId(gone)] = topics.get(TopicId(heir)) or topics[plan.general]
    ordered = {
        group
        for topic in plan.topics.values()
        if topic.strategy == "ordered"
        for groups in (topic.groups, *(widening.groups for widening in topic.widen))
        for group in groups
        if group in plan.groups
    }
    there = groups_at(plan, staffing)
    return Routing(
        topics=topics,
        ring_ms=plan.ring_timeout_ms,
        wrap_ms=plan.wrap_ms if wrap_ms is None else wrap_ms,
        coded=bool(plan.outcomes),
        ranks={group: {who: rank for rank, who in enumerate(there[group])} for group in sorted(ordered)},
        leave=frozenset(staffing.leave),
        stands_in=staffing.stands_in,
    )


def _topic(topic: Topic, called_in: tuple[GroupId, ...]) -> TopicRouting:
    first = (*topic.groups, *(group for group in called_in if group not in topic.groups))
    return TopicRouting(
        steps=(Step(0, first), *(Step(widening.after_ms, widening.groups) for widening in topic.widen)),
        ordered=topic.strategy == "ordered",
        at_once=topic.ring_at_once if topic.strategy == "ring-many" else 1,
        overflow_wait_ms=topic.overflow.wait_ms if topic.overflow else None,
        overflow_ratio=topic.overflow.ratio if topic.overflow else None,
    )
