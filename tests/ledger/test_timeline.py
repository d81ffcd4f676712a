"""A call's story in French: each line a sentence, and beside each offer who else might have answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ivr.core.plan import (
    EVERYONE,
    Absence,
    Agent,
    AgentId,
    CrisisId,
    CrisisProfile,
    GroupId,
    OutcomeCode,
    PauseReason,
    PromptId,
    Widening,
)
from ivr.ledger.crowd import Crowd
from ivr.ledger.names import Names, length, masked, moment
from ivr.ledger.store import File
from ivr.ledger.timeline import tell
from tests.ledger.lines import T0, Script
from tests.plans import ETAT_CIVIL, small_plan

pytestmark = pytest.mark.unit

PLAN = small_plan(
    outcomes={"1": OutcomeCode("1", "resolu", "demande résolue"), "2": OutcomeCode("2", "suite", "à suivre", True)},
    pauses={"1": PauseReason("1", "dejeuner", "déjeuner", 3_600_000, PromptId("p"))},
    wrap_ms=10_000,
)
TOPIC = replace(PLAN.topics[ETAT_CIVIL], widen=(Widening(60_000, (GroupId("accueil"),)), Widening(90_000, (EVERYONE,))))
PLAN = replace(PLAN, topics={**PLAN.topics, ETAT_CIVIL: TOPIC})


def told(script: Script, *files: File, call: str = "c", names: Names | None = None) -> list[str]:
    moments = tell(call, script.lines, files, names or Names(PLAN))
    return [text for moment in moments for text in (moment.text, *(f"  {beside}" for beside in moment.beside))]


def agent(script: Script, name: str, state: str, reason: str, **fields: Any) -> None:
    script("agent", agent=name, state=state, reason=reason, node="a", **fields)


def test_a_repair_and_a_call_that_was_cut_off_are_told() -> None:
    script = Script()
    script("arrived", call="c", node="a", arrival=T0)
    script("repair", call="c", kind="crash", node="a")
    script("left", call="c", topic="etat-civil", reason="crash")
    script("ended", 5_000, call="c", topic="etat-civil", outcome="promised", arrival=T0, facts={"plan": "v7"})
    script("repair", call="c", kind="stray_leg", node="a")
    script("repair", call="other", kind="stray_leg", node="a")
    file = File("c", "essai", "dropped", "etat-civil", "group:accueil", "r1", "", T0, T0 + 172_800_000, call="c")
    assert told(script, file) == [
        "Appel reçu (nœud a).",
        "Remise en ordre : Asterisk s'est arrêté brutalement, l'appel est coupé.",
        "Quitte la file d'attente : l'appel est coupé.",
        "Fin de l'appel : une réponse est promise. Plan d'appels : version v7.",
        f"Dossier c ouvert : coupé, à rappeler, à équipe Accueil, avant le {moment(T0 + 172_800_000)}.",
        "Remise en ordre : un téléphone d'agent restait pris pour cet appel, il est raccroché.",
    ]


def test_a_whole_call_is_told() -> None:
    script = Script()
    script("founded")
    agent(script, "alice", "idle", "present")
    agent(script, "bob", "idle", "present")
    agent(script, "bob", "paused", "dejeuner")
    script("accepted", call="other", agent="alice", topic="etat-civil", token="e1:0", wait="0")
    script("arrived", call="c", node="a", arrival=T0)
    trail = [[script.at, "menu", "principal"], [script.at, "invalid", "9"], [script.at, "key", "1 principal"]]
    script("trail", call="c", trail=trail)
    script("joined", call="c", topic="etat-civil", since=T0, reason="relay", caller="r1", node="a")
    agent(script, "chloe", "idle", "present")
    script("widened", 60_000, call="c", topic="etat-civil", step="1", why="time")
    script("offered", 0, call="c", agent="chloe", topic="etat-civil", token="e1:1", step="1", rule="longest-idle")
    script("withdrawn", 20_000, call="c", agent="chloe", topic="etat-civil", token="e1:1", reason="expired")
    agent(script, "chloe", "cooldown", "expired")
    script("released", call="other", agent="alice", topic="etat-civil", token="e1:0", talk="90000")
    agent(script, "alice", "idle", "rested")
    offer = {"call": "c", "agent": "alice", "topic": "etat-civil", "token": "e1:2"}
    script("offered", 0, **offer, step="1", rule="owner", reason="repeat")
    script("accepted", 4_000, **offer, wait="92000")
    script("released", 125_000, **offer, talk="125000")
    script("ended", 0, call="c", topic="etat-civil", outcome="answered", arrival=T0, facts={"plan": "v7"})
    script("outcome", call="c", agent="alice", topic="etat-civil", code="2", follow_up="1", caller="r1")
    file = File(
        "c.alice.follow_up", "essai", "follow_up", "etat-civil", "agent:alice", "r1", "", script.at, T0 + 172_800_000
    )
    assert told(script, file) == [
        "Appel reçu (nœud a).",
        "Entend le menu « principal ».",
        "Touche 9 : elle ne mène nulle part.",
        "Touche 1 (menu « principal ») : Etat-civil.",
        (
            "Attend une personne pour « Etat-civil ». "
            "Peut passer devant d'autres appelants : appel par le service de relais pour personnes sourdes."
        ),
        "  Alice : en communication",
        "  Bob : en pause (déjeuner)",
        "La recherche s'élargit : Accueil (l'attente dure).",
        "  Alice : en communication",
        "  Bob : en pause (déjeuner)",
        "  Chloe : libre",
        "Proposé à Chloe (libre depuis le plus longtemps).",
        "  Alice : en communication",
        "  Bob : en pause (déjeuner)",
        "Chloe n'a pas décroché ; l'appelant garde sa place.",
        (
            "Proposé à Alice (suit déjà la demande de cet appelant). "
            "Peut passer devant d'autres appelants : déjà deux appels sans réponse en un jour."
        ),
        "  Bob : en pause (déjeuner)",
        "  Chloe : au repos après un appel manqué",
        "Alice répond, après 1 min 32 s d'attente.",
        "Fin de la conversation avec Alice, 2 min 05 s.",
        "Fin de l'appel : une personne a répondu. Plan d'appels : version v7.",
        "Alice indique : à suivre ; une suite est à donner.",
        "Dossier c.alice.follow_up ouvert : suite à donner, à Alice, avant le jeudi 26 novembre 2026 à 7 h 00.",
    ]


def test_repairs_unsaid_outcomes_promises_and_the_unknown_are_told() -> None:
    script = Script()
    script("arrived", call="c", node="a", arrival=T0)
    script("joined", call="c", topic="nowhere", since=T0)
    script("founded")
    script("restored", call="c", agent="alice", topic="nowhere", token="t")
    script("withdrawn", call="c", agent="zoe", topic="nowhere", token="t", reason="sunspots")
    script("overflow", call="c", topic="nowhere", why="ratio")
    script("left", call="c", topic="nowhere", reason="told")
    script("unresolved", call="c", agent="alice", topic="nowhere")
    script("sung", call="c", song="la")
    script("ended", call="c", outcome="promised")
    script("founded")
    promise = File("c", "essai", "message", "voirie", "group:accueil", "r1", "m", script.at, T0, closed_by="agent:bob")
    assert told(script, replace(promise, closed_ms=script.at + 1, note="rappelé")) == [
        "Appel reçu (nœud a).",
        "Attend une personne pour « nowhere ».",
        "Réparation : l'état partagé était perdu, il est reconstruit ; l'appel a continué.",
        "Réparation : la conversation avec Alice est retrouvée après une panne, sans être coupée.",
        "La proposition à zoe est retirée (sunspots).",
        "Un message avec rappel lui est proposé (trop d'appelants pour les agents présents).",
        "Quitte la file d'attente : il sait que personne ne peut répondre.",
        "Alice n'a pas indiqué la suite à temps : le dossier reste à son nom.",
        "sung : song la.",
        "Fin de l'appel : une réponse est promise.",
        "Dossier c ouvert : message à écouter, à équipe Accueil, avant le mardi 24 novembre 2026 à 7 h 00.",
        "Dossier c clos par Bob : rappelé.",
    ]


def test_the_topic_that_was_the_right_one_is_told() -> None:
    script = Script()
    script("outcome", call="c", agent="alice", topic="accueil", code="1", to="etat-civil", follow_up="0")
    label = PLAN.topics[ETAT_CIVIL].label
    assert told(script) == [f"Alice indique : demande résolue, vers « {label} »."]


def test_without_a_plan_ids_stand_for_names() -> None:
    script = Script()
    script("joined", call="c", topic="etat-civil", reason="new-rule")
    script("widened", call="c", topic="etat-civil", step="2", why="other")
    script("offered", call="c", agent="alice", topic="etat-civil", token="t")
    assert told(script, names=Names(None)) == [
        "Attend une personne pour « etat-civil ». Peut passer devant d'autres appelants : new-rule.",
        "La recherche s'élargit : étape 2 (other).",
        "Proposé à alice.",
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "unknown"),
        ([("agent", "idle", "present")], "idle"),
        ([("agent", "away", "gone")], "away"),
        ([("offered", "", "")], "offered"),
        ([("offered", "", ""), ("withdrawn", "", "moved")], "idle"),
        ([("offered", "", ""), ("withdrawn", "", "miss"), ("agent", "cooldown", "miss")], "cooldown"),
        ([("accepted", "", ""), ("released", "", "")], "wrap"),
        ([("accepted", "", ""), ("released", "", ""), ("founded", "", "")], "unknown"),
        ([("accepted", "", ""), ("agent", "talking", "dejeuner"), ("released", "", "")], "paused"),
        ([("agent", "paused", "dejeuner"), ("agent", "paused", "overdue")], "paused"),
        ([("agent", "paused", "dejeuner"), ("agent", "idle", "resumed")], "idle"),
        ([("agent", "busy", "busy")], "busy"),
        ([("restored", "", "")], "talking"),
        ([("accepted", "", ""), ("released", "", ""), ("outcome", "", "")], "idle"),
        ([("accepted", "", ""), ("released", "", ""), ("agent", "wrap", "extended"), ("outcome", "", "")], "idle"),
        ([("offered", "", ""), ("notice", "", "missed"), ("agent", "paused", "expired"), ("outcome", "", "")], "idle"),
        ([("offered", "", ""), ("notice", "", "missed"), ("agent", "paused", "expired")], "paused"),
        ([("agent", "paused", "dejeuner"), ("outcome", "", "")], "paused"),
        ([("agent", "cooldown", "miss"), ("outcome", "", "")], "cooldown"),
        ([("accepted", "", ""), ("outcome", "", "")], "talking"),
    ],
)
def test_an_agents_state_follows_from_the_lines_before(lines: list[tuple[str, str, str]], expected: str) -> None:
    script, crowd = Script(), Crowd(wrap_ms=10_000)
    for kind, state, reason in lines:
        who: dict[str, Any] = {} if kind == "founded" else {"agent": "alice", "state": state, "reason": reason}
        crowd.take(script(kind, **who))
    assert crowd.standing(AgentId("alice"), script.at + 1).state == expected


def test_after_a_talk_an_agent_is_free_once_the_wrap_is_over() -> None:
    script, crowd = Script(), Crowd(wrap_ms=10_000)
    crowd.take(script("accepted", agent="alice", call="c"))
    crowd.take(script("released", agent="alice", call="c"))
    assert crowd.standing(AgentId("alice"), script.at + 9_999).state == "wrap"
    assert crowd.standing(AgentId("alice"), script.at + 10_000).state == "idle"


def test_who_rests_after_two_missed_calls_is_said_to() -> None:
    script, crowd = Script(), Crowd(wrap_ms=10_000)
    script("offered", agent="alice", call="c")
    script("notice", agent="alice", reason="missed")
    agent(script, "alice", "paused", "expired")
    for line in script.lines:
        crowd.take(line)
    standing = crowd.standing(AgentId("alice"), script.at)
    assert Names(PLAN).standing(AgentId("alice"), standing, "c") == "Alice : en pause (deux appels manqués)"


def test_a_widening_to_everyone_considers_everyone() -> None:
    plan = replace(PLAN, agents={**PLAN.agents, AgentId("dan"): Agent(AgentId("dan"), "Dan", (GroupId("voirie"),))})
    assert Names(plan).answering("etat-civil", 1, T0) == ("alice", "bob", "chloe")
    assert Names(plan).answering("etat-civil", 2, T0) == ("alice", "bob", "chloe", "dan")
    assert Names(plan).widening("etat-civil", 2) == "tous les agents"


def test_who_stands_in_and_whom_a_crisis_calls_in_are_considered_too() -> None:
    def known(name: str, group: str, **more: Any) -> dict[AgentId, Agent]:
        return {AgentId(name): Agent(AgentId(name), name.title(), (GroupId(group),), **more)}

    away = known("bob", "etat-civil", substitutes=(AgentId("dan"), AgentId("eve")), absences=(Absence(T0, T0 + 1),))
    agents = {**known("alice", "etat-civil"), **away, **known("dan", "voirie"), **known("eve", "culture")}
    crisis = CrisisProfile(CrisisId("crue"), "Crue", PromptId("crue"), groups=(GroupId("culture"),))
    plan = replace(PLAN, agents=agents, crises={crisis.id: crisis})
    assert Names(plan).answering("etat-civil", 0, T0 + 1) == ("alice", "bob")
    assert Names(plan).answering("etat-civil", 0, T0) == ("alice", "bob", "dan", "eve")
    assert Names(plan).answering("etat-civil", 0, T0 + 1, crisis="Crue") == ("alice", "bob", "eve")
    script = Script()
    agent(script, "bob", "away", "leave")
    agent(script, "bob", "away", "gone")
    script("trail", call="c", trail=[[script.at, "crisis", "Crue"]])
    script("joined", call="c", topic="etat-civil", since=T0, reason="crisis", node="a")
    told_of = [moment.beside for moment in tell("c", script.lines, (), Names(plan)) if moment.beside]
    assert [[one.partition(" ")[0] for one in beside] for beside in told_of] == [["Alice", "Bob", "Dan", "Eve"]]
    agent(script, "bob", "idle", "back")
    script("offered", call="c", agent="alice", topic="etat-civil", token="t", step="0")
    *_, offered = tell("c", script.lines, (), Names(replace(plan, crises={})))
    assert offered.beside == ("Bob : libre",)


def test_durations_days_and_numbers_read_as_people_say_them() -> None:
    assert [length(ms) for ms in (900, 59_400, 60_000, 3_720_000)] == ["1 s", "59 s", "1 min 00 s", "1 h 02 min"]
    assert moment(1_798_761_600_000) == "vendredi 1er janvier 2027 à 1 h 00"
    assert masked("+33639980001") == "••••••••••01"
