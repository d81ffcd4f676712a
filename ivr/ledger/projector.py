"""Copies lines of a site's stream to the ledger, with what follows from them, in one transaction.

A line's key is (site, epoch, id). What is derived comes from lines that were not there yet, in the same
transaction: a batch that comes twice, or from two workers at once, changes nothing the second time.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from ivr.ledger.derive import CallRow, Derivation
from ivr.ledger.schema import CALLS, EVENTS, FILES, OUTCOMES, POSITIONS
from ivr.ledger.store import row
from ivr.ledger.workdays import due

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from ivr.core.plan import SiteId
    from ivr.ledger.store import Ledger
    from ivr.queueing.stream import Line


@dataclass(frozen=True, slots=True)
class Position:
    """The last line of the last batch that was committed."""

    epoch: str
    id: str
    at: int


class Projector:
    """One site's way into the ledger. `due_days` are the working days within which a file is due."""

    def __init__(self, ledger: Ledger, site: SiteId, due_days: int) -> None:
        self._ledger = ledger
        self.site = site
        self._due = partial(due, working_days=due_days)

    def due_in(self, working_days: int) -> None:
        """Let files that are opened from now on be due so many working days after."""
        self._due = partial(due, working_days=working_days)

    async def position(self) -> Position | None:
        """How far the stream is copied; None before the first line."""
        query = select(POSITIONS.c.epoch, POSITIONS.c.id, POSITIONS.c.at).where(POSITIONS.c.site == self.site)
        async with self._ledger.reading("the ledger does not answer") as connection:
            found = (await connection.execute(query)).mappings().first()
        return Position(**found) if found else None

    async def commit(self, lines: Sequence[Line]) -> int:
        """Keep the lines, in their order, and what follows from those that are new; how many are. LedgerError."""
        if not lines:
            return 0
        async with self._ledger.writing("the ledger did not take what happened") as connection:
            await self._move(connection, lines[-1])
            new = await self._keep(connection, lines)
            if new:
                await self._derive(connection, new)
        return len(new)

    async def forget_numbers(self, before: int, met_before: int) -> int:
        """See `Ledger.forget_numbers`."""
        return await self._ledger.forget_numbers(before, met_before)

    async def _move(self, connection: AsyncConnection, last: Line) -> None:
        # First of all: the row's lock makes two workers take turns, and SQLite's lock is had from here on.
        here = {"epoch": last.epoch, "id": last.id, "at": last.at}
        query = self._ledger.insert(POSITIONS).values(site=self.site, **here)
        await connection.execute(query.on_conflict_do_update(index_elements=["site"], set_=here))

    async def _keep(self, connection: AsyncConnection, lines: Sequence[Line]) -> list[Line]:
        rows = [
            {
                "site": self.site,
                "epoch": line.epoch,
                "id": line.id,
                "call": line.fields.get("call", ""),
                "agent": line.fields.get("agent", ""),
                "type": line.type,
                "at": line.at,
                "fields": json.dumps(dict(line.fields), ensure_ascii=False, separators=(",", ":")),
            }
            for line in lines
        ]
        query = self._ledger.insert(EVENTS).on_conflict_do_nothing().returning(EVENTS.c.epoch, EVENTS.c.id)
        kept = {(found.epoch, found.id) for found in await connection.execute(query, rows)}
        return [line for line in lines if (line.epoch, line.id) in kept]

    async def _derive(self, connection: AsyncConnection, new: Sequence[Line]) -> None:
        named = {call for line in new if (call := line.fields.get("call"))}
        query = select(CALLS).where(CALLS.c.site == self.site, CALLS.c.id.in_(named))
        known = {found["id"]: CallRow(**found) for found in (await connection.execute(query)).mappings()}
        derived = Derivation(self.site, self._due, known)
        for line in new:
            derived.take(line)
        changed = [asdict(call) for name, call in derived.calls.items() if name in named]
        await self._put(connection, CALLS, changed, replaces=True)
        await self._put(connection, OUTCOMES, [asdict(outcome) for outcome in derived.outcomes])
        await self._put(connection, FILES, [row(file) for file in derived.opened])
        opened = {file.id for file in derived.opened}
        for call, (at, by) in derived.closed.items():
            still_open = update(FILES).where(
                FILES.c.site == self.site,
                FILES.c.call == call,
                FILES.c.kind == "unresolved",
                FILES.c.closed_ms.is_(None),
                FILES.c.id.not_in(opened),
            )
            await connection.execute(still_open.values(closed_ms=at, closed_by=by))

    async def _put(
        self, connection: AsyncConnection, table: Table, rows: list[dict[str, Any]], *, replaces: bool = False
    ) -> None:
        if not rows:
            return
        query = self._ledger.insert(table)
        if replaces:
            keys = [column.name for column in table.primary_key]
            fresh = {column.name: query.excluded[column.name] for column in table.c if column.name not in keys}
            await connection.execute(query.on_conflict_do_update(index_elements=keys, set_=fresh), rows)
        else:
            await connection.execute(query.on_conflict_do_nothing(), rows)
