from __future__ import annotations

import os
import shutil
import threading
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

from ivr.errors import IvrError
from ivr.stack import build, paths, root
from ivr.stack.build import Meter, Progress
from ivr.stack.errors import (
    BuildError,
    DiskFullError,
    NoMmdebstrapError,
    NoNetworkError,
    NotPermittedError,
    WrongAsteriskError,
)
from ivr.stack.root import TESTED, check_asterisk, drift, ensure_root, version_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.unit

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - what shutil returns
ALL = {**TESTED, "tcpdump": "4.99"}


def write_root(target: Path, packages: dict[str, str]) -> None:
    for program in build.PROGRAMS:
        (target / program).parent.mkdir(parents=True, exist_ok=True)
        (target / program).touch()
    for folder in ("etc", "var/lib/dpkg"):
        (target / folder).mkdir(parents=True)
    status = [
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}" for name, version in packages.items()
    ]
    (target / "var/lib/dpkg/status").write_text("\n\n".join([*status, "Package: gone\nStatus: deinstall\nVersion: 1"]))


class Builder:
    """Stands for mmdebstrap: writes a root of these packages, or fails."""

    def __init__(self) -> None:
        self.packages = dict(ALL)
        self.error: Exception | None = None
        self.built = 0

    def __call__(self, target: Path, log: Path, report: Callable[[Progress], None]) -> None:
        self.built += 1
        log.touch()
        report(Progress(0.5, "unpacking"))
        if self.error is not None:
            raise self.error
        write_root(target, self.packages)


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    made = Builder()
    monkeypatch.setattr(build, "bootstrap", made)
    monkeypatch.setattr(build, "require_disk", lambda _folder: None)
    monkeypatch.setattr(build, "ensure_mmdebstrap", lambda _report: None)
    monkeypatch.setattr(root, "_smoke", lambda _root: None)
    monkeypatch.setattr(root, "require_privilege", lambda: None)
    return made


@pytest.mark.parametrize(
    ("debian", "numbers"),
    [
        ("1:22.10.1+dfsg+~cs6.17.60671434-1", (22, 10, 1)),
        ("22.10.1-1", (22, 10, 1)),
        ("5:8.0.6-3", (8, 0, 6)),
        ("", ()),
        ("nonsense", ()),
    ],
)
def test_versions_are_read_from_debians(debian: str, numbers: tuple[int, ...]) -> None:
    assert version_of(debian) == numbers


@pytest.mark.parametrize("debian", ["1:22.10.1-1", "1:22.10.2~rc1-1", "1:22.11.0-1", "1:22.99.99-1"])
def test_asterisk_22_from_its_fixes_on_is_accepted(debian: str) -> None:
    check_asterisk(debian)


@pytest.mark.parametrize("debian", ["1:22.10.0-1", "1:22.9.9-1", "1:20.19.1-1", "1:23.0.0-1", "", "absent"])
def test_another_asterisk_is_refused_with_the_reason(debian: str) -> None:
    with pytest.raises(WrongAsteriskError, match=r"22\.10\.1 or newer.*older than 23") as raised:
        check_asterisk(debian)
    assert isinstance(raised.value, IvrError)
    assert raised.value.version == debian


def test_the_key_follows_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.key()
    assert build.key() == before
    monkeypatch.setattr(build, "PACKAGES", (*build.PACKAGES, "another"))
    assert build.key() != before


def test_mmdebstrap_is_called_in_namespaces_of_its_own_and_without_a_mirror(tmp_path: Path) -> None:
    argv = build.arguments(tmp_path / "root")
    assert argv.index("unshare") < argv.index("--kill-child") < argv.index("mmdebstrap")
    assert argv[-2:] == ["sid", str(tmp_path / "root")]
    assert '--aptopt=Acquire::Check-Valid-Until "false"' in argv


def test_progress_grows_and_never_reaches_the_end_by_itself() -> None:
    meter = Meter()
    lines = ["I: noise", *["Get:1 x"] * 300, *["Unpacking a"] * 300, *["Setting up a"] * 300, "Get:2 y"]
    seen = [progress for progress in map(meter.feed, lines) if progress]
    done = [progress.done for progress in seen]
    assert len(seen) == 901
    assert done == sorted(done)
    assert done[0] > 0
    assert done[-1] == pytest.approx(0.99)
    assert {progress.step for progress in seen} == {"downloading packages", "unpacking", "setting up"}


@pytest.mark.parametrize(
    "line",
    [
        "W: Failed to fetch some/InRelease  Temporary failure resolving 'somewhere'",
        "E: Could not connect to somewhere:80, connection timed out",
        "Err:1 somewhere: Connection refused",
    ],
)
def test_a_build_without_network_says_so(line: str) -> None:
    error = build.failure(100, ["Get:1 x", line, "E: mmdebstrap failed to run"])
    assert isinstance(error, NoNetworkError)
    assert "check the network" in str(error)


def test_another_failure_quotes_the_log() -> None:
    error = build.failure(25, ["I: fine", "dpkg: error: no space"])
    assert isinstance(error, BuildError)
    assert "ended with 25" in str(error)
    assert "dpkg: error: no space" in str(error)


def test_a_small_disk_is_refused_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12 - 10**9, 10**9))
    with pytest.raises(DiskFullError, match=r"1000 MB free.*2000 MB.*XDG_CACHE_HOME"):
        build.require_disk(tmp_path / "not" / "there" / "yet")


def test_a_large_disk_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 0, 10**12))
    build.require_disk(tmp_path)


def test_without_apt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(NoMmdebstrapError, match=r"no apt-get.*apt-get install mmdebstrap"):
        build.ensure_mmdebstrap(lambda _progress: None)


def test_another_user_than_root_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPermittedError, match=r"needs root\. Run the same command with sudo\. Or use Docker"):
        paths.require_privilege()


def test_the_cache_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.cache_dir() == tmp_path / "standardiste" / "roots"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative is to be ignored")
    monkeypatch.setenv("HOME", "/home/me")
    assert str(paths.cache_dir()) == "/home/me/.cache/standardiste/roots"


def test_a_root_is_built_once_and_its_packages_recorded(builder: Builder, tmp_path: Path) -> None:
    seen: list[Progress] = []
    first = ensure_root(seen.append, cache=tmp_path)
    second = ensure_root(lambda _progress: pytest.fail("nothing to do"), cache=tmp_path)
    assert builder.built == 1
    assert first.path == second.path == tmp_path / build.key() / "root"
    assert second.asterisk == (22, 10, 1)
    assert second.warnings == ()
    assert (first.path.parent / "packages.txt").read_text().splitlines()[0] == f"asterisk {TESTED['asterisk']}"
    assert (first.path / "etc/resolv.conf").read_text() == ""
    assert [progress.step for progress in seen] == ["unpacking"]


def test_two_at_once_build_one(builder: Builder, tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(ensure_root(cache=tmp_path).path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builder.built == 1
    assert len(set(found)) == 1


def test_a_failed_first_build_leaves_nothing(builder: Builder, tmp_path: Path) -> None:
    builder.error = NoNetworkError("Could not resolve")
    with pytest.raises(NoNetworkError):
        ensure_root(cache=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_wrong_asterisk_is_refused_and_not_kept(builder: Builder, tmp_path: Path) -> None:
    builder.packages["asterisk"] = "1:23.1.0-1"
    with pytest.raises(WrongAsteriskError):
        ensure_root(cache=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_rebuild_that_fails_keeps_the_last_good_root(builder: Builder, tmp_path: Path) -> None:
    good = ensure_root(cache=tmp_path)
    builder.packages["asterisk"] = "1:23.1.0-1"
    after = ensure_root(cache=tmp_path, rebuild=True)
    assert after.path == good.path
    assert after.asterisk == (22, 10, 1)
    assert "last good root" in after.warnings[-1]
    assert "23.1.0" in after.warnings[-1]


def test_a_rebuild_warns_of_what_moved_and_keeps_one_root_before(builder: Builder, tmp_path: Path) -> None:
    ensure_root(cache=tmp_path)
    made = []
    for version in ("1:22.11.0-1", "1:22.12.0-1", "1:22.13.0-1"):
        builder.packages["asterisk"] = version
        made.append(ensure_root(cache=tmp_path, rebuild=True))
    assert made[-1].warnings == ("changed since the last root: asterisk 1:22.12.0-1 -> 1:22.13.0-1",)
    assert "22.13.0" in ensure_root(cache=tmp_path).warnings[0]
    kept = sorted(path.name.split(".")[0] for path in tmp_path.iterdir() if path.name != ".lock")
    assert kept == [build.key()] * 2


def test_a_root_of_other_packages_does_until_the_new_one_can_be_built(
    builder: Builder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    builder.packages["another"] = "1"
    old = ensure_root(cache=tmp_path)
    builder.error = NoNetworkError("Could not resolve")
    monkeypatch.setattr(build, "PACKAGES", (*build.PACKAGES, "another"))
    assert ensure_root(cache=tmp_path).path == old.path
    monkeypatch.setattr(build, "PACKAGES", (*build.PACKAGES, "yet-another"))
    with pytest.raises(NoNetworkError):
        ensure_root(cache=tmp_path)


def test_what_a_killed_build_left_is_removed(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / ".building-1" / "root").mkdir(parents=True)
    builder.error = NoNetworkError("Could not resolve")
    with pytest.raises(NoNetworkError):
        ensure_root(cache=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_half_removed_root_is_built_again(builder: Builder, tmp_path: Path) -> None:
    made = ensure_root(cache=tmp_path)
    (made.path / "usr/sbin/asterisk").unlink()
    ensure_root(cache=tmp_path)
    assert builder.built == 2


def test_drift_names_what_moved() -> None:
    assert drift({"a": "1", "b": "2"}, {"a": "1"}) == []
    assert drift({"a": "2"}, {"a": "1", "c": "1"}) == ["a 1 -> 2", "c 1 -> absent"]
