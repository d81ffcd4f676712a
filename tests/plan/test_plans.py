"""The plan that other tests use is whole."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ivr.core.plan import Information, ToMenu, ToTopic
from tests.plans import small_plan, small_texts

pytestmark = pytest.mark.unit


def test_the_small_plan_names_only_what_exists() -> None:
    plan = small_plan()
    assert plan.general in plan.topics
    for menu in plan.menus.values():
        assert {menu.prompt, menu.short_prompt} <= plan.prompts
        for option in menu.options.values():
            match option:
                case ToTopic(topic):
                    assert topic in plan.topics
                case ToMenu(target):
                    assert target in plan.menus
                case Information(prompt):
                    assert prompt in plan.prompts
    for field in fields(plan.announcements):
        assert getattr(plan.announcements, field.name) in plan.prompts
    for group in plan.groups.values():
        assert group.agents
    assert small_plan(ring_timeout_ms=1).ring_timeout_ms == 1
    assert set(small_texts()) == plan.prompts
