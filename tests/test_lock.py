"""What is installed is what was locked: every package pinned, every file known by its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.unit

ROOT: Final = Path(__file__).parents[1]
NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


def name_of(requirement: str) -> str:
    """A requirement's package, as indexes spell it."""
    found = NAME.match(requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def locked() -> dict[str, str]:
    """Each entry of the lock by package: what follows the name."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name_of(entry): entry[len(NAME.match(entry)[0]) :] for entry in entries}  # type: ignore[index]


def test_every_package_is_pinned_and_every_file_has_a_hash() -> None:
    found = locked()
    assert len(found) > 40
    for name, entry in found.items():
        assert re.fullmatch(r"==[0-9][^ ;]*( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", entry), name


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {name_of(one) for one in (*project["dependencies"], *project["optional-dependencies"]["dev"])}
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    listed = {name_of(line) for line in lines if line.strip() and not line.startswith("#")}
    assert asked | {"setuptools"} == listed
    assert listed <= locked().keys()


def test_nothing_is_installed_around_the_lock() -> None:
    for path in ("scripts/setup", "docker/ivr.Dockerfile"):
        text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", " ")
        for command in re.findall(r"\bpip(?: --[\w-]+)* (?:install|download) [^\n]*", text):
            assert re.search(r"--require-hashes|--no-deps|--no-index", command), (path, command)
