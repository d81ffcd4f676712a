"""The runtime root: every native program that the product needs, on any Linux, without Docker.

`python -m ivr.stack.root` makes it, with a progress bar, or says within a second that it is there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.stack import build
from ivr.stack.errors import BuildError, StackError, WrongAsteriskError
from ivr.stack.paths import cache_dir, locked, mounted_below, require_privilege, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ivr.stack.build import Progress

_JAIL: Final = Path(__file__).with_name("jail.py")
_OLDEST: Final = (22, 10, 1)
_BEFORE: Final = (23,)
_RECORD: Final = "packages.txt"
_ENV: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
# What the product was last tested with; another version is worth a word, not a refusal.
TESTED: Final = {
    "asterisk": "1:22.10.1+dfsg+~cs6.17.60671434-1",
    "libttspico-utils": "1.0+git20130326-14.1",
    "postgresql": "18+293",
    "redis-server": "5:8.0.6-3",
    "sip-tester": "1:3.8.0-1",
    "sox": "14.7.1.2+ds1-1",
}


@dataclass(frozen=True, slots=True)
class Root:
    """A runtime root that has been checked. `packages` holds versions by package name.

    `warnings` are sentences: versions that are not the tested ones, a rebuild that failed.
    """

    path: Path
    packages: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def asterisk(self) -> tuple[int, ...]:
        """Return Asterisk's version; from 22.10.1 to below 23."""
        return version_of(self.packages.get("asterisk", ""))

    def command(
        self,
        argv: Sequence[str],
        *,
        binds: Mapping[Path, str] | None = None,
        read_only: Mapping[Path, str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        pidfile: Path | None = None,
        privileged: bool = False,
    ) -> list[str]:
        """Return the argv, for this process to start, that runs `argv` inside the root.

        The program is alone in its mount and pid namespaces, shares the network, and sees
        the root read-only with `binds` (host path to inside path; folders or files) writable
        and `read_only` not. It dies with the thread that starts it; SIGTERM and its like
        reach it; the status is its own. It is uid 0 without any capability, unless
        `privileged`. Its environment is `env` and a PATH, nothing of ours. `pidfile` gets
        the program's pid as the host sees it.
        """
        shown = [
            (str(source.absolute()), inside, flag)
            for mapping, flag in ((binds, False), (read_only, True))
            for source, inside in (mapping or {}).items()
        ]
        spec = {
            "root": str(self.path),
            "lock": str(_use_lock(self.path)),
            "binds": shown,
            "env": {**_ENV, **(env or {})},
            "cwd": cwd,
            "parent": os.getpid(),
            "pidfile": str(pidfile.absolute()) if pidfile else "",
            "privileged": privileged,
        }
        return [sys.executable, "-I", "-S", str(_JAIL), json.dumps(spec), "--", *argv]


def version_of(debian: str) -> tuple[int, ...]:
    """Return the upstream numbers of a Debian version: "1:22.10.1+dfsg-1" is (22, 10, 1)."""
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", debian)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def _accepted(debian: str) -> bool:
    return _OLDEST <= version_of(debian) < _BEFORE


def check_asterisk(debian: str) -> None:
    """Raise `WrongAsteriskError` unless this version is at least 22.10.1 and below 23."""
    if not _accepted(debian):
        raise WrongAsteriskError(debian)


def drift(packages: Mapping[str, str], reference: Mapping[str, str]) -> list[str]:
    """Return "name old -> new" for each package of `reference` whose version is not the same."""
    return [
        f"{name} {version} -> {packages.get(name, 'absent')}"
        for name, version in sorted(reference.items())
        if packages.get(name) != version
    ]


def read_record(home: Path) -> dict[str, str] | None:
    """Return the packages of the root kept in `home`, or None if there is no whole one."""
    try:
        lines = (home / _RECORD).read_text(encoding="utf-8").splitlines()
        packages = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    except (OSError, ValueError):
        return None
    whole = all((home / "root" / program).exists() for program in build.PROGRAMS)
    return packages if whole else None


def _use_lock(root: Path) -> Path:
    return root.parent / "in-use.lock"


def _usable(home: Path) -> Root | None:
    """Return the root in `home` if it is whole and its Asterisk is one that we accept."""
    packages = read_record(home)
    if packages is None or not set(build.PACKAGES) <= packages.keys() or not _accepted(packages["asterisk"]):
        return None
    moved = drift(packages, TESTED)
    warnings = (f"not the tested versions: {', '.join(moved)}",) if moved else ()
    return Root(home / "root", packages, warnings)


def _homes(cache: Path) -> list[Path]:
    """Return the folders that hold whole roots, the newest first."""
    found = [path.parent for path in cache.glob(f"*/{_RECORD}") if not path.parent.name.startswith(".")]
    return sorted(found, key=lambda home: (home / _RECORD).stat().st_mtime, reverse=True)


def _remove(folder: Path) -> None:
    mounts = mounted_below(folder)
    if mounts:
        raise StackError(f"{folder} is not removed: {mounts[0]} is mounted there. Unmount it by hand.")
    shutil.rmtree(folder, ignore_errors=True)


def _prune(cache: Path, keep: Path) -> None:
    """Remove the roots older than the one before `keep`, unless in use."""
    for home in [home for home in _homes(cache) if home != keep][1:]:
        lock = try_lock(home / "in-use.lock")
        if lock is not None:
            _remove(home)
            os.close(lock)


def _smoke(root: Root) -> None:
    """Raise `BuildError` unless a program of the root runs here."""
    ran = subprocess.run(root.command(["asterisk", "-V"]), capture_output=True, text=True, check=False)
    if ran.returncode != 0 or not ran.stdout.startswith("Asterisk "):
        raise BuildError("its Asterisk does not run", (ran.stderr or ran.stdout).strip())


def _make(cache: Path, home: Path, report: Callable[[Progress], None]) -> Root:
    """Build a root and put it at `home`, in one rename; whatever was there stays until then."""
    for left in cache.glob(".building-*"):
        _remove(left)  # of a build that was killed: we hold the lock
    build.require_disk(cache)
    build.ensure_mmdebstrap(report)
    before = next(iter(_homes(cache)), None)
    temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=cache))
    try:
        temporary.chmod(0o755)
        build.bootstrap(temporary / "root", temporary / "build.log", report)
        packages = build.finish(temporary / "root")
        check_asterisk(packages.get("asterisk", ""))
        _smoke(Root(temporary / "root", packages))
        lines = [f"{name} {version}\n" for name, version in packages.items()]
        (temporary / _RECORD).write_text("".join(lines), encoding="utf-8")
        moved = drift(packages, (read_record(before) if before else None) or {})
        if home.exists():
            home.rename(Path(tempfile.mkdtemp(prefix=f"{home.name}.", dir=cache)))
        temporary.rename(home)
    finally:
        if temporary.exists():
            _remove(temporary)
    root = Root(home / "root", packages, (f"changed since the last root: {', '.join(moved)}",) if moved else ())
    _prune(cache, home)
    return root


def _silent(_progress: Progress) -> None:
    """Tell nobody."""


def ensure_root(
    progress: Callable[[Progress], None] | None = None, *, rebuild: bool = False, cache: Path | None = None
) -> Root:
    """Return the runtime root, built first if there is none; blocks for as long as that takes.

    Safe between processes: one builds, the others wait for it. When a build fails and an
    older root can do the job, that one is returned, with the failure among its `warnings`.
    Raises a `StackError` that says what to do.
    """
    report = progress or _silent
    require_privilege()
    cache = cache or cache_dir()
    home = cache / build.key()
    if not rebuild:
        found = _usable(home)
        if found is not None:
            return found
    waiting = build.Progress(0.0, "waiting for another build to end")
    with locked(cache / ".lock", lambda: report(waiting)):
        if not rebuild:
            found = _usable(home)
            if found is not None:
                return found
        try:
            return _make(cache, home, report)
        except StackError as error:
            last_good = _last_good(cache)
            if last_good is None:
                raise
            return Root(
                last_good.path,
                last_good.packages,
                (*last_good.warnings, f"the last good root is used, since a new one failed: {error}"),
            )


def _last_good(cache: Path) -> Root | None:
    return next((found for found in map(_usable, _homes(cache)) if found is not None), None)


if __name__ == "__main__":
    from ivr.stack.rootcli import main

    sys.exit(main())
