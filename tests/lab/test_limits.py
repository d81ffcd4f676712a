"""A disk is full and a process can open nothing, until they are as before."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ivr.lab.limits import descriptors_as_before, disk, fill, no_more_descriptors, room

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.sqlite

OPENER = """
import errno, os, sys
kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(4)]
os.close(kept[1])
for _ in sys.stdin:
    try:
        os.open("/dev/null", os.O_RDONLY)
        print("opened", flush=True)
    except OSError as failed:
        print(errno.errorcode[failed.errno], flush=True)
"""


async def test_a_disk_that_is_full_takes_nothing_more_until_it_has_room(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    async with disk(place):
        assert os.path.ismount(place)
        (place / "before").write_bytes(bytes(10_000))
        await fill(place)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (place / "after").write_bytes(bytes(10_000))
        (place / "before").write_bytes(bytes(10_000))  # what it has, it keeps
        await room(place)
        (place / "after").write_bytes(bytes(10_000))
    assert not os.path.ismount(place)
    assert list(place.iterdir()) == []


def test_a_process_opens_nothing_until_its_limits_are_as_before() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as opener:
        assert opener.stdin is not None
        assert opener.stdout is not None

        def asked() -> str:
            assert opener.stdin is not None
            assert opener.stdout is not None
            print("open", file=opener.stdin, flush=True)
            return opener.stdout.readline().strip()

        assert asked() == "opened"
        limits = no_more_descriptors(opener.pid)
        assert asked() == "EMFILE"
        descriptors_as_before(opener.pid, limits)
        assert asked() == "opened"
