"""Nothing is sent to a channel that plays or records, and nothing that is due is forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from ivr.telephony import watchdog
from ivr.telephony.watchdog import AFTER_MESSAGE_S, WATCHDOG_S, Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.telephony.line import Line

pytestmark = pytest.mark.unit


class Channel:
    def __init__(self) -> None:
        self.sent: list[int] = []

    def watchdog(self, seconds: int) -> None:
        self.sent.append(seconds)


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def dog(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    monkeypatch.setattr(watchdog, "RENEWAL_S", 0.0)
    yield (made := Watchdog(cast("Line", channel)))
    made.close()


async def pass_by(turns: int = 5) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_it_is_renewed_for_ever(dog: Watchdog, channel: Channel) -> None:
    dog.start()
    dog.start()
    assert channel.sent == [WATCHDOG_S]
    await pass_by()
    assert len(channel.sent) > 2
    assert set(channel.sent) == {WATCHDOG_S}


async def test_not_while_a_prompt_plays_but_as_soon_as_it_is_over(dog: Watchdog, channel: Channel) -> None:
    dog.start()
    dog.play(3)
    await pass_by()
    assert channel.sent == [WATCHDOG_S]
    dog.over(2)
    assert channel.sent == [WATCHDOG_S]
    dog.over(3)
    assert channel.sent == [WATCHDOG_S] * 2
    await pass_by()
    assert len(channel.sent) > 2


async def test_a_prompt_after_a_prompt_lets_it_through_between(dog: Watchdog, channel: Channel) -> None:
    dog.start()
    dog.play(3)
    await pass_by()
    dog.play(4)
    assert channel.sent == [WATCHDOG_S] * 2
    dog.over(3)
    await pass_by()
    assert channel.sent == [WATCHDOG_S] * 2


async def test_a_prompt_of_most_of_a_minute_begins_with_a_watchdog_that_was_just_renewed(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    dog = Watchdog(cast("Line", channel))
    dog.start()
    dog.play(3)
    assert channel.sent == [WATCHDOG_S]
    monkeypatch.setattr(watchdog, "FRESH_S", 0.0)
    dog.play(4)
    assert channel.sent == [WATCHDOG_S] * 2
    dog.over(4)
    assert channel.sent == [WATCHDOG_S] * 2
    dog.close()


async def test_a_message_has_all_its_time_at_once(dog: Watchdog, channel: Channel) -> None:
    dog.start()
    dog.record(7, 120_000)
    await pass_by()
    assert channel.sent == [WATCHDOG_S, AFTER_MESSAGE_S + 120]
    dog.over(7)
    assert channel.sent == [WATCHDOG_S, AFTER_MESSAGE_S + 120, WATCHDOG_S]


async def test_a_call_that_was_there_before_is_watched_once_its_prompt_was_ended(
    dog: Watchdog, channel: Channel
) -> None:
    dog.adopt(recording=0)
    dog.start()
    await pass_by()
    assert channel.sent == []
    dog.play(70)
    assert channel.sent == [WATCHDOG_S]


async def test_a_call_that_was_there_before_without_a_prompt_is_watched_when_it_is_settled(
    dog: Watchdog, channel: Channel
) -> None:
    dog.adopt(recording=0)
    dog.settled()
    assert channel.sent == [WATCHDOG_S]


async def test_a_message_that_was_there_before_is_not_disturbed(dog: Watchdog, channel: Channel) -> None:
    dog.adopt(recording=7)
    dog.settled()
    await pass_by()
    assert channel.sent == []
    dog.over(7)
    assert channel.sent == [WATCHDOG_S]


async def test_who_talks_is_not_watched(dog: Watchdog, channel: Channel) -> None:
    dog.start()
    dog.end()
    await pass_by()
    assert channel.sent == [WATCHDOG_S, 0]
    dog.start()
    assert channel.sent == [WATCHDOG_S, 0, WATCHDOG_S]
