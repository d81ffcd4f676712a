"""Waits to come, by who is there; what is bad about them, and the smallest change that mends it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console

from ivr.core.plan import EVERYONE, Absence, Agent, AgentId, Group, GroupId, Topic, TopicId, Widening
from ivr.core.schedule import ALWAYS_OPEN, Calendar, Span, Timeline
from ivr.coverage.demand import HALF_MS, Demand
from ivr.coverage.forecast import calibrated, forecast
from ivr.coverage.outlook import crews_of, share, slots_at, wait_s, widened
from ivr.coverage.show import facts, show, strips
from ivr.sim.erlang import Traffic, formula
from ivr.traffic.errors import TrafficError
from ivr.traffic.month import FORMAT, VERSION, ZONE, Manners, Month, Presence, Recorded, next_midnight
from tests.plans import ACCUEIL, ETAT_CIVIL, small_plan

pytestmark = pytest.mark.unit
ALICE, BOB, CHLOE = AgentId("alice"), AgentId("bob"), AgentId("chloe")
CIVIL, DESK = GroupId("etat-civil"), GroupId("accueil")
MONDAY = round(datetime(2026, 11, 30, tzinfo=ZONE).timestamp() * 1000)
HOUR = 3_600_000
NINE = MONDAY + 9 * HOUR
TEN_TO_NOON = Timeline(
    (
        Span(MONDAY, MONDAY + 10 * HOUR, open=False, layer="weekly"),
        Span(MONDAY + 10 * HOUR, MONDAY + 12 * HOUR, open=True, layer="weekly"),
        Span(MONDAY + 12 * HOUR, MONDAY + 48 * HOUR, open=False, layer="weekly"),
    )
)


def demand(**given: Any) -> Demand:
    every: dict[str, Any] = {
        "a_day": {ETAT_CIVIL: 48.0, ACCUEIL: 48.0},
        "weekdays": (1.0,) * 7,
        "half_hours": {(hour, minute): 1 / 16 for hour in range(9, 17) for minute in (0, 30)},
        "handling_s": {ETAT_CIVIL: 180.0, ACCUEIL: 120.0},
        "usual_s": {ETAT_CIVIL: 90.0, ACCUEIL: 90.0},
        "patience_s": 300.0,
        "there": 0.9,
        "days": 20,
        **given,
    }
    return Demand(**every)


def test_one_line_is_erlangs() -> None:
    plain = formula(Traffic(3, 60, 150, 300)).wait_s
    assert wait_s(3.0, 60, 150, 300) == pytest.approx(plain)
    assert wait_s(4.0, 60, 150, 300) < wait_s(3.5, 60, 150, 300) < plain
    assert wait_s(0.0, 60, 150, 300) == 300


def test_a_widening_shortens_a_long_wait_and_hardly_a_short_one() -> None:
    assert widened(200, []) == 200
    assert 60 < widened(200, [(60, 30)]) < 100
    assert widened(5, [(60, 30)]) == pytest.approx(5, abs=0.1)
    assert widened(200, [(60, 30), (180, 10)]) < widened(200, [(60, 30)])


def test_a_shared_agent_goes_where_there_is_more_to_do() -> None:
    busy, quiet = TopicId("busy"), TopicId("quiet")
    found = share({busy: 1.5, quiet: 0.3}, {busy: (ALICE, BOB), quiet: (ALICE, CHLOE)}, 1.0)
    assert sum(found.given[busy].values()) == pytest.approx(1.5)
    assert found.given[busy][BOB] > found.given[busy][ALICE] > found.given[quiet][ALICE]
    assert 1.8 < found.servers[busy] < 2


def test_who_is_not_there_is_stood_in_for_by_the_next_step_at_once() -> None:
    topic = Topic(ETAT_CIVIL, "", (CIVIL,), widen=(Widening(60_000, (DESK,)), Widening(180_000, (EVERYONE,))))
    everybody = {ALICE: frozenset({CIVIL}), BOB: frozenset({DESK}), CHLOE: frozenset({GroupId("voirie")})}
    assert crews_of(topic, everybody) == [(0, (ALICE,)), (60, (ALICE, BOB)), (180, (ALICE, BOB, CHLOE))]
    without = {who: groups for who, groups in everybody.items() if who != ALICE}
    assert crews_of(topic, without)[0] == (0, (BOB,))
    assert crews_of(topic, {}) == []


def test_each_kind_of_half_hour() -> None:
    plan = small_plan()
    topics = [replace(plan.topics[ETAT_CIVIL], widen=(Widening(60_000, (DESK,)),)), plan.topics[ACCUEIL]]
    here = {ALICE: frozenset({CIVIL, DESK}), BOB: frozenset({CIVIL}), CHLOE: frozenset({DESK})}

    def states(there: dict[AgentId, frozenset[GroupId]], **given: Any) -> dict[str, str]:
        return {slot.topic: slot.state for slot in slots_at(demand(**given), NINE, there, topics)}

    assert states(here) == {ETAT_CIVIL: "good", ACCUEIL: "good"}
    assert states(here, a_day={ETAT_CIVIL: 900.0, ACCUEIL: 100.0})[ETAT_CIVIL] == "slow"
    assert states({CHLOE: here[CHLOE]})[ETAT_CIVIL] == "relayed"
    assert states({BOB: here[BOB]})[ACCUEIL] == "nobody"


def the_plan(**leave: tuple[int, int]) -> Any:
    plan = small_plan()
    dora = Agent(AgentId("dora"), "Dora", (GroupId("voirie"),))
    agents = {
        who: replace(agent, absences=(Absence(*leave[who]),)) if who in leave else agent
        for who, agent in {**plan.agents, dora.id: dora}.items()
    }
    groups = {**plan.groups, GroupId("voirie"): Group(GroupId("voirie"), "Voirie", (dora.id,))}
    return replace(plan, agents=agents, groups=groups)


def test_an_absence_that_empties_a_topic_is_found_with_the_smallest_swap() -> None:
    plan = the_plan(alice=(MONDAY, MONDAY + 13 * HOUR), bob=(MONDAY, MONDAY + 11 * HOUR))
    calendar = Calendar(site=TEN_TO_NOON)
    slots, (worst, *_) = forecast(plan, demand(), calendar, MONDAY, 2)
    assert (worst.midnight, worst.topic, worst.state) == (MONDAY, ETAT_CIVIL, "nobody")
    assert worst.spans == [(MONDAY + 10 * HOUR, MONDAY + 11 * HOUR)]
    assert worst.away == (ALICE, BOB)
    assert worst.remedy is not None
    assert (worst.remedy.agents, worst.remedy.enough) == ((AgentId("dora"),), True)  # chloe has the desk to answer
    assert {slot.state for slot in slots if slot.at >= MONDAY + 24 * HOUR} == {"closed"}


def test_two_colleagues_are_named_where_one_is_not_enough() -> None:
    plan = the_plan(alice=(MONDAY, MONDAY + 13 * HOUR), bob=(MONDAY, MONDAY + 13 * HOUR))
    emil = Agent(AgentId("emil"), "Emil", (GroupId("voirie"),))
    plan = replace(plan, agents={**plan.agents, emil.id: emil})
    much = demand(a_day={ETAT_CIVIL: 160.0, ACCUEIL: 16.0}, usual_s={ETAT_CIVIL: 60.0, ACCUEIL: 300.0})
    _, (worst, *_) = forecast(plan, much, Calendar(site=TEN_TO_NOON), MONDAY, 1)
    assert worst.remedy is not None
    assert len(worst.remedy.agents) == 2
    assert worst.remedy.enough


def test_where_nobody_can_help_that_is_told() -> None:
    everybody = dict.fromkeys(("alice", "bob", "chloe", "dora"), (MONDAY, MONDAY + 13 * HOUR))
    plan = the_plan(**everybody)
    slots, found = forecast(plan, demand(), Calendar(site=TEN_TO_NOON), MONDAY, 1)
    assert {(problem.state, problem.remedy) for problem in found} == {("nobody", None)}
    out = Console(file=io.StringIO(), width=100)
    show(slots, found, plan, demand(), out)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "personne       etat-civil  10h-12h : 12 appels sans personne" in text
    assert "absents : Alice et Bob ; aucun collègue n'est là tout ce temps" in text


def test_a_substitute_stands_in_and_nothing_is_bad() -> None:
    plan = the_plan(bob=(MONDAY, MONDAY + 13 * HOUR), alice=(MONDAY, MONDAY + 13 * HOUR))
    agents = {**plan.agents, BOB: replace(plan.agents[BOB], substitutes=(AgentId("dora"),))}
    _, found = forecast(replace(plan, agents=agents), demand(), Calendar(site=TEN_TO_NOON), MONDAY, 1)
    assert [problem for problem in found if problem.topic == ETAT_CIVIL] == []


def test_a_strip_has_a_character_for_each_half_hour_that_is_open() -> None:
    plan = the_plan(alice=(MONDAY, MONDAY + 11 * HOUR), bob=(MONDAY, MONDAY + 11 * HOUR))
    slots, found = forecast(plan, demand(), Calendar(site=TEN_TO_NOON), MONDAY, 2)
    head, line, *_ = (strip.plain for strip in strips(slots, plan))
    assert head == "           lun 30/11"
    assert line[:15] in {"etat-civil ✗✗▁▁", "etat-civil ✗✗▃▃"}
    told = facts(slots, found, plan, demand(), {"from": "2026-11-30"})
    assert told["problems"][0]["hours"] == [["10h", "11h"]]
    assert told["problems"][0]["remedy"]["agents"] == ["dora"]
    assert len(told["half_hours"]) == 8


# Learning


def a_month(calls: list[Recorded], start: int = MONDAY) -> Month:
    here = Presence(((start + 9 * HOUR, start + 12 * HOUR),), ((start + 9 * HOUR, start + 9 * HOUR + HALF_MS),))
    return Month(
        format=FORMAT, version=VERSION, site="essai", name="essai", zone="Europe/Paris", start=start,
        end=next_midnight(start), calls=tuple(calls), agents={"alice": here, "bob": Presence(here.here)},
        manners=Manners(rings=40, answers=40, answer_mean=6_000, wraps=0), notes={},
    )  # fmt: skip


def call(n: int, at: int, **fields: Any) -> Recorded:
    given: dict[str, Any] = {"wish": "topic", "topic": "etat-civil", "end": "answered", "outcome": "answered", **fields}
    return Recorded(n=n, at=at, **given)


def test_what_is_to_be_expected_is_learnt_from_the_month() -> None:
    calls = [call(n, NINE + n, waited=n * 1_000, talk=100_000) for n in range(60)]
    calls += [call(60 + n, NINE + 2 * HOUR + n, wish="person", topic="accueil", end="") for n in range(20)]
    calls += [call(80, NINE, wish="gone", topic="", end="", outcome="left")]
    learnt = Demand.of(a_month(calls), small_plan())
    assert learnt.a_day == {ETAT_CIVIL: 60, ACCUEIL: 20}
    assert learnt.calls(ETAT_CIVIL, NINE) == pytest.approx(60 * 0.75)
    assert learnt.calls(ETAT_CIVIL, NINE + 2 * HOUR) == pytest.approx(60 * 0.25)
    assert learnt.calls(ETAT_CIVIL, NINE + 4 * HOUR) == 0
    assert learnt.handling_s[ETAT_CIVIL] == 106  # no wrap-up in this plan
    assert learnt.usual_s[ETAT_CIVIL] == pytest.approx(47.2)
    assert learnt.there == pytest.approx(5.5 / 6)
    with pytest.raises(TrafficError, match="aucun appel pour une personne"):
        Demand.of(a_month([call(1, NINE, wish="gone", topic="", outcome="left")]), small_plan())


def test_the_month_itself_sets_the_scale() -> None:
    calls = [call(n, NINE + n * 2 * 60_000, waited=60_000, talk=100_000) for n in range(80)]
    month, plan = a_month(calls), small_plan()
    plain = Demand.of(month, plan)
    assert calibrated(plain, plan, month, ALWAYS_OPEN).factor[ETAT_CIVIL] > 1
    quick = a_month([call(n, NINE + n * 120_000, waited=0, talk=100_000) for n in range(80)])
    assert calibrated(Demand.of(quick, plan), plan, quick, ALWAYS_OPEN).factor[ETAT_CIVIL] == 0.25
