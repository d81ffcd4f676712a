"""What the ledger knows of calls: rows, and lines of the event stream in the stream's order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from ivr.ledger.derive import CallRow
from ivr.ledger.schema import CALLS, EVENTS, FILES
from ivr.ledger.store import File
from ivr.queueing.stream import Line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Select

    from ivr.core.plan import SiteId
    from ivr.ledger.store import Ledger

BEFORE: Final = 60
"""Lines of each agent that are looked at before an instant: their present state is a matter of the last few."""
_SORRY: Final = "the ledger does not answer"


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Lines of one site as they came, each once."""
    return sorted({(line.epoch, line.id): line for line in lines}.values(), key=_place)


def _place(line: Line) -> tuple[int, int, int]:
    ms, _, n = line.id.partition("-")
    return line.at, int(ms), int(n or 0)


class History:
    """One site's past."""

    def __init__(self, ledger: Ledger, site: SiteId) -> None:
        self._ledger = ledger
        self._site = site

    async def call(self, call: str) -> CallRow | None:
        """One call, None when the ledger has none of that id."""
        query = select(CALLS).where(CALLS.c.site == self._site, CALLS.c.id == call)
        async with self._ledger.reading(_SORRY) as connection:
            found = (await connection.execute(query)).mappings().first()
        return CallRow(**found) if found else None

    async def recent(self, count: int) -> list[CallRow]:
        """The calls that came last, the newest first."""
        query = select(CALLS).where(CALLS.c.site == self._site).order_by(CALLS.c.arrival_ms.desc()).limit(count)
        async with self._ledger.reading(_SORRY) as connection:
            return [CallRow(**found) for found in (await connection.execute(query)).mappings()]

    async def files(self, call: str) -> list[File]:
        """The files that a call left, in their order."""
        query = select(FILES).where(FILES.c.site == self._site, FILES.c.call == call).order_by(FILES.c.opened_ms)
        async with self._ledger.reading(_SORRY) as connection:
            return [File(**found) for found in (await connection.execute(query)).mappings()]

    async def lines_of(self, call: str) -> list[Line]:
        """Every line of a call."""
        return await self._lines(select(EVENTS).where(EVENTS.c.site == self._site, EVENTS.c.call == call))

    async def crowd(self, agents: Iterable[str], start: int, end: int) -> list[Line]:
        """What tells these agents' states from one instant to another: their lines, and beginnings of epochs."""
        ours = select(EVENTS).where(EVENTS.c.site == self._site)
        founded = ours.where(EVENTS.c.type == "founded")
        newest = founded.where(EVENTS.c.at < start).order_by(EVENTS.c.at.desc()).limit(1)
        queries = [newest, founded.where(EVENTS.c.at >= start, EVENTS.c.at <= end)]
        # One by one: each is a walk of a few steps in the index, however long the past is.
        for agent in agents:
            of_agent = ours.where(EVENTS.c.agent == agent)
            queries += [
                of_agent.where(EVENTS.c.at < start).order_by(EVENTS.c.at.desc()).limit(BEFORE),
                of_agent.where(EVENTS.c.at >= start, EVENTS.c.at <= end),
            ]
        return await self._lines(*queries)

    async def between(self, start: int, end: int, types: Iterable[str]) -> list[Line]:
        """Every line of some types from one instant to before another."""
        ours = select(EVENTS).where(EVENTS.c.site == self._site, EVENTS.c.at >= start, EVENTS.c.at < end)
        return await self._lines(*(ours.where(EVENTS.c.type == one) for one in types))

    async def _lines(self, *queries: Select[Any]) -> list[Line]:
        found: list[Line] = []
        async with self._ledger.reading(_SORRY) as connection:
            for query in queries:
                rows = await connection.execute(query)
                found += [Line(row.epoch, row.id, row.type, row.at, json.loads(row.fields)) for row in rows]
        return in_order(found)
