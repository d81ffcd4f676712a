"""What was seen of an installation, as data: gathered by others, judged by `ivr.doctor.checks` and `.servers`.

A `problem` is why nothing could be seen, empty when it could.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.plan.faults import Fault


@dataclass(frozen=True, slots=True)
class Package:
    """A Python package: its version in the lock, and here (None: not installed). `needed` by the product itself."""

    name: str
    locked: str
    here: str | None
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions as their programs write them; None is not known."""

    python: tuple[int, ...]
    asterisk: str | None
    redis: str | None
    packages: tuple[Package, ...]
    lock: str


@dataclass(frozen=True, slots=True)
class Asterisk:
    """`problem` is "refused", "password" or "silent". `modules` by name: whether they run. `allowed`: the trunk's."""

    url: str
    user: str
    app: str
    problem: str = ""
    version: str | None = None
    modules: Mapping[str, bool] = field(default_factory=dict)
    apps: frozenset[str] = frozenset()
    allowed: tuple[str, ...] | None = None
    lines: int = 0
    worker: Mapping[str, bool] | None = None
    health: str = ""


@dataclass(frozen=True, slots=True)
class Rtp:
    """The range, both ends included; `free` ports that a program could bind now, `lines` that Asterisk has up."""

    host: str
    first: int
    last: int
    free: int
    lines: int
    max_calls: int


@dataclass(frozen=True, slots=True)
class Redis:
    """Bytes, milliseconds. `appends` is the append-only file, `saves` whether snapshots are taken."""

    url: str
    problem: str = ""
    version: str | None = None
    appends: bool = False
    saves: bool = False
    written: bool = True
    policy: str = ""
    used: int = 0
    limit: int = 0
    latency_ms: float = 0.0
    drift_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """`drift_ms` of this machine against Redis; whether a time server keeps the clock (None: not known)."""

    drift_ms: float | None
    synchronised: bool | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """`version` of its schema, "" when it has none yet; `head` is the program's."""

    where: str
    head: str
    problem: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Never a secret itself.

    `weak` names them; `exposed` are processes whose environment holds one, `tracked` files of git that do, `loose`
    files of Asterisk's configuration that others may read, and their modes.
    """

    path: str
    problem: str = ""
    mode: int = 0o600
    weak: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    tracked: tuple[str, ...] = ()
    loose: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Prompts:
    """`loudness` in LUFS by prompt, of those that are there."""

    folder: str
    faults: tuple[Fault, ...]
    loudness: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Disk:
    """One file system, and what of ours is on it. Bytes."""

    holds: tuple[str, ...]
    path: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the trunk makes one. `problem`: "no address", "refused", "silent"; `status` is SIP's last word.

    `heard_db` is the loudest tenth of a second of what came, in dBFS; `packets` came within `listened_ms`.
    """

    number: str
    address: str
    server: str
    problem: str = ""
    status: int = 0
    answered_ms: int = 0
    packets: int = 0
    listened_ms: int = 0
    heard_db: float = -120.0
