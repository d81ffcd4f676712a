"""What the doctor sees of a real Redis, of ledgers, and of an Asterisk that refuses; nothing is made or changed."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from ivr.doctor import asterisk, stores
from ivr.ledger.schema import HEAD
from ivr.ledger.store import Ledger
from ivr.settings import Settings
from tests.ari.fake import FakeAri
from tests.queueing import conftest as of_queueing

if TYPE_CHECKING:
    from pathlib import Path

redis_url = of_queueing.redis_url


@pytest.mark.redis
async def test_redis_says_what_it_keeps(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    try:
        seen = await stores.redis(redis_url)
        assert (seen.problem, seen.appends, seen.saves, seen.policy) == ("", False, False, "noeviction")
        assert seen.version is not None
        assert 0 < seen.latency_ms < 1_000
        assert seen.drift_ms is not None
        assert abs(seen.drift_ms) < 1_000
        await client.config_set("maxmemory-policy", "allkeys-lru")
        await client.config_set("save", "60 1000")
        seen = await stores.redis(redis_url)
        assert (seen.policy, seen.saves) == ("allkeys-lru", True)
    finally:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("save", "")
        await client.aclose()


@pytest.mark.unit
async def test_redis_that_is_not_there(tmp_path: Path) -> None:
    seen = await stores.redis(f"unix://{tmp_path}/none.sock")
    assert seen.problem
    assert seen.version is None
    assert "redis+sentinel" in (await stores.redis("redis+sentinel://a:1")).problem


@pytest.mark.unit
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:k7wq2mzx5tbn@10.0.0.1:6379/0", "redis://:…@10.0.0.1:6379/0"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("redis+sentinel://:k7wq@mz@a:1,b:2/hall", "redis+sentinel://:…@a:1,b:2/hall"),
        ("sqlite+aiosqlite:////state/ledger.sqlite", "sqlite+aiosqlite:////state/ledger.sqlite"),
        ("postgresql://ivr:k7wq2mzx5tbn@db/ivr", "postgresql://ivr:…@db/ivr"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert stores.without_password(url) == shown


@pytest.mark.sqlite
async def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    seen = await stores.ledger(Settings(state_dir=tmp_path))
    assert (seen.problem, seen.version) == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert "n'existe pas" in (await stores.ledger(Settings(state_dir=tmp_path / "none"))).problem


@pytest.mark.sqlite
async def test_the_schema_of_a_ledger_is_read_and_left(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    async with Ledger(settings.ledger):
        pass
    assert (await stores.ledger(settings)).version == HEAD
    with sqlite3.connect(tmp_path / "ledger.sqlite") as book:
        book.execute("UPDATE alembic_version SET version_num = 'r0001'")
    book.close()
    seen = await stores.ledger(settings)
    assert (seen.version, seen.head) == ("r0001", HEAD)
    assert (await stores.ledger(settings)).version == "r0001"


@pytest.mark.sqlite
async def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all, certainly not one" * 100)
    assert "ne s'ouvre pas" in (await stores.ledger(Settings(state_dir=tmp_path))).problem


@pytest.mark.unit
async def test_asterisk_that_does_not_know_our_password_and_one_that_is_not_there() -> None:
    async with FakeAri() as fake:
        there = Settings(ari_url=fake.url, http_bind="127.0.0.1:9")
        seen = await asterisk.look(there, [("ivr", "wrong")])
        assert (seen.problem, seen.worker) == ("password", None)
    assert (await asterisk.look(there, [("ivr", "secret")])).problem == "refused"
