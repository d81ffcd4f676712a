"""A small town hall for tests: two topics, two groups, two agents, three callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ivr.core.plan import AgentId, GroupId, SiteId, TopicId
from ivr.queueing.model import CallId, Changed, Epoch, NodeId, Routing, TopicRouting
from ivr.queueing.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from ivr.queueing.retry import Retry

T0 = 1_790_000_000_000
A, B = NodeId("a"), NodeId("b")
PAPERS, ROADS = TopicId("papers"), TopicId("roads")
DESK, CIVIL = GroupId("desk"), GroupId("civil")
ANN, BOB = AgentId("ann"), AgentId("bob")
ROUTING = Routing({PAPERS: TopicRouting.plain(CIVIL, DESK), ROADS: TopicRouting.plain(DESK)}, wrap_ms=3_000)
ONE, TWO, THREE = CallId("a-1.1"), CallId("a-1.2"), CallId("a-1.3")
EPOCH = Epoch("e1")


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ms = T0

    def __call__(self) -> int:
        return self.ms

    def reached(self, site_ms: int) -> None:
        """Let the test alone move it."""


def queue_on(redis: Redis, site: SiteId, clock: Any, node: NodeId = A, retry: Retry | None = None) -> Queue:
    return Queue(redis, site, ROUTING.lines, node=node, clock=clock, retry=retry)


async def stream(redis: Redis, queue: Queue) -> list[tuple[bytes, dict[bytes, bytes]]]:
    lines: Any = await redis.xrange(queue.keys.name("events"))
    return list(lines)


async def ready(queue: Queue, agent: AgentId = ANN, groups: Sequence[GroupId] = (CIVIL, DESK)) -> Changed:
    return await queue.presence(agent, groups, A, present=True)


async def join(queue: Queue, call: CallId, topic: TopicId = PAPERS, ago: int = 0, **facts: Any) -> Any:
    return await queue.join(call, A, topic, T0 - ago, snapshot=f"{call} waits", **facts)
