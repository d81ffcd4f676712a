"""Whatever a file holds, it is judged within 2 s and 200 MB, and told in words: never a crash, never a hang.

The files are judged in a process of their own, whose memory is capped at 200 MB above what it takes to judge a
sound plan. The 2 s are of processor time: the wall's clock may show ten times as much on a machine that does other
work meanwhile, and beyond that it is a hang.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.plan.folders import write

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.long

SECONDS: Final = 2
WALL_SECONDS: Final = 20
ROOT: Final = Path(__file__).parents[2]
JUDGE: Final = """
import json, resource, sys, time
from pathlib import Path
from ivr.plan import format_faults, load

folder, raws = Path(sys.argv[1]), sorted(Path(sys.argv[2]).iterdir())
assert load(folder).plan is not None
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + 200 * 1024 * 1024
resource.setrlimit(resource.RLIMIT_AS, (most, most))
for raw in raws:
    (folder / "topics.yaml").unlink(missing_ok=True)
    (folder / "topics.yaml").symlink_to(raw)
    cpu, wall = time.process_time(), time.monotonic()
    loaded = load(folder)
    format_faults(loaded.faults)
    spent = time.process_time() - cpu, time.monotonic() - wall
    print(json.dumps([raw.name, loaded.plan is None, [fault.code for fault in loaded.faults], *spent]), flush=True)
"""


def _bomb(levels: int = 9) -> bytes:
    """Return a "billion laughs": each level names the one before ten times."""
    lines = ["a0: &a0 [" + ", ".join(["x"] * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, levels)]
    return "\n".join(lines).encode()


class Case(NamedTuple):
    """A file's bytes, and a code that must be among what is told first."""

    raw: bytes
    code: str


CASES: Final[Mapping[str, Case]] = {
    "bomb of anchors": Case(_bomb(), "alias"),
    "bomb of merges": Case(b"a: &a {b: c}\n" + b"".join(b"x%d: {<<: *a}\n" % n for n in range(2_000)), "alias"),
    "anchor of itself": Case(b"topics: &t {a: *t}\n", "alias"),
    "10 MB": Case(b"topics:\n" + b"  a: b\n" * 1_500_000, "too-large"),
    "10 MB in one line": Case(b"topics: " + b"a" * 10_000_000, "too-large"),
    "10 MB of NULs": Case(b"\0" * 10_000_000, "too-large"),
    "10,000 nodes in braces": Case(b"topics: {a: {label: [" + b"x, " * 9_900 + b"x]}}\n", "expected-text"),
    "10,000 items": Case(b"topics:\n" + b"- a\n" * 9_900, "expected-mapping"),
    "10,000 nodes of topics": Case(b"topics:\n" + b"".join(b"  k%d: a\n" % n for n in range(4_900)), "too-many"),
    "10,000 keys": Case(b"topics:\n" + b"".join(b"  k%d: a\n" % n for n in range(10_000)), "too-many-nodes"),
    "60,000 nodes": Case(b"topics: [" + b"a," * 60_000 + b"]\n", "too-many-nodes"),
    "10,000 nodes, all the same": Case(b"topics:\n" + b"  k: a\n" * 4_900, "too-many"),
    "10,000 nodes of unknown keys": Case(b"".join(b"k%d: a\n" % n for n in range(4_900)), "too-many"),
    "10,000 groups of a topic": Case(
        b"topics: {a: {label: A, groups: [" + b", ".join(b"g%d" % n for n in range(9_900)) + b"]}}\n", "too-many"
    ),
    "brackets": Case(b"[" * 100_000, "too-deep"),
    "braces": Case(b"topics: " + b"{a: " * 30_000, "too-deep"),
    "dashes": Case(b"- " * 60_000, "too-deep"),
    "dashes, line by line": Case(b"\n".join(b" " * n + b"-" for n in range(400)), "too-deep"),
    "indentation": Case(b"\n".join(b" " * n + b"a:" for n in range(400)), "too-deep"),
    "question marks": Case(b"? " * 60_000, "too-deep"),
    "quotes": Case(b"topics: " + b"'" * 60_001, "quote-open"),
    "stars": Case(b"*" * 100_000, "alias"),
    "colons": Case(b"a: " * 40_000, "colon-in-text"),
    "commas": Case(b"[" + b"," * 100_000, "bracket-open"),
    "a huge text": Case(b"topics:\n  a:\n    groups: a\n    label: " + b"a" * 120_000 + b"\n", ""),
    "a huge text of many lines": Case(b"topics:\n  a:\n    groups: a\n    label: >\n" + b"      a\n" * 15_000, ""),
    "a huge name": Case(b"topics:\n  " + b"a" * 1_000 + b": {label: A, groups: a}\n", "bad-id"),
    "a huge key": Case(b"a" * 120_000 + b": b\n", ""),
    "a huge comment": Case(b"#" * 120_000, "empty-file"),
    "NUL": Case(b"topics:\n  a: \0\n", "bad-character"),
    "two marks of UTF-8": Case(b"\xef\xbb\xbf\xef\xbb\xbftopics:\n", ""),
    "UTF-16": Case("topics:\n  a: é\n".encode("utf-16"), "not-utf8"),
    "latin-1": Case("topics:\n  a: été\n".encode("latin-1"), "not-utf8"),
    "bytes of a picture": Case(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400, "not-utf8"),
    "carriage returns": Case(b"topics:\r  a:\r    labl: A\r", "unknown-key"),
    "nothing": Case(b"", "empty-file"),
}


class Judged(NamedTuple):
    """What came of a file, and what it took."""

    refused: bool
    codes: list[str]
    cpu: float
    wall: float


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Judged]:
    """Return what came of each file, judged by a process whose memory is bounded."""
    folder, raws = tmp_path_factory.mktemp("plan"), tmp_path_factory.mktemp("raws")
    write(folder)
    for name, case in CASES.items():
        (raws / name).write_bytes(case.raw)
    ran = subprocess.run(
        [sys.executable, "-c", JUDGE, str(folder), str(raws)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WALL_SECONDS * len(CASES),
        check=False,
    )
    found = {name: Judged(*rest) for name, *rest in map(json.loads, ran.stdout.splitlines())}
    assert ran.returncode == 0, f"ended after {list(found)[-1:]}: {ran.stderr[-2000:]}"
    return found


@pytest.mark.timeout(WALL_SECONDS * len(CASES))
@pytest.mark.parametrize("name", CASES)
def test_a_file_is_judged_within_its_bounds_and_told(name: str, judged: dict[str, Judged]) -> None:
    found = judged[name]
    assert found.refused
    assert found.codes
    assert not CASES[name].code or CASES[name].code in found.codes, found.codes[:5]
    assert found.cpu < SECONDS
    assert found.wall < WALL_SECONDS
