"""What was seen of Asterisk, Redis, the ledger and the line, judged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.doctor.finding import Finding, decimal, plural, well, worth, wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.doctor import facts

PORTS_PER_CALL: Final = 4
"""A caller's leg and an agent's, two ports each."""
PORTS_PER_LINE: Final = 2
SLOW_MS: Final = 5.0
FULL: Final = 0.8
ANSWER_MS: Final = 2_000
PACKETS_PER_S: Final = 50
HEARD_DB: Final = -50.0
FIRST_CODEC: Final = "alaw"
WIDEBAND: Final = ("codec_g722.so", "codec_opus_open_source.so", "codec_resample.so")


def required(modules_conf: str) -> list[str]:
    """Return the modules that Asterisk's configuration requires."""
    return [line.split("=", 1)[1].strip() for line in modules_conf.splitlines() if line.startswith("require =")]


def ari(seen: facts.Asterisk) -> list[Finding]:
    """Asterisk answers us, knows our application, and the worker is connected to it."""
    if seen.problem == "password":
        return [
            wrong(
                "ari",
                f"Asterisk refuse le mot de passe de « {seen.user} »",
                seen.url,
                "systemctl restart standardiste-setup, puis : asterisk -rx 'module reload res_ari.so'",
            )
        ]
    if seen.problem:
        said = "personne n'écoute" if seen.problem == "refused" else "Asterisk ne répond pas"
        return [wrong("ari", said, seen.url, "systemctl start standardiste-asterisk ; sinon, vérifiez IVR_ARI_URL")]
    found = []
    if seen.app not in seen.apps:
        found.append(
            wrong(
                "ari",
                f"aucun standard n'est connecté sous le nom « {seen.app} » : les appels vont droit à l'accueil",
                seen.url,
                "systemctl start standardiste ; journalctl -u standardiste dit pourquoi il s'arrête",
            )
        )
    if seen.worker is None:
        found.append(
            wrong("ari", "le standard ne répond pas", seen.health, "systemctl restart standardiste, ou IVR_HTTP_BIND")
        )
    elif seen.worker.get("open") is False:
        found.append(worth("ari", "le nœud ne prend pas de nouveaux appels (drainage)", seen.health, "ivr drain --off"))
    elif not all(seen.worker.values()):
        parts = ", ".join(sorted(part for part, able in seen.worker.items() if not able))
        found.append(
            wrong("ari", f"le standard n'est pas prêt ({parts})", seen.health, "journalctl -u standardiste -n 50")
        )
    return found or [well("ari", f"répond, « {seen.app} » y est connecté", seen.url)]


def modules(seen: facts.Asterisk, wanted: Sequence[str]) -> list[Finding]:
    """Every module that is required runs."""
    if seen.problem:
        return [_unseen("modules")]
    found = [
        wrong(
            "modules",
            f"{module} ne tourne pas" if module in seen.modules else f"{module} n'est pas chargé",
            seen.url,
            f"asterisk -rx 'module load {module}'",
        )
        for module in wanted
        if not seen.modules.get(module, False)
    ]
    return found or [well("modules", f"{plural(len(wanted), 'module')}, tous en marche")]


def codecs(seen: facts.Asterisk) -> list[Finding]:
    """The trunk speaks alaw, as the prompts are stored; phones may speak more."""
    if seen.problem:
        return [_unseen("codecs")]
    render = "ivr asterisk render, puis : asterisk -rx 'module reload res_pjsip.so'"
    if seen.allowed is None:
        return [wrong("codecs", "Asterisk n'a pas de ligne d'opérateur (trunk)", "pjsip.conf", render)]
    if seen.allowed[:1] != (FIRST_CODEC,):
        what = f"l'opérateur ne parle pas d'abord {FIRST_CODEC} mais {', '.join(seen.allowed) or 'rien'}"
        return [wrong("codecs", what, "pjsip.conf", render)]
    absent = [module for module in WIDEBAND if not seen.modules.get(module, False)]
    if absent:
        what = f"sans {', '.join(absent)}, des postes en haute qualité ne pourront pas parler"
        return [worth("codecs", what, "", f"asterisk -rx 'module load {absent[0]}'")]
    return [well("codecs", f"l'opérateur parle {', '.join(seen.allowed)}")]


def rtp(seen: facts.Rtp) -> list[Finding]:
    """Enough ports for every call that the plan lets in, and nobody else on them."""
    total = seen.last - seen.first + 1
    needed = PORTS_PER_CALL * seen.max_calls
    where = f"{seen.host}, ports {seen.first} à {seen.last}"
    cure = f"IVR_RTP_PORTS={seen.first}-{seen.first + needed - 1}, puis ivr asterisk render et redémarrez Asterisk"
    if total < needed:
        what = f"{total} ports pour {plural(seen.max_calls, 'appel')} : il en faut {needed}"
        return [wrong("rtp", what, where, cure)]
    taken = total - seen.free - PORTS_PER_LINE * seen.lines
    if taken <= 0:
        return [well("rtp", f"{total} ports, assez pour {plural(seen.max_calls, 'appel')}", where)]
    what = f"d'autres programmes tiennent {plural(taken, 'port')}"
    look = f"ss -ulpn 'sport >= :{seen.first} and sport <= :{seen.last}' les montre ; arrêtez-les, ou : {cure}"
    return [(wrong if total - taken < needed else worth)("rtp", what, where, look)]


def redis(seen: facts.Redis) -> list[Finding]:
    """It answers soon, forgets nothing and throws nothing away."""
    if seen.problem:
        cure = "systemctl start redis-server@standardiste ; sinon, vérifiez IVR_REDIS_URL"
        return [wrong("redis", f"Redis ne répond pas ({seen.problem})", seen.url, cure)]
    cli = _cli(seen.url)
    found = []
    if not seen.appends:
        far = worth if seen.saves else wrong
        what = "rien n'est gardé sur disque" if not seen.saves else "seulement une copie de temps en temps sur disque"
        found.append(far("redis", f"{what} : un redémarrage oublie", seen.url, f"{cli} CONFIG SET appendonly yes"))
    elif not seen.written:
        found.append(wrong("redis", "Redis n'arrive plus à écrire sur disque", seen.url, f"{cli} INFO persistence"))
    found += _evicting("redis", seen)
    if seen.limit and seen.used > FULL * seen.limit:
        what = f"mémoire pleine à {100 * seen.used // seen.limit} %"
        found.append(worth("redis", what, seen.url, f"{cli} CONFIG SET maxmemory {2 * seen.limit}"))
    if seen.latency_ms > SLOW_MS:
        what = f"une réponse prend {seen.latency_ms:.0f} ms"
        found.append(worth("redis", what, seen.url, f"{cli} --latency ; la machine est-elle surchargée ?"))
    return found or [well("redis", f"garde tout, ne jette rien, répond en {decimal(seen.latency_ms)} ms", seen.url)]


def emergency(seen: facts.Redis | None) -> list[Finding]:
    """There is one for the time when the shared Redis is away, and it throws nothing away. It need keep nothing."""
    start = "systemctl enable --now standardiste-emergency"
    if seen is None:
        what = "il n'y en a pas : quand Redis manque, les appelants vont tous à l'accueil"
        cure = f"{start} ; IVR_EMERGENCY_REDIS_URL=unix:///run/standardiste/emergency.sock"
        return [worth("emergency", what, "", cure)]
    if seen.problem:
        return [wrong("emergency", f"il ne répond pas ({seen.problem})", seen.url, start)]
    return _evicting("emergency", seen) or [well("emergency", "prêt, ne jette rien", seen.url)]


def _evicting(section: str, seen: facts.Redis) -> list[Finding]:
    if seen.policy == "noeviction":
        return []
    what = f"quand la mémoire manque, Redis jette des appels ({seen.policy})"
    return [wrong(section, what, seen.url, f"{_cli(seen.url)} CONFIG SET maxmemory-policy noeviction")]


def _cli(url: str) -> str:
    return f"redis-cli -s {url.removeprefix('unix://')}" if url.startswith("unix:") else f"redis-cli -u {url}"


def ledger(seen: facts.Ledger) -> list[Finding]:
    """It can be opened, and has the schema that this program writes."""
    if seen.problem:
        return [wrong("ledger", seen.problem, seen.where, "Vérifiez IVR_LEDGER_URL, les droits et le serveur.")]
    if not seen.version:
        return [worth("ledger", "il n'existe pas encore", seen.where, "Le standard le crée en démarrant : ivr serve")]
    if seen.version != seen.head:
        what = f"son schéma est {seen.version}, ce programme veut {seen.head}"
        return [wrong("ledger", what, seen.where, "systemctl restart standardiste (le met à jour), ou make setup")]
    return [well("ledger", f"s'ouvre, schéma {seen.version}", seen.where)]


def call(seen: facts.Call) -> list[Finding]:
    """A caller is answered within 2 s and hears something."""
    where = f"{seen.number}, depuis {seen.address or '?'} vers {seen.server}"
    logs = "journalctl -u standardiste -u standardiste-asterisk -n 100"
    match seen.problem:
        case "no address":
            what = "aucune adresse d'opérateur n'est à cette machine : l'appel ne peut pas partir d'ici"
            cure = "Appelez le numéro d'un téléphone ; ou ajoutez 127.0.0.2/32 à IVR_TRUNK_MATCH (docs/operations.md)"
            return [worth("call", what, where, cure)]
        case "silent":
            return [wrong("call", "personne n'a répondu à l'appel", where, f"{logs} ; pare-feu ? IVR_SIP_BIND ?")]
        case "refused" if seen.status == 503:  # noqa: PLR2004 - SIP's word for a drain
            return [worth("call", "refusé (503) : le nœud est en drainage", where, "ivr drain --off")]
        case "refused":
            return [wrong("call", f"refusé ({seen.status})", where, f"ivr asterisk render ; {logs}")]
        case _:
            pass
    found = []
    if seen.answered_ms > ANSWER_MS:
        what = f"décroché après {decimal(seen.answered_ms / 1_000)} s seulement"
        found.append(wrong("call", what, where, f"Le standard est-il arrêté ou surchargé ? {logs}"))
    expected = PACKETS_PER_S * seen.listened_ms // 1_000
    if seen.packets * 2 < expected:
        what = f"{plural(seen.packets, 'paquet')} de son en {decimal(seen.listened_ms / 1_000)} s au lieu de {expected}"
        found.append(wrong("call", what, where, "Le pare-feu laisse-t-il passer IVR_RTP_PORTS ?"))
    elif seen.heard_db < HEARD_DB:
        found.append(wrong("call", "on n'entend rien", where, "ivr prompts build"))
    return found or [well("call", f"décroché en {seen.answered_ms} ms, le message d'accueil s'entend", where)]


def _unseen(section: str) -> Finding:
    return worth(section, "pas examiné : Asterisk ne répond pas", "", "Réglez d'abord ce qui est dit d'Asterisk.")
