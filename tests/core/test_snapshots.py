"""What is kept of a call, so that another worker can go on with it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ivr.core import inputs as ev
from ivr.core.state import SCHEMA, Promising, Waiting, decode, durable, encode
from tests.core.story import NOW, PLAN, at_menu, new_call

pytestmark = pytest.mark.unit


def test_only_what_must_survive_a_crash_is_durable() -> None:
    story = at_menu()
    before = durable(story.call)
    story.prompt_ends()
    assert durable(story.call) == before
    story.tell(ev.Digit("1"))
    assert durable(story.call) != before


def test_a_snapshot_of_another_schema_is_refused() -> None:
    text = encode(new_call()).replace(f'"schema":{SCHEMA}', '"schema":99')
    with pytest.raises(ValueError, match="unknown schema"):
        decode(text)
    assert decode(encode(replace(new_call(), keys="12"))).keys == "12"


def test_a_snapshot_of_the_version_before_is_adopted() -> None:
    for phase in (Waiting(PLAN.general, PLAN.general, NOW), Promising(PLAN.general, message=True, recording=3)):
        kept = replace(new_call(), phase=phase)
        fields = json.loads(encode(kept))
        fields["schema"] = SCHEMA - 1
        for new in ("step", "closing", "owner", "why"):
            fields["phase"].pop(new, None)
        for new in ("language", "typed", "closed"):
            fields.pop(new)
        assert decode(json.dumps(fields)) == kept
