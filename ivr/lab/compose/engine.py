"""A Docker engine and a Compose: those that are there, else a private dockerd for as long as it is needed.

The private one has its own data, run and socket folders, touches no firewall and makes
no bridge. It lives in mount and pid namespaces of its own: even after SIGKILL of this
process nothing of it is running or mounted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.lab.compose.teller import ComposeTestError
from ivr.stack.errors import NotPermittedError
from ivr.stack.paths import cache_dir, require_privilege, runtime_dir, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ivr.lab.compose.teller import Teller

_READY_S: Final = 40.0
_END_S: Final = 20.0
_POLL_S: Final = 0.1
_ASK_S: Final = 15.0
_APT_S: Final = 600.0
_TURN_S: Final = 1800.0
_CGROUP: Final = "standardiste-compose-test"
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
# What dockerd and containerd make outside of the folders that they are given.
_STRAY: Final = (Path("/run/docker"), Path("/run/containerd"), Path("/opt/containerd"), Path("/etc/docker/key.json"))
_LIST: Final = "strays"
_DEAF: Final = ("--iptables=false", "--ip6tables=false", "--bridge=none")


@dataclass(frozen=True, slots=True)
class Engine:
    """What `docker` and Compose are called with. `private`: ours alone, without a bridge network."""

    env: Mapping[str, str]
    compose: tuple[str, ...]
    private: bool


@contextlib.contextmanager
def engine(teller: Teller) -> Iterator[Engine]:
    """Give an engine that answers; a private one is ended at the end."""
    env = {"DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0", **os.environ}
    if shutil.which("docker") and teller.succeeds(["docker", "info"], env=env, limit_s=_ASK_S):
        teller.say("  engine: the one that runs here")
        yield Engine(env, _compose(teller, env), private=False)
        return
    try:
        require_privilege()
    except NotPermittedError as error:
        raise ComposeTestError(
            "no Docker engine answers here, and starting a private one needs root: "
            "start Docker, or run the same command with sudo"
        ) from error
    if not (shutil.which("dockerd") and shutil.which("docker")):
        _install(teller, "docker.io")
    if not shutil.which("docker"):
        _install(teller, "docker-cli")
    with _private(teller) as socket:
        env["DOCKER_HOST"] = f"unix://{socket}"
        yield Engine(env, _compose(teller, env), private=True)


def _compose(teller: Teller, env: Mapping[str, str]) -> tuple[str, ...]:
    """Return how Compose is called here; installed if there is none."""
    for _ in range(2):
        if teller.succeeds(["docker", "compose", "version"], env=env):
            return ("docker", "compose")
        if shutil.which("docker-compose"):
            return ("docker-compose",)
        _install(teller, "docker-compose")
    raise ComposeTestError("neither `docker compose` nor `docker-compose` can be had here")


def _install(teller: Teller, package: str) -> None:
    """Install a Debian package without starting any service of it."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise ComposeTestError(f"{package} is missing; install it, then try again")
    ours = not _POLICY.exists()
    with teller.step(f"installing {package}"):
        if ours:
            _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
            _POLICY.chmod(0o755)
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        try:
            # A source of somebody else's that does not answer is no obstacle.
            teller.succeeds([apt, "--quiet", "update"], env=env, limit_s=_APT_S)
            teller.run(
                [apt, "--quiet", "install", "--yes", "--no-install-recommends", package], env=env, limit_s=_APT_S
            )
        finally:
            if ours:
                _POLICY.unlink()


@contextlib.contextmanager
def _turn(teller: Teller, path: Path) -> Iterator[None]:
    """Hold the lock `path`; wait for a test that holds it, but not for ever."""
    lock = try_lock(path)
    if lock is None:
        with teller.step("waiting for another test to end"):
            until = time.monotonic() + _TURN_S
            while (lock := try_lock(path)) is None:
                if time.monotonic() > until:
                    raise ComposeTestError(f"another test has held {path} for {_TURN_S / 60:.0f} minutes")
                time.sleep(_POLL_S)
    try:
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def _private(teller: Teller) -> Iterator[Path]:
    data, run = cache_dir().parent / "docker", runtime_dir() / "docker"
    data.mkdir(parents=True, exist_ok=True)
    with _turn(teller, data.parent / "docker.lock"):
        left = _strays(run)
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(mode=0o700, parents=True)
        stray = [path for path in _STRAY if path in left or not path.exists()]
        (run / _LIST).write_text("".join(f"{path}\n" for path in stray), encoding="utf-8")
        log = teller.log.with_name("dockerd.log")
        process: subprocess.Popen[bytes] | None = None
        try:
            with teller.step("starting a private dockerd"):
                # vfs copies every layer, but works on any file system.
                for more in ((), ("--storage-driver", "vfs")):
                    process = _start(data, run, log, more)
                    if _answers(process, run / "docker.sock"):
                        break
                    _end(process)
                else:
                    said = log.read_text(encoding="utf-8", errors="replace").splitlines()
                    raise ComposeTestError("dockerd does not start here:\n" + "\n".join(said[-5:]))
            yield run / "docker.sock"
        finally:
            if process is not None:
                _end(process)
            _remove_cgroups()
            for path in (run, *stray):
                if path.is_file():
                    path.unlink()
                shutil.rmtree(path, ignore_errors=True)


def _strays(run: Path) -> set[Path]:
    """Return what a test that was killed would have removed."""
    try:
        return {Path(line) for line in (run / _LIST).read_text(encoding="utf-8").splitlines()}
    except FileNotFoundError:
        return set()


def _start(data: Path, run: Path, log: Path, more: Sequence[str]) -> subprocess.Popen[bytes]:
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    places = ["--data-root", str(data), "--exec-root", str(run / "exec"), "--pidfile", str(run / "dockerd.pid")]
    # The host's systemd, if any, knows nothing of this engine.
    groups = ["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{_CGROUP}"]
    argv = ["setpriv", "--pdeathsig", "KILL", *namespaces, "dockerd", "--config-file", str(run / "none.json")]
    (run / "none.json").write_text("{}", encoding="ascii")  # the host's own daemon.json is for another engine
    argv += ["--host", f"unix://{run / 'docker.sock'}", *places, *groups, *_DEAF, *more]
    with log.open("wb") as sink:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )


def _answers(process: subprocess.Popen[bytes], socket: Path) -> bool:
    """Wait until the engine answers; False when it ended instead, or took too long."""
    until = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(subprocess.TimeoutExpired):
            asked = subprocess.run(
                ["docker", "--host", f"unix://{socket}", "version"],  # noqa: S607 - as the PATH has it
                capture_output=True,
                check=False,
                timeout=_ASK_S,
            )
            if asked.returncode == 0:
                return True
        time.sleep(_POLL_S)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the engine: kindly, then with everything in its namespaces."""
    if process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        with contextlib.suppress(OSError):
            for child in children.read_text(encoding="ascii").split():
                os.kill(int(child), signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
        process.kill()
    process.wait()


def _remove_cgroups() -> None:
    """Remove the empty groups that the containers of a killed engine leave."""
    for top in [*Path("/sys/fs/cgroup").glob(f"*/{_CGROUP}"), Path("/sys/fs/cgroup", _CGROUP)]:
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
