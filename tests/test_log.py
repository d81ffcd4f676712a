"""No telephone number stands in a log, whatever it is part of."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
import structlog

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
        {"of": {NUMBER: "known"}},
        {"raw": f"<{NUMBER}>".encode()},
        {"number": 33639980001},
        {"said": "+33 6 39 98 00 01"},
        {"said": "06.39.98.00.01"},
    ],
)
def test_a_number_is_masked_down_to_its_last_two_digits(line: Line, values: dict[str, object]) -> None:
    said = line("happened", **values)
    assert NUMBER[1:] not in said
    assert "39 98" not in said
    assert "39.98" not in said
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


def test_a_number_in_the_cause_of_an_error_is_masked(line: Line) -> None:
    broken = RuntimeError("it broke")
    broken.__cause__ = ValueError(f"invalid literal: {NUMBER}")
    said = line("broke", exc_info=broken)
    assert "it broke" in said
    assert "invalid literal" in said
    assert NUMBER not in said


def test_what_is_bound_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info")
    log.get("test").bind(peer=NUMBER).info("bound")
    with structlog.contextvars.bound_contextvars(about=NUMBER):
        log.get("test").info("in context")
    assert NUMBER not in (said := capsys.readouterr().err)
    assert said.count("••01") == 2


def test_what_libraries_log_is_masked_and_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info")
    log.configure("info")  # again: still one line each
    try:
        raise ValueError(NUMBER)
    except ValueError:
        logging.getLogger("asyncio").exception("no %s", NUMBER)
    logging.getLogger("asyncio").info("quiet")
    (said,) = capsys.readouterr().err.splitlines()
    assert NUMBER not in said
    written = json.loads(said)
    assert (written["event"], written["level"]) == ("no ••••••••01", "error")
    assert "ValueError" in written["exception"]


async def test_what_a_task_that_nobody_waits_for_died_of_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info")
    asyncio.get_running_loop().call_exception_handler({"message": "broke", "exception": ValueError(NUMBER)})
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert NUMBER not in said


def test_dates_addresses_and_durations_stay_whole() -> None:
    text = "2026-11-24 04:50:12 10.0.0.1:5060 in 5000 ms, 0 of 12345"
    assert log.mask(text) == text


def test_what_a_caller_is_called_stays_whole(line: Line) -> None:
    said = json.loads(line("ended", caller="94402e3d7a328ec3", call="a-1795485993.0", ms=8081))
    assert said["caller"] == "94402e3d7a328ec3"
    assert said["call"] == "a-1795485993.0"
    assert said["ms"] == 8081


def test_the_id_of_a_call_stays_whole_inside_of_a_sentence() -> None:
    text = "channels.playWithId (channels/a-1790000000.12/play/pb.a-1790000000.12.1): no connection"
    assert log.mask(text) == text
    assert log.mask("a-0612345678.12") == "a-••••••••78.12"


def test_sixteen_digits_are_no_digest(line: Line) -> None:
    assert "1234567890123456" not in line("ended", caller="1234567890123456")


def test_below_the_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning")
    log.get("other").info("quiet")
    log.get("other").warning("loud")
    assert "quiet" not in (said := capsys.readouterr().err)
    assert "loud" in said
