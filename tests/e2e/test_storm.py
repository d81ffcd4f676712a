"""A small storm, whole; and that the phones' notes can tell what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.progress import Progress

from ivr.lab.crowd import Crowd
from ivr.lab.storm import SHORT, Phones, storm

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAN = Path(__file__).parents[2] / "dialplan" / "pessac"


def note(text: str) -> str:
    what, phone, at = text.split()
    return f"{what} To: <sip:{phone}@127.0.0.1:5060> {at}"


@pytest.mark.unit
@pytest.mark.parametrize(
    ("notes", "found"),
    [
        (("ring a 0", "talk a 300", "free a 900", "ring a 910"), Phones(1, 0, (10.0,))),
        (("ring a 0", "ring a 5"), Phones(0, 1, ())),
        (("ring a 0", "talk a 5", "ring a 9"), Phones(1, 1, ())),
        (("ring a 0", "free a 5", "ring b 9", "ring a 45"), Phones(0, 0, (40.0,))),
        (("what is this?",), Phones(0, 0, ())),
    ],
)
def test_what_the_phones_noted(notes: Sequence[str], found: Phones) -> None:
    assert Phones.read([note(text) for text in notes]) == found


@pytest.mark.e2e
@pytest.mark.timeout(120)
async def test_in_a_storm_nobody_is_lost_and_nobody_rings_twice(spoken_prompts: Path, tmp_path: Path) -> None:
    async with Crowd(
        PLAN, spoken_prompts, tmp_path, agents=SHORT.agents, talk_ms=SHORT.talk_ms, rtp_ports=SHORT.rtp_ports
    ) as house:
        with Progress(disable=True) as bars:
            found = await storm(house, SHORT, bars)
    assert (found["lost"], found["doubled"], found["callers_failed"], found["complaints"]) == (0, 0, 0, [])
    assert found["waiting_beforehand"] == SHORT.waiting
    assert found["answered"] == found["answered_by_our_count"] == SHORT.calls
    assert found["free_to_invite_ms"]["p50"] < 150
