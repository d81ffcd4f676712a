"""What the tests of the client share: a fake server, a recorder of what the client says, no task left."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from ivr.ari import AriClient, Backoff, Event, State
from tests.ari.fake import FakeAri

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

QUICK = Backoff(first_ms=1, factor=2, max_ms=4, jitter=0)
APP = "ivr-a"


class Heard:
    """Everything a client said, in order, and a way to wait for more."""

    def __init__(self) -> None:
        self.all: list[Event | State] = []
        self._more = asyncio.Event()

    def __call__(self, what: Event | State) -> None:
        self.all.append(what)
        self._more.set()

    @property
    def events(self) -> list[Event]:
        return [what for what in self.all if isinstance(what, Event)]

    @property
    def states(self) -> list[State]:
        return [what for what in self.all if not isinstance(what, Event)]

    async def until(self, holds: Callable[[], object]) -> None:
        while not holds():
            self._more.clear()
            await self._more.wait()


@pytest.fixture(autouse=True)
async def no_task_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks left: {left}"


@pytest.fixture
async def fake() -> AsyncIterator[FakeAri]:
    async with FakeAri() as server:
        yield server


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(params=["ws", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(fake: FakeAri, heard: Heard, transport: str = "ws", **settings: Any) -> AriClient:
    settings = {"on_event": heard, "on_state": heard, "backoff": QUICK, "rng": Random(1), **settings}
    return AriClient(fake.url, fake.user, fake.password, APP, transport=transport, **settings)  # type: ignore[arg-type]
