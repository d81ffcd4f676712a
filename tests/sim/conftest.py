"""The queue tests' private redis-server; each run has a site of its own on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis

from tests.queueing import conftest as of_queueing

if TYPE_CHECKING:
    from collections.abc import Iterator

redis_url, site = of_queueing.redis_url, of_queueing.site


@pytest.fixture
def straight(redis_url: str) -> Iterator[Redis]:
    client = Redis.from_url(redis_url, single_connection_client=True)
    yield client
    client.close()
