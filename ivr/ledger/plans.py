"""The published versions of plans, kept for good. The ledger knows of them what it must find them by, no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from ivr.ledger.schema import FILES, PLANS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One version: `version` and `files` are JSON of `ivr.publish.version`."""

    site: str
    number: int
    content: str
    version: str
    files: str


async def keep_plan(ledger: Ledger, row: PlanRow, moved: Mapping[str, str] | None = None) -> bool:
    """Keep a version; False, and nothing is changed, where its number is taken. Raises LedgerError.

    `moved`: open files of these owners are another's from now on, in the same transaction.
    """
    async with ledger.writing("the ledger did not keep the version of the plan") as connection:
        values = {name: getattr(row, name) for name in ("site", "number", "content", "version", "files")}
        kept = await connection.execute(ledger.insert(PLANS).values(values).on_conflict_do_nothing())
        if kept.rowcount < 1:
            return False
        for before, after in (moved or {}).items():
            mine = update(FILES).where(FILES.c.site == row.site, FILES.c.owner == before, FILES.c.closed_ms.is_(None))
            await connection.execute(mine.values(owner=after))
    return True


async def plan_rows(
    ledger: Ledger, site: str, *, number: int | None = None, content: str | None = None, last: int | None = None
) -> list[PlanRow]:
    """Return versions of a site, the newest first: all, the `last`, that of a number, those of a content."""
    query = select(PLANS).where(PLANS.c.site == site).order_by(PLANS.c.number.desc())
    if number is not None:
        query = query.where(PLANS.c.number == number)
    if content is not None:
        query = query.where(PLANS.c.content == content)
    if last is not None:
        query = query.limit(last)
    async with ledger.reading("the ledger does not answer") as connection:
        return [PlanRow(**found) for found in (await connection.execute(query)).mappings()]
