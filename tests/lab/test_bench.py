"""The bench's verdict: calls that failed, or one that costs too much."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.lab.bench import Turn, figures

pytestmark = pytest.mark.unit
ASKED = {"ari_requests": 10.0, "ari_events": 10.0, "redis_round_trips": 3.0}


def bench(ours_ms: float, theirs_ms: float, failed: int = 0) -> dict[str, Any]:
    cost = {"asterisk": 10 * ours_ms, "ivr": 0.0, "redis": 0.0}
    turns = [
        Turn("app_queue", 10, 0, 20.0, {"asterisk": 10 * theirs_ms}, {}),
        Turn("ours", 10, failed, 20.0, cost, ASKED, "no answer" if failed else ""),
    ]
    return figures(turns, [30.0])


def test_a_call_below_the_ceiling_is_well() -> None:
    found = bench(24.0, 15.0)
    assert (found["ok"], found["why"], found["ceiling_ms"]) == (True, "", 25.0)
    assert found["unscaled"] == {"ceiling_ms": 25.0, "ok": True}


def test_a_call_above_the_ceiling_fails_with_the_reason() -> None:
    found = bench(25.5, 15.6)
    assert found["ok"] is False
    assert found["why"] == "a call costs 25.50 ms of processor time, above the ceiling of 25.00 ms"


def test_the_ceiling_of_a_slow_machine_is_told_beside_the_unscaled_one() -> None:
    found = bench(40.0, 31.2)
    assert (found["ok"], found["ceiling_ms"]) == (True, 50.0)
    assert found["unscaled"] == {"ceiling_ms": 25.0, "ok": False}


def test_calls_that_failed_come_first() -> None:
    found = bench(60.0, 15.0, failed=2)
    assert (found["ok"], found["why"]) == (False, "no answer")
