"""Wait for what nobody tells of: on a disk, in a database, in a log."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(holds: Callable[[], Any], within_s: float = 15) -> None:
    """Returns once the condition, or the awaitable that it returns, is true; TimeoutError after so many seconds."""
    async with asyncio.timeout(within_s):
        while True:
            found = holds()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.005)
