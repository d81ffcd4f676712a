from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ivr.stack import console, jail, paths, ports, registry
from ivr.stack.errors import NoPortsError, PortInUseError, StackError, StateInUseError
from ivr.stack.stack import split_bind

pytestmark = pytest.mark.unit


def test_links_are_followed_inside_the_root(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "var/run").symlink_to("/run")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "out").symlink_to("../../../../etc")
    (tmp_path / "loop").symlink_to("loop")
    assert jail.resolve(tmp_path, "/var/run/asterisk") == Path("run/asterisk")
    assert jail.resolve(tmp_path, "/lib/x") == Path("usr/lib/x")
    assert jail.resolve(tmp_path, "/out/passwd") == Path("etc/passwd")
    assert jail.resolve(tmp_path, "//var/./lib/../spool/") == Path("var/spool")
    with pytest.raises(OSError, match="too many symbolic links"):
        jail.resolve(tmp_path, "/loop/x")


@pytest.fixture
def own_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real stacks on this machine are not disturbed."""
    monkeypatch.setattr(ports, "_FIRST", 2_000)
    monkeypatch.setattr(ports, "_BLOCKS", 9)


@pytest.fixture
def all_free(own_range: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _host, _port: True)
    monkeypatch.setattr(ports, "_udp_ports", set)


@pytest.mark.usefixtures("all_free")
def test_stacks_get_disjoint_ports_and_give_them_back(tmp_path: Path) -> None:
    taken = [ports.take("127.0.0.1", "127.0.0.1", folder=tmp_path) for _ in range(4)]
    used = [{one.sip, one.http, *one.spare, *range(one.rtp_first, one.rtp_last + 1)} for one in taken]
    assert sum(map(len, used)) == len(set().union(*used)) == 4 * 1_000
    assert all(one.rtp_last - one.rtp_first + 1 == 900 for one in taken)
    taken[0].release()
    again = ports.take("127.0.0.1", "127.0.0.1", folder=tmp_path)
    assert again.sip == taken[0].sip
    for one in (*taken[1:], again):
        one.release()


@pytest.mark.usefixtures("all_free")
def test_more_rtp_takes_more_blocks_until_there_are_none(tmp_path: Path) -> None:
    wide = ports.take("127.0.0.1", "127.0.0.1", rtp_ports=3_900, folder=tmp_path)
    assert wide.rtp_last - wide.rtp_first + 1 == 3_900
    after = ports.take("127.0.0.1", "127.0.0.1", folder=tmp_path)
    assert after.sip > wide.rtp_last
    with pytest.raises(NoPortsError, match="blocks of ports"):
        ports.take("127.0.0.1", "127.0.0.1", rtp_ports=4_900, folder=tmp_path)
    wide.release()
    after.release()


@pytest.mark.usefixtures("own_range")
def test_a_block_where_somebody_else_listens_is_passed_over(tmp_path: Path) -> None:
    first = ports.take("127.0.0.1", "127.0.0.1", folder=tmp_path)
    first.release()
    for port in (first.sip, first.rtp_first + 10):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", port))
            second = ports.take("127.0.0.1", "127.0.0.1", folder=tmp_path)
            second.release()
        assert second.sip != first.sip


def test_a_taken_address_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"SIP: 127.0.0.1:{port} is in use"):
            ports.require_free("SIP", "127.0.0.1", port)
    ports.require_free("SIP", "127.0.0.1", port)


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    first = paths.try_lock(tmp_path / "a" / "lock")
    assert first is not None
    assert paths.try_lock(tmp_path / "a" / "lock") is None
    os.close(first)
    again = paths.try_lock(tmp_path / "a" / "lock")
    assert again is not None
    os.close(again)


def test_a_state_folder_has_one_stack(tmp_path: Path) -> None:
    made = registry.claim(tmp_path / "state", temporary=False, folder=tmp_path / "reg")
    with pytest.raises(StateInUseError, match="is the state folder of a stack that is running"):
        registry.claim(tmp_path / "state", temporary=False, folder=tmp_path / "reg")
    made.release()
    registry.claim(tmp_path / "state", temporary=True, folder=tmp_path / "reg").release()
    assert not (tmp_path / "state").exists()
    assert list((tmp_path / "reg").iterdir()) == []


def test_only_what_dead_owners_left_is_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "reg"
    live = registry.claim(tmp_path / "live", temporary=True, folder=folder)
    dead = registry.claim(tmp_path / "dead", temporary=True, folder=folder)
    kept = registry.claim(tmp_path / "kept", temporary=False, folder=folder)
    for lock in (*dead._locks, *kept._locks):
        os.close(lock)  # as the kernel does when the owner dies
    assert registry.clear_dead(folder) == [f"removed {tmp_path / 'dead'}"]
    assert (tmp_path / "live").exists()
    assert (tmp_path / "kept").exists()
    assert registry.clear_dead(folder) == []
    assert live.record.exists()
    live.release()


def test_only_the_very_process_that_was_recorded_is_ended(tmp_path: Path) -> None:
    folder = tmp_path / "reg"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        for start, ended in (("1", False), ("", False), (registry.started_at(process.pid), True)):
            dead = registry.claim(tmp_path / "state", temporary=False, folder=folder)
            dead._pids = {str(process.pid): start}
            dead.write()
            for lock in dead._locks:
                os.close(lock)
            assert bool(registry.clear_dead(folder)) is ended
            assert (process.poll() is None) is not ended
    assert process.returncode == -9


def test_a_broken_record_does_no_harm(tmp_path: Path) -> None:
    for number, text in enumerate(("", "{", json.dumps({"state": "/"}))):
        (tmp_path / f"{number}.lock").touch()
        (tmp_path / f"{number}.json").write_text(text)
    assert registry.clear_dead(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_mounts_are_seen_where_they_are() -> None:
    assert Path("/proc") in paths.mounted_below(Path("/proc"))
    assert paths.mounted_below(Path("/proc/self")) == []


def test_the_console_says_only_what_was_asked() -> None:
    assert console.clean(b"\xfe== verbose\n1 active call\n\0Zo\xc3\xa9\n\xfdmore\n") == "1 active call\nZoé\n"


@pytest.mark.parametrize("bind", ["", "127.0.0.1", "5060", ":5060", "127.0.0.1:", "127.0.0.1:sip"])
def test_an_address_is_host_and_port(bind: str) -> None:
    with pytest.raises(StackError, match="host:port"):
        split_bind(bind)


def test_both_kinds_of_address() -> None:
    assert split_bind("127.0.0.1:0") == ("127.0.0.1", 0)
    assert split_bind("[::1]:5060") == ("::1", 5060)
