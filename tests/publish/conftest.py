"""A store on a real redis-server and each of both ledgers; folders that are a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.ledger.store import Ledger
from ivr.plan import load_or_raise
from ivr.publish.shelf import Shelf
from ivr.publish.store import Publications
from ivr.publish.version import Files, Published, Version
from tests.ledger import conftest as of_ledger
from tests.plan.folders import SITE, write
from tests.queueing import conftest as of_queueing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

    from ivr.core.plan import SiteId

redis, redis_url, site = of_queueing.redis, of_queueing.redis_url, of_queueing.site
postgresql, url = of_ledger.postgresql, of_ledger.url


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[Ledger]:
    async with Ledger(url) as opened:
        yield opened


@pytest.fixture
async def store(redis: Redis, ledger: Ledger, site: SiteId) -> AsyncIterator[Publications]:
    yield Publications(redis, ledger, site)
    await redis.flushall()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


class Drafts:
    """Folders of one site that differ by a word."""

    def __init__(self, folder: Path, site: SiteId) -> None:
        self._folder = folder
        self.site = site

    def folder(self, name: str, **changed: str | None) -> Path:
        folder = self._folder / name
        folder.mkdir()
        changed.setdefault("site", SITE)
        text = str(changed.pop("site")).replace("id: essai", f"id: {self.site}")
        return write(folder, site=text, **changed)

    def version(self, number: int, name: str | None = None, **changed: str | None) -> Published:
        folder = self.folder(name or f"v{number}-{len(list(self._folder.iterdir()))}", **changed)
        plan, _ = load_or_raise(folder)
        files = Files.of(folder)
        made = Version(self.site, number, plan.version, files.digest, "Claire", 1000 * number, parent=number - 1)
        return Published(made, files)


@pytest.fixture
def drafts(tmp_path: Path, site: SiteId) -> Drafts:
    folder = tmp_path / "drafts"
    folder.mkdir()
    return Drafts(folder, site)


def by(published: Published, author: str) -> Published:
    return Published(replace(published.version, author=author), published.files)
