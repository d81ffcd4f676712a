"""`ivr check`, `ivr plan test` and `ivr hours`, as an admin types them."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ivr.cli import app
from ivr.core.schedule import Forced
from ivr.errors import IvrError
from ivr.publish.states import States
from tests.plan.folders import write

pytestmark = pytest.mark.long
PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"
runner = CliRunner()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Pessac with one error and one warning."""
    folder = Path(shutil.copytree(PESSAC, tmp_path / "pessac"))
    menu = folder / "menu.yaml"
    menu.write_text(menu.read_text(encoding="utf-8").replace("topic: enfance", "topic: enfence"), encoding="utf-8")
    (folder / "notes.yaml").write_text("a: 1\n", encoding="utf-8")
    return folder


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    """Pessac with a warning alone."""
    folder = Path(shutil.copytree(PESSAC, tmp_path / "warned"))
    (folder / "notes.yaml").write_text("a: 1\n", encoding="utf-8")
    return folder


def ivr(*args: str) -> tuple[int, str]:
    result = runner.invoke(app, list(args), env={"COLUMNS": "120"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_errors_stop_and_warnings_do_not_but_when_strict(broken: Path, warned: Path) -> None:
    assert ivr("check", str(PESSAC))[0] == 0
    assert ivr("check", str(warned))[0] == 0
    assert ivr("check", "--strict", str(warned))[0] == 1
    status, told = ivr("check", str(broken))
    assert status == 1
    assert told.splitlines()[-1] == "1 erreur, 1 avertissement"
    assert "menu.yaml:14:18: erreur: Le motif « enfence » n'existe pas." in told
    assert "      3: {topic: enfence}" in told
    assert "Vouliez-vous écrire « enfance » ?" in told


def test_a_wrong_use_is_2(broken: Path) -> None:
    assert ivr("check", "--language", "de", str(broken))[0] == 2
    assert ivr("check", "--format", "xml", str(broken))[0] == 2


def test_the_same_in_english(broken: Path) -> None:
    _, told = ivr("check", "--language", "en", str(broken))
    assert "error: There is no topic “enfence”." in told
    assert told.splitlines()[-1] == "1 error, 1 warning"


def test_for_machines(broken: Path) -> None:
    status, told = ivr("check", "--json", str(broken))
    found = json.loads(told)
    assert (status, found["ok"]) == (1, False)
    (error,) = [fault for fault in found["faults"] if fault["severity"] == "error"]
    assert (error["line"], error["column"], error["code"]) == (14, 18, "unknown-reference")
    assert error["message_en"]
    assert error["cure_fr"]
    assert json.loads(ivr("check", "--json", str(PESSAC))[1]) == {"ok": True, "faults": []}


def test_for_code_hosts(broken: Path) -> None:
    _, told = ivr("check", "--format", "github", str(broken))
    (line,) = [line for line in told.splitlines() if line.startswith("::error")]
    assert ",line=14,col=18,title=unknown-reference::Le motif « enfence » n'existe pas.%0A" in line
    report = json.loads(ivr("check", "--format", "gitlab", str(broken))[1])
    assert sorted(entry["severity"] for entry in report) == ["major", "minor"]
    assert len({entry["fingerprint"] for entry in report}) == 2
    assert report[0]["location"]["lines"]["begin"] >= 1


def test_the_cases_of_a_plan_are_played(tmp_path: Path) -> None:
    status, told = ivr("plan", "test", str(PESSAC))
    assert status == 0
    assert "✓ Le jour de Noël" in told
    folder = Path(shutil.copytree(PESSAC, tmp_path / "pessac"))
    cases = folder / "tests.yaml"
    cases.write_text(cases.read_text(encoding="utf-8").replace("reaches: voirie", "reaches: accueil"), encoding="utf-8")
    status, told = ivr("plan", "test", str(folder))
    assert status == 1
    assert "✗ Une rue abîmée, par le second menu" in told
    assert ivr("check", str(folder))[0] == 1


def test_hours_day_by_day_and_at_an_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_REDIS_URL", "redis://127.0.0.1:1/0")
    status, told = ivr("hours", str(PESSAC), "--next", "366d")
    assert status == 0
    assert "jour férié : Noël" in told
    assert "exception : Veille de Noël" in told
    assert told.count("changement d'heure") == 2
    status, told = ivr("hours", str(PESSAC), "--at", "2026-12-24 10h")
    assert "mairie : ouvert (exception : Veille de Noël)" in told
    found = json.loads(runner.invoke(app, ["hours", str(PESSAC), "--at", "2026-12-25 10h", "--json"]).stdout)
    assert (found["mairie"]["open"], found["mairie"]["layer"]) == (False, "holiday")


@pytest.mark.parametrize("args", [("--next", "peu"), ("--next", "0d"), ("--at", "demain")])
def test_hours_that_cannot_be_asked_for_are_refused(args: tuple[str, str]) -> None:
    with pytest.raises(IvrError):
        ivr("hours", str(PESSAC), *args)


def test_hours_of_a_site_that_has_none_tell_what_is_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVR_REDIS_URL", "redis://127.0.0.1:1/0")
    folder = write(tmp_path)
    assert "il répond à toute heure" in ivr("hours", str(folder))[1]
    now = time.time_ns() // 1_000_000
    closed = Forced(None, open=False, since=now, until=now + 3_600_000, reason="inondation")

    async def forced(*_: object) -> States:
        return States(forced=(closed,))

    monkeypatch.setattr("ivr.commands.hours._states", forced)
    told = ivr("hours", str(folder), "--next", "2d")[1]
    assert "site, à toute heure" in told
    assert "forcé : inondation" in told
