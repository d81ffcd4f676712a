"""The proof holds for sound plans, and finds every seeded fault, with a story."""

from __future__ import annotations

import pytest

from ivr.prove import prove
from tests.prove.mutants import CHAINS, CORE, PLAN, PLANS, RINGS_MANY, SHORT, WHOLE, CoreMutant, mutated

pytestmark = pytest.mark.long


def test_a_sound_plan_is_proven_and_everything_in_it_is_reached() -> None:
    found = prove(WHOLE)
    assert found.ok, found.story
    assert found.states > 500
    assert found.transitions > found.states
    assert set(found.ends) == {"answered", "informed", "left", "promised", "secours"}
    assert 0 < found.seconds < 3_600
    assert "menus" not in found.never
    assert "motifs" not in found.never


def test_hours_crises_and_every_step_of_a_chain_are_proven_and_reached() -> None:
    found = prove(CHAINS)
    assert found.ok, found.story
    assert "phases" not in found.never, found.never


@pytest.mark.parametrize("mutant", CORE, ids=lambda mutant: mutant.name)
def test_a_fault_of_the_core_is_found(mutant: CoreMutant) -> None:
    with mutated(mutant):
        found = prove({"short": SHORT, "whole": PLAN, "many": RINGS_MANY, "chains": CHAINS}[mutant.plan])
    assert not found.ok
    assert mutant.says in found.why, found.why
    assert found.story.startswith("À 10 h")


@pytest.mark.parametrize("name", PLANS)
def test_a_fault_of_the_plan_is_found(name: str) -> None:
    found = prove(PLANS[name])
    assert not found.ok
    assert found.story
