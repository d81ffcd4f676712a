"""What a machine serves goes by what was published, whatever the draft says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ivr.plan import PlanError, load, load_or_raise
from ivr.publish.serving import SHELF, serving
from ivr.publish.shelf import Shelf
from ivr.publish.watch import first
from tests.plan.folders import MENU, PROMPTS, SITE, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
OTHER = MENU.replace("1: {topic: etat-civil}", "1: {topic: accueil}")


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    folder = tmp_path / "plan"
    folder.mkdir()
    return write(folder)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def publish(draft: Path, state: Path) -> str:
    plan, _ = load_or_raise(draft)
    Shelf(state / SHELF).remember(first(draft, plan, 1_000))
    return plan.version


def test_the_draft_is_served_until_something_was_published(draft: Path, state: Path) -> None:
    found = serving(state, draft)
    assert (found.plan, found.published, found.note) == (load_or_raise(draft)[0], None, "")
    with found.folder() as folder:
        assert folder == draft


def test_the_published_version_is_served_and_a_changed_draft_told(draft: Path, state: Path) -> None:
    version = publish(draft, state)
    assert serving(state, draft).note == ""
    write(draft, menu=OTHER)
    found = serving(state, draft)
    assert found.plan.version == version
    assert found.note == f"{draft} is not published, version 1 is served: ivr plan publish"
    with found.folder() as folder:
        assert load_or_raise(folder)[0].version == version
    assert not folder.exists()


def test_what_was_published_before_a_limit_was_drawn_is_served(draft: Path, state: Path) -> None:
    write(draft, prompts=PROMPTS.replace("Bonjour.", "Bonjour. " + "Une longue phrase. " * 50))
    loaded = load(draft, published=True)
    assert loaded.plan is not None
    Shelf(state / SHELF).remember(first(draft, loaded.plan, 1_000))
    found = serving(state, draft)
    assert (found.published is not None, found.plan.version) == (True, loaded.plan.version)
    with pytest.raises(PlanError):
        load_or_raise(draft)


def test_a_broken_draft_keeps_nothing_from_being_served(draft: Path, state: Path) -> None:
    version = publish(draft, state)
    write(draft, menu="root: nowhere\n")
    found = serving(state, draft)
    assert found.plan.version == version
    assert "is broken" in found.note


def test_a_broken_draft_is_refused_where_nothing_was_published(draft: Path, state: Path) -> None:
    write(draft, menu="root: nowhere\n")
    with pytest.raises(PlanError):
        serving(state, draft)


def test_another_sites_version_is_not_this_ones(draft: Path, state: Path) -> None:
    publish(draft, state)
    write(draft, site=SITE.replace("id: essai", "id: ailleurs"))
    found = serving(state, draft)
    assert (found.plan.site, found.published) == ("ailleurs", None)


def test_recordings_are_there_as_long_as_the_draft_has_them(draft: Path, state: Path) -> None:
    recorded = draft / "recorded" / "fr"
    recorded.mkdir(parents=True)
    (recorded / "bonjour.wav").write_bytes(b"RIFF1")
    (recorded / "phrase.wav").write_bytes(b"RIFF2")
    write(draft, prompts=PROMPTS.replace("bonjour: Bonjour.", "bonjour: {}"))
    publish(draft, state)
    (recorded / "bonjour.wav").write_bytes(b"RIFF3")
    with serving(state, draft).folder() as folder:
        assert (folder / "recorded" / "fr" / "phrase.wav").read_bytes() == b"RIFF2"
        assert (folder / "recorded" / "fr" / "bonjour.wav").read_bytes().startswith(b"sha256 ")
        load_or_raise(folder)
