"""A recording of a call is a bug report that can be run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ivr import log
from ivr.cli import app
from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.state import Call
from ivr.plan import load_or_raise
from ivr.telephony.recorder import Recorder, RecordingError, replay
from tests.plans import small_plan

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from tests.telephony.conftest import Hall

PLAN = small_plan()
NUMBER = "+33639980001"
INPUTS = (ev.Started(), ev.PromptDone(1), ev.Digit("1"), ev.Queued(1, True), ev.HungUp())


def call(plan: Plan = PLAN) -> Call:
    return Call(CallId("a-1.1"), Caller(CallerRef("r"), NUMBER, "open", "normal"), "0536490000", plan.version, 1)


def record(folder: Path, *inputs: ev.Input, plan: Plan = PLAN, broken: bool = False) -> Path:
    state = call(plan)
    recorder = Recorder.begin(folder, state)
    for now, happened in enumerate(inputs):
        recorder.write(happened, Env(now, plan))
        state, effects = step(state, happened, Env(now, plan))
        if not broken:
            recorder.did(effects)
    recorder.close()
    return folder / "a-1.1.jsonl"


@pytest.mark.unit
def test_run_again_it_does_the_same(tmp_path: Path) -> None:
    steps = list(replay(record(tmp_path, *INPUTS), PLAN))
    assert tuple(step.happened for step in steps) == INPUTS
    assert all(step.same for step in steps)
    assert any(step.effects for step in steps)


@pytest.mark.unit
def test_the_input_that_broke_the_call_is_told(tmp_path: Path) -> None:
    (broke,) = replay(record(tmp_path, ev.Started(), broken=True), PLAN)
    assert (broke.did, broke.same) == (None, False)


@pytest.mark.unit
def test_the_number_does_not_stand_in_it(tmp_path: Path) -> None:
    assert NUMBER[3:] not in record(tmp_path, *INPUTS).read_text()


@pytest.mark.unit
def test_an_adopted_call_goes_on_in_a_file_of_its_own(tmp_path: Path) -> None:
    for _ in range(3):
        record(tmp_path, ev.Started())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1.1.2.jsonl", "a-1.1.3.jsonl", "a-1.1.jsonl"]


@pytest.mark.unit
@pytest.mark.parametrize("text", ["", "{}", "not json\n", '{"now": 1, "input": "Started"}\n'])
def test_what_is_no_recording_is_said(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(RecordingError, match=r"x\.jsonl is not a recording of a call"):
        list(replay(path, PLAN))


@pytest.mark.unit
def test_a_disk_that_fails_ends_the_recording_and_not_the_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure("info")
    (tmp_path / "file").write_text("")
    recorder = Recorder.begin(tmp_path / "file", call())
    recorder.write(ev.Started(), Env(1, PLAN))
    with open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123 - a device, not a path of ours
        recorder = Recorder(full)
        recorder.write(ev.Started(), Env(1, PLAN))
        recorder.did(())
    said = capsys.readouterr().err
    assert "the call is not recorded" in said
    assert said.count("the recording ends here") == 1


@pytest.mark.unit
def test_the_command_shows_it_and_tells_a_difference_by_its_exit(tmp_path: Path) -> None:
    plan = load_or_raise(Path("dialplan/pessac"))[0]
    good = record(tmp_path / "good", *INPUTS, plan=plan)
    bad = record(tmp_path / "bad", *INPUTS, plan=plan, broken=True)
    shown = CliRunner().invoke(app, ["replay", str(good)])
    assert (shown.exit_code, "Started" in shown.output) == (0, True)
    assert CliRunner().invoke(app, ["replay", str(bad)]).exit_code == 1


@pytest.mark.redis
async def test_a_real_call_is_recorded_as_it_was(hall: Hall) -> None:
    await hall.agent()
    call, _ = await hall.talks()
    hall.switch.ends(call)
    await hall.nothing_left()
    steps = list(replay(hall.recordings / f"{call}.jsonl", hall.plan))
    assert type(steps[0].happened).__name__ == "Started"
    assert type(steps[-1].call.phase).__name__ == "Ended"
    assert [step for step in steps if not step.same] == []
