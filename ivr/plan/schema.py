"""JSON Schemas of the plan's files: editors complete and check with them.

`python -m ivr.plan.schema [FOLDER]` writes them (default: dialplan/schema);
with `--check` it only tells whether they are those of this version, by its exit code.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ivr.plan.models import FILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_STANDARD: Final = {"ge": "minimum", "le": "maximum"}
"""The bounds of a number that may be written as a text too, which pydantic leaves under its own names."""
FOLDER: Final = Path("dialplan") / "schema"


def schemas() -> Mapping[str, dict[str, Any]]:
    """Return the schema of each file, by the schema's file name."""
    found: dict[str, dict[str, Any]] = {}
    for name, model in FILES.items():
        title = name.removesuffix(".yaml")
        schema = model.model_json_schema(mode="validation")
        found[f"{title}.schema.json"] = {"$schema": DIALECT, **_tidy(schema), "title": name}
    return found


def _tidy(schema: Any) -> Any:
    """Return the schema without made-up titles and defaults; keys of no pattern are refused."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        _STANDARD.get(key, key): {name: _tidy(value) for name, value in content.items()}
        if key in ("properties", "$defs", "patternProperties")
        else _tidy(content)
        for key, content in schema.items()
        if key not in ("title", "default")
    }
    if "patternProperties" in found:
        found["additionalProperties"] = False
    return found


def written() -> dict[str, str]:
    """Return the text of each schema's file."""
    return {name: json.dumps(schema, ensure_ascii=False, indent=2) + "\n" for name, schema in schemas().items()}


def write(folder: Path) -> list[Path]:
    """Write the schemas that differ, and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in written().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def outdated(folder: Path) -> list[Path]:
    """Return the schemas that are missing or not those of this version."""
    return [
        path
        for name, text in written().items()
        if not (path := folder / name).exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the schemas; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ivr.plan.schema", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if one is out of date")
    options = parser.parse_args(arguments)
    paths = outdated(options.folder) if options.check else write(options.folder)
    for path in paths:
        sys.stdout.write(f"{path}\n")
    return 1 if options.check and paths else 0


if __name__ == "__main__":
    raise SystemExit(main())
