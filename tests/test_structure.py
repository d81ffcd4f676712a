"""Who may import whom; what the documents say of the code."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from ivr.settings import table

pytestmark = pytest.mark.unit
IVR = Path(__file__).parents[1] / "ivr"
SHARED = {"errors"}
ALLOWED = {
    "core": set[str](),
    "ari": {"log"},
    "plan": {"core"},
    "queueing": {"core", "log"},
    "ledger": {"core", "log"},
    "publish": {"core", "plan", "ledger", "log"},
    "telephony": {"core", "ari", "queueing", "ledger", "log"},
    "provision": {"core"},
    "prove": {"core", "plan", "settings"},
    "prompts": {"core", "plan", "settings", "stack"},
    "stack": {"core", "plan", "prompts", "provision", "publish", "settings", "log"},
    "staffing": {"core", "plan", "queueing", "log"},
    "traffic": {"core", "ledger"},
    "sim": {"core", "queueing", "traffic"},
    "coverage": {"core", "sim", "traffic"},
    "web": {"log"},
    "commands": {
        *("core", "plan", "provision", "queueing", "ledger", "telephony", "settings", "publish", "prompts"),
        *("sim", "traffic", "coverage", "staffing", "stack", "prove"),
    },
    "doctor": {"core", "ari", "plan", "provision", "prompts", "publish", "queueing", "ledger", "settings"},
    "desk": {"core", "plan", "queueing", "settings"},
}
NARROW = {"ledger": {"queueing.stream"}, "traffic": {"queueing.stream"}}
"""Single modules besides: the ledger keeps the lines of the event stream, and recorded traffic is made of them; their
words are in one module of the queue's, of which both know nothing else."""


@functools.cache
def modules(path: Path) -> frozenset[str]:
    """The modules of `ivr` that a file imports, by name below `ivr`, type checking included."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "ivr" else [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.removeprefix("ivr.") for name in names if name.startswith("ivr.")}
    return frozenset(found)


def imported(path: Path, but: set[str] | None = None) -> set[str]:
    """The packages and modules directly below `ivr` that a file imports, some modules left out."""
    return {name.split(".")[0] for name in modules(path) - (but or set())}


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_it_may(package: str) -> None:
    for path in (IVR / package).rglob("*.py"):
        strangers = imported(path, NARROW.get(package)) - ALLOWED[package] - SHARED - {package}
        assert not strangers, f"{path.relative_to(IVR)} imports {strangers}"


def test_the_core_needs_the_standard_library_alone() -> None:
    forbidden = {"asyncio", "pydantic", "redis", "logging", "structlog", "time", "datetime", "random", "secrets"}
    for path in (IVR / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert forbidden.isdisjoint(alias.name for alias in node.names), path
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.split(".")[0] not in forbidden, path


def test_nothing_imports_the_application() -> None:
    for path in IVR.rglob("*.py"):
        if path.name != "cli.py":
            assert "app" not in imported(path), path


def test_the_table_of_settings_is_the_documented_one() -> None:
    documented = (IVR.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    assert table() in documented
