"""Numbers of callers who are answered reach their keeper, together, whatever it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from ivr.core.caller import Caller, CallerRef
from ivr.ledger.errors import LedgerError
from ivr.ledger.store import Met
from ivr.telephony.contacts import Contacts
from tests.polling import until

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.unit


class Keeper:
    """Takes numbers, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.refused = 0
        self.taken: list[tuple[Met, ...]] = []

    async def met(self, callers: Sequence[Met]) -> None:
        if self.away:
            self.refused += 1
            raise LedgerError("away")
        self.taken.append(tuple(callers))


def caller(ref: str, number: str | None = "+33639980001") -> Caller:
    return Caller(CallerRef(ref), number, "open" if number else "hidden", "normal")


async def test_those_of_some_moments_go_together_and_who_hides_the_number_does_not() -> None:
    keeper = Keeper()
    contacts = Contacts(keeper.met, 0.01)
    for n, who in enumerate((caller("r1"), caller("r2"), caller("r3", None), caller("r1"))):
        contacts.met(who, n)
    await until(lambda: keeper.taken)
    assert keeper.taken == [(Met("r1", "+33639980001", 3), Met("r2", "+33639980001", 1))]
    await contacts.close()
    assert len(keeper.taken) == 1


async def test_while_they_are_refused_they_wait_and_it_is_told_once() -> None:
    keeper = Keeper()
    keeper.away = True
    contacts = Contacts(keeper.met, 0.001)
    with capture_logs() as logged:
        contacts.met(caller("r1"), 1)
        await until(lambda: keeper.refused > 2)
        contacts.met(caller("r2"), 2)
        keeper.away = False
        await until(lambda: len(logged) > 1)
    assert [met.ref for met in keeper.taken[0]] == ["r1", "r2"]
    assert [entry["log_level"] for entry in logged] == ["error", "info"]
    assert "+33" not in str(logged)
    await contacts.close()


async def test_at_the_end_nothing_is_left_on_the_way() -> None:
    keeper = Keeper()
    contacts = Contacts(keeper.met, 3_600)
    contacts.met(caller("r1"), 1)
    await contacts.close()
    assert [met.ref for met in keeper.taken[0]] == ["r1"]
