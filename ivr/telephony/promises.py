"""Where promises are kept: the ledger, and the journal on this machine while the ledger is away.

A caller waits for the ledger `PATIENCE_S` at most, and once it is known to be away not at all. What waits in the
journal, from before a restart too, is brought into the ledger when that answers: a file's id is its key there, so
whatever is brought in twice is there once. Numbers of callers who are answered go the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import math
from typing import TYPE_CHECKING, Final, Self

from ivr import log
from ivr.ledger.errors import JournalBusy, LedgerError
from ivr.ledger.journal import Entry
from ivr.queueing.retry import Retry
from ivr.telephony.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ivr.ledger.journal import Journal
    from ivr.ledger.store import File, Ledger, Met

PATIENCE_S: Final = 2.0
LOOK_EVERY_S: Final = 60.0
"""How often is looked for what a process that is gone left behind, all being well."""

_log = log.get("promises")


class Promises:
    """Keeps promises; within `async with`. `run` brings in what waits, and returns only when cancelled."""

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        *,
        patience_s: float = PATIENCE_S,
        retry: Retry | None = None,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.ledger = ledger
        self.journal = journal
        self._patience_s = patience_s
        self._retry = retry or Retry(first_ms=500, factor=2, max_ms=5_000)
        self._every_s = every_s
        self._away = False
        self._noting = 0
        self._gone = asyncio.Event()
        self._behind = Tasks()

    async def __aenter__(self) -> Self:
        """Open the ledger, or go on without it; raises nothing that is the ledger's or the disk's."""
        try:
            await asyncio.to_thread(self.journal.prepare)
        except OSError as error:
            _log.error("no promise could wait in the journal", journal=str(self.journal.folder), reason=str(error))
        try:
            await self._soon(self.ledger.open())
        except LedgerError as error:
            self._lost(error)
            # Half a second of imports: now, and not in the midst of calls.
            importlib.import_module("ivr.ledger.upgrade")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._behind.close()
        await self.ledger.disconnect()
        await asyncio.to_thread(self.journal.close)

    def waiting(self) -> float:
        """How many promises wait in the journal; NaN where it cannot be read."""
        with contextlib.suppress(OSError):
            return self.journal.count()
        return math.nan

    async def promise(self, file: File, number: str | None) -> None:
        """Keep a promise, in one place or the other; the same id again changes nothing. Raises LedgerError."""
        await self._keep(
            lambda: self.ledger.promise(file, number), lambda: self.journal.append(file, number), call=file.call
        )

    async def met(self, callers: Sequence[Met]) -> None:
        """Have the numbers of callers whom an agent answered known, in one place or the other. Raises LedgerError."""
        await self._keep(lambda: self.ledger.met(callers), lambda: self.journal.meet(callers), answered=len(callers))

    async def _keep(self, ledger: Callable[[], Awaitable[None]], journal: Callable[[], None], **whose: object) -> None:
        self._noting += 1
        try:
            if self._away or not await self._in_ledger(ledger):
                await self._in_journal(journal, ledger, whose)
        finally:
            self._noting -= 1

    async def _in_ledger(self, keep: Callable[[], Awaitable[None]]) -> bool:
        try:
            await self._soon(keep())
        except LedgerError as error:
            self._lost(error)
            return False
        return True

    async def _in_journal(
        self, keep: Callable[[], None], in_ledger: Callable[[], Awaitable[None]], whose: dict[str, object]
    ) -> None:
        try:
            await self._soon(asyncio.to_thread(keep))
        except (OSError, LedgerError) as error:
            # The last that can be tried, whatever is known of it.
            _log.error("what cannot be kept in the ledger could not wait in the journal", **whose, reason=str(error))
            await self._soon(in_ledger())
        self._gone.set()

    async def run(self) -> None:
        """Bring in what waits, for ever; says once that the ledger is away and once that it has everything."""
        failures = brought = 0
        unusable = False
        while True:
            self._gone.clear()
            try:
                await self.ledger.open()
                brought += await self.bring_in()
            except (LedgerError, OSError) as error:
                failures += 1
                if isinstance(error, OSError):
                    if not unusable:
                        _log.error("the journal cannot be brought in", reason=str(error))
                    unusable, self._away = True, False
                elif not isinstance(error, JournalBusy):
                    self._lost(error)
                    await self.ledger.disconnect()
                await asyncio.sleep(self._retry.pause_s(min(failures, 16)))
                continue
            if self._away and (self._noting or self._gone.is_set()):
                # What came to the journal meanwhile, or is on its way, will tell whether the ledger takes it.
                await asyncio.sleep(self._retry.pause_s(1))
                continue
            if self._away:
                self._away = False
                _log.info("the ledger is back; it has every promise", brought=brought)
            elif brought:
                _log.info("promises that were left in the journal are in the ledger", brought=brought)
            failures = brought = 0
            unusable = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._gone.wait()

    async def bring_in(self) -> int:
        """Bring what waits into the ledger, then shorten the journal; how many promises. Raises LedgerError, OSError.

        JournalBusy while another worker does so, or a number is being erased: what is left is theirs, or waits.
        """
        brought = 0
        with self.journal.alone(), contextlib.closing(self.journal.parts()) as parts:
            for part in parts:
                promises = [entry for entry in part.entries if isinstance(entry, Entry)]
                for entry in promises:
                    await self.ledger.promise(entry.file, entry.number)
                if met := [entry for entry in part.entries if not isinstance(entry, Entry)]:
                    await self.ledger.met(met)
                await asyncio.to_thread(self.journal.shorten, part)
                brought += len(promises)
        return brought

    def _lost(self, error: Exception) -> None:
        if not self._away:
            _log.error(
                "the ledger is away; promises wait in the journal",
                journal=str(self.journal.folder),
                reason=str(error),
            )
        self._away = True
        self._gone.set()

    async def _soon(self, work: Awaitable[None]) -> None:
        """Wait for work, but not for long: it may go on behind. Raises what it raises, or LedgerError."""
        task = asyncio.ensure_future(work)
        self._behind.start(_unheard(task))
        done, _ = await asyncio.wait({task}, timeout=self._patience_s)
        if not done:
            raise LedgerError(f"no answer within {self._patience_s:g} s")
        task.result()


async def _unheard(work: Awaitable[None]) -> None:
    """The end of work that nobody may be waiting for any more."""
    with contextlib.suppress(LedgerError, OSError):
        await work
