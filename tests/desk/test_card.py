"""The card that agents print says what the plan does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ivr.plan import load_or_raise
from tests.desk.conftest import PESSAC

if TYPE_CHECKING:
    from ivr.core.plan import Plan

pytestmark = pytest.mark.unit

CARD = Path(__file__).parents[2] / "docs" / "agents.md"


def heard(plan: Plan, texts: dict[str, str]) -> dict[str, str]:
    """What each code of the plan confirms."""
    said = plan.agent_sentences
    assert said is not None
    codes = {"1": said.ready, "4": said.wrap_longer}
    codes |= {f"2{key}": pause.prompt for key, pause in plan.pauses.items()}
    codes |= {f"3{key}": said.outcome_kept for key in plan.outcomes}
    return {code: texts[prompt] for code, prompt in codes.items()}


def test_every_code_stands_on_the_card_with_what_is_heard() -> None:
    plan, loaded = load_or_raise(PESSAC)
    rows = re.findall(r"^\| \*\*\\\*(\d+)\*\* \|.*\| « (.*) » \|$", CARD.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == heard(plan, {str(name): texts["fr"] for name, texts in loaded.texts.items()})
