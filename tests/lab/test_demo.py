"""Whatever goes wrong in the demo, its last line and its figures say so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from ivr.lab import demo
from ivr.lab.scenes import Scene, SceneFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ivr.lab.house import House

pytestmark = pytest.mark.unit
HOUSE = cast("House", None)


async def failing(error: Exception) -> Mapping[str, Any]:
    async def play(_house: House, _tell: object) -> Mapping[str, Any]:
        raise error

    return await demo.play_scene(HOUSE, Scene("queue", "A queue", play), lambda _what: None)


async def test_any_error_of_a_scene_is_its_result() -> None:
    assert await failing(SceneFailed("nobody came")) == {"name": "queue", "ok": False, "why": "nobody came"}
    grouped = ExceptionGroup("tasks", [SceneFailed("nobody came")])
    assert (await failing(grouped))["why"] == "nobody came"
    found = await failing(KeyError("rtt"))
    assert (found["name"], found["ok"]) == ("queue", False)
    assert found["why"].startswith("KeyError: 'rtt' (test_demo.py:")
    assert (await failing(TimeoutError()))["why"].startswith("TimeoutError (test_demo.py:")


def test_the_figures_of_another_run_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    figures = tmp_path / ".run" / "demo.json"
    figures.parent.mkdir()
    figures.write_text('{"ok": true}', encoding="utf-8")

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "ensure_root", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.main()
    assert not figures.exists()

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo, "ensure_root", full)
    assert demo.main() == 1
    assert json.loads(figures.read_text(encoding="utf-8"))["ok"] is False
    assert capsys.readouterr().out.startswith("demo: FAILED start: OSError: [Errno 28] No space left on device")
