from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ivr.stack import paths, registry
from ivr.stack.root import Root, ensure_root

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def root() -> Root:
    return ensure_root()


def run(root: Root, script: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = root.command(["sh", "-c", script], **options)  # type: ignore[arg-type]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_a_root_that_is_there_is_found_in_a_second(root: Root) -> None:
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "ivr.stack.root"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert time.monotonic() - started < 1
    assert ran.stdout.startswith("runtime root: ready, Asterisk 22.")


def test_every_program_is_there(root: Root) -> None:
    ran = run(root, "asterisk -V && redis-server --version && which sipp pico2wave sox tcpdump")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Asterisk 22.")


def test_the_root_is_read_only_and_the_program_may_nothing(root: Root) -> None:
    assert run(root, "touch /usr/x").returncode != 0
    assert run(root, "touch /tmp/x /run/x").returncode == 0
    assert run(root, "test -e /tmp/x").returncode != 0
    assert "CapEff:\t0000000000000000" in run(root, "cat /proc/self/status").stdout
    assert not (root.path / "usr/x").exists()


def test_it_knows_its_own_name_and_asks_no_resolver(root: Root) -> None:
    assert os.uname().nodename in run(root, "cat /etc/hosts").stdout.split()
    assert run(root, "cat /etc/resolv.conf").stdout == ""


def test_it_is_alone_in_its_namespace(root: Root) -> None:
    assert run(root, "echo $$; ls -d /proc/[0-9]* | wc -l").stdout.split()[0] == "1"


def test_folders_and_files_are_bound_anywhere(root: Root, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("read")
    (tmp_path / "out").mkdir()
    ran = run(
        root,
        "cat /deep/new/place/file /var/lib/some/where/file /etc/own.conf && ls /etc/passwd >&2"
        " && echo ok > /var/run/x/made",
        binds={tmp_path / "out": "/var/run/x"},
        read_only={
            tmp_path / "in": "/deep/new/place",
            tmp_path / "in" / ".." / "in": "/var/lib/some/where",
            tmp_path / "in" / "file": "/etc/own.conf",
        },
    )
    assert ran.stdout == "readreadread", ran.stderr
    assert (tmp_path / "out" / "made").read_text() == "ok\n"
    assert run(root, "touch /x/y", read_only={tmp_path / "in": "/x"}).returncode != 0
    assert paths.mounted_below(tmp_path) == paths.mounted_below(root.path) == []


def test_the_environment_is_what_was_given(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "leaks")
    ran = run(root, "env", env={"GIVEN": "1"})
    assert "GIVEN=1" in ran.stdout
    assert "SECRET" not in ran.stdout


def test_the_status_is_the_programs(root: Root, tmp_path: Path) -> None:
    assert run(root, "exit 7").returncode == 7
    assert run(root, "kill -KILL -1; exit 0").returncode == 0
    missing = subprocess.run(root.command(["no-such-program"]), capture_output=True, text=True, check=False)
    assert missing.returncode == 127
    assert "no-such-program: not in the runtime root" in missing.stderr
    nowhere = run(root, "true", binds={tmp_path / "none": "/x"})
    assert nowhere.returncode == 125
    assert "cannot be entered" in nowhere.stderr


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("trap 'exit 3' TERM; echo up; while :; do sleep 1; done", 3),
        ("echo up; exec sleep 100", -signal.SIGKILL),
    ],
)
def test_signals_reach_the_program(root: Root, script: str, status: int) -> None:
    with subprocess.Popen(root.command(["sh", "-c", script]), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.wait(10) == status


def test_it_dies_with_the_process_that_started_it(root: Root, tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    command = root.command(["sh", "-c", "echo up; exec sleep 100"], pidfile=pidfile)
    spec = {**json.loads(command[4]), "parent": 1}  # the starter below is not this process
    starter = "import json, subprocess, sys\nsubprocess.Popen(json.loads(sys.argv[1]))\nsys.stdin.read()\n"
    argv = [*command[:4], json.dumps(spec), *command[5:]]
    with subprocess.Popen(
        [sys.executable, "-c", starter, json.dumps(argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        pid = int(pidfile.read_text())
        handle = os.pidfd_open(pid)
        parent.kill()
        assert select.select([handle], [], [], 5)[0]
        os.close(handle)
    assert registry.started_at(pid) == ""
