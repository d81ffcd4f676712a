"""What must be heard in each language of a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import PromptId
from ivr.plan import load_or_raise
from ivr.prompts.site import languages, site_texts
from tests.plan.folders import MENU, PROMPTS, SITE, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_a_language_that_callers_can_choose_is_built_from_texts_and_recordings(tmp_path: Path) -> None:
    menu = MENU.replace("      3: {information: phrase}\n", "      3: {information: phrase}\n      9: {language: en}\n")
    prompts = PROMPTS.replace("Une phrase.", "{fr: Une phrase., en: A sentence.}").replace(
        "Pour trois, tapez 3.", "Pour trois, tapez 3. English, press 9."
    )
    write(tmp_path, site=SITE + "languages: [en]\n", menu=menu, prompts=prompts)
    for name in ("menu-principal", "menu-suite"):
        (tmp_path / "recorded" / "en").mkdir(parents=True, exist_ok=True)
        (tmp_path / "recorded" / "en" / f"{name}.wav").write_bytes(b"RIFF")
    _, loaded = load_or_raise(tmp_path)
    assert loaded.faults == ()
    assert languages(loaded) == ("fr", "en")
    english = site_texts(loaded, "en")
    assert english[PromptId("phrase")] == "A sentence."
    assert english[PromptId("menu-suite")] == ""
    assert PromptId("bonjour") not in english
