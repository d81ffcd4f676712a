"""How long the tests that draw their cases look: shortly here, `HYPOTHESIS_PROFILE=proof` for the long run."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("short", deadline=None)
settings.register_profile("proof", deadline=None, max_examples=10_000, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

os.environ.pop("COLUMNS", None)  # a terminal's width is each test's own to say

LAYERS = {"unit", "long", "sqlite", "redis", "postgresql", "asterisk", "e2e", "proof"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files without a quick test alone when these are all that is wanted: what they import takes its time."""
    if config.option.markexpr != "unit" or collection_path.suffix != ".py":
        return None
    return "mark.unit" not in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of no layer would run nowhere."""
    stray = [item.nodeid for item in items if LAYERS.isdisjoint(mark.name for mark in item.iter_markers())]
    if stray:
        raise pytest.UsageError(f"tests without a layer (pytest.mark.unit, …): {', '.join(stray)}")
