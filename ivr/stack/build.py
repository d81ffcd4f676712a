"""mmdebstrap builds the runtime root: how it is called, how far it is, why it failed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.stack.errors import BuildError, DiskFullError, NoMmdebstrapError, NoNetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Report = Callable[["Progress"], None]

# Every native program of the product, the demo, the tests and the benchmarks.
PACKAGES: Final = ("asterisk", "libttspico-utils", "postgresql", "redis-server", "sip-tester", "sox", "tcpdump")
COMPONENTS: Final = ("main", "contrib", "non-free")  # pico is not free
# Debian 12 and 13 have no Asterisk.
SUITE: Final = "sid"
NEEDED_MB: Final = 2_000
# Programs that must be there after a build, one of each package.
PROGRAMS: Final = (
    "usr/sbin/asterisk",
    "usr/bin/pico2wave",
    "usr/bin/pg_ctlcluster",
    "usr/bin/redis-server",
    "usr/bin/sipp",
    "usr/bin/sox",
    "usr/bin/tcpdump",
)

_RECIPE: Final = 1
_NO_CLUSTER: Final = (
    'mkdir -p "$1/etc/postgresql-common" && '
    'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"'
)
_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# About as many lines of these kinds come by, and this is their share of the time.
_STEPS: Final = (
    ("Get:", "downloading packages", 248, 0.35),
    ("Unpacking ", "unpacking", 244, 0.25),
    ("Setting up ", "setting up", 244, 0.40),
)
_NO_NETWORK: Final = re.compile(
    r"Could not resolve|Temporary failure resolving|Unable to connect|Connection (?:refused|timed out|failed)"
    r"|Could not connect|Failed to fetch|Network is unreachable|No route to host|no longer has a Release file"
)
_TAIL_LINES: Final = 40


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: `done` from 0 to 1, never going back, and what it is at."""

    done: float
    step: str


def key() -> str:
    """Return the name of the root that this version of the product wants."""
    recipe = [_RECIPE, SUITE, list(COMPONENTS), list(PACKAGES), platform.machine()]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]


def arguments(target: Path) -> list[str]:
    """Return the argv that builds a root in `target`.

    It runs in mount and pid namespaces of its own: killed at any moment, it leaves
    neither a mount nor a process, only a folder.
    """
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    options = [
        "--verbose",
        "--mode=root",
        "--format=directory",
        "--variant=minbase",
        f"--components={','.join(COMPONENTS)}",
        f"--include={','.join(PACKAGES)}",
        # Signatures are checked all the same.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=Acquire::Retries "3"',
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        # PostgreSQL's package would make a cluster of its own: 40 MB that nobody uses.
        f"--essential-hook={_NO_CLUSTER}",
    ]
    return ["setpriv", "--pdeathsig", "KILL", *namespaces, "mmdebstrap", *options, SUITE, str(target)]


class Meter:
    """Turns the lines that mmdebstrap prints into progress."""

    def __init__(self) -> None:
        self._seen = [0] * len(_STEPS)
        self._done = 0.0

    def feed(self, line: str) -> Progress | None:
        """Return how far the build is if this line tells, else None."""
        for index, (start, step, _, _) in enumerate(_STEPS):
            if line.startswith(start):
                self._seen[index] += 1
                shares = zip(self._seen, _STEPS, strict=True)
                done = sum(min(1.0, seen / usual) * share for seen, (_, _, usual, share) in shares)
                self._done = max(self._done, min(0.99, done))
                return Progress(self._done, step)
        return None


def failure(code: int, tail: Iterable[str]) -> BuildError | NoNetworkError:
    """Return the error that the last lines of a failed build amount to."""
    lines = [line for line in tail if line]
    fault = next((line for line in lines if _NO_NETWORK.search(line)), None)
    if fault is not None:
        return NoNetworkError(fault.removeprefix("E: ").removeprefix("W: ").strip())
    return BuildError(f"mmdebstrap ended with {code}", "\n".join(lines[-15:]))


def require_disk(folder: Path, needed_mb: int = NEEDED_MB) -> None:
    """Raise `DiskFullError` unless the disk of `folder` has room for a build."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    if free_mb < needed_mb:
        raise DiskFullError(str(folder), free_mb, needed_mb)


def ensure_mmdebstrap(report: Report) -> None:
    """Install mmdebstrap and Debian's keys where apt can; raise `NoMmdebstrapError` where they cannot be had."""
    missing = [
        name
        for name, present in (
            ("mmdebstrap", shutil.which("mmdebstrap") is not None),
            ("debian-archive-keyring", _KEYRING.exists()),
        )
        if not present
    ]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise NoMmdebstrapError("this system has no apt-get to install it")
    report(Progress(0.0, f"installing {' and '.join(missing)}"))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    said = ""
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        ran = subprocess.run(
            ["apt-get", "--quiet", *command],  # noqa: S607 - apt is where the system has it
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said += ran.stdout
    if shutil.which("mmdebstrap") is None or not _KEYRING.exists():
        fault = next((line for line in said.splitlines() if _NO_NETWORK.search(line)), None)
        if fault is not None:
            raise NoNetworkError(fault)
        last = said.strip().splitlines()[-1:] or ["apt-get said nothing"]
        raise NoMmdebstrapError(f"apt-get install failed: {last[0]}")


def bootstrap(target: Path, log: Path, report: Report) -> None:
    """Build a root in `target`, which does not exist yet; everything said goes to `log` too."""
    meter = Meter()
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    report(Progress(0.0, "reading Debian's package lists"))
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            arguments(target),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                file.write(line)
                tail.append(line.rstrip())
                progress = meter.feed(line)
                if progress is not None:
                    report(progress)
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGKILL)
            raise
    if code != 0:
        raise failure(code, tail)


def finish(root: Path) -> dict[str, str]:
    """Make a built root ready for use and return the versions of its packages by name."""
    # A resolver that does not answer blocks Asterisk at each call.
    (root / "etc" / "resolv.conf").write_text("", encoding="ascii")
    for place in ("var/lib/standardiste/prompts", "var/lib/standardiste/state"):
        (root / place).mkdir(parents=True, exist_ok=True)
    missing = [program for program in PROGRAMS if not (root / program).exists()]
    if missing:
        raise BuildError("these programs are missing", ", ".join(missing))
    return installed(root / "var" / "lib" / "dpkg" / "status")


def installed(status: Path) -> dict[str, str]:
    """Return the version of each installed package, read from dpkg's own record."""
    found = {}
    for paragraph in status.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in paragraph.splitlines()
            if line.startswith(("Package: ", "Version: ", "Status: "))
        )
        if fields.get("Status") == "install ok installed":
            found[fields["Package"]] = fields["Version"]
    return dict(sorted(found.items()))
