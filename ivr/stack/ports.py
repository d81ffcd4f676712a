"""Loopback ports for stacks that run side by side, held for as long as the stack lives.

Ports come in blocks of 1000 below the range from which the kernel hands out ports of
its own. A block belongs to whoever holds its lock, which the kernel lets go of when the
holder dies. SIP and HTTP of a stack, and its RTP range, lie in its blocks.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.stack.errors import NoPortsError, PortInUseError
from ivr.stack.paths import runtime_dir, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST: Final = 12_000
_SIZE: Final = 1_000
_BLOCKS: Final = 20
# The first hundred ports of a block are for servers, the others for RTP.
_SERVERS: Final = 100


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports that no other stack is given until `release`. RTP is first to last, both included.

    `spare` are for whatever else goes with the stack: a worker's own HTTP, test phones.
    """

    sip: int
    http: int
    rtp_first: int
    rtp_last: int
    spare: range
    _locks: tuple[int, ...]

    def release(self) -> None:
        """Let others have them. To be called once."""
        for lock in self._locks:
            os.close(lock)


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen on this address, with UDP and TCP alike."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family, kind) as attempt:
            if kind == socket.SOCK_STREAM:
                # As servers do: connections that are closing are no obstacle.
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind((host, port))
            except OSError:
                return False
    return True


def require_free(what: str, host: str, port: int) -> None:
    """Raise `PortInUseError` unless a server could listen on this address."""
    if not is_free(host, port):
        raise PortInUseError(what, host, port)


def _udp_ports() -> set[int]:
    """Return the UDP ports that are in use on any address."""
    used = set()
    for table in ("udp", "udp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                used.add(int(line.split()[1].rsplit(":", 1)[1], 16))
    return used


def _blocks(count: int, folder: Path) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the first port and the locks of each run of `count` blocks that nobody holds."""
    for first in range(_BLOCKS - count + 1):
        locks: list[int] = []
        for block in range(first, first + count):
            lock = try_lock(folder / f"{_FIRST + block * _SIZE}.lock")
            if lock is None:
                break
            locks.append(lock)
        if len(locks) == count:
            yield _FIRST + first * _SIZE, tuple(locks)
        else:
            for lock in locks:
                os.close(lock)


def take(sip_host: str, http_host: str, rtp_ports: int = _SIZE - _SERVERS, folder: Path | None = None) -> Ports:
    """Return ports that are free now and stay ours; raise `NoPortsError` if there are none left.

    Each leg of a call takes two RTP ports.
    """
    count = -(-(rtp_ports + _SERVERS) // _SIZE)
    busy = _udp_ports()
    for base, locks in _blocks(count, folder or runtime_dir() / "ports"):
        rtp = range(base + _SERVERS, base + _SERVERS + rtp_ports)
        if busy.isdisjoint(rtp) and is_free(sip_host, base) and is_free(http_host, base + 1):
            return Ports(base, base + 1, rtp[0], rtp[-1], range(base + 2, base + _SERVERS), locks)
        for lock in locks:
            os.close(lock)
    raise NoPortsError(_BLOCKS)
