"""A Redis for one process alone comes, answers, and is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from ivr.stack.errors import NotReadyError
from ivr.stack.private import private_redis


@pytest.mark.redis
def test_it_answers_and_leaves_nothing() -> None:
    with private_redis() as url:
        with Redis.from_url(url) as client:
            assert client.ping()
        folder = Path(url.removeprefix("unix://")).parent
        assert folder.is_dir()
    assert not folder.exists()


@pytest.mark.redis
def test_two_are_apart() -> None:
    with private_redis() as one, private_redis() as two, Redis.from_url(one) as here, Redis.from_url(two) as there:
        here.set("x", "1")
        assert there.get("x") is None


@pytest.mark.unit
def test_a_server_that_does_not_start_is_told_with_its_log() -> None:
    with (
        pytest.raises(NotReadyError, match="no such option"),
        private_redis(["sh", "-c", "echo no such option; exit 3"]),
    ):
        pass
