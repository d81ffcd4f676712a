"""Asterisk's whole configuration, from the templates, the call plan, the secrets and the options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.provision import peers, sections
from ivr.provision.files import differs, write_atomically
from ivr.provision.options import Bench, Peer, ProvisionError, RenderOptions, Tls, TrunkRegistration, bind, peers_of
from ivr.provision.template import fill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivr.core.plan import Plan
    from ivr.provision.secrets import Secrets

__all__ = [
    "Bench",
    "Peer",
    "ProvisionError",
    "Reload",
    "RenderOptions",
    "Tls",
    "TrunkRegistration",
    "compose",
    "peers_of",
    "reload_of",
    "render",
]

TEMPLATES: Final = Path(__file__).resolve().parents[2] / "asterisk-config"
_SECRET: Final = frozenset({"ari.conf", "pjsip.conf"})
_SECRET_MODE: Final = 0o600
_MODE: Final = 0o644

# Reloading any of these leaves every call as it is. An unlisted file takes a restart.
_RELOADS: Final = {
    "acl.conf": "module reload acl",
    "ari.conf": "module reload res_ari.so",
    "extensions.conf": "dialplan reload",
    "features.conf": "module reload features",
    "indications.conf": "module reload indications",
    "logger.conf": "logger reload",
    "musiconhold.conf": "moh reload",
    # res_pjsip alone leaves the addresses of the trunk as they were.
    "pjsip.conf": "module reload res_pjsip.so res_pjsip_authenticator_digest.so res_pjsip_endpoint_identifier_ip.so",
    "rtp.conf": "module reload res_rtp_asterisk.so",
    "queues.conf": "queue reload all",
}
_REGISTRATION_RELOAD: Final = "module reload res_pjsip_outbound_registration.so"


@dataclass(frozen=True, slots=True)
class Reload:
    """What brings changed files into force: commands for `asterisk -rx`, and files that wait for a restart."""

    commands: tuple[str, ...]
    restart: tuple[str, ...]


def compose(plan: Plan, secrets: Secrets, options: RenderOptions, templates: Path = TEMPLATES) -> dict[str, str]:
    """Return the text of every configuration file by name; nothing is written.

    Raises `ProvisionError` when a template, the plan or an option does not fit.
    """
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(templates.glob("*.conf"))}
    if not sources:
        raise ProvisionError(f"{templates}: no template")
    said = plan.announcements
    values = {
        "NODE": options.node,
        "APP": options.app,
        "ETC": options.etc_dir,
        "DB": options.db_dir,
        "SPOOL": options.spool_dir,
        "LOG": options.log_dir,
        "RUN": options.run_dir,
        "VERBOSE": f",verbose({options.verbose})" if options.verbose else "",
        "HTTP_HOST": options.http_host,
        "HTTP_PORT": str(options.http_port),
        "ARI_USERS": sections.ari_users(secrets, options),
        "RTP_START": str(options.rtp_start),
        "RTP_END": str(options.rtp_end),
        "SIP_BIND": bind(options.sip_host, options.sip_port),
        "REALM": sections.REALM,
        "TLS_TRANSPORT": sections.tls_transport(options),
        "TRUNK_MATCH": sections.trunk_matches(options),
        "TRUNK_REGISTRATION": sections.trunk_registration(options),
        "PEERS": peers.endpoints(secrets, options, sections.REALM, sections.media(options)),
        "MEDIA": sections.media(options),
        "AGENT_MEDIA": sections.agent_media(options),
        "QUALIFY": str(options.qualify_s),
        "AGENTS": sections.agents(plan, secrets),
        "MUSIC": options.music,
        "EXTRA_MODULES": sections.extra_modules(options),
        "NUMBERS": sections.numbers(plan, options),
        "WATCHDOG": str(options.watchdog_s),
        "TAKEN": str(3 * options.watchdog_s),
        "DESK_RING": str(options.desk_ring_s),
        "DESK_MUSIC": str(options.desk_music_s),
        "DESK_PHONES": sections.desk_phones(plan),
        "MESSAGE_MAX": str(max(1, plan.message_max_ms // 1000)),
        "SAY_FALLBACK": sections.sound(plan, options, said.fallback),
        "SAY_MESSAGE": sections.sound(plan, options, said.fallback_message),
        "SAY_KEPT": sections.sound(plan, options, said.fallback_kept),
        "CODES": sections.codes(plan),
        "CODE": sections.code_context(plan, options),
        "FROM_NODES": peers.dialplan(plan, options),
        "BENCH_QUEUE": sections.bench_queue(plan, options),
        "BENCH": sections.bench_dialplan(plan, options),
    }
    return fill(sources, values)


def render(plan: Plan, secrets: Secrets, options: RenderOptions, out: Path, templates: Path = TEMPLATES) -> list[Path]:
    """Write every file that differs into `out`, each in one rename; return those changed, sorted.

    Nothing is written unless everything can be composed. Files that hold secrets
    are readable by their owner alone. Files of others in `out` are left alone.
    """
    texts = compose(plan, secrets, options, templates)
    out.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in sorted(texts.items()):
        mode = _SECRET_MODE if name in _SECRET else _MODE
        path = out / name
        if differs(path, text, mode):
            write_atomically(path, text, mode)
            changed.append(path)
    return changed


def reload_of(changed: Iterable[Path], options: RenderOptions) -> Reload:
    """Return what brings the changed files into force without touching calls."""
    names = sorted({path.name for path in changed})
    commands = [_RELOADS[name] for name in names if name in _RELOADS]
    if "queues.conf" in names and options.bench is None:
        commands.remove(_RELOADS["queues.conf"])
    if "pjsip.conf" in names and options.registration is not None:
        commands.append(_REGISTRATION_RELOAD)
    return Reload(commands=tuple(commands), restart=tuple(name for name in names if name not in _RELOADS))
