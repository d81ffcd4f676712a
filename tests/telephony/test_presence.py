"""What the queue hears of agents' phones when it cannot be told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ivr.core.plan import AgentId
from ivr.queueing.errors import QueueFault, QueueUnavailable
from ivr.queueing.model import Changed, NodeId
from ivr.telephony.presence import Presence
from ivr.telephony.tasks import Tasks
from tests.plans import small_plan

if TYPE_CHECKING:
    from ivr.core.plan import Plan

pytestmark = pytest.mark.unit
ALICE = AgentId("alice")


class Deaf:
    """A queue that answers as it is told to; what cannot be had from a real one in this order."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.answers: list[Exception | None] = []
        self.heard: list[tuple[str, bool]] = []

    async def busy(self, agent: AgentId, *, busy: bool) -> Changed:
        self.heard.append((agent, busy))
        failure = self.answers.pop(0) if self.answers else None
        if failure is not None:
            raise failure
        return Changed(changed=True)


@pytest.fixture
def queue() -> Any:
    return Deaf(small_plan())


@pytest.fixture
def presence(queue: Any) -> Presence:
    return Presence(queue.plan, "ivr-a", NodeId("a"), queue, lambda _moves: None, Tasks())


async def test_what_is_owed_is_paid_as_it_is_then(queue: Any, presence: Presence) -> None:
    queue.answers = [QueueUnavailable(queue.plan.site, "busy", 1)]
    presence.dials("a-1.1", queue.plan.agents[ALICE])
    with pytest.raises(QueueUnavailable):
        await presence.busy(ALICE)
    presence._outside.clear()
    await presence.pay()
    await presence.pay()
    assert queue.heard == [(ALICE, True), (ALICE, False)]


async def test_nothing_is_owed_for_an_agent_whom_the_queue_does_not_know(queue: Any, presence: Presence) -> None:
    away, unknown = QueueUnavailable(queue.plan.site, "busy", 1), QueueFault(queue.plan.site, "busy", "unknown agent")
    queue.answers = [away, unknown]
    with pytest.raises(QueueUnavailable):
        await presence.busy(ALICE)
    await presence.pay()
    await presence.pay()
    assert len(queue.heard) == 2
