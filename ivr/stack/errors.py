"""What can go wrong between a machine and a running stack, each with what to do about it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Iterator


class StackError(IvrError):
    """The runtime root or a stack cannot be had here; the sentence says why and what to do."""


class NotPermittedError(StackError):
    """This user may not do what a stack needs."""

    def __init__(self, missing: str, cure: str) -> None:
        """Say what is missing and how to get it."""
        super().__init__(
            f"Asterisk and Redis run here in namespaces of their own, which needs {missing}. "
            f"{cure} Or use Docker: docker compose up."
        )


class NoMmdebstrapError(StackError):
    """mmdebstrap is not here and could not be installed."""

    def __init__(self, why: str) -> None:
        """Say why it could not be installed."""
        super().__init__(
            "the runtime root is built by mmdebstrap, which is not installed "
            f"({why}). Install it (Debian, Ubuntu: apt-get install mmdebstrap debian-archive-keyring), then try again."
        )


class NoNetworkError(StackError):
    """Debian's packages could not be fetched."""

    def __init__(self, detail: str) -> None:
        """Quote what apt said."""
        super().__init__(
            f"Debian's packages cannot be fetched: {detail}. The runtime root is downloaded once (about 200 MB): "
            "check the network, or http_proxy, and try again."
        )


class DiskFullError(StackError):
    """There is too little room for the runtime root."""

    def __init__(self, folder: str, free_mb: int, needed_mb: int) -> None:
        """Say where and how much."""
        self.free_mb = free_mb
        super().__init__(
            f"{folder} has {free_mb} MB free, and the runtime root needs {needed_mb} MB while it is built. "
            "Make room, or set XDG_CACHE_HOME to a folder on a larger disk."
        )


class WrongAsteriskError(StackError):
    """The Asterisk in the root is not one that this product was made for."""

    def __init__(self, version: str) -> None:
        """Say which one it is, and why it is refused."""
        self.version = version
        super().__init__(
            f"Asterisk {version or 'of unknown version'} is refused: 22.10.1 or newer is needed (older ones lack the "
            "security fixes of ARI) and older than 23 (whose ARI has not been tested). "
            "Debian's package has moved: wait for a new release of Standardiste, or keep the last good root."
        )


class BuildError(StackError):
    """The runtime root could not be built, for a reason that has no better name."""

    def __init__(self, why: str, tail: str) -> None:
        """Quote the end of mmdebstrap's log."""
        super().__init__(f"the runtime root could not be built: {why}\n{tail}".rstrip())


class PortInUseError(StackError):
    """The address that was asked for is taken by somebody else."""

    def __init__(self, what: str, host: str, port: int) -> None:
        """Say which one."""
        self.host, self.port = host, port
        super().__init__(
            f"{what}: {host}:{port} is in use by another program. Stop that one, or choose another address."
        )


class NoPortsError(StackError):
    """Every block of ports is taken."""

    def __init__(self, blocks: int) -> None:
        """Say how many there are."""
        super().__init__(f"all {blocks} blocks of ports for stacks are in use: stop some, then try again.")


class StateInUseError(StackError):
    """Another live stack keeps its state in the same folder."""

    def __init__(self, folder: str) -> None:
        """Say which folder."""
        super().__init__(f"{folder} is the state folder of a stack that is running. Stop it, or name another folder.")


class NotReadyError(StackError):
    """A program of the stack ended or was not ready in time."""

    def __init__(self, program: str, why: str, log: str) -> None:
        """Say which one, and quote the end of its log."""
        self.program, self.log = program, log
        super().__init__(f"{program} {why}\n{log}".rstrip())


class ConsoleError(StackError):
    """Asterisk's console does not answer."""


@contextlib.contextmanager
def ungrouped() -> Iterator[None]:
    """Within it, a group of nothing but `StackError`s is raised as its first one alone.

    That is for a `TaskGroup` whose tasks fail by the same cause. (`raise` within `except*` would do, had Python
    3.11.2 not put what it raises into a group again.)
    """
    try:
        yield
    except ExceptionGroup as group:
        first = group.exceptions[0]
        if not all(isinstance(error, StackError) for error in group.exceptions):
            raise
        raise first from first.__cause__
