"""`ivr plan`, `ivr crisis` and `ivr force`, as an admin types them, on a real Redis and a real ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from ivr.cli import app
from ivr.errors import IvrError
from ivr.prompts import Tone
from ivr.publish.errors import NoSuchVersion, PublishError
from ivr.publish.publication import Refused
from tests.plan.folders import AGENTS, MENU, PROMPTS, SITE, write
from tests.prove.mutants import CORE, mutated
from tests.queueing import conftest as of_queueing

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.core.plan import SiteId

pytestmark = pytest.mark.redis
redis_url, site = of_queueing.redis_url, of_queueing.site
runner = CliRunner()
ROLLBACK_S = 5.0


class Town:
    """A folder, a state folder, and `ivr` run on them."""

    def __init__(self, folder: Path, site: SiteId) -> None:
        self.folder = folder
        self.site = SITE.replace("id: essai", f"id: {site}")

    def edit(self, **changed: str) -> None:
        write(self.folder, **{"site": self.site, **changed})

    def ivr(self, *args: str, answer: str = "") -> str:
        result: Any = runner.invoke(app, list(args), input=answer, env={"COLUMNS": "180"})
        if isinstance(result.exception, IvrError):
            raise result.exception
        assert result.exception is None, result.output
        return str(result.output)


@pytest.fixture
def town(tmp_path: Path, site: SiteId, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Town:
    folder = tmp_path / "plan"
    folder.mkdir()
    for name, value in (("PLAN", folder), ("STATE_DIR", tmp_path / "state"), ("REDIS_URL", redis_url)):
        monkeypatch.setenv(f"IVR_{name}", str(value))
    (tmp_path / "state").mkdir()
    town = Town(folder, site)
    town.edit()
    return town


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sound is there."""
    monkeypatch.setattr("ivr.prompts.missing", lambda _loaded, _out: [])


@pytest.mark.usefixtures("silent")
def test_a_draft_is_shown_published_and_taken_back(town: Town) -> None:
    assert "première version" in town.ivr("plan", "diff")
    assert "Version 1 publiée" in town.ivr("plan", "publish", "--yes", "--author", "Claire")
    assert "Rien ne change : la version 1" in town.ivr("plan", "publish", "--yes")
    town.edit(menu=MENU.replace("1: {topic: etat-civil}", "1: {topic: accueil}"))
    told = "Le choix 1 du menu principal mène désormais au motif « Accueil » (avant : au motif « État civil »)."
    assert told in town.ivr("plan", "diff")
    assert "publiée" not in town.ivr("plan", "publish", answer="n\n")
    said = town.ivr("plan", "publish", "--note", "guichet fermé", "--author", "Hugo", answer="y\n")
    assert told in said
    assert "Version 2 publiée" in said
    began = time.monotonic()
    said = town.ivr("plan", "rollback", "--yes", "--author", "Claire")
    assert time.monotonic() - began < ROLLBACK_S
    assert "Version 3 publiée" in said
    history = town.ivr("plan", "history")
    assert [line.split("│")[1].strip() for line in history.splitlines() if line.startswith("│")] == ["3", "2", "1"]
    assert "retour à la version 1" in history
    shown = town.ivr("plan", "show", "2", "--out", str(town.folder.parent / "v2"))
    assert "guichet fermé" in shown
    assert told in shown
    assert (town.folder.parent / "v2" / "menu.yaml").read_bytes() == (town.folder / "menu.yaml").read_bytes()
    with pytest.raises(NoSuchVersion):
        town.ivr("plan", "show", "9")


@pytest.mark.usefixtures("silent")
def test_a_draft_with_an_error_is_refused_with_its_place(town: Town) -> None:
    town.ivr("plan", "publish", "--yes")
    town.edit(menu=MENU.replace("topic: etat-civil", "topic: etat-civl"))
    with pytest.raises(Refused, match=r"menu.yaml:6:\d+: erreur"):
        town.ivr("plan", "publish", "--yes")
    with pytest.raises(PublishError):
        town.ivr("plan", "rollback", "--yes")  # there is none before the first


@pytest.mark.usefixtures("silent")
def test_a_draft_that_leaves_a_caller_with_nothing_is_refused_with_the_story(town: Town) -> None:
    assert "Prouvé : " in town.ivr("plan", "publish", "--yes")
    town.edit(prompts=f"# relu\n{PROMPTS}")
    kept = next(mutant for mutant in CORE if mutant.says == "garde une place")
    with mutated(kept):  # the files have no way to say it: they do not check then
        with pytest.raises(Refused, match=r"appelle ;(.|\n)*garde une place"):
            town.ivr("plan", "publish", "--yes")
        assert "Rien ne change" in town.ivr("plan", "rollback", "1", "--yes")
    assert "Version 2 publiée" in town.ivr("plan", "publish", "--yes")
    assert "Prouvé" not in town.ivr("plan", "rollback", "--yes")


def test_what_callers_could_not_hear_is_refused(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.prompts.studio.make_sounds", lambda _folder, _out, _console: None)
    with pytest.raises(Refused, match="prompt-not-built"):
        town.ivr("plan", "publish", "--yes")


def test_nobody_hears_a_draft_that_was_not_published(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.prompts.studio.voice", lambda *_: Tone())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("IVR_SOUNDS_DIR", str(tmp_path / "sounds"))
    town.ivr("plan", "publish", "--yes")
    sound = tmp_path / "sounds" / "fr" / "phrase.alaw"
    before = sound.read_bytes()
    town.edit(prompts=PROMPTS.replace("Une phrase.", "Une autre phrase."))
    assert "publiée" not in town.ivr("plan", "publish", answer="n\n")
    said = town.ivr("prompts", "build")
    assert "is not published, version 1 is served: ivr plan publish" in said
    assert sound.read_bytes() == before
    town.ivr("plan", "publish", "--yes")
    assert sound.read_bytes() != before
    town.ivr("plan", "rollback", "--yes")
    assert sound.read_bytes() == before
    assert "is not published, version 3 is served" in town.ivr("prompts", "build")
    town.ivr("prompts", "build", str(town.folder))
    assert sound.read_bytes() != before


@pytest.mark.usefixtures("silent")
def test_phones_are_those_of_what_is_published(town: Town, tmp_path: Path) -> None:
    town.ivr("plan", "publish", "--yes")
    town.edit(agents=AGENTS.replace("bob:", "chloe:").replace("Bob", "Chloé"))
    assert "is not published" in town.ivr("asterisk", "render", "--out", str(tmp_path / "etc"))
    phones = (tmp_path / "etc" / "pjsip.conf").read_text(encoding="utf-8")
    assert "[agent-bob]" in phones
    assert "[agent-chloe]" not in phones
    town.edit(menu="root: nowhere\n")
    town.ivr("asterisk", "render", "--out", str(tmp_path / "etc"))
    town.edit(agents=AGENTS.replace("bob:", "chloe:").replace("Bob", "Chloé"))
    town.ivr("asterisk", "render", str(town.folder), "--out", str(tmp_path / "etc"))
    assert "[agent-chloe]" in (tmp_path / "etc" / "pjsip.conf").read_text(encoding="utf-8")


@pytest.mark.usefixtures("silent")
def test_comments_alone_can_be_published_too(town: Town) -> None:
    town.ivr("plan", "publish", "--yes")
    town.edit(prompts=f"# relu\n{PROMPTS}")
    assert "Le fichier prompts.yaml a changé." in town.ivr("plan", "diff")
    assert "Version 2 publiée" in town.ivr("plan", "publish", "--yes")


def test_open_and_closed_by_force(town: Town) -> None:
    assert "rien de forcé" in town.ivr("crisis")
    said = town.ivr("force", "closed", "--until", "2 h", "--reason", "panne", "--by", "Claire")
    assert said.startswith("Fermé de force jusqu'au ")
    assert said in town.ivr("crisis")
    assert "Les horaires reprennent" in town.ivr("force", "end")
    assert "Rien n'était forcé" in town.ivr("force", "end")
    with pytest.raises(PublishError, match="Profils : aucun"):
        town.ivr("crisis", "on", "inondation")
    assert "Jeton HTTP" in town.ivr("crisis", "pin")
