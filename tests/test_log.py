"""No telephone number stands in a log, whatever it is part of."""

from __future__ import annotations

import json

import pytest

from ivr import log

pytestmark = pytest.mark.unit
NUMBER = "0639980001"


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> Line:
    return Line(capsys)


class Line:
    """Logs something, and returns the line that came of it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, event: str, **values: object) -> str:
        log.configure("info")  # here, where standard error is the test's own
        log.get("test").info(event, **values)
        return self._capsys.readouterr().err


@pytest.mark.parametrize(
    "values",
    [
        {"reason": f"no route to {NUMBER}"},
        {"reason": f"tel:+33{NUMBER[1:]}"},
        {"reason": f"x{NUMBER}y"},
        {"many": [NUMBER, ("a", NUMBER)]},
        {"deep": {"a": {"number": NUMBER}}},
        {"error": ValueError(f"{NUMBER} is no number")},
    ],
)
def test_a_number_is_masked_down_to_its_last_two_digits(line: Line, values: dict[str, object]) -> None:
    said = line("happened", **values)
    assert NUMBER[1:] not in said
    assert "••01" in said


def test_a_number_in_the_event_itself_is_masked(line: Line) -> None:
    assert NUMBER not in line(f"{NUMBER} called")


def test_a_number_in_a_traceback_is_masked(line: Line) -> None:
    try:
        raise ValueError(NUMBER)
    except ValueError as error:
        said = line("broke", exc_info=error)
    assert "ValueError" in said
    assert NUMBER not in said


def test_what_a_caller_is_called_stays_whole(line: Line) -> None:
    said = json.loads(line("ended", caller="94402e3d7a328ec3", call="a-1795485993.0", ms=8081))
    assert said["caller"] == "94402e3d7a328ec3"
    assert said["call"] == "a-1795485993.0"
    assert said["ms"] == 8081


def test_sixteen_digits_are_no_digest(line: Line) -> None:
    assert "1234567890123456" not in line("ended", caller="1234567890123456")


def test_below_the_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning")
    log.get("other").info("quiet")
    log.get("other").warning("loud")
    assert "quiet" not in (said := capsys.readouterr().err)
    assert "loud" in said
