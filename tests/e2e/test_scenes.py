"""The scenes of the demo, as tests: the whole line on real Asterisk, Redis and SIP, the houses side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ivr.lab.house import House
from ivr.lab.scenes import HOUSES
from ivr.plan import load_or_raise
from ivr.prompts.studio import make_sounds
from tests.e2e.conftest import PLAN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from ivr.core.plan import Plan
    from ivr.lab.scenes import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


async def play(scenes: Sequence[Scene], plan: Plan, sounds: Path) -> dict[str, Mapping[str, Any]]:
    """What each scene of a house told; the first that fails is the last."""
    async with House(plan, PLAN, sounds) as house:
        assert house.stack.errors() == []
        return {scene.name: await scene.play(house, print) for scene in scenes}


async def test_callers_are_served_as_promised(tmp_path: Path) -> None:
    plan, _ = load_or_raise(PLAN)
    await asyncio.to_thread(make_sounds, PLAN, tmp_path, Console(quiet=True))
    async with asyncio.TaskGroup() as group:
        houses = [group.create_task(play(scenes, plan, tmp_path)) for scenes in HOUSES]
    told = {name: figures for house in houses for name, figures in house.result().items()}
    assert set(told) == {scene.name for scenes in HOUSES for scene in scenes}
    assert all(figures["digit_to_ring_ms"] < 1_000 for figures in told.values() if "digit_to_ring_ms" in figures)
    assert all(figures["two_way_audio"] for figures in told.values() if "two_way_audio" in figures)
