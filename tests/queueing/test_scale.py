"""What a command costs does not grow with the number of callers who wait, nor of agents: O(log n).

Redis' own measure of the time in the script (INFO commandstats), so that the machine's other work counts little.
`IVR_SCALE` names the largest number; the figures go to the test's output (`pytest -rP`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from ivr.core.plan import AgentId, GroupId, SiteId, TopicId
from ivr.queueing import commands as c
from ivr.queueing.model import CallId, Epoch, NodeId, Routing, Step, TopicRouting
from ivr.queueing.sync import SyncQueue
from tests.queueing.hall import T0, A

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from ivr.queueing.commands import Command

pytestmark = pytest.mark.redis

SIZES = tuple(size for size in (10, 100, 1_000, 10_000) if size <= int(os.environ.get("IVR_SCALE", "10000")))
ROUNDS = 200
GROUPS = tuple(GroupId(f"g{n}") for n in range(6))
TOPICS = tuple(TopicId(f"t{n}") for n in range(6))
EVERYBODY = (GroupId("*"),)
ROUTING = Routing(
    {
        topic: TopicRouting((Step(0, (group,)), Step(60_000_000, EVERYBODY)), at_once=1 + n % 3)
        for n, (topic, group) in enumerate(zip(TOPICS, GROUPS, strict=True))
    },
    cooldown_ms=0,
)


class Site:
    """One site, its clock, and how long the script took."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.redis = redis
        self.queue = SyncQueue(redis, SiteId(name), ROUTING.lines, A)
        self.now = T0
        self.queue.found(Epoch("e"), self.now)
        self.run(c.configure(ROUTING))

    def run(self, command: Command[Any]) -> Any:
        self.now += 1
        return self.queue.run(command, self.now)

    def join(self, n: int, topic: TopicId) -> Any:
        return self.run(c.join(CallId(f"a-1.{n}"), NodeId("a"), topic, T0 + n, snapshot="waits"))

    def present(self, n: int, group: GroupId) -> Any:
        return self.run(c.presence(AgentId(f"a{n}"), (group,), A, present=True))

    def took_us(self, act: Callable[[int], object]) -> float:
        """Microseconds in the script, per command."""
        self.redis.config_resetstat()
        for n in range(ROUNDS):
            act(n)
        stats = self.redis.info("commandstats")["cmdstat_fcall"]
        return float(stats["usec"]) / float(stats["calls"])


def costs(redis: Redis, size: int) -> dict[str, float]:
    """What commands cost with `size` callers waiting in one group's topics, and as many idle agents in another's."""
    site = Site(redis, f"scale-{size}")
    for n in range(3):  # there, and never free: so that nobody waits for everybody
        site.present(9_000_000 + n, GROUPS[n])
        site.run(c.pause(AgentId(f"a{9_000_000 + n}"), "coffee", site.now + 200_000))
    for n in range(size):
        site.join(n, TOPICS[n % 3])
        site.present(n, GROUPS[3 + n % 3])
    dump = site.run(c.dump())
    assert sum(map(len, dump.waiting.values())) == size
    assert sum(agent.state == "idle" for agent in dump.agents.values()) == size

    def met(n: int) -> None:
        """A caller comes, is offered at once, and leaves: the agent is idle again."""
        assert site.join(1_000_000 + n, TOPICS[3 + n % 3]).offers
        site.run(c.end(CallId(f"a-1.{1_000_000 + n}"), "left"))

    def freed(n: int) -> None:
        """An agent comes, has the oldest caller, who is taken back; and goes."""
        (offer, *_) = site.present(1_000_000 + n, GROUPS[n % 3]).offers
        site.run(c.decline(offer.token, "gone"))

    def queued(n: int) -> None:
        """A caller comes to wait, and leaves."""
        assert not site.join(2_000_000 + n, TOPICS[n % 3]).offers
        site.run(c.end(CallId(f"a-1.{2_000_000 + n}"), "left"))

    return {act.__name__: site.took_us(act) for act in (met, freed, queued)}


@pytest.mark.timeout(240)
def test_commands_cost_as_much_with_ten_thousand_callers_and_agents_as_with_ten(sync_redis: Redis) -> None:
    found = {size: costs(sync_redis, size) for size in SIZES}
    for size, row in found.items():
        print(size, {name: f"{us:.0f} µs" for name, us in row.items()})  # noqa: T201 - the figures are the point
    for name in found[10]:
        assert found[SIZES[-1]][name] < 4 * found[10][name], (name, found)
