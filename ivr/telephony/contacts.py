"""The numbers of callers whom an agent answers, on their way to where they are kept.

What the agent says of the talk may leave a file, whose caller must be found. Nobody waits for it: the numbers of
some moments go together.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.ledger.errors import LedgerError
from ivr.ledger.store import Met
from ivr.telephony.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ivr.core.caller import Caller

GATHER_S: Final = 1.0

_log = log.get("contacts")


class Contacts:
    """Gives `keep` the number of each caller who was `met`, again until it takes it (it raises LedgerError)."""

    def __init__(self, keep: Callable[[Sequence[Met]], Awaitable[None]], gather_s: float = GATHER_S) -> None:
        self._keep = keep
        self._gather_s = gather_s
        self._met: dict[str, Met] = {}
        self._down = False
        self._behind = Tasks()

    def met(self, caller: Caller, at: int) -> None:
        """An agent answers a caller; who hides the number is not remembered."""
        if caller.number is None:
            return
        self._met[caller.ref] = Met(caller.ref, caller.number, at)
        if not len(self._behind):
            self._behind.start(self._gather())

    async def close(self) -> None:
        """What was met is kept, if that can be done now."""
        await self._behind.close()
        await self._flush()

    async def _gather(self) -> None:
        while self._met:
            await asyncio.sleep(self._gather_s)
            await self._flush()

    async def _flush(self) -> None:
        met = tuple(self._met.values())
        if not met:
            return
        try:
            await self._keep(met)
        except LedgerError as error:
            if not self._down:
                _log.error("numbers of callers who were answered are not kept yet", reason=str(error))
            self._down = True
            return
        if self._down:
            _log.info("numbers of callers who were answered are kept again")
        self._down = False
        for each in met:
            if self._met[each.ref] is each:
                del self._met[each.ref]
