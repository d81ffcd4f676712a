"""What is deployed names only settings, services and folders that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from ivr.settings import Settings

pytestmark = pytest.mark.unit

_PROJECT: Final = Path(__file__).resolve().parents[2]
_UNITS: Final = sorted((_PROJECT / "systemd").glob("*.service"))
_KNOWN: Final = {f"IVR_{name.upper()}" for name in Settings.model_fields}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(_PROJECT / "docker-compose.yml")
    return loaded


def _values(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))


@pytest.mark.parametrize("name", [".env.example", "systemd/standardiste.env"])
def test_an_env_file_sets_what_there_is_and_no_secret(name: str) -> None:
    values = _values(_PROJECT / name)
    named = set(re.findall(r"\bIVR_[A-Z_]+", (_PROJECT / name).read_text(encoding="utf-8")))
    assert named <= _KNOWN
    assert not [name for name in values if "PASSWORD" in name or "SECRET" in name]
    Settings(_env_file=None, **{name.removeprefix("IVR_").lower(): value for name, value in values.items()})  # type: ignore[arg-type]


def test_compose_has_only_what_both_generations_know(compose: dict[str, Any]) -> None:
    assert {key for key in compose if not key.startswith("x-")} == {"services", "volumes"}
    services = compose["services"]
    assert set(services) == {"setup", "redis", "emergency", "asterisk", "ivr"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"]
        if name != "setup":
            assert service["user"] == "10010:10010"
            assert service["read_only"] is True
            assert set(service["healthcheck"]) == {"test", "interval", "timeout", "retries", "start_period"}


def test_compose_sets_what_there_is_and_uses_every_volume(compose: dict[str, Any]) -> None:
    assert set(compose["x-ivr-environment"]) <= _KNOWN | {"XDG_CACHE_HOME"}
    mounted = {line.split(":")[0] for service in compose["services"].values() for line in service["volumes"]}
    assert {name for name in mounted if not name.startswith(".")} == set(compose["volumes"])


def test_the_worker_can_publish(compose: dict[str, Any]) -> None:
    """It hears the recordings, and writes sounds and cache."""
    environment = compose["x-ivr-environment"]
    writable = {line.split(":")[1] for line in compose["services"]["ivr"]["volumes"] if not line.endswith(":ro")}
    assert {environment["IVR_SOUNDS_DIR"], environment["IVR_STATE_DIR"]} <= writable
    assert environment["XDG_CACHE_HOME"].startswith(environment["IVR_STATE_DIR"])
    for name in ("setup", "ivr"):
        mounted = [line.split(":")[:2] for line in compose["services"][name]["volumes"]]
        assert all([f"./{folder}", f"/srv/standardiste/{folder}"] in mounted for folder in ("dialplan", "prompts"))


def test_the_image_holds_what_the_plans_point_to() -> None:
    copied = re.findall(r"^COPY (\w\S*) ", (_PROJECT / "docker" / "ivr.Dockerfile").read_text(), re.MULTILINE)
    shown = (_PROJECT / ".dockerignore").read_text(encoding="utf-8").split()
    for link in (path for path in (_PROJECT / "dialplan").rglob("*") if path.is_symlink()):
        top = link.resolve().relative_to(_PROJECT).parts[0]
        assert top in copied
        assert f"!{top}" in shown


def test_the_network_is_the_host_or_none(compose: dict[str, Any]) -> None:
    networks = {name: service["network_mode"] for name, service in compose["services"].items()}
    assert networks == {"setup": "none", "redis": "none", "emergency": "none", "asterisk": "host", "ivr": "host"}


@pytest.mark.parametrize("unit", _UNITS, ids=lambda unit: unit.name)
def test_a_unit_has_no_right_that_it_does_not_need(unit: Path) -> None:
    lines = set(unit.read_text(encoding="utf-8").splitlines())
    assert lines >= {
        "User=standardiste",
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "SystemCallFilter=@system-service",
    }
    assert lines & {"Restart=always", "Type=oneshot"}


def test_a_draft_with_faults_keeps_nothing_from_being_set_up() -> None:
    """What is published is served all the same: `ivr check` tells, and does not stop."""
    unit = (_PROJECT / "systemd" / "standardiste-setup.service").read_text(encoding="utf-8")
    assert re.findall(r"^ExecStart=(-?)\S+ (.*)$", unit, re.MULTILINE)[0] == ("-", "check")
    script = (_PROJECT / "docker" / "setup.sh").read_text(encoding="utf-8")
    assert re.search(r"^as_user ivr check \|\| echo", script, re.MULTILINE)


def test_units_name_units_that_there_are() -> None:
    here = {unit.name for unit in _UNITS}
    for unit in _UNITS:
        named = re.findall(r"\bstandardiste[a-z-]*\.service", unit.read_text(encoding="utf-8"))
        assert set(named) <= here
