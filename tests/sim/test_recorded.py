"""A recorded month lived again: the same on the same plan, worse with fewer people, and told so."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rich.console import Console

from ivr.core.plan import AgentId, PromptId, SiteId, Successors, TopicId, ToTopic
from ivr.core.schedule import ALWAYS_OPEN, Calendar, Span, Timeline
from ivr.plan import load_or_raise
from ivr.sim.contrast import Compared, compare, prepare
from ivr.sim.load import BYE, Load
from ivr.sim.parallel import Job, live_at_once
from ivr.sim.recorded import Replay, Side, staffed_on
from ivr.sim.show_contrast import show_contrast
from ivr.sim.sounds import lengths
from ivr.sim.town import Stretch
from ivr.traffic.errors import TrafficError
from ivr.traffic.gather import joined
from ivr.traffic.month import FORMAT, VERSION, Manners, Month, Period, Presence, Recorded, next_midnight
from tests.plans import ROOT, small_plan

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.sim.load import Visitor

PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"
DAY = 1_788_732_000_000
"""Monday 7 September 2026, midnight in Paris."""
HOUR = 3_600_000
_sites = itertools.count(1)


def a_month(*calls: Recorded, agents: dict[str, Presence] | None = None) -> Month:
    here = Presence(((DAY + 8 * HOUR, DAY + 18 * HOUR),))
    return Month(
        format=FORMAT, version=VERSION, site="essai", name="essai", zone="Europe/Paris", start=DAY,
        end=next_midnight(DAY), calls=calls, agents=agents or {"alice": here, "bob": here, "chloe": here},
        manners=Manners(), notes={},
    )  # fmt: skip


def a_call(n: int, **fields: Any) -> Recorded:
    given: dict[str, Any] = {"wish": "topic", "topic": "etat-civil", "outcome": "answered", **fields}
    return Recorded(n=n, at=DAY + 9 * HOUR + n * 1_000, **given)


def side(plan: Plan, calendar: Calendar = ALWAYS_OPEN, **rest: Any) -> Side:
    rest.setdefault("without", {})
    return Side(plan=plan, lengths=lengths(plan.prompts, {}), calendar=calendar, **rest)


def visitors(plan: Plan, *calls: Recorded, calendar: Calendar = ALWAYS_OPEN) -> list[Visitor]:
    jobs, _ = Replay(a_month(*calls), seed=7).jobs(side(plan, calendar), "a")
    return [visitor for job in jobs for visitor in job.visitors]


@pytest.mark.unit
def test_callers_find_their_way_on_another_menu() -> None:
    plan = small_plan()
    menu = replace(plan.menus[ROOT], options={**plan.menus[ROOT].options, "1": ToTopic(TopicId("accueil"))})
    menu = replace(menu, options={**menu.options, "8": ToTopic(TopicId("etat-civil"))})
    moved = replace(plan, menus={**plan.menus, ROOT: menu})
    wanted = [
        a_call(1),
        a_call(2, wish="person", topic="accueil"),
        a_call(3, wish="information", topic="", heard="horaires"),
        a_call(4, wish="gone", topic=""),
        a_call(5, wish="silence", topic="accueil"),
    ]
    assert [visitor.keys for visitor in visitors(plan, *wanted)] == [("1",), ("0",), ("3", BYE), (BYE,), ()]
    assert visitors(moved, wanted[0])[0].keys == ("8",)


@pytest.mark.unit
def test_callers_of_a_topic_that_is_gone_follow_its_successor_or_ask_for_a_person_and_that_is_told() -> None:
    plan, gone = small_plan(), a_call(1, topic="passeports")
    jobs, notes = Replay(a_month(gone), 7).jobs(side(plan), "a")
    assert jobs[0].visitors[0].keys == ("0",)
    assert dict(notes.unreached) == {"passeports": 1}
    heir = replace(plan, successors=Successors(topics={TopicId("passeports"): TopicId("etat-civil")}))
    jobs, notes = Replay(a_month(gone), 7).jobs(side(heir), "a")
    assert (jobs[0].visitors[0].keys, notes.moved) == (("1",), {"passeports": "etat-civil"})


@pytest.mark.unit
def test_who_hung_up_is_as_patient_again_and_who_was_answered_at_least_that() -> None:
    left = [a_call(n, outcome="left", end="left", waited=n * 1_000) for n in range(1, 60)]
    answered = [a_call(n, end="answered", waited=40_000, talk=90_000) for n in range(60, 80)]
    found = visitors(small_plan(), *left, *answered)
    assert [visitor.patience_ms for visitor in found[:59]] == [n * 1_000 for n in range(1, 60)]
    assert all(visitor.patience_ms > 40_000 for visitor in found[59:])
    assert all(visitor.talk_ms == 90_000 for visitor in found)


@pytest.mark.unit
def test_who_met_a_closed_door_comes_for_something_where_it_is_open() -> None:
    shut = Calendar(site=Timeline((Span(DAY, DAY + 24 * HOUR, open=False, layer="weekly"),)))
    calls = [a_call(1, wish="closed", topic="", outcome="left"), a_call(2)]
    assert visitors(small_plan(), *calls, calendar=shut)[0].keys == (BYE,)
    assert visitors(small_plan(), *calls)[0].keys == ("1",)


@pytest.mark.unit
def test_agents_come_and_go_as_they_did_and_new_ones_as_their_likes() -> None:
    there = Presence(((DAY + 8 * HOUR, DAY + 12 * HOUR),), ((DAY + 9 * HOUR, DAY + 10 * HOUR),))
    month = a_month(a_call(1), agents={"alice": there, "zoe": there})
    jobs, notes = Replay(month, 7).jobs(side(small_plan()), "a")
    moves = jobs[0].stretch.moves or ()
    assert [((move.at - DAY) // HOUR, move.what) for move in moves if move.agent == "alice"] == [
        (8, "comes"), (9, "pauses"), (10, "is back"), (12, "goes"),
    ]  # fmt: skip
    assert {move.agent for move in moves} == {"alice", "bob", "chloe"}
    assert (notes.like, notes.gone) == ({AgentId("bob"): "alice", AgentId("chloe"): "alice"}, ("zoe",))


@pytest.mark.unit
def test_substitutes_answer_for_who_is_away() -> None:
    plan = small_plan()
    agents = {**plan.agents, AgentId("bob"): replace(plan.agents[AgentId("bob")], substitutes=(AgentId("chloe"),))}
    today = staffed_on(replace(plan, agents=agents), frozenset({AgentId("bob")}))
    assert today.agents[AgentId("chloe")].groups == ("accueil", "etat-civil")
    jobs, _ = Replay(a_month(a_call(1)), 7).jobs(side(plan, without={DAY: frozenset({AgentId("bob")})}), "a")
    assert "bob" not in {move.agent for move in jobs[0].stretch.moves or ()}


@pytest.mark.unit
def test_a_month_without_calls_or_without_people_is_told_in_french() -> None:
    with pytest.raises(TrafficError, match="aucun appel"):
        Replay(a_month(), 7)
    with pytest.raises(TrafficError, match="d'aucun agent"):
        Replay(a_month(a_call(1), agents={"alice": Presence()}), 7)


# Lived


def recorded(url: str, plan: Plan, calls: int, days: int) -> Month:
    own = replace(plan, site=SiteId(f"record-{next(_sites)}"))
    stretch = Stretch(
        plan=own, lengths=lengths(plan.prompts, {}), load=Load.of(plan), days=days, calls=calls, seed=7, recorded=True
    )
    lived = live_at_once([url], [Job(stretch, midnight, come) for midnight, come in stretch.days_drawn()])
    parts = [day.month for day in lived if day.month is not None]
    return joined(parts, Period("essai", parts[0].start, parts[-1].end))


def compared(url: str, month: Month, before: Plan, after: Plan, **rest: Any) -> Compared:
    own = f"live-{next(_sites)}"
    one, other = (replace(plan, site=SiteId(own)) for plan in (before, after))
    return compare([url], prepare(month, side(one), side(other, **rest), seed=7))


@pytest.mark.redis
def test_a_month_is_lived_again_as_it_was_and_a_plan_is_no_better_than_itself(redis_url: str) -> None:
    plan = load_or_raise(PESSAC)[0]
    month = recorded(redis_url, plan, 700, days=5)
    assert len(month.calls) == 700
    assert {call.wish for call in month.calls} == {"topic", "person", "information", "silence", "gone"}
    found = compared(redis_url, month, plan, plan)
    assert found.violations == 0
    every = [*found.figures.values(), *(one for figures in found.topics.values() for one in figures.values())]
    assert all(one.change == 0 and not one.sure for one in every if one.change is not None)
    for name, tolerance in (("answer_rate", 0.04), ("left", 0.04), ("informed", 0.01)):
        assert found.figures[name].before == pytest.approx(found.recorded[name], abs=tolerance)
    out = Console(file=io.StringIO(), width=120)
    show_contrast(found, plan, out)
    assert "Le brouillon ne change rien de sûr" in out.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.redis
def test_a_draft_with_fewer_agents_is_worse_beyond_the_interval(redis_url: str) -> None:
    plan = small_plan()
    month = recorded(redis_url, plan, 600, days=5)
    agents = {who: agent for who, agent in plan.agents.items() if who != "bob"}
    groups = {
        name: replace(group, agents=tuple(who for who in group.agents if who != "bob"))
        for name, group in plan.groups.items()
    }
    found = compared(redis_url, month, plan, replace(plan, version="2", agents=agents, groups=groups))
    worse = found.figures["answer_rate"]
    assert found.violations == 0
    assert worse.sure
    assert worse.high is not None
    assert worse.high < 0
    waits = found.topics["etat-civil"]["wait_p90_s"]
    assert waits.low is not None
    assert waits.low > 0
    out = Console(file=io.StringIO(), width=120)
    show_contrast(found, plan, out)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "moins bien" in text
    assert "bob était là dans le mois et n'est plus dans le brouillon" in text


@pytest.mark.redis
def test_one_day_without_somebody_is_lived_several_times(redis_url: str) -> None:
    plan = small_plan()
    month = recorded(redis_url, plan, 100, days=2)
    away = {month.days()[0]: frozenset({AgentId("alice"), AgentId("bob")})}
    found = compared(redis_url, month, plan, plan, without=away)
    assert (list(found.asked.days), found.asked.times) == (month.days()[:1], 12)
    assert found.topics["etat-civil"]["answer_rate"].sure
    assert found.calls == sum(call.at < next_midnight(month.start) for call in month.calls)


@pytest.mark.redis
def test_a_recording_of_a_simulation_holds_nobody(redis_url: str) -> None:
    text = msgspec.json.encode(recorded(redis_url, small_plan(), 40, days=1)).decode()
    assert "+33" not in text
    assert PromptId("horaires") in text
