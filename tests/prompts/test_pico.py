"""The real voice, in the real runtime root, speaks Pessac's prompts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from ivr.core.plan import PromptId
from ivr.plan import load
from ivr.prompts import Pico, build_site, missing
from ivr.prompts.alaw import decode
from ivr.prompts.pipeline import PEAK_DB, TARGET_LUFS
from ivr.stack.root import ensure_root

pytestmark = pytest.mark.asterisk

PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"
GREETING_AND_MENU_MS = 20_000


@pytest.mark.timeout(600)
async def test_pico_speaks_pessac(tmp_path: Path) -> None:
    root = await asyncio.to_thread(ensure_root)
    loaded = load(PESSAC)
    assert loaded.plan is not None
    report = build_site(loaded, tmp_path / "out", Pico(root), cache_dir=tmp_path / "cache")
    assert missing(loaded, tmp_path / "out") == []
    assert report.warnings == ()
    french, english = report.languages
    unsaid = loaded.plan.prompts - {prompt.prompt for prompt in english.prompts}
    assert PromptId("bonjour") in unsaid
    assert PromptId("menu-principal") not in unsaid
    built = {prompt.prompt: prompt for prompt in french.prompts}
    assert loaded.plan.prompts <= built.keys()
    plan = loaded.plan
    opening = built[plan.announcements.greeting].ms + built[plan.menus[plan.root].prompt].ms
    assert opening <= GREETING_AND_MENU_MS, "nobody listens to more before choosing"
    for prompt in (*built.values(), *english.prompts):
        assert prompt.lufs == pytest.approx(TARGET_LUFS, abs=2)
        assert prompt.peak_db <= PEAK_DB
    heard = decode(np.frombuffer(built[PromptId("bonjour")].path.read_bytes(), np.uint8)) / 32_768
    assert 0.05 < np.sqrt(np.mean(heard**2)) < 0.3
