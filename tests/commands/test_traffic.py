"""`ivr month export`, `ivr simulate --against` and `ivr coverage`, on a real ledger filled as a worker fills it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ivr.commands.simulate import agent_named, away
from ivr.plan import load_or_raise
from ivr.traffic.errors import TrafficError
from ivr.traffic.month import Month, Period, read
from tests.commands.test_commands import _PLAN, Town
from tests.commands.test_commands import town as town  # noqa: PLC0414 - the fixture
from tests.ledger.lines import Script

if TYPE_CHECKING:
    from pathlib import Path

MONTH = Period.of("2026-10")
DAY_MS = 86_400_000
HOUR = 3_600_000
FIRST = MONTH.start + 4 * DAY_MS
"""Monday 5 October 2026."""
AGENTS = ("julien-castaing", "sophie-darrieux", "camille-laborde", "paul-irigaray")


def lived(days: int, calls: int) -> Script:
    """Some days of work: the agents come, so many calls are answered, and one caller hangs up in line."""
    script = Script(at=FIRST)
    for day in range(days):
        script.at = FIRST + day * DAY_MS + 9 * HOUR
        for agent in AGENTS:
            script("agent", 0, agent=agent, state="idle", reason="present")
        for n in range(calls):
            script.at = FIRST + day * DAY_MS + 9 * HOUR + (n + 1) * 300_000
            _call(script, f"d{day}-{n}", "left" if n == 0 else "answered")
        script.at = FIRST + day * DAY_MS + 17 * HOUR
        for agent in AGENTS:
            script("agent", 0, agent=agent, state="away", reason="gone")
    return script


def _call(script: Script, name: str, outcome: str) -> None:
    topic, agent = "etat-civil", "julien-castaing"
    arrival = script.at
    script("arrived", 0, call=name, node="a", arrival=arrival)
    script("trail", 10_000, call=name, trail=[[arrival + 9_000, "key", "1 principal"]])
    script("joined", 0, call=name, topic=topic, since=script.at, caller="r1", node="a")
    if outcome == "answered":
        script("offered", 0, call=name, agent=agent, topic=topic, token="e1:1", step=0, rule="longest-idle")
        script("accepted", 6_000, call=name, agent=agent, topic=topic, token="e1:1", wait=16_000)
        script("released", 120_000, call=name, agent=agent, topic=topic, token="e1:1", talk=120_000)
        script("outcome", 20_000, call=name, agent=agent, topic=topic, code="repondu", follow_up="0", caller="r1")
    else:
        script("left", 45_000, call=name, topic=topic, reason="left")
    facts = {"caller": "r1", "called": "+33536490000", "plan": "v1", "keys": "1"}
    script("ended", 0, call=name, topic=topic, outcome=outcome, node="a", arrival=arrival, facts=facts)


def exported(town: Town, path: Path, days: int = 6, calls: int = 20) -> Month:
    town.happened(lived(days, calls).lines)
    town.ivr("month", "export", "--month", "2026-10", "--out", str(path))
    return read(path)


@pytest.mark.sqlite
def test_a_month_of_the_ledger_is_written_without_callers(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "mois.json"
    month = exported(town, path)
    assert (len(month.calls), len(month.days()), month.notes) == (120, 6, {})
    assert {call.topic for call in month.calls} == {"etat-civil"}
    assert [(call.end, call.waited) for call in month.calls[:2]] == [("left", 45_000), ("answered", 6_000)]
    assert (month.calls[1].talk, month.calls[1].agent, month.calls[1].code) == (120_000, "julien-castaing", "repondu")
    assert month.agents["julien-castaing"].here[0] == (FIRST + 9 * HOUR, FIRST + 17 * HOUR)
    assert (month.manners.answers, month.manners.answer_mean, month.manners.wrap_mean) == (114, 6_000, 20_000)
    text = path.read_text(encoding="utf-8")
    assert "r1" not in text
    assert "+33" not in text
    assert "d0-1" not in text


@pytest.mark.sqlite
def test_who_was_there_before_the_month_is_there_when_it_begins(town: Town, tmp_path: Path) -> None:
    script = Script(at=MONTH.start - HOUR)
    script("agent", 0, agent="julien-castaing", state="idle", reason="present")
    script.at = MONTH.start + HOUR
    _call(script, "a-1", "answered")
    script.at = MONTH.end - 60_000
    _call(script, "a-2", "answered")  # ends in November
    town.happened(script.lines)
    town.ivr("month", "export", "--month", "2026-10", "--out", str(tmp_path / "mois.json"))
    month = read(tmp_path / "mois.json")
    assert month.agents["julien-castaing"].here == ((MONTH.start, MONTH.end),)
    assert [call.talk for call in month.calls] == [120_000, 120_000]


@pytest.mark.sqlite
def test_an_empty_month_is_refused_in_french(town: Town, tmp_path: Path) -> None:
    with pytest.raises(TrafficError, match="aucun appel de 2026-10"):
        town.ivr("month", "export", "--month", "2026-10", "--out", str(tmp_path / "mois.json"))
    assert not (tmp_path / "mois.json").exists()


@pytest.mark.redis
def test_a_month_of_the_ledger_is_lived_on_a_draft(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "mois.json"
    exported(town, path, days=5, calls=8)
    same = town.ivr("simulate", "--against", str(path), "--published", str(_PLAN), "--plan", str(_PLAN), "--json")
    facts = json.loads(same.stdout)
    assert (facts["calls"], facts["violations"], facts["times"]) == (40, 0, 1)
    assert all(figure["change"] == 0 for figure in facts["figures"].values())
    assert facts["recorded"]["answer_rate"] == 0.875
    without = town.ivr(
        "simulate", "--against", str(path), "--published", str(_PLAN), "--without", "julien,sophie@2026-10-06", "--json"
    )
    facts = json.loads(without.stdout)
    assert (facts["days"], facts["times"]) == (["2026-10-06"], 12)
    assert facts["topics"]["etat-civil"]["asked"]["before"] == 8
    told = town.ivr("simulate", "--against", str(path), "--published", str(_PLAN), "--without", "julien,sophie")
    assert "Répondus" in told.stdout
    assert "Léa Fontanille n'était pas là dans le mois : compté présent comme" in told.stdout


@pytest.mark.sqlite
def test_the_days_to_come_are_foretold_from_a_month(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "mois.json"
    exported(town, path)
    draft = tmp_path / "brouillon"
    draft.mkdir()
    for file in _PLAN.iterdir():
        if file.is_file():
            (draft / file.name).write_bytes(file.read_bytes())
    agents = (draft / "agents.yaml").read_text(encoding="utf-8")
    leave = "    absences: [{from: 2026-12-01, to: 2026-12-01, reason: congés}]\n"
    alone = "    groups: [solidarite]\n    substitutes: [claire-hosteins]\n"
    assert alone in agents
    agents = agents.replace(alone, f"    groups: [solidarite]\n{leave}")
    (draft / "agents.yaml").write_text(agents, encoding="utf-8")
    args = ("coverage", str(draft), "--arrivals", str(path), "--from", "2026-11-30", "--next", "2d")
    facts = json.loads(town.ivr(*args, "--json").stdout)
    (found,) = [problem for problem in facts["problems"] if problem["topic"] == "solidarite"]
    assert (found["date"], found["state"], found["away"]) == ("2026-12-01", "relayed", ["paul-irigaray"])
    assert found["remedy"]["agents"]
    text = town.ivr(*args).stdout
    assert "lun 30/11" in text
    assert "équipe absente solidarite" in text
    assert "absents : Paul Irigaray ;" in text


@pytest.mark.sqlite
def test_the_days_to_come_are_foretold_from_the_ledger(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrafficError, match="--arrivals"):
        town.ivr("coverage", "--next", "1d")
    town.happened(lived(6, 20).lines)
    monkeypatch.setattr("ivr.commands.coverage.time.time_ns", lambda: (FIRST + 20 * DAY_MS) * 1_000_000)
    facts = json.loads(town.ivr("coverage", "--next", "3 jours", "--json").stdout)
    assert (facts["learnt_from_days"], facts["from"], facts["days"]) == (6, "2026-10-25", 3)
    assert facts["half_hours"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("coverage", "--next", "demain"), "n'est pas une durée"),
        (("coverage", "--next", "0d"), "n'est pas une durée"),
        (("coverage", "--from", "noël"), "n'est pas un jour"),
        (("simulate", "--against", "nulle-part.json"), "ne peut être lu"),
        (("month", "export", "--month", "10/2026"), "n'est pas un mois"),
    ],
)
def test_what_cannot_be_read_is_told_in_french(town: Town, args: tuple[str, ...], says: str) -> None:
    with pytest.raises(TrafficError, match=says):
        town.ivr(*args)


@pytest.mark.long
def test_draft_options_go_with_a_month(town: Town) -> None:
    refused: Any = town.ivr("simulate", "--without", "paul")
    assert refused.exit_code == 2
    assert "--against" in refused.output


@pytest.mark.long
def test_people_are_named_as_colleagues_name_them() -> None:
    plan = load_or_raise(_PLAN)[0]
    assert agent_named(plan, "Paul") == agent_named(plan, "paul irigaray") == "paul-irigaray"
    with pytest.raises(TrafficError, match="camille-laborde ou claire-hosteins"):
        agent_named(plan, "c")
    with pytest.raises(TrafficError, match="Personne ne s'appelle « zoé »"):
        agent_named(plan, "zoé")


@pytest.mark.sqlite
def test_who_is_away_and_when(town: Town, tmp_path: Path) -> None:
    month, plan = exported(town, tmp_path / "mois.json"), load_or_raise(_PLAN)[0]
    assert set(away(plan, ["paul"], month)) == set(month.days())
    some = away(plan, ["paul,julien@2026-10-06", "nadia@2026-10-06..2026-10-07"], month)
    assert [sorted(who) for who in some.values()] == [
        ["julien-castaing", "nadia-belkacem", "paul-irigaray"],
        ["nadia-belkacem"],
    ]
    for wrong, says in (("paul@2026-10-25", "personne n'a appelé"), ("paul@lundi", "écrivez qui et quand"),
                        ("paul@2026-02-30", "n'existe pas")):  # fmt: skip
        with pytest.raises(TrafficError, match=says):
            away(plan, [wrong], month)
