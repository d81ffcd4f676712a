"""A worker is taken for dead only where that is certain."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ivr.telephony.liveness import is_dead, own_name

pytestmark = pytest.mark.unit


def name_of_another() -> tuple[subprocess.Popen[str], str]:
    code = "from ivr.telephony.liveness import own_name; print(own_name(), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_process_is_dead_when_it_is_gone_and_not_before() -> None:
    process, name = name_of_another()
    try:
        assert not is_dead(name)
    finally:
        process.communicate("\n")
    assert is_dead(name)


def test_a_process_that_took_the_number_of_a_dead_one_is_another() -> None:
    home, pid, started = own_name().rsplit("|", 2)
    assert not is_dead(own_name())
    assert is_dead(f"{home}|{pid}|{int(started) - 1}")


@pytest.mark.parametrize("name", ["", "x", "elsewhere/pid:[1]|1|1", "elsewhere/pid:[1]|x|1"])
def test_of_others_nothing_is_known(name: str) -> None:
    assert not is_dead(name)


def test_a_name_without_its_parts_is_not_dead() -> None:
    assert not is_dead(own_name().split("|", maxsplit=1)[0])
    assert not is_dead(own_name().split("|", maxsplit=1)[0] + "|x|1")
