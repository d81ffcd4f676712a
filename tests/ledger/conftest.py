"""Both databases: SQLite in a folder of the test, and a private PostgreSQL on a unix socket out of the runtime root."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SQLITE = pytest.param("sqlite", marks=pytest.mark.sqlite)
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)
_INSIDE = "/srv/pg"
_SERVE = (
    'PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"; '
    "{ test -e $0/data/PG_VERSION || initdb --no-sync --no-instructions --auth=trust --encoding=UTF8 --locale=C "
    "-U postgres -D $0/data >/dev/null; } && exec postgres -D $0/data -k $0 -c listen_addresses= "
    "-c fsync=off -c max_connections=40 -c shared_buffers=16MB"
)
_databases = itertools.count(1)


def _ids(root: Path) -> tuple[int, int]:
    """The user and the group that PostgreSQL's package made in the root: the server refuses to be root."""
    lines = (root / "etc" / "passwd").read_text(encoding="utf-8").splitlines()
    uid, gid = next(line.split(":")[2:4] for line in lines if line.startswith("postgres:"))
    return int(uid), int(gid)


class Server:
    """A server that can be stopped and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        from ivr.stack.root import ensure_root  # noqa: PLC0415 - only needed by tests of PostgreSQL

        self.folder = folder
        self._root = ensure_root(None)
        os.chown(folder, *_ids(self._root.path))

    def start(self) -> None:
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        argv = self._root.command([*become, "sh", "-c", _SERVE, _INSIDE], binds={self.folder: _INSIDE}, privileged=True)
        path = self.folder / "log"
        with path.open("wb") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while b"ready to accept connections" not in path.read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                pytest.fail(f"PostgreSQL did not start: {path.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A running server in a folder of its own; nothing is left of it."""
    folder = Path(tempfile.mkdtemp(prefix="ivr-pg-"))
    try:
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Path]:
    """The folder of a server's socket."""
    with serving() as server:
        yield server.folder


async def create(folder: Path) -> str:
    name = f"ledger_{next(_databases)}"
    connection = await asyncpg.connect(host=str(folder), user="postgres", database="postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"postgresql://postgres@/{name}?host={folder}"


@pytest.fixture(params=[SQLITE, POSTGRESQL])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    return await address(request, tmp_path)


async def address(request: pytest.FixtureRequest, folder: Path) -> str:
    """The address of an empty database of the kind that is the fixture's parameter."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{folder}/ledger.sqlite"
    return await create(request.getfixturevalue("postgresql"))


class Look:
    """Looks into a database past the ledger."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        self._engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))

    async def rows(self, query: str) -> list[Any]:
        async with self._engine.begin() as connection:
            found = await connection.execute(text(query))
            return [tuple(row) for row in found] if found.returns_rows else []

    async def close(self) -> None:
        await self._engine.dispose()


@pytest.fixture
async def look(url: str) -> AsyncIterator[Look]:
    look = Look(url)
    yield look
    await look.close()
