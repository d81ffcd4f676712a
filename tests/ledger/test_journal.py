"""What the journal took is there: for its own process, for the next one, and for nobody else to read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from ivr.ledger.errors import JournalBusy
from ivr.ledger.journal import DAMAGED, ROOM, Entry, Journal
from ivr.ledger.store import File, Met

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.long

NUMBER = "+33639980001"
FILE = File(
    "a-1.1", "pessac", "message", "etat-civil", "group:etat-civil", "r1", "message/a-1_1-3", 1_000, 2_000, call="a-1.1"
)
FOREVER = """
import sys
from pathlib import Path
from tests.ledger.test_journal import FILE, Journal, replace
journal = Journal(Path(sys.argv[1]))
for n in range(50):
    journal.append(replace(FILE, id=f"{sys.argv[2]}.{n}"), None)
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder)
    yield journal
    journal.close()


def brought_in(journal: Journal) -> list[Entry]:
    """Every promise that can be brought in, and the journal shortened."""
    return [entry for entry in all_brought_in(journal) if isinstance(entry, Entry)]


def all_brought_in(journal: Journal) -> list[Entry | Met]:
    found: list[Entry | Met] = []
    with journal.alone(), closing(journal.parts()) as parts:
        for part in parts:
            found += part.entries
            journal.shorten(part)
    return found


def holding(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl*"))


def test_what_was_put_there_is_there_for_the_next_process(journal: Journal, folder: Path) -> None:
    journal.append(FILE, NUMBER)
    journal.append(replace(FILE, id="a-1.2"), None)
    entries = [Entry(FILE, NUMBER), Entry(replace(FILE, id="a-1.2"), None)]
    assert journal.entries() == Journal(folder).entries() == entries
    assert brought_in(Journal(folder)) == []  # its process lives
    journal.close()
    assert brought_in(Journal(folder)) == entries
    assert holding(folder) == []


def test_numbers_of_who_was_answered_wait_beside_promises_and_are_erased_like_theirs(journal: Journal) -> None:
    met = [Met("r1", NUMBER, 5), Met("r2", f"{NUMBER}2", 6)]
    journal.meet(met)
    journal.append(FILE, NUMBER)
    assert (journal.count(), journal.entries()) == (1, [Entry(FILE, NUMBER)])
    with journal.alone():
        assert journal.erase([NUMBER])
    assert all_brought_in(journal) == [met[1], Entry(FILE, None)]
    assert all_brought_in(journal) == []


def test_nobody_else_may_read_it_and_nothing_readable_stays_behind(journal: Journal, folder: Path) -> None:
    journal.append(FILE, NUMBER)
    (path,) = holding(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert NUMBER.encode() in path.read_bytes()
    assert len(brought_in(journal)) == 1
    assert path.read_bytes() == bytes(ROOM)
    assert journal.count() == 0


def test_room_that_was_taken_is_used_again(journal: Journal, folder: Path) -> None:
    for n in range(3):
        journal.append(replace(FILE, id=str(n)), NUMBER)
        assert [entry.file.id for entry in brought_in(journal)] == [str(n)]
    assert [path.stat().st_size for path in holding(folder)] == [ROOM]


def test_what_comes_while_it_is_brought_in_stays(journal: Journal) -> None:
    journal.append(FILE, NUMBER)
    with journal.alone(), closing(journal.parts()) as parts:
        part = next(parts)
        journal.append(replace(FILE, id="late"), None)
        journal.shorten(part)
    assert [entry.file.id for entry in journal.entries()] == ["late"]
    assert [entry.file.id for entry in brought_in(journal)] == ["late"]
    assert journal.count() == 0


def test_brought_in_and_not_shortened_it_comes_again(journal: Journal, folder: Path) -> None:
    journal.append(FILE, NUMBER)
    with journal.alone(), closing(journal.parts()) as parts:
        next(parts)
    journal.close()
    assert brought_in(Journal(folder)) == [Entry(FILE, NUMBER)]


@pytest.mark.parametrize("lost", [1, 2, 40, 200])
def test_a_last_line_that_is_torn_is_no_promise(journal: Journal, folder: Path, lost: int) -> None:
    journal.append(FILE, NUMBER)
    (path,) = holding(folder)
    whole = path.read_bytes().rstrip(b"\0")
    journal.close()
    torn = whole.replace(b"a-1.1", b"a-1.2")[:-lost]
    path.write_bytes(whole + torn + bytes(ROOM - len(whole) - len(torn)))
    with capture_logs() as logged:
        assert brought_in(Journal(folder)) == [Entry(FILE, NUMBER)]
    assert logged == []
    assert holding(folder) == []


@pytest.mark.parametrize("wiped", [1, 100, 400])
def test_an_overwriting_that_was_cut_short_loses_nothing_that_waits(journal: Journal, folder: Path, wiped: int) -> None:
    for n in range(3):
        journal.append(replace(FILE, id=str(n)), NUMBER)
    (path,) = holding(folder)
    journal.close()
    path.write_bytes(bytes(wiped) + path.read_bytes()[wiped:])
    with capture_logs() as logged:
        assert [entry.file.id for entry in brought_in(Journal(folder))] == (["2"] if wiped == 400 else ["1", "2"])
    assert logged == []


def test_a_line_that_cannot_be_read_is_kept_for_somebody_to_look_at(journal: Journal, folder: Path) -> None:
    journal.append(FILE, NUMBER)
    journal.append(replace(FILE, id="a-1.2"), NUMBER)
    (path,) = holding(folder)
    path.write_bytes(path.read_bytes().replace(b'"site"', b"!site!", 1))
    with capture_logs() as logged:
        assert [entry.file.id for entry in brought_in(journal)] == ["a-1.2"]
    assert [entry["lines"] for entry in logged] == [1]
    assert [path.suffix for path in holding(folder)] == [DAMAGED]
    journal.append(replace(FILE, id="a-1.3"), NUMBER)
    assert [entry.file.id for entry in brought_in(journal)] == ["a-1.3"]
    with journal.alone():
        assert journal.erase([NUMBER])
    assert NUMBER.encode() not in b"".join(path.read_bytes() for path in holding(folder))


def test_a_write_that_failed_leaves_nothing_that_could_be_taken_for_a_promise(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(FILE, NUMBER)

    def fails(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fails)
        with pytest.raises(OSError, match="Input/output"):
            journal.append(replace(FILE, id="never"), NUMBER)
    journal.append(replace(FILE, id="x"), None)
    assert sorted(entry.file.id for entry in journal.entries()) == ["a-1.1", "x"]
    assert sorted(entry.file.id for entry in brought_in(journal)) == ["a-1.1", "x"]


def test_a_number_and_a_recording_are_erased_where_they_stand(journal: Journal, folder: Path) -> None:
    other = Journal(folder)
    for each in (journal, other):
        each.append(FILE, NUMBER)
        each.append(replace(FILE, id="theirs", caller_ref="r2", recording=""), f"{NUMBER}2")
    with journal.alone():
        assert journal.erase([NUMBER, FILE.recording])
        assert not journal.erase([NUMBER])
    left = b"".join(path.read_bytes() for path in holding(folder))
    assert f'"{NUMBER}"'.encode() not in left
    assert FILE.recording.encode() not in left
    journal.append(replace(FILE, id="later"), None)
    other.close()
    found = brought_in(journal)
    assert {(entry.file.id, entry.file.recording, entry.number) for entry in found} == {
        ("a-1.1", "", None),
        ("theirs", "", f"{NUMBER}2"),
        ("later", FILE.recording, None),
    }


def test_who_brings_in_is_alone(journal: Journal, folder: Path) -> None:
    with journal.alone(), pytest.raises(JournalBusy, match="un autre programme"), Journal(folder).alone(0.03):
        pytest.fail("two at once")
    journal.append(FILE, NUMBER)  # who appends waits for nobody
    with journal.alone():
        journal.append(replace(FILE, id="a-1.2"), NUMBER)
    assert journal.count() == 2


def test_two_processes_and_their_threads_write_beside_each_other(journal: Journal, folder: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FOREVER, str(folder), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for name in ("p", "q")
    ]

    def write(name: str) -> None:
        for n in range(50):
            journal.append(replace(FILE, id=f"{name}.{n}"), NUMBER)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("s", "t")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"there\n"
        assert journal.count() == 200
        assert len(brought_in(journal)) == 100  # those of the living are theirs
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert {entry.file.id for entry in brought_in(journal)} == {f"{name}.{n}" for name in ("p", "q") for n in range(50)}
    assert len(holding(folder)) == 1


def test_a_line_of_a_newer_program_is_read_by_what_is_known_of_it(journal: Journal, folder: Path) -> None:
    journal.append(FILE, NUMBER)
    (path,) = holding(folder)
    said = json.loads(path.read_bytes().rstrip(b"\0"))
    said["file"]["colour"] = "blue"
    path.write_bytes(json.dumps(said).encode() + b"\n")
    journal.close()
    assert Journal(folder).entries() == [Entry(FILE, NUMBER)]
