"""What is finished beside the sounds that callers hear takes their place only when it is told to."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import PromptId
from ivr.plan import load
from ivr.plan.recorded import hash_of, mark
from ivr.prompts import PromptError, Tone, build, build_site, missing
from ivr.prompts.staging import staging
from ivr.prompts.wav import write_wav
from tests.plan.folders import PROMPTS, write
from tests.prompts.test_sound import sine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long
BONJOUR = PromptId("bonjour")


def test_new_sounds_come_first_and_changed_ones_last(tmp_path: Path) -> None:
    folder, out, cache = tmp_path / "plan", tmp_path / "out", tmp_path / "c"
    folder.mkdir()
    build_site(load(write(folder)), out, Tone(), cache_dir=cache)
    before = {path: path.stat().st_ino for path in out.rglob("*.alaw")}
    bonjour = (out / "fr" / "bonjour.alaw").read_bytes()
    draft = load(write(folder, prompts=PROMPTS.replace("Bonjour.", "Bonsoir.") + "  nouveau: Nouveau.\n"))
    with staging(out) as sounds:
        build_site(draft, sounds.folder, Tone(), cache_dir=cache)
        assert not (out / "fr" / "nouveau.alaw").exists()
        sounds.add()
        assert (out / "fr" / "nouveau.alaw").is_file()
        assert (out / "fr" / "bonjour.alaw").read_bytes() == bonjour
        sounds.replace()
    assert (out / "fr" / "bonjour.alaw").read_bytes() != bonjour
    assert missing(draft, out) == []
    assert [path.name for path in before if path.stat().st_ino != before[path]] == ["bonjour.alaw"]
    assert sorted(path.name for path in out.iterdir()) == ["fr", "music"]


def test_a_draft_that_is_given_up_leaves_all_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build({BONJOUR: "Bonjour."}, "fr", out, None, Tone(), cache_dir=tmp_path / "c")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with staging(out) as sounds:
        build({BONJOUR: "Bonsoir."}, "fr", sounds.folder, None, Tone(), cache_dir=tmp_path / "c")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_recording_that_is_gone_is_heard_from_the_cache_else_its_text_is_spoken(tmp_path: Path) -> None:
    recorded, out = tmp_path / "plan" / "recorded" / "fr", tmp_path / "out"
    recorded.mkdir(parents=True)
    write(tmp_path / "plan", prompts=PROMPTS.replace("phrase: Une phrase.", "phrase: {}"))
    for name in ("bonjour", "phrase"):
        write_wav(recorded / f"{name}.wav", sine(500, 1, 44_100, 0.05))
    loaded = load(tmp_path / "plan")
    build_site(loaded, out, Tone(), cache_dir=tmp_path / "c")
    for path in recorded.iterdir():
        path.write_bytes(mark(hash_of(path.read_bytes())))
    assert build_site(loaded, out, Tone(), cache_dir=tmp_path / "c").changed == ()
    assert missing(loaded, out) == []
    shutil.rmtree(tmp_path / "c")
    with pytest.raises(PromptError, match="prompt phrase: there is neither a text nor"):
        build_site(loaded, out, Tone(), cache_dir=tmp_path / "c")
    write(tmp_path / "plan")
    loaded = load(tmp_path / "plan")
    report = build_site(loaded, out, Tone(), cache_dir=tmp_path / "c")
    assert "bonjour: its recording is no longer here, so the voice speaks it" in report.warnings
    assert missing(loaded, out) == []
