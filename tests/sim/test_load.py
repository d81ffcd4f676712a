"""Who calls and who is there: what is drawn keeps to what is assumed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ivr.core.plan import AgentId, PromptId
from ivr.sim.errors import SimulationError
from ivr.sim.levels import Level
from ivr.sim.load import BYE, DAY_MS, QUARTER_MS, Load, Spread, drawn, ways
from ivr.sim.show import plot, seconds
from ivr.sim.sounds import lengths, spoken
from ivr.sim.staff import Habits, Worker, staffed_by
from ivr.sim.town import working_days
from tests.plans import ACCUEIL, ETAT_CIVIL, small_plan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long
PLAN = small_plan()
CALLS = 30_000


def test_as_many_callers_as_asked_come_in_order_on_working_days_only() -> None:
    days = working_days(21)
    visitors = drawn(Load.of(PLAN), PLAN, days, CALLS, seed=7)
    assert len(visitors) == CALLS
    assert [visitor.at for visitor in visitors] == sorted(visitor.at for visitor in visitors)
    by_day = Counter((visitor.at - days[0]) // DAY_MS for visitor in visitors)
    assert sorted(by_day) == [(midnight - days[0]) // DAY_MS for midnight in days]
    weekdays = np.zeros(5)
    for day, count in by_day.items():
        weekdays[day % 7] += count
    assert weekdays[0] / 5 > 1.2 * sum(weekdays[1:]) / 16


def test_a_day_has_a_busy_morning_and_a_quiet_noon() -> None:
    (midnight,) = working_days(1)
    visitors = drawn(Load.of(PLAN), PLAN, [midnight], CALLS, seed=7)
    hours = Counter((visitor.at - midnight) // (4 * QUARTER_MS) for visitor in visitors)
    assert min(hours) == 8
    assert max(hours) == 17
    assert max(hours.values()) / CALLS == pytest.approx(0.16, abs=0.02)
    noon = sum(12.5 <= (visitor.at - midnight) / 3_600_000 < 13.5 for visitor in visitors)
    assert noon < 0.3 * hours[10]


def test_the_same_seed_draws_the_same_callers() -> None:
    days = working_days(2)
    load = Load.of(PLAN)
    assert drawn(load, PLAN, days, 500, seed=1) == drawn(load, PLAN, days, 500, seed=1)
    assert drawn(load, PLAN, days, 500, seed=1) != drawn(load, PLAN, days, 500, seed=2)


def test_shares_are_those_assumed() -> None:
    load = replace(Load.of(PLAN), gives_up_in_menu=0.1, information=0.2, silent=0.1, human=0.3, wrong_key=0, hidden=0.5)
    visitors = drawn(load, PLAN, working_days(1), CALLS, seed=3)
    keys = Counter(visitor.keys for visitor in visitors)
    assert keys[BYE,] / CALLS == pytest.approx(0.1, abs=0.01)
    assert keys["3", BYE] / CALLS == pytest.approx(0.2, abs=0.01)
    assert keys[()] / CALLS == pytest.approx(0.1, abs=0.01)
    assert keys["1",] + keys["0",] == CALLS - keys[BYE,] - keys["3", BYE] - keys[()]
    assert sum(visitor.hidden for visitor in visitors) / CALLS == pytest.approx(0.5, abs=0.01)


def test_talks_last_as_long_as_assumed() -> None:
    load = replace(Load.of(PLAN), talk={ETAT_CIVIL: Spread(200), ACCUEIL: Spread(100)}, human=0, silent=0, wrong_key=0)
    visitors = drawn(load, PLAN, working_days(1), CALLS, seed=3)
    talks = [visitor.talk_ms for visitor in visitors if visitor.keys == ("1",)]
    assert np.mean(talks) / 1000 == pytest.approx(200, rel=0.05)
    assert np.std(talks) / np.mean(talks) == pytest.approx(1, abs=0.15)
    assert min(talks) >= 5_000


def test_the_shortest_way_to_each_wish() -> None:
    assert ways(PLAN) == {ACCUEIL: ("0",), ETAT_CIVIL: ("1",), PromptId("horaires"): ("3",)}


def test_a_file_replaces_assumptions_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    file.write_text(json.dumps({"human": 0.5, "topics": {"accueil": 9}, "talk": {"accueil": {"mean_s": 60}}}))
    load = Load.read(file, PLAN)
    base = Load.of(PLAN)
    assert load == replace(base, human=0.5, topics={**base.topics, ACCUEIL: 9}, talk={**base.talk, ACCUEIL: Spread(60)})


@pytest.mark.parametrize("text", ["{", "[]", '{"humain": 1}', '{"topics": {"nobody": 1}}', '{"human": "much"}'])
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "load.json"
    file.write_text(text)
    with pytest.raises(SimulationError, match=r"load\.json"):
        Load.read(file, PLAN)


def test_agents_work_in_opening_hours_and_are_sometimes_away() -> None:
    days = working_days(200)
    moves = [move for midnight in days for move in Worker(7, AgentId("alice"), midnight, Habits()).moves()]
    came = {(move.at - days[0]) // DAY_MS for move in moves}
    assert 0.02 < 1 - len(came) / 200 < 0.15
    there = sum((-1 if move.what == "comes" else 1) * move.at for move in moves if move.what in {"comes", "goes"})
    assert 6.5 < there / 3_600_000 / len(came) < 7.7


def test_more_agents_are_like_those_of_the_plan() -> None:
    more = staffed_by(PLAN, 5)
    assert list(more.agents) == ["alice", "bob", "chloe", "alice-2", "bob-2"]
    assert more.agents[AgentId("alice-2")].groups == PLAN.agents[AgentId("alice")].groups
    assert all(who in more.agents for group in more.groups.values() for who in group.agents)
    assert list(staffed_by(PLAN, 1).agents) == ["alice"]
    with pytest.raises(SimulationError):
        staffed_by(PLAN, 0)


def test_built_sounds_are_measured_and_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "un.alaw").write_bytes(b"\0" * 16_000)
    un, deux = PromptId("un"), PromptId("deux")
    assert lengths([un, deux], {un: "x", deux: "y" * 30}, tmp_path) == {un: 2_000, deux: 2_000}
    assert spoken("  a\n b ") == 200


def test_a_level_is_summed_by_quarter_of_an_hour() -> None:
    level = Level(0)
    level.add(2, QUARTER_MS // 2)
    level.add(-2, 2 * QUARTER_MS)
    level.add(1, DAY_MS)
    level.add(-1, DAY_MS + QUARTER_MS)
    assert (level.total, level.peak) == (4 * QUARTER_MS, 2)
    assert level.quarters[:3] == [2 * QUARTER_MS, 2 * QUARTER_MS, 0]


def test_a_plot_is_as_high_as_its_highest() -> None:
    lines = plot("Essai", [0, 1, 2, 4], 8)
    assert lines[1].endswith("██")
    assert [len(line) for line in lines[1:]] == [10] * 6
    assert lines[-1].strip() == "8 h"


def test_durations_as_people_say_them() -> None:
    assert (seconds(4.2), seconds(42), seconds(61)) == ("4,2 s", "42 s", "1 min 01")
