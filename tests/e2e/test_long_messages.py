"""A caller who speaks for long holds up nobody, and is not cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import BEEP
from ivr.lab.scenes import SOON_S, within
from tests.e2e.test_hangups import files, later

if TYPE_CHECKING:
    from tests.e2e.trial import Trial

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

LONG_S = 65.0
"""Longer than the watchdog of a caller waits."""
OTHERS_EVERY_S = 5.0


@pytest.mark.timeout(150)
async def test_others_are_served_while_a_message_of_more_than_a_minute_is_recorded(trial: Trial) -> None:
    before = len(await files(trial))
    speaker = await trial.talk_to_menu()
    await speaker.digits("1")
    await trial.hears(speaker, BEEP, seconds=20.0)
    await speaker.play_tone(440)
    for _ in range(round(LONG_S / OTHERS_EVERY_S)):
        await later(OTHERS_EVERY_S * 1_000)
        other = await trial.talk_to_menu()
        await trial.hears(other, trial.said.greeting)
        await other.hangup()
        assert not speaker.closed.happened
        assert len(await files(trial)) == before
    await speaker.be_silent()
    await speaker.digits("#")
    await within(2 * SOON_S, "the last sentence is over", speaker.closed)
    (new,) = (await files(trial))[before:]
    assert new[0] == "message"
