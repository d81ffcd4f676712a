"""Tasks that live beside one another: none is lost, none outlives the worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Tasks:
    """A set of running tasks; each leaves the set when it ends."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside the others."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        """Ask every task to stop."""
        for task in self._running:
            task.cancel()

    async def close(self) -> None:
        """Stop every task and wait until they are gone."""
        self.cancel()
        if self._running:
            await asyncio.wait(set(self._running))
