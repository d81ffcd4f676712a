"""The programs of a stack: their arguments, what they see of the state folder, when they are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.stack import console, probe
from ivr.stack.service import Program

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.provision.render import RenderOptions

# The state folder's own folders.
FOLDERS: Final = ("etc", "log", "run", "spool", "lib", "redis", "emergency")
_REDIS_HOME: Final = "/var/lib/redis"
_SOCKET: Final = "redis.sock"


def redis_socket(state: Path) -> Path:
    """Return the host's path of the socket of Redis."""
    return state / "redis" / _SOCKET


def emergency_socket(state: Path) -> Path:
    """Return the host's path of the socket of the emergency Redis."""
    return state / "emergency" / _SOCKET


def control_socket(state: Path) -> Path:
    """Return the host's path of the socket of Asterisk's console."""
    return state / "run" / "asterisk.ctl"


def redis(state: Path) -> Program:
    """Return a Redis on a unix socket alone, which loses at most a second to a crash."""
    argv = ["redis-server", "--port", "0", "--unixsocket", f"{_REDIS_HOME}/{_SOCKET}", "--unixsocketperm", "700"]
    argv += ["--dir", _REDIS_HOME, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    argv += ["--daemonize", "no"]
    return Program(
        name="Redis",
        argv=argv,
        binds={state / "redis": _REDIS_HOME},
        log=state / "log" / "redis.out",
        pidfile=state / "run" / "redis.host-pid",
        probe=lambda: probe.redis(redis_socket(state)),
    )


def emergency(state: Path) -> Program:
    """Return the Redis that has the node's calls while the shared one is away; it keeps nothing on disk."""
    argv = ["redis-server", "--port", "0", "--unixsocket", f"{_REDIS_HOME}/{_SOCKET}", "--unixsocketperm", "700"]
    argv += ["--dir", _REDIS_HOME, "--appendonly", "no", "--save", "", "--maxmemory", "256mb", "--daemonize", "no"]
    return Program(
        name="the emergency Redis",
        argv=argv,
        binds={state / "emergency": _REDIS_HOME},
        log=state / "log" / "emergency.out",
        pidfile=state / "run" / "emergency.host-pid",
        probe=lambda: probe.redis(emergency_socket(state)),
    )


def asterisk(state: Path, prompts: Path, options: RenderOptions, ari: tuple[str, str]) -> Program:
    """Return an Asterisk that keeps its files in `state` and may only read its configuration and the prompts."""

    async def probed() -> bool:
        await console.ask(control_socket(state), "core waitfullybooted")
        return await probe.ari(options.http_host, options.http_port, *ari)

    return Program(
        name="Asterisk",
        argv=["asterisk", "-f", "-C", f"{options.etc_dir}/asterisk.conf"],
        binds={
            state / "spool": options.spool_dir,
            state / "log": options.log_dir,
            state / "run": options.run_dir,
            state / "lib": options.db_dir,
        },
        read_only={state / "etc": options.etc_dir, prompts: options.sounds_dir},
        log=state / "log" / "asterisk.out",
        pidfile=state / "run" / "asterisk.host-pid",
        probe=probed,
    )
