"""A crowd waits when its worker is killed: the next one has everybody, where they were, and all are answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.lab.adopting import adoption, rtp_ports
from ivr.lab.crowd import Crowd

PLAN = Path(__file__).parents[2] / "dialplan" / "pessac"
CALLERS = 40
AGENTS = 10


@pytest.mark.e2e
@pytest.mark.timeout(120)
async def test_the_next_worker_adopts_a_waiting_crowd(spoken_prompts: Path, tmp_path: Path) -> None:
    ports = rtp_ports(CALLERS, AGENTS)
    async with Crowd(PLAN, spoken_prompts, tmp_path, agents=AGENTS, talk_ms=2_000, rtp_ports=ports) as house:
        found = await adoption(house, CALLERS)
    assert (found["callers"], found["adopted"], found["lost"], found["doubled"]) == (CALLERS, CALLERS, 0, 0)
    assert 0 < found["adopt_s"] < 2
    assert found["callers_failed"] == 0
