"""Who is on leave, who stands in, whom a crisis calls in, and until when that holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import Absence, AgentId, CrisisId, CrisisProfile, GroupId, Plan, PromptId
from ivr.core.schedule import Crisis
from ivr.core.staffing import USUAL, Staffing, groups_at, staffing_at
from tests.plans import small_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.unit
ALICE, BOB, CHLOE = AgentId("alice"), AgentId("bob"), AgentId("chloe")
CIVIL, DESK = GroupId("etat-civil"), GroupId("accueil")


def plan_of(
    absences: Mapping[AgentId, tuple[Absence, ...]], substitutes: Mapping[AgentId, tuple[AgentId, ...]] | None = None
) -> Plan:
    plan = small_plan()
    agents = {
        who: replace(agent, absences=absences.get(who, ()), substitutes=(substitutes or {}).get(who, ()))
        for who, agent in plan.agents.items()
    }
    return replace(plan, agents=agents)


def test_without_absences_it_is_as_usual_for_ever() -> None:
    assert staffing_at(small_plan(), 0) == USUAL


def test_an_absence_holds_from_its_beginning_to_before_its_end() -> None:
    plan = plan_of({BOB: (Absence(10, 20),)})
    assert [bool(staffing_at(plan, now).leave) for now in (9, 10, 19, 20)] == [False, True, True, False]
    assert [staffing_at(plan, now).until for now in (9, 10, 19, 20)] == [10, 20, 20, None]


def test_absences_that_meet_are_one_and_feeds_count() -> None:
    plan = plan_of({BOB: (Absence(10, 20), Absence(20, 30), Absence(40, 50))})
    assert staffing_at(plan, 10).leave == {BOB: 30}
    assert staffing_at(plan, 12, {BOB: (Absence(29, 45),)}).leave == {BOB: 50}


def test_substitutes_who_are_there_gain_the_groups_that_they_lack() -> None:
    plan = plan_of({ALICE: (Absence(0, 9),)}, {ALICE: (BOB, CHLOE)})
    assert staffing_at(plan, 0) == Staffing({ALICE: 9}, {BOB: (DESK,), CHLOE: (CIVIL,)}, (), 9)
    assert groups_at(plan, staffing_at(plan, 0)) == {CIVIL: (BOB, CHLOE), DESK: (CHLOE, BOB)}


def test_a_substitute_on_leave_stands_in_for_nobody_and_sends_nobody() -> None:
    absences = {ALICE: (Absence(0, 9),), BOB: (Absence(0, 5),)}
    plan = plan_of(absences, {ALICE: (BOB,), BOB: (CHLOE,)})
    assert staffing_at(plan, 0).stands_in == {CHLOE: (CIVIL,)}
    assert staffing_at(plan, 5).stands_in == {BOB: (DESK,)}


def test_a_crisis_that_the_plan_does_not_have_calls_nobody() -> None:
    flood = CrisisProfile(CrisisId("crue"), "Crue", PromptId("horaires"), groups=(DESK,))
    plan = replace(small_plan(), crises={flood.id: flood})
    on = staffing_at(plan, 5, crisis=Crisis(flood.id, 9))
    assert (on.called_in, on.until) == ((DESK,), 9)
    assert staffing_at(plan, 9, crisis=Crisis(flood.id, 9)) == USUAL
    assert staffing_at(plan, 5, crisis=Crisis(CrisisId("gel"), 9)) == USUAL
