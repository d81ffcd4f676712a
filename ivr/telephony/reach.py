"""A command's own connection to Asterisk, beside the worker's."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final

from ivr.ari import AriClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

PATIENCE_S: Final = 3.0


@contextlib.asynccontextmanager
async def reached(url: str, accounts: Sequence[tuple[str, str]], purpose: str) -> AsyncIterator[AriClient | None]:
    """A connection under a name of our own, so that no worker loses its; None when there is none soon.

    `accounts` are the names and passwords to try, in turn.
    """
    app = f"ivr-{purpose}-{os.getpid()}"
    async with AriClient(url, *accounts[0], app, accounts=lambda: accounts, event_filter=()) as ari:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await ari.wait_connected()
        except TimeoutError:
            yield None
            return
        yield ari
