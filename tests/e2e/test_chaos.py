"""Three faults of the list on the whole line, under a small load; `make chaos` has them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ivr.lab.chaos import LAST, run
from ivr.lab.chaos_load import SMALL
from ivr.lab.faults import BY_NAME, TRIED_IN_TESTS

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.core.plan import Plan

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(300)
async def test_no_fault_of_three_loses_a_caller(
    quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]]
) -> None:
    rows: dict[str, dict[str, Any]] = {}
    faults = [BY_NAME[name] for name in TRIED_IN_TESTS]
    await run(faults, SMALL, tones[0], rows.__setitem__, print, plan_dir=quick_plan[1])
    assert list(rows) == [*TRIED_IN_TESTS, LAST]
    for name, row in rows.items():
        assert row["ok"], f"{name}: {row}"
    assert sum(row["answered"] for row in rows.values()) >= SMALL.agents
    assert all(row["callers"] for row in rows.values())
