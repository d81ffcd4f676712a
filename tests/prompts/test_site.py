"""What must be heard in each language of a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from ivr.core.plan import PromptId
from ivr.plan import load_or_raise
from ivr.prompts.site import languages, site_texts
from ivr.settings import Settings
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


def test_each_language_has_its_own_voice_and_pico_speaks_the_rest(tmp_path: Path) -> None:
    def model(language: str, voice: str) -> str:
        return Settings(_env_file=None, piper_voice=voice).piper_voice_of(language, "fr")

    assert [model(language, "/v/fr.onnx") for language in ("fr", "en")] == ["/v/fr.onnx", ""]
    both = "fr=/v/fr.onnx, en=/v/en.onnx"
    assert [model(language, both) for language in ("fr", "en", "es")] == ["/v/fr.onnx", "/v/en.onnx", ""]
    assert model("fr", "") == ""
    for wrong in ("fr=/v/fr.onnx;en=/v/en.onnx", "/v/fr.onnx,/v/en.onnx", "fr="):
        with pytest.raises(ValidationError):
            model("fr", wrong)
