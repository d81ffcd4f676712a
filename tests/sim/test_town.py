"""Days of calls through the real core and the real queue, with the books beside."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from ivr.core.plan import (
    EVERYONE,
    Agent,
    AgentId,
    Group,
    GroupId,
    Information,
    Menu,
    OutcomeCode,
    Overflow,
    PromptId,
    SiteId,
    Strategy,
    Topic,
    TopicId,
    ToTopic,
    Widening,
)
from ivr.plan import load_or_raise
from ivr.queueing.sync import SyncQueue
from ivr.sim import town
from ivr.sim.entries import Violation
from ivr.sim.erlang import Traffic
from ivr.sim.load import Load, Spread
from ivr.sim.parallel import simulate_at_once
from ivr.sim.show import show, show_theory
from ivr.sim.sounds import lengths
from ivr.sim.staff import Habits, staffed_by
from ivr.sim.theory import compare
from ivr.sim.town import Stretch, simulate
from tests.plans import ROOT, small_plan

if TYPE_CHECKING:
    from redis import Redis

    from ivr.core.plan import Plan
    from ivr.sim.figures import Report

pytestmark = pytest.mark.redis

PROOF = os.environ.get("HYPOTHESIS_PROFILE") == "proof"
HERE = Path(__file__).parents[2]
PESSAC = HERE / "dialplan" / "pessac"
_sites = itertools.count(1)


def run(redis: Redis, plan: Plan, calls: int, seed: int = 7, **rest: Any) -> Report:
    return simulate(redis, a_stretch(plan, calls, seed, **rest))


def a_stretch(plan: Plan, calls: int, seed: int = 7, days: int = 1, **rest: Any) -> Stretch:
    own = replace(plan, site=SiteId(f"town-{next(_sites)}"))
    rest.setdefault("load", Load.of(plan))
    return Stretch(plan=own, lengths=lengths(plan.prompts, {}), days=days, calls=calls, seed=seed, **rest)


def whole(report: Report) -> dict[str, Any]:
    facts = report.facts()
    facts.pop("wall_s")
    return facts


def sums_agree(report: Report) -> None:
    facts = report.facts()
    assert (facts["violations"], facts["first_violations"], facts["overtakings_unexplained"]) == (0, [], 0)
    assert facts["answered"] + facts["informed"] + facts["left"] + facts["promised"] == facts["calls"]
    assert facts["joined"] == sum(topic["joined"] for topic in facts["topics"].values()) <= facts["calls"]


def test_a_day_of_the_town_hall_breaks_no_rule(straight: Redis) -> None:
    report = run(straight, load_or_raise(PESSAC)[0], 1_400)
    sums_agree(report)
    facts = report.facts()
    assert facts["calls"] == 1_400
    assert min(facts[name] for name in ("answered", "informed", "left", "promised")) > 0
    assert 0.3 < facts["occupancy"] < 1
    assert 0 < facts["service_level"] < facts["answer_rate"] < 1
    assert facts["overtakings"]["ringing elsewhere"] > 0


def test_the_same_seed_gives_the_same_figures(straight: Redis) -> None:
    plan = small_plan()
    first, again, other = (whole(run(straight, plan, 200, seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_days_lived_at_once_give_the_same_figures(straight: Redis, redis_url: str) -> None:
    stretch = a_stretch(small_plan(), 200, days=3)
    one_by_one = simulate(straight, stretch)
    sums_agree(one_by_one)
    straight.flushall()
    assert whole(simulate_at_once([redis_url, redis_url], stretch)) == whole(one_by_one)


def test_a_report_is_told_in_french(straight: Redis) -> None:
    report = run(straight, small_plan(), 100)
    out = Console(file=io.StringIO(), width=120)
    show(report, out, "Mairie d’essai")
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "Mairie d’essai : 100 appels en 1 jour, 3 agents" in text
    assert f"de {report.joined - report.brief} appelants" in text
    assert "Aucune règle enfreinte" in text
    assert "█" in text
    broken = replace(report, all=replace(report.all, violations=1, first_violations=[Violation(4, 0, "alice")]))
    show(broken, out, "Mairie d’essai")
    assert "règle 4 : alice" in out.file.getvalue()  # type: ignore[attr-defined]


def test_a_comparison_is_told_in_french(straight: Redis) -> None:
    out = Console(file=io.StringIO(), width=120)
    straight.flushall()
    show_theory(compare(straight, Traffic.read("4,60,180,240"), 100, seed=1), out)
    assert "formule d’Erlang A" in out.file.getvalue()  # type: ignore[attr-defined]


def test_more_agents_answer_more(straight: Redis) -> None:
    plan = load_or_raise(PESSAC)[0]
    few, many = run(straight, staffed_by(plan, 4), 300), run(straight, staffed_by(plan, 30), 300)
    assert few.answer_rate < many.answer_rate
    assert few.occupancy > many.occupancy


NAMES = ("un", "deux", "trois")
STRATEGIES: tuple[Strategy, ...] = ("longest-idle", "ordered", "ring-many")
CODES = {"1": OutcomeCode("1", "transmis", "Transmis"), "2": OutcomeCode("2", "rappel", "À rappeler", follow_up=True)}


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A small town hall of any kind: topics without people, people without topics, all kinds of times."""
    groups = [GroupId(name) for name in NAMES[: draw(st.integers(1, 3))]]
    some = st.lists(st.sampled_from(groups), unique=True, max_size=3)
    agents = {
        AgentId(f"a{n}"): Agent(AgentId(f"a{n}"), f"A{n}", tuple(draw(some))) for n in range(draw(st.integers(1, 5)))
    }
    steps = st.lists(st.tuples(st.sampled_from([0, 10_000, 60_000]), st.sampled_from([*groups, EVERYONE])), max_size=2)
    topics = [
        Topic(
            TopicId(f"t{n}"),
            f"T{n}",
            tuple(draw(some) or groups[:1]),
            widen=tuple(Widening(after, (group,)) for after, group in sorted(draw(steps))),
            strategy=draw(st.sampled_from(STRATEGIES)),
            ring_at_once=draw(st.integers(2, 3)),
            overflow=draw(st.sampled_from([None, Overflow(wait_ms=30_000), Overflow(ratio=1.0)])),
        )
        for n in range(draw(st.integers(1, 4)))
    ]
    options = {str(n + 1): ToTopic(topic.id) for n, topic in enumerate(topics)}
    menu = Menu(ROOT, PromptId("menu-principal"), PromptId("menu-principal"), {
        **options, "7": Information(PromptId("horaires")),
    })  # fmt: skip
    return small_plan(
        menus={ROOT: menu},
        topics={topic.id: topic for topic in topics},
        groups={
            group: Group(group, group, tuple(who for who, a in agents.items() if group in a.groups)) for group in groups
        },
        agents=agents,
        general=topics[draw(st.integers(0, len(topics) - 1))].id,
        ring_timeout_ms=draw(st.sampled_from([4_000, 20_000])),
        wrap_ms=draw(st.sampled_from([0, 3_000, 45_000])),
        max_calls=draw(st.sampled_from([5, 200])),
        outcomes=draw(st.sampled_from([{}, CODES])),
        max_wait_ms=draw(st.sampled_from([60_000, 900_000])),
        patience_every_ms=draw(st.sampled_from([5_000, 60_000])),
    )


shares = st.sampled_from([0.0, 0.05, 0.4])


@settings(max_examples=500 if PROOF else 20, suppress_health_check=list(HealthCheck))
@pytest.mark.timeout(0 if PROOF else 120)
@given(plan=plans(), calls=st.integers(1, 60), seed=st.integers(0, 1_000), data=st.data())
def test_no_town_hall_breaks_a_rule(straight: Redis, plan: Plan, calls: int, seed: int, data: st.DataObject) -> None:
    load = replace(
        Load.of(plan),
        day={"09:00": 1.0, "09:15": 0.0},
        patience=Spread(data.draw(st.sampled_from([20, 300, 3_000]))),
        relay=data.draw(shares),
        hidden=data.draw(shares),
        information=data.draw(shares),
        wrong_key=data.draw(shares),
        refuses_message=data.draw(shares),
        takes_message=data.draw(shares),
        hangs_up_first=data.draw(st.sampled_from([0.0, 0.5, 1.0])),
    )
    habits = Habits(
        open=((8.9, 9.1), (9.15, 10.0)),
        away_all_day=0.1,
        away_some_hours=data.draw(shares),
        pauses_a_day=data.draw(st.integers(0, 3)),
        pause=Spread(120),
        answer=Spread(data.draw(st.sampled_from([1, 6]))),
        misses=data.draw(shares),
        phone_engaged=data.draw(shares),
    )
    sums_agree(run(straight, plan, calls, seed, load=load, habits=habits))


class Late(SyncQueue):
    """A queue whose deadlines are told five seconds late."""

    def run(self, command: Any, now: int) -> Any:
        reply = super().run(command, now)
        self.due = None if self.due is None else self.due + 5_000
        return reply


class LastComeFirstServed(SyncQueue):
    """A queue that takes the latest arrival for the oldest."""

    def run(self, command: Any, now: int) -> Any:
        if command.name == "join":
            arrival = 4 * 10**12 - command.args["arrival"]
            command = replace(command, args={**command.args, "arrival": arrival})
        return super().run(command, now)


class DeafToPauses(SyncQueue):
    """A queue that never hears of a pause."""

    def run(self, command: Any, now: int) -> Any:
        if command.name == "pause":
            command = replace(command, name="busy", args={"agent": command.args["agent"], "busy": False})
        return super().run(command, now)


class Forgetful(SyncQueue):
    """A queue that forgets who waits, whenever an agent comes to be free."""

    def run(self, command: Any, now: int) -> Any:
        reply = super().run(command, now)
        if command.name in {"resume", "reap"} and reply.offers:
            return replace(reply, offers=())
        return reply


@pytest.mark.parametrize(
    ("wrong", "invariant"), [(Late, 4), (LastComeFirstServed, 9), (DeafToPauses, 1), (Forgetful, 4)]
)
def test_a_queue_that_does_wrong_is_found(
    straight: Redis, monkeypatch: pytest.MonkeyPatch, wrong: type[SyncQueue], invariant: int
) -> None:
    monkeypatch.setattr(town, "SyncQueue", wrong)
    report = run(straight, load_or_raise(PESSAC)[0], 700)
    assert report.violations > 0
    assert invariant in {broken.invariant for broken in report.all.first_violations}


@pytest.mark.parametrize(
    "arguments",
    [("dialplan/pessac", "--days", "2", "--calls", "100"), ("--theory", "4,60,180,240", "--calls", "100")],
)
def test_the_command_prints_one_object(arguments: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ivr", "simulate", *arguments, "--json"],
        capture_output=True, text=True, check=False, cwd=HERE,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    facts = json.loads(ran.stdout)
    assert facts["calls"] == 100
    assert facts["wall_s"] > 0
