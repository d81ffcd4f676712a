"""A phone is rung for the next caller when its last leg is gone, and not before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ivr.telephony import phones as of_phones
from ivr.telephony.phones import Phones
from tests.ari.fake import Say

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

ALICE, BOB = "agent-alice", "agent-bob"


@pytest.mark.unit
async def test_who_waits_for_a_phone_rings_it_in_turn_once_the_last_leg_is_gone() -> None:
    phones, rung = Phones(), list[str]()
    phones.has("leg.1", ALICE)
    phones.has("leg.2", ALICE)
    phones.leaves("leg.1")
    phones.leaves("leg.2")
    phones.leaves("leg.2")
    for who in ("first", "second"):
        phones.when_free(ALICE, lambda who=who: rung.append(who))  # type: ignore[misc]
    phones.when_free(BOB, lambda: rung.append("another phone"))
    assert rung == ["another phone"]
    phones.gone("leg.1")
    assert rung == ["another phone"]
    phones.gone("leg.2")
    assert rung == ["another phone", "first", "second"]
    phones.when_free(ALICE, lambda: rung.append("later"))
    assert rung[-1] == "later"
    assert len(phones) == 0


@pytest.mark.unit
async def test_a_leg_whose_end_is_never_told_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_phones, "MOST_S", 0.01)
    phones, rung = Phones(), asyncio.Event()
    phones.has("leg.1", ALICE)
    phones.leaves("leg.1")
    phones.when_free(ALICE, rung.set)
    assert not rung.is_set()
    await rung.wait()
    assert len(phones) == 0


@pytest.mark.unit
async def test_what_was_forgotten_rings_nobody() -> None:
    phones, rung = Phones(), list[str]()
    phones.has("leg.1", ALICE)
    phones.leaves("leg.1")
    phones.when_free(ALICE, lambda: rung.append("rung"))
    phones.forget()
    phones.gone("leg.1")
    assert rung == []


@pytest.mark.redis
async def test_the_next_caller_rings_when_the_leg_of_the_last_one_has_ended(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_phones, "MOST_S", 60.0)
    await hall.agent()
    first = await hall.waits()
    leg = await hall.rings(first)
    second = await hall.waits()
    hall.fake.on("DELETE", "channels/leg[^/]+", Say(204), times=1)  # and the leg takes its time
    hall.switch.ends(first)
    await hall.until(lambda: hall.state_of(second, "offered"))
    await hall.still()
    assert hall.switch.legs() == [leg]
    hall.switch.ends(leg)
    assert await hall.rings(second) != leg


@pytest.mark.redis
async def test_a_caller_who_leaves_meanwhile_rings_nobody(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_phones, "MOST_S", 60.0)
    await hall.agent()
    first = await hall.waits()
    leg = await hall.rings(first)
    second = await hall.waits()
    hall.fake.on("DELETE", "channels/leg[^/]+", Say(204), times=1)
    hall.switch.ends(first)
    await hall.until(lambda: hall.state_of(second, "offered"))
    hall.switch.ends(second)
    await hall.until(lambda: hall.worker.calls.get(second) is None)
    hall.switch.ends(leg)
    await hall.nothing_left()
    assert len([asked for asked in hall.fake.paths("POST") if "leg." in asked and asked.count("/") == 1]) == 1
