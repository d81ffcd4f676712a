"""The published JSON Schemas are those of this version and say what the loader says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from ruamel.yaml import YAML

from ivr.plan import load
from ivr.plan.schema import main, outdated, schemas
from tests.plan.folders import CONTINUITY, MENU, SOUND, seen, write

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.unit

PUBLISHED = Path(__file__).parents[2] / "dialplan" / "schema"
PESSAC = Path(__file__).parents[2] / "dialplan" / "pessac"
KEYWORDS: Final = frozenset(
    [
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "examples",
        "anyOf",
        "type",
        "enum",
        "const",
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "required",
        "items",
        "minItems",
        "maxItems",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
    ]
)
TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


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


def _rejects(schema: Any, value: Any, root: Any) -> bool:
    """Tell whether a schema refuses a value: the part of JSON Schema that the published ones use, and no more."""
    unknown = set(schema) - KEYWORDS
    assert not unknown, f"teach this validator of {unknown}"
    if "$ref" in schema and _rejects(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root):
        return True
    if "anyOf" in schema and all(_rejects(one, value, root) for one in schema["anyOf"]):
        return True
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", ())
    if kinds and not any(TYPES[kind](value) for kind in kinds):
        return True
    if "enum" in schema and value not in schema["enum"]:
        return True
    if "const" in schema and value != schema["const"]:
        return True
    if isinstance(value, dict):
        return _rejects_mapping(schema, value, root)
    if isinstance(value, list):
        return not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)) or any(
            _rejects(schema.get("items", {}), item, root) for item in value
        )
    if isinstance(value, str):
        return bool(
            ("pattern" in schema and not re.search(schema["pattern"], value))
            or not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        )
    if isinstance(value, int | float):
        return not schema.get("minimum", value) <= value <= schema.get("maximum", value)
    return False


def _rejects_mapping(schema: Any, value: dict[str, Any], root: Any) -> bool:
    if not set(schema.get("required", ())) <= set(value):
        return True
    for key, inner in value.items():
        known = [part for name, part in schema.get("properties", {}).items() if name == key]
        known += [part for pattern, part in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
        others = schema.get("additionalProperties", True)
        if not known and (others is False or (isinstance(others, dict) and _rejects(others, inner, root))):
            return True
        if any(_rejects(part, inner, root) for part in known):
            return True
        if "propertyNames" in schema and _rejects(schema["propertyNames"], key, root):
            return True
    return False


def _as_an_editor_reads(text: str) -> Any:
    """Return a file as YAML says it, its keys as text: numbers are numbers and true is true."""
    return json.loads(json.dumps(YAML(typ="safe").load(text), default=str))


@pytest.mark.parametrize("path", sorted(PESSAC.glob("*.yaml")), ids=lambda path: path.name)
def test_a_schema_accepts_the_file_of_its_kind_and_no_other(path: Path) -> None:
    data = _as_an_editor_reads(path.read_text(encoding="utf-8"))
    accepting = [
        schema.name
        for schema in PUBLISHED.glob("*.schema.json")
        if not _rejects(read := json.loads(schema.read_text(encoding="utf-8")), data, read)
    ]
    assert accepting == [f"{path.stem}.schema.json"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("menu.yaml", "    options:\n      1: {topic: urb", "    choix:\n      1: {topic: urb"),
        ("menu.yaml", "{topic: enfance}", "enfance"),
        ("menu.yaml", "{topic: enfance}", "{topic:enfance}"),
        ("menu.yaml", "      3: {topic", "      0: {topic"),
        ("menu.yaml", "topic: enfance", "topic: Enfance"),
        ("menu.yaml", "language: en}", "language: es}"),
        ("topics.yaml", "groups: [urbanisme]", "equipe: urbanisme"),
        ("topics.yaml", "after: 3 min", "after: 3"),
        ("topics.yaml", "wait: 5 min", "wait: cinq minutes"),
        ("groups.yaml", "    label: Accueil\n", "  label: Accueil\n"),
        ("agents.yaml", "    name: Awa Diallo\n", ""),
        ("agents.yaml", "paul-irigaray:", "paul irigaray:"),
        ("hours.yaml", "zone: A", "zone: a"),
        ("hours.yaml", "public_holidays", "jours_feries"),
        ("site.yaml", "language: fr", "language: français"),
        ("site.yaml", "general: accueil\n", ""),
        ("site.yaml", "ring: 20 s", "ring: 20"),
        ("crisis.yaml", "groups: [voirie, urbanisme]", "groups: voirie, urbanisme"),
        ("outcomes.yaml", "length: 1 h, prompt: pause-dejeuner", "length: 90, prompt: pause-dejeuner"),
        ("outsides.yaml", "    number: 05 36 49 20 00\n", ""),
        ("prompts.yaml", "fr: Ce choix n'existe pas.", "français: Ce choix n'existe pas."),
    ],
)
def test_an_editor_underlines_a_mistake_as_it_is_typed(file: str, old: str, new: str) -> None:
    text = (PESSAC / file).read_text(encoding="utf-8")
    assert old in text
    schema = json.loads((PUBLISHED / f"{Path(file).stem}.schema.json").read_text(encoding="utf-8"))
    assert _rejects(schema, _as_an_editor_reads(text.replace(old, new, 1)), schema)


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ("# yaml-language-server: $schema=../schema/menu.schema.json\n", []),
        ("#   yaml-language-server :  $schema=https://exemple.fr/menu.schema.json\n", []),
        ("# yaml-language-server: $schema=../schema/topics.schema.json\n", ["menu.yaml:1:33 warning modeline-kind"]),
        ("# Le menu.\n", ["menu.yaml:1:1 warning no-modeline"]),
        ("#yaml-language-server: $schema=../schema/menu.schema.json\n", ["menu.yaml:1:1 warning no-modeline"]),
    ],
)
def test_a_file_names_its_schema_where_the_others_do(first: str, found: list[str], tmp_path: Path) -> None:
    modelines = {
        name.removesuffix(".yaml"): f"{text}# yaml-language-server: $schema={name.removesuffix('.yaml')}.schema.json\n"
        for name, text in SOUND.items()
    }
    folder = write(tmp_path, **{**modelines, "menu": first + MENU, "site": modelines["site"] + CONTINUITY})
    loaded = load(folder)
    assert seen(folder, loaded.faults) == found
    assert loaded.plan is not None


def test_a_folder_whose_files_name_no_schema_does_without(tmp_path: Path) -> None:
    assert load(write(tmp_path, menu="# Le menu.\n" + MENU)).faults == ()
