"""What the proof makes of the figures that it is given; nothing is run."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from ivr.lab.proof import DRAWN, MONTH, OUTCOMES, STEPS, many, month, stormed
from ivr.lab.storm import FULL, HALF, Storm

pytestmark = pytest.mark.unit

CALM: dict[str, Any] = {
    **dict.fromkeys(("lost", "doubled", "callers_failed", "promised"), 0),
    "complaints": [],
    "waiting_wanted": 500,
    "waiting_beforehand": 500,
    "free_to_invite_ms": {"p99": 60.0},
    "machine_busy": 0.5,
}
MONTHS: dict[str, Any] = {
    **dict.fromkeys(MONTH, 0),
    "calls": 10,
    "answered": 7,
    "informed": 1,
    "left": 1,
    "promised": 1,
}


def test_every_step_has_a_name_of_its_own() -> None:
    assert len({step.name for step in STEPS}) == len(STEPS)
    assert "tests/sim" in DRAWN


@pytest.mark.parametrize(
    ("told", "good"),
    [
        ({}, True),
        ({"violations": 1}, False),
        ({"overtakings_unexplained": 1}, False),
        ({"answered": 5}, False),
        ({"wall_s": 60.0}, False),
        ({"wall_s": 59.9}, True),
    ],
)
def test_a_month_is_good_when_nothing_is_broken_and_every_call_has_one_end(told: dict[str, Any], good: bool) -> None:
    found = month({**MONTHS, **told, "topics": {}})
    assert found["ok"] is good
    assert {"calls", *OUTCOMES} <= set(found)


@pytest.mark.parametrize(
    ("told", "clean", "good"),
    [
        ({}, True, True),
        ({"lost": 1}, False, False),
        ({"doubled": 1}, False, False),
        ({"callers_failed": 1}, False, False),
        ({"complaints": ["one"]}, False, False),
        ({"free_to_invite_ms": {"p99": 151.0}}, True, False),
        ({"waiting_beforehand": 499}, True, False),
    ],
)
def test_a_storm_is_good_when_all_waited_and_nobody_had_less_than_their_due(
    told: dict[str, Any], clean: bool, good: bool
) -> None:
    found = stormed({**CALM, **told})
    assert (found["clean"], found["ok"]) == (clean, good)


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ({}, [FULL]),
        ({"free_to_invite_ms": {"p99": 900.0}}, [FULL]),
        ({"free_to_invite_ms": {"p99": 900.0}, "machine_busy": 0.9}, [FULL, HALF]),
        ({"waiting_beforehand": 300, "promised": 200}, [FULL, HALF]),
        ({"lost": 1, "machine_busy": 0.9}, [FULL]),
    ],
)
def test_half_a_storm_is_taken_on_a_machine_that_had_nothing_left_and_makes_nothing_good(
    told: dict[str, Any], taken: list[Storm]
) -> None:
    shapes: list[Storm] = []

    def storm(_console: Console, shape: Storm) -> dict[str, Any]:
        shapes.append(shape)
        return {**CALM, **told} if shape is FULL else CALM

    found = many(Console(quiet=True), storm)
    assert shapes == taken
    assert found["ok"] is not bool(told)
    assert ("half" in found) is (HALF in taken)
