from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from ivr.lab.compose.teller import CommandError, Teller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.long


@pytest.fixture
def teller(tmp_path: Path) -> Iterator[Teller]:
    with Teller(tmp_path / "said.log") as teller:
        yield teller


def test_what_a_command_prints_is_returned_and_kept(teller: Teller) -> None:
    assert teller.run([sys.executable, "-c", "print('one'); print('two')"]) == "one\ntwo"
    teller.say("done")
    assert "one\ntwo\n=== done" in teller.log.read_text(encoding="utf-8")


def test_a_failure_quotes_the_last_lines(teller: Teller) -> None:
    with pytest.raises(CommandError, match="ended with 3:\nwhy"):
        teller.run([sys.executable, "-c", "print('why'); raise SystemExit(3)"])
    assert not teller.succeeds(["false"])
    assert not teller.succeeds(["no-such-program-anywhere"])


def test_a_command_that_lasts_too_long_is_ended_with_its_children(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.lab.compose.teller._GRACE_S", 0.2)
    # The child holds the output open: only its own end lets go of it.
    with pytest.raises(CommandError, match=r"not done within 0 s"):
        teller.run(["sh", "-c", "trap '' TERM; sleep 50 & wait; sleep 50"], limit_s=0.2)


def test_a_command_that_was_ended_has_failed_whatever_its_status(teller: Teller) -> None:
    with pytest.raises(CommandError, match="ended with 0"):
        teller.run(["sh", "-c", "trap 'exit 0' TERM; sleep 50 & wait"], limit_s=0.2)


def test_a_step_says_how_long_it_took_when_it_is_done(teller: Teller) -> None:
    with teller.step("adding"):
        pass
    with pytest.raises(ZeroDivisionError), teller.step("dividing"):
        raise ZeroDivisionError
    teller.say("end")
    assert teller.log.read_text(encoding="utf-8") == "=== adding\n===   adding: 0.0 s\n=== dividing\n=== end\n"
