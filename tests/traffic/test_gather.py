"""A month out of the event stream: what is kept, what is not, and what cannot be known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ivr.core.plan import PromptId, Typed
from ivr.traffic.gather import Gatherer, joined
from ivr.traffic.month import Month, Period, Presence, read, write
from tests.ledger.lines import T0, Script
from tests.plans import ETAT_CIVIL, ROOT, small_plan

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.core.plan import Plan

pytestmark = pytest.mark.unit
PERIOD = Period("essai", T0, T0 + 3_600_000)
REF = "r-8f31"
NUMBER = "+33536490000"


def month(script: Script, plan: Plan | None = None, *, is_open: bool = True) -> Month:
    gatherer = Gatherer(plan or small_plan(), lambda _at: is_open)
    gatherer.take_all(script.lines)
    return gatherer.month(PERIOD, "essai")


def call(script: Script, name: str, *steps: tuple[str, dict[str, Any]], keys: str = "", outcome: str = "left") -> None:
    script("arrived", call=name, arrival=script.at + 1_000)
    if keys:
        pressed = [[script.at, "key", f"{key} principal"] for key in keys]
        script("trail", call=name, trail=pressed)
    for kind, fields in steps:
        script(kind, call=name, **fields)
    script("ended", call=name, outcome=outcome, facts={"caller": REF, "called": NUMBER, "keys": keys})


def test_an_answered_call_is_kept_without_its_number_and_its_caller() -> None:
    script = Script()
    script.call("c1", caller=REF)
    script("outcome", call="c1", agent="alice", topic="etat-civil", code="repondu", follow_up="0", caller=REF)
    found = month(script)
    (one,) = found.calls
    assert (one.n, one.wish, one.topic, one.keys, one.end) == (1, "topic", "etat-civil", "1", "answered")
    assert (one.waited, one.rang, one.talk, one.agent, one.code) == (5_000, 5_000, 60_000, "alice", "repondu")
    text = msgspec.json.encode(found).decode()
    assert REF not in text
    assert NUMBER not in text
    assert "c1" not in text


@pytest.mark.parametrize(
    ("keys", "outcome", "is_open", "wish"),
    [
        ("3", "informed", True, "information"),
        ("", "left", True, "gone"),
        ("", "left", False, "closed"),
        ("", "promised", True, "silence"),
        ("1", "promised", False, "topic"),
        ("0", "promised", False, "person"),
        ("77", "left", True, "gone"),
    ],
)
def test_what_a_caller_wanted_who_never_waited(keys: str, outcome: str, is_open: bool, wish: str) -> None:
    script = Script()
    call(script, "c1", keys=keys, outcome=outcome)
    (one,) = month(script, is_open=is_open).calls
    assert (one.wish, one.end, one.waited) == (wish, "", None)
    assert one.heard == ("horaires" if wish == "information" else "")
    assert one.topic == {"topic": "etat-civil", "person": "accueil"}.get(wish, "")


def test_who_hangs_up_in_line_shows_how_patient_they_were_and_who_is_told_does_not() -> None:
    script = Script()
    wait = ("joined", {"topic": "etat-civil", "caller": REF, "since": T0, "node": "a"})
    call(script, "c1", wait, ("left", {"topic": "etat-civil", "reason": "left", "after_ms": 40_000}), keys="1")
    call(script, "c2", wait, ("left", {"topic": "etat-civil", "reason": "told"}), keys="1", outcome="promised")
    assert [(one.end, one.waited) for one in month(script).calls] == [("left", 40_000), ("told", 1_000)]


def test_a_number_that_was_typed_is_not_among_the_keys() -> None:
    plan = small_plan()
    asks = Typed(PromptId("numero"), 6, ETAT_CIVIL)
    menu = replace(plan.menus[ROOT], options={**plan.menus[ROOT].options, "4": asks})
    plan = replace(plan, menus={**plan.menus, ROOT: menu})
    script = Script()
    call(script, "c1", ("joined", {"topic": "etat-civil"}), keys="4812073", outcome="left")
    (one,) = month(script, plan).calls
    assert (one.wish, one.topic, one.keys, one.hidden) == ("topic", "etat-civil", "4", True)


def test_who_was_led_to_the_wrong_people_is_known_by_the_agent_or_by_a_second_call() -> None:
    script = Script()
    script.call("c1", topic="etat-civil", caller="r1")
    script("outcome", call="c1", agent="alice", code="mauvaise-orientation", follow_up="0")
    script.call("c2", topic="etat-civil", caller="r2")
    script.call("c3", topic="accueil", caller="r2")
    script.call("c4", topic="accueil", caller="r3")
    script.call("c5", topic="accueil", caller="r3")
    for n in range(1, 6):
        ended = next(line for line in script.lines if line.type == "ended" and line.fields["call"] == f"c{n}")
        at = next(line for line in script.lines if line.type == "arrived" and line.fields["call"] == f"c{n}").at
        script.lines[script.lines.index(ended)] = replace(ended, fields={**ended.fields, "arrival": str(at)})
    assert [one.misrouted for one in month(script).calls] == [True, True, False, False, False]


def test_when_agents_were_there_and_on_a_pause() -> None:
    script = Script(at=T0)
    script("agent", 0, agent="alice", state="idle", reason="present")
    script("agent", 60_000, agent="alice", state="paused", reason="dejeuner")
    script("agent", 60_000, agent="alice", state="idle", reason="resumed")
    script("notice", 10_000, agent="alice", reason="missed")  # the queue's own pause is no habit of theirs
    script("agent", 50_000, agent="alice", state="away", reason="gone")
    script("agent", 0, agent="bob", state="idle", reason="present")
    script("founded", 20_000)
    script("agent", 10_000, agent="bob", state="busy", reason="busy")
    found = month(script).agents
    assert found["alice"] == Presence(((T0, T0 + 180_000),), ((T0 + 60_000, T0 + 120_000),))
    assert found["bob"].here == ((T0 + 180_000, T0 + 200_000), (T0 + 210_000, PERIOD.end))
    assert found["bob"].paused == ((T0 + 210_000, PERIOD.end),)


def test_nothing_is_left_out_without_a_word() -> None:
    script = Script()
    script("arrived", call="c1", arrival=T0 + 5)
    script("arrived", call="c2", arrival=T0 - 5)
    call(script, "c3", ("joined", {"topic": "etat-civil"}), outcome="left")
    script("trail", call="c4", trail=[[T0, "key", "1 ancien"]])
    call(script, "c4", ("joined", {"topic": "etat-civil"}), outcome="left")
    found = month(script)
    assert [(one.n, one.topic, one.keys) for one in found.calls] == [(1, "etat-civil", ""), (2, "etat-civil", "")]
    assert found.notes == {
        "calls of another month": 1,
        "calls without an end": 1,
        "calls with keys of a menu that the plan has no more": 1,
    }


def test_days_gathered_apart_are_the_month(tmp_path: Path) -> None:
    first, second = Script(), Script(at=T0 + 1_800_000)
    first.call("c1")
    second.call("c1")
    for line in list(second.lines):
        if line.type == "ended":
            second.lines[second.lines.index(line)] = replace(
                line, fields={**line.fields, "arrival": str(T0 + 1_801_000)}
            )
    whole = joined([month(second), month(first)], PERIOD)
    assert [(one.n, one.at) for one in whole.calls] == [(1, T0 + 1_000), (2, T0 + 1_801_000)]
    assert (whole.manners.answers, whole.manners.answer_mean) == (2, 5_000)
    write(whole, tmp_path / "mois.json")
    assert read(tmp_path / "mois.json") == whole
    assert (tmp_path / "mois.json").stat().st_mode & 0o077 == 0
