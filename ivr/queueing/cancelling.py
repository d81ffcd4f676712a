"""A cancellation that comes while redis-py writes is not lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def heeding(work: Awaitable[T]) -> T:
    """Return what `work` gives; when the task was cancelled meanwhile, be cancelled.

    redis-py writes under `asyncio.wait_for`, which in Python 3.11 drops a cancellation that comes as the write
    ends: a task that is cancelled once would then live for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        return await work
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
