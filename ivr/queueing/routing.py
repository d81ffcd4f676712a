"""What the queue must know of a call plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.queueing.model import Routing, Step, TopicRouting

if TYPE_CHECKING:
    from ivr.core.plan import Plan, Topic


def routing_of(plan: Plan, wrap_ms: int | None = None) -> Routing:
    """Return a plan's routing; `wrap_ms` in place of the plan's own."""
    ordered = {
        group
        for topic in plan.topics.values()
        if topic.strategy == "ordered"
        for groups in (topic.groups, *(widening.groups for widening in topic.widen))
        for group in groups
        if group in plan.groups
    }
    return Routing(
        topics={topic.id: _topic(topic) for topic in plan.topics.values()},
        ring_ms=plan.ring_timeout_ms,
        wrap_ms=plan.wrap_ms if wrap_ms is None else wrap_ms,
        coded=bool(plan.outcomes),
        ranks={group: {who: rank for rank, who in enumerate(plan.groups[group].agents)} for group in sorted(ordered)},
    )


def _topic(topic: Topic) -> TopicRouting:
    return TopicRouting(
        steps=(Step(0, topic.groups), *(Step(widening.after_ms, widening.groups) for widening in topic.widen)),
        ordered=topic.strategy == "ordered",
        at_once=topic.ring_at_once if topic.strategy == "ring-many" else 1,
        overflow_wait_ms=topic.overflow.wait_ms if topic.overflow else None,
        overflow_ratio=topic.overflow.ratio if topic.overflow else None,
    )
