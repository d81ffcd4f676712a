"""What the doctor sees of a machine; it changes nothing there."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ivr.doctor import machine
from ivr.plan import load
from ivr.prompts import Tone, alaw, build_site
from ivr.prompts.pipeline import TARGET_LUFS
from ivr.provision.secrets import Secrets
from ivr.settings import Settings
from tests.plan.folders import write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(plan=tmp_path / "plan", state_dir=tmp_path / "state")


def test_secrets_as_they_are_made_are_well(settings: Settings) -> None:
    made = Secrets.load_or_create(settings.secrets_file)
    made.agent_password("lucie")
    seen, accounts = machine.secrets(settings)
    assert accounts == (("ivr-a", made.ari_password),)
    assert (seen.problem, seen.mode, seen.weak, seen.exposed, seen.tracked, seen.loose) == ("", 0o600, (), (), (), ())
    assert made.ari_password not in repr(seen)


def test_secrets_that_others_can_read_stay_so(settings: Settings) -> None:
    Secrets.load_or_create(settings.secrets_file)
    settings.secrets_file.chmod(0o644)
    pjsip = settings.state_dir / "asterisk" / "etc" / "pjsip.conf"
    pjsip.parent.mkdir(parents=True)
    pjsip.write_text("secret")
    pjsip.chmod(0o640)
    seen, _ = machine.secrets(settings)
    assert seen.mode == 0o644
    assert seen.loose == ((str(pjsip), 0o640),)
    assert settings.secrets_file.stat().st_mode & 0o777 == 0o644


def test_no_secrets_are_made(settings: Settings) -> None:
    seen, accounts = machine.secrets(settings)
    assert (bool(seen.problem), accounts) == (True, ())
    assert not settings.state_dir.exists()


def test_a_file_that_is_none_of_secrets(settings: Settings) -> None:
    settings.state_dir.mkdir()
    settings.secrets_file.write_text("[1")
    assert "illisible" in machine.secrets(settings)[0].problem


@pytest.mark.parametrize(("word", "weak"), [("1234", True), ("aaaaaaaaaaaaaaaaaaaa", True), ("k7wq2mzx5tbn", False)])
def test_what_is_easy_to_guess(word: str, weak: bool) -> None:
    assert machine.is_weak(word) is weak


def test_a_secret_in_the_environment_of_a_process_is_found(tmp_path: Path) -> None:
    for pid, environment in (("12", b"A=1\0PASSWORD=k7wq2mzx5tbn\0"), ("13", b"A=1\0")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "environ").write_bytes(environment)
        (tmp_path / pid / "comm").write_text("bash\n")
    assert machine._exposed(["k7wq2mzx5tbn"], tmp_path) == ["processus 12 (bash)"]


def test_a_secret_in_git_is_found(settings: Settings) -> None:
    made = Secrets.load_or_create(settings.secrets_file)
    settings.plan.mkdir()
    (settings.plan / "note.txt").write_text(f"mot de passe : {made.ari_password}\n")
    (settings.plan / "other.txt").write_text("rien\n")
    root = settings.plan.parent
    for command in (["init", "-q"], ["add", "plan"]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    assert machine.secrets(settings)[0].tracked == (str(settings.plan / "note.txt"),)
    subprocess.run(["git", "-C", str(root), "add", "-f", "state/secrets.json"], check=True)
    assert str(settings.secrets_file) in machine.secrets(settings)[0].tracked


def test_packages_beside_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "redis==0.0.1 \\\n    --hash=sha256:00\nnot-there==1.0 ; python_version >= '3'\n"
        "colorama==1 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    seen = machine.versions("22.10.1", None, lock)
    assert {package.name: (package.locked, package.here is None, package.needed) for package in seen.packages} == {
        "redis": ("0.0.1", False, True),
        "not-there": ("1.0", True, False),
    }


def test_the_packages_here_are_those_of_the_lock() -> None:
    seen = machine.versions(None, None)
    assert len(seen.packages) > 40
    assert [package.name for package in seen.packages if package.here not in (None, package.locked)] == []


def test_a_port_that_somebody_has_is_not_free(settings: Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        one = settings.model_copy(update={"rtp_ports": f"{port}-{port}"})
        assert machine.rtp(one, lines=0, max_calls=1).free == 0
    assert machine.rtp(one, lines=0, max_calls=1).free == 1


def test_each_disk_is_named_once(settings: Settings) -> None:
    (settings.state_dir / "spool").mkdir(parents=True)
    (disk,) = machine.disks(settings)
    assert disk.holds == ("état", "messages enregistrés", "registre")
    assert 0 < disk.free <= disk.total


def test_the_kernel_says_of_the_clock_what_it_can() -> None:
    assert machine.synchronised() in (True, False, None)


def test_prompts_are_all_there_and_alike_or_are_named(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.mkdir()
    loaded = load(write(plan))
    out = tmp_path / "out"
    build_site(loaded, out, Tone(), cache_dir=tmp_path / "cache")
    seen = machine.prompts(loaded, out)
    assert seen.faults == ()
    assert len(seen.loudness) > 60
    assert {name for name, lufs in seen.loudness.items() if abs(lufs - TARGET_LUFS) > 3} == set()

    faint, gone = sorted((out / "fr").glob("*.alaw"))[-2:]
    samples = alaw.decode(np.fromfile(faint, dtype=np.uint8))
    faint.write_bytes(alaw.encode((samples / 10).astype(np.int16)).tobytes())
    gone.unlink()
    seen = machine.prompts(loaded, out)
    assert [gone.stem in fault.message_fr for fault in seen.faults] == [True]
    assert f"fr/{gone.stem}" not in seen.loudness
    assert seen.loudness[f"fr/{faint.stem}"] < TARGET_LUFS - 15


def test_prompts_are_looked_for_where_asterisk_sees_them(tmp_path: Path) -> None:
    there = Settings(state_dir=tmp_path / "state", sounds_dir=str(tmp_path))
    elsewhere = Settings(state_dir=tmp_path / "state", sounds_dir="/nowhere/at/all")
    assert machine.folder_of_prompts(there) == tmp_path
    assert machine.folder_of_prompts(elsewhere) == tmp_path / "state" / "prompts"
