"""A Redis for one process alone: on a unix socket, keeping nothing, gone with the `with` that asked for it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.stack.errors import NotReadyError
from ivr.stack.root import ensure_root
from ivr.stack.service import tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_OPTIONS: Final = ("--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning")
_INSIDE: Final = "/run/redis"
_READY_S: Final = 20.0
_POLL_S: Final = 0.01


@contextmanager
def private_redis(server: Sequence[str] = ()) -> Iterator[str]:
    """Yield the address of a redis-server: that of the runtime root, or the one that `server` starts.

    Raises `NotReadyError` with its log when it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="ivr-q-"))
    log = folder / "log"
    try:
        with log.open("wb") as out:
            process = subprocess.Popen(_command(server, folder), stdout=out, stderr=out)
        try:
            _until_ready(process, folder / "redis.sock", log)
            yield f"unix://{folder}/redis.sock"
        finally:
            process.terminate()
            process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _command(server: Sequence[str], folder: Path) -> list[str]:
    if server:
        return [*server, *_OPTIONS, "--dir", str(folder), "--unixsocket", str(folder / "redis.sock")]
    inside = ("--dir", _INSIDE, "--unixsocket", f"{_INSIDE}/redis.sock")
    return ensure_root().command(["redis-server", *_OPTIONS, *inside], binds={folder: _INSIDE})


def _until_ready(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while not _answers(path):
        if process.poll() is not None:
            raise NotReadyError("Redis", f"ended with {process.returncode} before it was ready.", tail(log))
        if time.monotonic() > deadline:
            raise NotReadyError("Redis", f"was not ready within {_READY_S:.0f} s.", tail(log))
        time.sleep(_POLL_S)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_READY_S)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16) == b"+PONG\r\n"
        except OSError:
            return False
