"""systemd itself reads the units, and finds nothing to say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.unit

_UNITS: Final = sorted((Path(__file__).resolve().parents[2] / "systemd").glob("*.service"))
_TOOL: Final = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(_TOOL is None, reason="systemd-analyze is not installed")


def verify(folder: Path) -> str:
    """What systemd-analyze says of the units of a folder."""
    units = sorted(map(str, folder.glob("*.service")))
    ran = subprocess.run(
        [str(_TOOL), "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_LOG_LEVEL": "warning", "PATH": "/usr/bin:/bin"},
    )
    # Of this machine's own units, nothing.
    return "\n".join(line for line in (ran.stdout + ran.stderr).splitlines() if "standardiste" in line)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Our units, with programs that this machine has."""
    for unit in _UNITS:
        text = re.sub(r"^(Exec\w+=)\S+", r"\1/bin/true", unit.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    return tmp_path


@needs_systemd
def test_systemd_has_nothing_to_say_of_them(units: Path) -> None:
    assert verify(units) == ""


@needs_systemd
def test_it_would_say_so(units: Path) -> None:
    worker = units / "standardiste.service"
    worker.write_text(worker.read_text(encoding="utf-8").replace("WatchdogSec=", "WatchdogSecs="), encoding="utf-8")
    assert "WatchdogSecs" in verify(units)


def test_the_worker_is_watched_and_leaves_before_it_is_made_to() -> None:
    from ivr.app import STOP_WITHIN_S  # noqa: PLC0415 - everything, for one number

    (unit,) = (unit.read_text(encoding="utf-8") for unit in _UNITS if unit.name == "standardiste.service")
    lines = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))
    assert (lines["Type"], lines["NotifyAccess"], lines["Restart"]) == ("notify", "main", "always")
    assert int(lines["WatchdogSec"].removesuffix("s")) >= 2
    assert int(lines["TimeoutStopSec"].removesuffix("s")) > STOP_WITHIN_S + 1
