"""Ordinary mistakes of a new admin in a copy of the plan of Pessac: each is told at its line, with its cure.

The sentences are kept here as the admin reads them, whole: who changes one sees here how it reads.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from ivr.plan import format_faults, load
from ivr.plan.models import FILES
from ivr.plan.moments import ZONE
from tests.plan.folders import seen
from tests.plan.new_admin import MISTAKES

if TYPE_CHECKING:
    from ivr.plan import Loaded
    from tests.plan.new_admin import Mistake

pytestmark = pytest.mark.long

PESSAC: Final = Path(__file__).parents[2] / "dialplan" / "pessac"
NOW: Final = datetime(2026, 9, 1, 9, tzinfo=ZONE)


@pytest.fixture
def pessac(tmp_path: Path) -> Path:
    """Return a copy of the plan of Pessac."""
    folder = tmp_path / "pessac"
    shutil.copytree(PESSAC, folder, ignore=shutil.ignore_patterns("recorded"))
    return folder


def _told(folder: Path, loaded: Loaded) -> tuple[tuple[str, str, str], ...]:
    places = seen(folder, loaded.faults)
    return tuple((place, fault.message_fr, fault.cure_fr) for place, fault in zip(places, loaded.faults, strict=True))


def test_the_copy_is_sound_before_it_is_broken(pessac: Path) -> None:
    assert format_faults(load(pessac, now=NOW).faults) == ""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_new_admin_is_told_the_line_and_the_cure(mistake: Mistake, pessac: Path) -> None:
    for file, old, new in mistake.edits:
        text = (pessac / file).read_text(encoding="utf-8")
        assert old in text
        (pessac / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    loaded = load(pessac, now=NOW)
    assert _told(pessac, loaded) == mistake.told
    assert (loaded.plan is None) == any(" error " in found for found, _, _ in mistake.told)


def test_a_file_saved_in_an_old_encoding_is_told(pessac: Path) -> None:
    text = (pessac / "topics.yaml").read_text(encoding="utf-8")
    (pessac / "topics.yaml").write_text(text, encoding="latin-1")
    assert _told(pessac, load(pessac, now=NOW)) == (
        (
            "topics.yaml:2:57 error not-utf8",
            "Le fichier n'est pas enregistré en UTF-8 : un caractère est illisible ici.",
            "Dans l'éditeur, choisissez « Enregistrer avec l'encodage UTF-8 ».",
        ),
    )


def test_a_file_with_another_ending_is_told(pessac: Path) -> None:
    (pessac / "groups.yaml").rename(pessac / "groups.yml")
    everything = f"un plan se compose de {', '.join(FILES)}."
    assert _told(pessac, load(pessac, now=NOW)) == (
        (
            "groups.yaml:1:1 error no-file",
            "Il manque le fichier groups.yaml.",
            f"Créez groups.yaml dans ce dossier : {everything} Renommez groups.yml en groups.yaml.",
        ),
        (
            "groups.yml:1:1 warning unknown-file",
            "Le fichier groups.yml n'est pas lu : ce nom ne fait pas partie du plan.",
            f"{everything.capitalize()} Vouliez-vous écrire « groups.yaml » ?",
        ),
    )


def test_a_folded_text_holds_what_is_said_and_nothing_else(pessac: Path) -> None:
    for texts in load(pessac, now=NOW).texts.values():
        for text in texts.values():
            assert text.isprintable(), text


def test_a_file_saved_by_windows_is_read(pessac: Path) -> None:
    for path in pessac.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert format_faults(load(pessac, now=NOW).faults) == ""
