"""The cases of a plan: played by the real core, told at their line when they fail."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from ivr.plan import load
from ivr.plan.rehearsal import rehearse_all, results

pytestmark = pytest.mark.long
PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"
TODAY = dt.date(2026, 11, 25)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pessac's plan, to be changed."""
    return Path(shutil.copytree(PESSAC, tmp_path / "pessac"))


def changed(folder: Path, old: str, new: str, file: str = "tests.yaml") -> Path:
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize("today", [TODAY, dt.date(2026, 12, 24), dt.date(2027, 5, 3), dt.date(2027, 8, 15)])
def test_pessacs_cases_hold_on_any_day(today: dt.date) -> None:
    loaded = load(PESSAC)
    assert len(loaded.cases) >= 10
    assert [result.case.name for result in results(loaded, today=today) if result.wrong] == []


@pytest.mark.parametrize(
    ("old", "new", "at", "got"),
    [
        ("reaches: voirie", "reaches: urbanisme", "24:14", "urbanisme, et c'est : voirie."),
        ("ends: informed", "ends: promised", "28:11", "promised, et c'est : answered."),
        ("waits: enfance", "waits: accueil", "34:12", "accueil, et c'est : enfance."),
    ],
)
def test_a_case_that_fails_is_an_error_at_its_line(folder: Path, old: str, new: str, at: str, got: str) -> None:
    (found,) = rehearse_all(load(changed(folder, old, new)), today=TODAY)
    assert f"{found.line}:{found.column}" == at
    assert (found.severity, found.code) == ("error", "case-fails")
    assert found.message_fr.endswith(got)


def test_a_prompt_that_is_not_heard_in_its_order_fails(folder: Path) -> None:
    changed(folder, "hears: [bonjour, menu-principal]", "hears: [menu-principal, bonjour]")
    (found,) = rehearse_all(load(folder), today=TODAY)
    assert "hears: bonjour" in found.message_fr


def test_an_edit_of_the_menu_is_caught_by_the_case_that_it_breaks(folder: Path) -> None:
    changed(folder, "1: {topic: etat-civil}", "1: {topic: enfance}", "menu.yaml")
    told = {found.message_fr.split("»")[0] for found in rehearse_all(load(folder), today=TODAY)}
    assert "Le cas « Une carte d'identité, le lundi matin " in told


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("at: lun 10h", "at: lun 26h", "bad-case-time"),
        ("at: lun 10h", "at: lun-mar 10h", "bad-case-time"),
        ("keys: 22", "keys: 2a", "bad-case-keys"),
        ("    reaches: accueil\n", "    keys: 1\n", "case-expects-nothing"),
        ("ends: informed", "ends: informé", "not-in-list"),
        ("keys: 22", "touches: 22", "unknown-key"),
    ],
)
def test_a_case_that_cannot_be_read_is_told(folder: Path, old: str, new: str, code: str) -> None:
    loaded = load(changed(folder, old, new))
    assert [found.code for found in loaded.faults if found.file.endswith("tests.yaml")] == [code]


def test_a_plan_without_cases_has_none(folder: Path) -> None:
    (folder / "tests.yaml").unlink()
    loaded = load(folder)
    assert loaded.plan is not None
    assert rehearse_all(loaded) == []
