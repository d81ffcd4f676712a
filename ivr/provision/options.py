"""What an Asterisk instance is told besides the call plan; checked once, here.

Every value ends up inside an Asterisk configuration file, so each is limited to
characters that cannot end a line, start a comment or add an argument there.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from ivr.errors import IvrError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_PATH: Final = re.compile(r"/[A-Za-z0-9_./@+-]*")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.:@+%~/?=&!-]+")
_DIGITS: Final = re.compile(r"\+?[0-9]{1,15}")
_PEER: Final = re.compile(r"([a-z][a-z0-9]{0,15})=([0-9.]+):([0-9]{1,5})")
_MAX_PORT: Final = 65_535

MediaSecurity = Literal["rtp", "srtp"]


class ProvisionError(IvrError):
    """The configuration cannot be written as asked; the sentence says which value is at fault."""


def check(value: str, pattern: re.Pattern[str], what: str) -> str:
    """Return `value` if the whole of it matches `pattern`; raise `ProvisionError` otherwise."""
    if pattern.fullmatch(value) is None:
        raise ProvisionError(f"{what}: {value!r} is not accepted (expected {pattern.pattern})")
    return value


def check_name(value: str, what: str) -> str:
    """Return `value` if it may name a node, an application, an agent or a prompt."""
    return check(value, _NAME, what)


def check_path(value: str, what: str) -> str:
    """Return `value` if it is an absolute path that Asterisk can be given unquoted."""
    return check(value, _PATH, what)


def check_host(value: str, what: str) -> str:
    """Return `value` if it is an IP address; names are refused, a resolver can block Asterisk."""
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise ProvisionError(f"{what}: {value!r} is not an IP address") from error
    return value


def bind(host: str, port: int) -> str:
    """Return "host:port" as Asterisk reads it (IPv6 in brackets)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_port(value: int, what: str) -> None:
    if not 1 <= value <= _MAX_PORT:
        raise ProvisionError(f"{what}: {value} is not a port")


@dataclass(frozen=True, slots=True)
class Tls:
    """SIP over TLS beside UDP and TCP. Files are named as Asterisk sees them (PEM)."""

    port: int
    certificate: str
    private_key: str

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        _check_port(self.port, "tls port")
        check_path(self.certificate, "tls certificate")
        check_path(self.private_key, "tls private key")


@dataclass(frozen=True, slots=True)
class TrunkRegistration:
    """The operator wants us to register (digest): its server and our account.

    Calls still have to come from `trunk_match`: set that to the operator's address.
    """

    server_uri: str
    client_uri: str
    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        for name in ("server_uri", "client_uri", "username"):
            check(getattr(self, name), _TOKEN, f"trunk registration {name}")
        if _TOKEN.fullmatch(self.password) is None:  # never quoted
            raise ProvisionError(f"trunk registration password: not accepted (expected {_TOKEN.pattern})")


@dataclass(frozen=True, slots=True)
class Peer:
    """Another Asterisk of ours: its node's name, and the address of its SIP, which its calls come from."""

    node: str
    host: str
    port: int

    def __post_init__(self) -> None:
        """Refuse what cannot be written, or is no machine's address."""
        check_name(self.node, "peer")
        check_host(self.host, f"peer {self.node}")
        if ipaddress.ip_address(self.host).is_unspecified:
            raise ProvisionError(f"peer {self.node}: {self.host} is no machine's address")
        _check_port(self.port, f"peer {self.node}")


def peers_of(text: str) -> tuple[Peer, ...]:
    """Return the peers of a list such as "b=192.0.2.12:5060,c=192.0.2.13:5060"."""
    found = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PEER.fullmatch(part)
        if match is None:
            raise ProvisionError(f"peers: {part!r} is not of the form node=address:port")
        found.append(Peer(match[1], match[2], int(match[3])))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Bench:
    """A number of the trunk that is answered by Read() and Queue(), to compare costs with ours."""

    number: str = "+33536499999"
    ring_s: int = 20

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        check(self.number, _DIGITS, "bench number")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """Where one Asterisk listens and keeps its files. Paths are as Asterisk sees them.

    `trunk_match` lists (comma-separated) the addresses or networks that calls from the
    operator come from. `sounds_dir` holds <language>/<prompt>.alaw and music/hold.alaw.
    Ports are fixed numbers: the caller finds free ones. Durations named `_s` are seconds,
    since that is what the dialplan takes.
    """

    node: str = "a"
    app: str = "ivr-a"
    sip_host: str = "127.0.0.1"
    sip_port: int = 5060
    trunk_match: str = "127.0.0.2/32"
    http_host: str = "127.0.0.1"
    http_port: int = 8088
    rtp_start: int = 10_000
    rtp_end: int = 14_999
    etc_dir: str = "/etc/asterisk"
    sounds_dir: str = "/var/lib/standardiste/prompts"
    music_dir: str | None = None
    spool_dir: str = "/var/spool/asterisk"
    log_dir: str = "/var/log/asterisk"
    run_dir: str = "/var/run/asterisk"
    db_dir: str = "/var/lib/asterisk"
    ari_user: str = "ivr-a"
    watchdog_s: int = 5
    desk_ring_s: int = 20
    desk_music_s: int = 10
    qualify_s: int = 15
    verbose: int = 0
    agent_media: MediaSecurity = "rtp"
    tls: Tls | None = None
    registration: TrunkRegistration | None = None
    bench: Bench | None = None
    peers: tuple[Peer, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be written, or would open more than was meant."""
        check_name(self.node, "node")
        check_name(self.app, "app")
        check_name(self.ari_user, "ari user")
        check_host(self.sip_host, "sip host")
        check_host(self.http_host, "http host")
        for name in ("sip_port", "http_port", "rtp_start", "rtp_end"):
            _check_port(getattr(self, name), name)
        if self.rtp_start >= self.rtp_end:
            raise ProvisionError(f"rtp ports: {self.rtp_start} is not below {self.rtp_end}")
        for name in ("etc_dir", "spool_dir", "log_dir", "run_dir", "db_dir", "sounds_dir"):
            check_path(getattr(self, name), name)
        if self.music_dir is not None:
            check_path(self.music_dir, "music_dir")
        for name in ("watchdog_s", "desk_ring_s", "desk_music_s", "qualify_s"):
            if getattr(self, name) < 1:
                raise ProvisionError(f"{name}: {getattr(self, name)} is not at least 1")
        if self.trunk_networks == ():
            raise ProvisionError("trunk_match: no address")
        self._check_peers()

    def _check_peers(self) -> None:
        """Refuse peers that could be taken for one another, for us or for the trunk."""
        names = [self.node, *(peer.node for peer in self.peers)]
        hosts = [self.sip_host, *(peer.host for peer in self.peers)]
        for what, values in (("name", names), ("address", hosts)):
            if twice := next((value for value in values if values.count(value) > 1), None):
                raise ProvisionError(f"peers: two nodes have the {what} {twice!r}")
        for peer in self.peers:
            for network in self.trunk_networks:
                if ipaddress.ip_address(peer.host) in ipaddress.ip_network(network):
                    raise ProvisionError(f"peers: {peer.host} is the trunk's address (trunk_match {network})")

    @property
    def trunk_networks(self) -> tuple[str, ...]:
        """Return the addresses that are the trunk, as networks; never the whole Internet."""
        networks = []
        for part in filter(None, (piece.strip() for piece in self.trunk_match.split(","))):
            try:
                network = ipaddress.ip_network(part, strict=False)
            except ValueError as error:
                raise ProvisionError(f"trunk_match: {part!r} is not an address or network") from error
            if network.prefixlen == 0:
                raise ProvisionError(f"trunk_match: {part!r} would make everybody the trunk")
            networks.append(str(network))
        return tuple(networks)

    @property
    def music(self) -> str:
        """Return the folder of the hold music."""
        return self.music_dir if self.music_dir is not None else f"{self.sounds_dir}/music"
