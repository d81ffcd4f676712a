"""From the plan's texts and recordings to the sounds that callers hear."""

from __future__ import annotations

from ivr.prompts.build import BuildReport, Built, build
from ivr.prompts.engines import Pico, Piper, Synthesiser, Tone
from ivr.prompts.errors import PromptError
from ivr.prompts.numbers import minutes_prompts, number_prompt, number_texts
from ivr.prompts.pipeline import duration_ms
from ivr.prompts.site import SiteReport, build_music, build_site, missing, site_texts, unusable_recordings

__all__ = [
    "BuildReport",
    "Built",
    "Pico",
    "Piper",
    "PromptError",
    "SiteReport",
    "Synthesiser",
    "Tone",
    "build",
    "build_music",
    "build_site",
    "duration_ms",
    "minutes_prompts",
    "missing",
    "number_prompt",
    "number_texts",
    "site_texts",
    "unusable_recordings",
]
