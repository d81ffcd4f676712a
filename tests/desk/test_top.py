"""`ivr top`: what a supervisor sees, when Redis is there and when it is not."""

from __future__ import annotations

import asyncio
import contextlib
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisAway
from rich.console import Console

from ivr.desk import top, words
from ivr.desk.board import board
from ivr.desk.link import linked
from ivr.queueing import commands
from ivr.queueing.model import Epoch
from ivr.settings import Settings
from tests.desk.conftest import run

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tests.desk.conftest import Town

pytestmark = pytest.mark.redis


def seen(picture: RenderableType, width: int = 80) -> str:
    """What a picture looks like."""
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(picture)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


class Shaky:
    """A Redis client that can be away."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self.away = False

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise RedisAway("away")
        return getattr(self._redis, name)


def test_one_frame_tells_everything_on_80_columns(busy: Town) -> None:
    result = run("top", "--once")
    assert result.exit_code == 0, result.exception
    told = result.output
    assert max(map(len, told.splitlines())) <= 80
    assert "…" not in told
    for line in (
        "2 en attente · 1 sonne · 2 en ligne · 1 au menu",
        "en ligne (2)     Nadia Belkacem (4 min), Léa Fontanille (1 min)",
        "sonne (1)        Thomas Gourdon (6 s)",
        "autre appel (1)  Claire Hosteins (30 min)",
        "Personne : Accueil général",
        "Nœuds : a (6 appels)",
        "appels arrivés              6",
        "mises en pause d'office",
    ):
        assert line in told
    papers = next(line for line in told.splitlines() if line.startswith(" État civil"))
    assert papers.split()[-4:] == ["2", "–", "3", "min"]
    assert "Awa Diallo" in told
    assert "retour " + words.clock(busy.now - 300_000) + ", retard 5 min" in " ".join(told.split())


def test_the_board_counts_every_call_and_every_agent_once(busy: Town) -> None:
    made = board(busy.plan, busy.do(commands.dump()), busy.now)
    lines = sum(line.waiting + line.ringing for line in made.lines)
    assert lines + len(made.talks) + made.in_menus == 6 == sum(node.calls for node in made.nodes)
    assert sum(len(people.who) for people in made.people) == len(busy.plan.agents)
    waits = [line.oldest_ms for line in made.lines if line.oldest_ms is not None]
    assert waits == sorted(waits, reverse=True) == [200_000, 6_000]


def test_an_empty_hall_is_a_board_too(town: Town) -> None:
    town.founded()
    told = run("top", "--once").output
    assert "0 en attente" in told
    assert "absent (10)" in told
    assert "aucune" in told


def test_a_node_that_no_worker_serves_is_told(town: Town) -> None:
    town.founded()
    made = board(town.plan, town.do(commands.dump()), town.now + 100 * 3_600_000)
    assert "a (0 appel, plus de standard)" in seen(top.frame(made))


def test_many_agents_and_talks_still_fit(busy: Town) -> None:
    made = board(busy.plan, busy.do(commands.dump()), busy.now)
    told = seen(top.frame(made), width=60)
    assert max(map(len, told.splitlines())) <= 60
    for people in made.people:
        for name, _, _ in people.who:
            assert name in " ".join(told.split())


async def test_redis_away_is_said_plainly_and_it_recovers(busy: Town) -> None:
    async with linked(Settings()) as link:
        shaky = link.queue._redis = Shaky(link.queue._redis)  # type: ignore[assignment]
        watch = top.Watch(link)
        shaky.away = True
        assert "Redis ne répond pas ; nouvel essai…" in seen(await watch.picture())
        shaky.away = False
        assert "ne répond pas" not in seen(await watch.picture())
        shaky.away = True
        away = seen(await watch.picture())
        assert "Redis ne répond pas depuis 0 s : ce qui suit date d'avant." in away
        assert "Nadia Belkacem" in away
        shaky.away = False
        assert "ne répond pas" not in seen(await watch.picture())


async def test_another_epoch_is_followed_and_none_is_told(busy: Town) -> None:
    async with linked(Settings()) as link:
        watch = top.Watch(link)
        assert "appels arrivés              6" in seen(await watch.picture())
        busy.redis.flushall()
        assert "Aucun standard n'a encore fonctionné" in seen(await watch.picture())
        busy.queue.found(Epoch("e2"), busy.now)
        assert "appels arrivés              0" in seen(await watch.picture())
        assert busy.redis.hget("{pessac}:site", "epoch") == b"e2"


async def test_it_goes_on_until_it_is_stopped(busy: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "EVERY_S", 0.001)
    looked = asyncio.Event()
    real = top.Watch.picture
    left = 3

    async def picture(watch: top.Watch) -> RenderableType:
        nonlocal left
        left -= 1
        if left == 0:
            looked.set()
        return await real(watch)

    monkeypatch.setattr(top.Watch, "picture", picture)
    console = Console(file=StringIO(), width=80)
    showing = asyncio.create_task(top.top(Settings(), console))
    await asyncio.wait_for(looked.wait(), 10)
    showing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await showing
