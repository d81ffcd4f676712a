"""A town hall's queue on a real redis-server, in the midst of a day, and the command line beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ivr.cli import app
from ivr.core.plan import AgentId, TopicId
from ivr.plan import load_or_raise
from ivr.queueing import commands
from ivr.queueing.model import CallId, Epoch, NodeId, WorkerId
from ivr.queueing.routing import routing_of
from ivr.queueing.sync import SyncQueue
from tests.queueing import conftest as of_queueing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from redis import Redis

    from ivr.core.plan import Plan
    from ivr.queueing.commands import Command

redis_url, sync_redis = of_queueing.redis_url, of_queueing.sync_redis
PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"
A = NodeId("a")


class Town:
    """The queue as a worker would have filled it; `now` is Redis' time."""

    def __init__(self, redis: Redis, plan: Plan) -> None:
        self.redis = redis
        self.plan = plan
        self.queue = SyncQueue(redis, plan.site, (), A)
        self.now = self._time()

    def _time(self) -> int:
        seconds, micros = self.redis.time()
        return int(seconds) * 1_000 + int(micros) // 1_000

    def do(self, command: Command[Any], ago: int = 0) -> Any:
        return self.queue.run(command, self.now - ago)

    def founded(self) -> None:
        """A worker of node a has begun, two hours ago."""
        self.queue.found(Epoch("e1"), self.now - 7_200_000)
        self.do(commands.configure(routing_of(self.plan)), 7_200_000)
        self.do(commands.lease(A, WorkerId("w"), 10 * 3_600_000), 7_200_000)

    def comes(self, agent: str, ago: int = 0) -> None:
        """An agent's phone registers."""
        known = self.plan.agents[AgentId(agent)]
        self.do(commands.presence(known.id, known.groups, A, present=True), ago)

    def calls(self, call: str, topic: str, ago: int = 0) -> Any:
        """A caller who waits, or rings."""
        return self.do(commands.join(CallId(call), A, TopicId(topic), self.now - ago, snapshot="x"), ago)

    def agent(self, agent: str) -> Any:
        return self.do(commands.dump()).agents[AgentId(agent)]


@pytest.fixture
def pessac() -> Plan:
    return load_or_raise(PESSAC)[0]


@pytest.fixture
def desk(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the command line."""
    monkeypatch.setenv("IVR_PLAN", str(PESSAC))
    monkeypatch.setenv("IVR_REDIS_URL", redis_url)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def town(sync_redis: Redis, pessac: Plan, desk: None) -> Iterator[Town]:
    sync_redis.flushall()
    yield Town(sync_redis, pessac)
    sync_redis.flushall()


@pytest.fixture
def busy(town: Town) -> Town:
    """Nobody is free: two talk, one rings, one is paused for lunch; two wait for the town's papers."""
    town.founded()
    minute = 60_000
    for agent in ("nadia-belkacem", "lea-fontanille", "thomas-gourdon", "awa-diallo", "claire-hosteins"):
        town.comes(agent, 90 * minute)
    town.do(commands.pause(AgentId("awa-diallo"), "dejeuner", town.now - 5 * minute), 65 * minute)
    town.do(commands.busy(AgentId("claire-hosteins"), busy=True), 30 * minute)
    (offer,) = town.calls("a-1.1", "etat-civil", 5 * minute).offers
    town.do(commands.accept(offer.token), 5 * minute - 5_000)
    town.calls("a-1.4", "etat-civil", 200_000)
    (offer,) = town.calls("a-1.2", "urbanisme", 2 * minute).offers
    town.do(commands.accept(offer.token), 2 * minute - 9_000)
    town.calls("a-1.5", "etat-civil", 20_000)
    town.calls("a-1.3", "voirie", 6_000)
    town.do(commands.save(CallId("a-1.6"), A, "x", town.now))
    return town


def run(*words: str) -> Any:
    """The command line, as somebody types it."""
    return CliRunner().invoke(app, list(words), catch_exceptions=True)


def listed() -> dict[str, dict[str, Any]]:
    """`ivr agents list --json`, by agent."""
    result = run("agents", "list", "--json")
    assert result.exit_code == 0, result.output
    return {row["id"]: row for row in json.loads(result.output)}


@pytest.fixture
def redis_away(tmp_path: Path) -> str:
    """The address of a Redis that is not there."""
    return f"unix://{tmp_path}/nowhere.sock"
