"""The scenes of the demo, as tests: the whole line on real Asterisk, Redis and SIP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ivr.lab.house import House
from ivr.lab.scenes import HOUSES
from ivr.plan import load_or_raise
from ivr.prompts.studio import make_sounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.lab.scenes import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
PLAN = Path(__file__).parents[2] / "dialplan" / "pessac"


@pytest.mark.parametrize("scenes", HOUSES, ids=lambda scenes: "+".join(scene.name for scene in scenes))
async def test_callers_are_served_as_promised(
    scenes: Sequence[Scene], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, _ = load_or_raise(PLAN)
    make_sounds(PLAN, tmp_path, Console(quiet=True))
    async with House(plan, PLAN, tmp_path) as house:
        assert house.stack.errors() == []
        for scene in scenes:
            await scene.play(house, print)
    assert "failed" not in capsys.readouterr().out
