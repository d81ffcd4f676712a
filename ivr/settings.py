"""Settings of one worker: `IVR_*` variables, or the same names in an env file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict
from yarl import URL

Transport = Literal["ws", "http"]
MediaSecurity = Literal["rtp", "srtp"]


class Settings(BaseSettings):
    """What a worker must know of the place it runs in; docs/settings.md is made from this."""

    model_config = SettingsConfigDict(env_prefix="IVR_", env_file=".env", extra="ignore", frozen=True)

    plan: Annotated[Path, Field(description="folder of the call plan")] = Path("dialplan/pessac")
    node: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9]{0,15}$", description="name of the Asterisk node that this worker serves")
    ] = "a"
    ari_url: Annotated[str, Field(description="base address of ARI")] = "http://127.0.0.1:8088/ari"
    ari_user: Annotated[
        str,
        Field(
            default_factory=lambda known: f"ivr-{known.get('node', 'a')}",
            description="ARI user; unset: `ivr-` and the name of the node",
        ),
    ]
    ari_transport: Annotated[Transport, Field(description="REST over the events websocket, or over HTTP")] = "ws"
    redis_url: Annotated[
        str,
        Field(
            repr=False, description="Redis; `unix:///path` and `redis+sentinel://host:port,host:port/primary` work too"
        ),
    ] = "redis://127.0.0.1:6379/0"
    emergency_redis_url: Annotated[
        str,
        Field(
            repr=False,
            description="this node's own Redis, which has its calls while the shared one is away; "
            "empty: callers go to the general desk then",
        ),
    ] = ""
    ledger_url: Annotated[
        str,
        Field(repr=False, description="the ledger: postgresql://… or sqlite:///…; empty: SQLite in the state folder"),
    ] = ""
    state_dir: Annotated[Path, Field(description="folder of secrets, prompts and the ledger")] = Path(".run/state")
    sounds_dir: Annotated[
        str, Field(description="folder of the built prompts, as Asterisk sees it; empty: <state_dir>/prompts")
    ] = ""
    piper: Annotated[str, Field(description="the `piper` program, which speaks where it has a voice")] = "piper"
    piper_voice: Annotated[
        str,
        Field(
            pattern=r"^([^=,]*|([a-z]{2,3}=[^=,]+(,\s*|$))+)$",
            description="voices (.onnx), `fr=/srv/fr.onnx,en=/srv/en.onnx`, or one path for the site's own language; "
            "pico speaks the others",
        ),
    ] = ""
    http_bind: Annotated[str, Field(pattern=r"^[0-9.]+:\d+$", description="/healthz, /readyz and /metrics")] = (
        "127.0.0.1:8080"
    )
    sip_bind: Annotated[
        str, Field(pattern=r"^[0-9.]+:\d+$", description="SIP address of Asterisk (`ivr asterisk render`, `make run`)")
    ] = "127.0.0.1:5060"
    rtp_ports: Annotated[
        str,
        Field(
            pattern=r"^\d+-\d+$",
            description="UDP ports of Asterisk's audio (`ivr asterisk render`), two for each leg of a call",
        ),
    ] = "10000-14999"
    trunk_match: Annotated[str, Field(description="addresses (CIDR) that the trunk calls from")] = "127.0.0.2/32"
    trunk_register: Annotated[
        str,
        Field(description="server to register with, `sip:operator.example` (`ivr asterisk render`); empty: none"),
    ] = ""
    trunk_register_user: Annotated[str, Field(description="our user there, for the digest")] = ""
    trunk_register_password: Annotated[str, Field(repr=False, description="and its password")] = ""
    trunk_register_as: Annotated[
        str, Field(description="the address that is registered; empty: `sip:` and the user at that server")
    ] = ""
    tls_cert: Annotated[
        str,
        Field(
            description="certificate (PEM, as Asterisk sees it): phones can use SIP over TLS (`ivr asterisk render`); "
            "empty: off"
        ),
    ] = ""
    tls_key: Annotated[str, Field(description="its private key (PEM, as Asterisk sees it)")] = ""
    tls_port: Annotated[int, Field(ge=1, le=65_535, description="TCP port of SIP over TLS, on the address of SIP")] = (
        5061
    )
    agent_media: Annotated[
        MediaSecurity,
        Field(
            description="audio of the agents' phones: `rtp`, or `srtp` with keys that travel in SIP, so over TLS "
            "(`ivr asterisk render`)"
        ),
    ] = "rtp"
    peers: Annotated[
        str,
        Field(
            pattern=r"^([a-z][a-z0-9]{0,15}=[0-9.]+:\d+(,\s*|$))*$",
            description="our other nodes and their SIP addresses, `b=192.0.2.12:5060,c=…` (`ivr asterisk render`): "
            "docs/nodes.md",
        ),
    ] = ""
    recordings: Annotated[
        str,
        Field(
            description="folder that gets a file of every call's inputs (keys pressed, no sound, number masked), "
            "for `ivr replay`; empty: none is written"
        ),
    ] = ""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="least level logged")] = "info"
    wrap_ms: Annotated[
        int | None, Field(ge=0, description="wrap-up of an agent after a talk, ms; none: as the plan says")
    ] = None

    @property
    def app(self) -> str:
        """Return the name of the ARI application: the node's."""
        return f"ivr-{self.node}"

    @property
    def ari_port(self) -> int:
        """Return the port of ARI, from its address."""
        return URL(self.ari_url).port or 8088

    @property
    def sounds(self) -> str:
        """Return the folder of the prompts as Asterisk sees it."""
        return self.sounds_dir or str((self.state_dir / "prompts").absolute())

    def piper_voice_of(self, language: str, own: str) -> str:
        """Return Piper's voice for a language, empty if it has none; `own` is the site's, which a mere path is for."""
        given: dict[str, str] = {}
        for part in self.piper_voice.split(","):
            name, _, path = part.strip().rpartition("=")
            given[name or own] = path
        return given.get(language, "")

    @property
    def secrets_file(self) -> Path:
        """Return the file of the generated secrets."""
        return self.state_dir / "secrets.json"

    @property
    def journal(self) -> Path:
        """Return the folder of the promises that wait for the ledger."""
        return self.state_dir / "journal"

    @property
    def ledger(self) -> str:
        """Return the ledger's address."""
        return self.ledger_url or f"sqlite+aiosqlite:///{(self.state_dir / 'ledger.sqlite').absolute()}"


def table() -> str:
    """Return every setting as a Markdown table: variable, default, meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None, PydanticUndefined) else f"`{field.default}`"
        rows.append(f"| `IVR_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"
