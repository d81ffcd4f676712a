"""A recorded month out of the ledger, day by day, so that a large one needs no more memory than its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.traffic.gather import TYPES, Gatherer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.core.plan import Plan
    from ivr.ledger.history import History
    from ivr.traffic.month import Month, Period

AFTER_MS: Final = 2 * 3_600_000
"""Past the end: the last calls are still to end, and their agents to say how they went."""


async def recorded(
    history: History,
    plan: Plan,
    period: Period,
    is_open: Callable[[int], bool],
    tell: Callable[[int, int], None] = lambda _done, _of: None,
) -> Month:
    """Return a site's month; `tell` hears how many of its days are read. Raises LedgerError."""
    gatherer = Gatherer(plan, is_open)
    gatherer.take_all(await history.crowd(plan.agents, period.start, period.start - 1))
    days = [*period.midnights(), (period.end, period.end + AFTER_MS)]
    for done, (start, end) in enumerate(days, 1):
        gatherer.take_all(await history.between(start, end, TYPES))
        tell(done, len(days))
    return gatherer.month(period, plan.site)
