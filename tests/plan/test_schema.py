"""The published JSON Schemas are those of this version and say what the loader says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.plan.schema import main, outdated, schemas

pytestmark = pytest.mark.unit

PUBLISHED = Path(__file__).parents[2] / "dialplan" / "schema"


def test_the_published_schemas_are_up_to_date() -> None:
    assert outdated(PUBLISHED) == [], "run python -m ivr.plan.schema"


def test_an_option_key_is_one_digit_and_nothing_else() -> None:
    menu = schemas()["menu.schema.json"]
    options = menu["$defs"]["MenuEntry"]["properties"]["options"]
    assert list(options["patternProperties"]) == ["^[1-9]$"]
    assert options["additionalProperties"] is False
    assert menu["additionalProperties"] is False


def test_a_prompt_is_a_text_or_a_mapping() -> None:
    kinds = schemas()["prompts.schema.json"]["$defs"]["PromptEntry"]["anyOf"]
    assert kinds[0] == {"type": ["string", "null"]}
    assert set(kinds[1]["properties"]) == {"text", "fr", "en"}


def test_every_key_is_explained() -> None:
    for schema in schemas().values():
        for part in (schema, *schema.get("$defs", {}).values()):
            for name, field in part.get("properties", {}).items():
                assert field.get("description"), name


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    assert main([str(tmp_path), "--check"]) == 1
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
