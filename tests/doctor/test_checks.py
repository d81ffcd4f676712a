"""Each fact has its finding: nothing to do where all is well, else how bad it is and what to type."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ivr.doctor import checks, facts, servers
from ivr.doctor.command import shown
from ivr.doctor.finding import SECTIONS
from ivr.plan import load
from ivr.plan.faults import Place, fault
from ivr.provision.render import TEMPLATES
from tests.plan.folders import write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ivr.doctor.finding import Finding

pytestmark = pytest.mark.unit

MODULES = servers.required((TEMPLATES / "modules.conf").read_text(encoding="utf-8"))

ASTERISK = facts.Asterisk(
    url="http://127.0.0.1:8088/ari",
    user="ivr",
    app="ivr-a",
    version="22.10.1",
    modules=dict.fromkeys([*MODULES, *servers.WIDEBAND], True),
    apps=frozenset({"ivr-a", "ivr-doctor-1"}),
    allowed=("alaw", "ulaw"),
    worker={"asterisk": True, "plan": True, "open": True},
    health="http://127.0.0.1:8080/readyz",
)
VERSIONS = facts.Versions(
    (3, 11, 7), "22.10.1~dfsg+~cs6.15-1", "7.0.15", (facts.Package("redis", "8.1.0", "8.1.0", needed=True),), "lock"
)
RTP = facts.Rtp("127.0.0.1", 10_000, 10_799, free=796, lines=2, max_calls=200)
REDIS = facts.Redis("unix:///run/r.sock", version="7.0.15", appends=True, policy="noeviction", latency_ms=0.2)
CLOCK = facts.Clock(3.0, synchronised=True)
LEDGER = facts.Ledger("sqlite:///ledger", "r0002", version="r0002")
SECRETS = facts.Secrets("/state/secrets.json")
PROMPTS = facts.Prompts("/prompts", (), {"fr/bonjour": -16.4})
DISK = facts.Disk(("état",), "/state", 40_000_000_000, 80_000_000_000)
CALL = facts.Call(
    "+33536490000", "127.0.0.2", "127.0.0.1:5060", "", 200, answered_ms=40, packets=98, listened_ms=2_000, heard_db=-18
)


def disks(disk: facts.Disk) -> list[Finding]:
    return checks.disks([disk])


def modules(seen: facts.Asterisk) -> list[Finding]:
    return servers.modules(seen, MODULES)


@pytest.mark.parametrize(
    ("check", "seen"),
    [
        (checks.versions, VERSIONS),
        (servers.ari, ASTERISK),
        (modules, ASTERISK),
        (servers.codecs, ASTERISK),
        (servers.rtp, RTP),
        (servers.redis, REDIS),
        (servers.emergency, replace(REDIS, appends=False)),
        (checks.clock, CLOCK),
        (servers.ledger, LEDGER),
        (checks.secrets, SECRETS),
        (checks.prompts, PROMPTS),
        (disks, DISK),
        (servers.call, CALL),
    ],
)
def test_where_all_is_well_there_is_nothing_to_do(check: Callable[[Any], list[Finding]], seen: Any) -> None:
    (found,) = check(seen)
    assert (found.level, found.cure) == ("ok", "")
    assert found.section in SECTIONS
    assert found.what


OTHER_PACKAGE = (facts.Package("redis", "8.1.0", "5.0.0", needed=True),)
NO_PACKAGE = (facts.Package("redis", "8.1.0", None, needed=True), facts.Package("pytest", "9", None))
UNLOADED = {**ASTERISK.modules, "app_dial.so": False}
NARROW = {**ASTERISK.modules, "codec_g722.so": False}
UNBUILT = fault("prompt-not-built", Place("prompts.yaml", 3, 1), prompt="bonjour", language="fr")

ILL: list[tuple[Callable[[Any], list[Finding]], Any, str, str, str]] = [
    (checks.versions, replace(VERSIONS, python=(3, 10, 2)), "fault", "3.10.2", "3.11"),
    (checks.versions, replace(VERSIONS, asterisk="22.10.0"), "fault", "22.10.0", "make root"),
    (checks.versions, replace(VERSIONS, asterisk="23.0.0"), "fault", "23.0.0", "make root"),
    (checks.versions, replace(VERSIONS, redis="6.2.1"), "fault", "6.2.1", "Redis 7.0"),
    (
        checks.versions,
        replace(VERSIONS, packages=OTHER_PACKAGE),
        "warning",
        "redis 5.0.0 (prévu : 8.1.0)",
        "make setup",
    ),
    (checks.versions, replace(VERSIONS, packages=NO_PACKAGE), "fault", "il manque redis", "make setup"),
    (servers.ari, replace(ASTERISK, problem="refused"), "fault", "personne n'écoute", "systemctl start"),
    (servers.ari, replace(ASTERISK, problem="silent"), "fault", "ne répond pas", "systemctl start"),
    (servers.ari, replace(ASTERISK, problem="password"), "fault", "mot de passe", "module reload res_ari.so"),
    (servers.ari, replace(ASTERISK, apps=frozenset()), "fault", "ivr-a", "systemctl start standardiste"),
    (servers.ari, replace(ASTERISK, worker=None), "fault", "ne répond pas", "systemctl restart standardiste"),
    (servers.ari, replace(ASTERISK, worker={"asterisk": False}), "fault", "(asterisk)", "journalctl"),
    (
        servers.ari,
        replace(ASTERISK, worker={"asterisk": True, "open": False}),
        "warning",
        "drainage",
        "ivr drain --off",
    ),
    (modules, replace(ASTERISK, modules=UNLOADED), "fault", "app_dial.so ne tourne pas", "module load app_dial.so"),
    (modules, replace(ASTERISK, problem="refused"), "warning", "pas examiné", "Asterisk"),
    (servers.codecs, replace(ASTERISK, allowed=("ulaw",)), "fault", "ulaw", "ivr asterisk render"),
    (servers.codecs, replace(ASTERISK, allowed=None), "fault", "trunk", "ivr asterisk render"),
    (servers.codecs, replace(ASTERISK, modules=NARROW), "warning", "codec_g722.so", "module load codec_g722.so"),
    (servers.codecs, replace(ASTERISK, problem="refused"), "warning", "pas examiné", "Asterisk"),
    (servers.rtp, replace(RTP, last=10_798), "fault", "il en faut 800", "IVR_RTP_PORTS=10000-10799"),
    (servers.rtp, replace(RTP, free=700), "fault", "96 ports", "ss -ulpn"),
    (servers.rtp, replace(RTP, last=11_999, free=1_990), "warning", "6 ports", "ss -ulpn"),
    (servers.redis, replace(REDIS, problem="refused"), "fault", "ne répond pas", "systemctl start redis-server"),
    (servers.redis, replace(REDIS, appends=False), "fault", "rien n'est gardé", "CONFIG SET appendonly yes"),
    (servers.redis, replace(REDIS, appends=False, saves=True), "warning", "copie", "CONFIG SET appendonly yes"),
    (servers.redis, replace(REDIS, written=False), "fault", "écrire", "INFO persistence"),
    (servers.redis, replace(REDIS, policy="allkeys-lru"), "fault", "allkeys-lru", "maxmemory-policy noeviction"),
    (servers.redis, replace(REDIS, used=90, limit=100), "warning", "90 %", "maxmemory 200"),
    (servers.redis, replace(REDIS, latency_ms=40.0), "warning", "40 ms", "--latency"),
    (servers.emergency, None, "warning", "l'accueil", "systemctl enable --now standardiste-emergency"),
    (servers.emergency, replace(REDIS, problem="refused"), "fault", "refused", "standardiste-emergency"),
    (servers.emergency, replace(REDIS, policy="allkeys-lru"), "fault", "allkeys-lru", "-s /run/r.sock CONFIG SET max"),
    (checks.clock, facts.Clock(-2_500.0, synchronised=True), "warning", "2,5 s", "timedatectl"),
    (checks.clock, facts.Clock(3_600_000.0, synchronised=True), "fault", "3600,0 s", "timedatectl"),
    (checks.clock, facts.Clock(None, synchronised=False), "warning", "serveur de temps", "timedatectl set-ntp true"),
    (servers.ledger, replace(LEDGER, problem="locked"), "fault", "locked", "IVR_LEDGER_URL"),
    (servers.ledger, replace(LEDGER, version=""), "warning", "n'existe pas", "ivr serve"),
    (servers.ledger, replace(LEDGER, version="r0001"), "fault", "r0001", "systemctl restart standardiste"),
    (checks.secrets, replace(SECRETS, mode=0o644), "fault", "(0644)", "chmod 0600 /state/secrets.json"),
    (checks.secrets, replace(SECRETS, loose=(("/etc/pjsip.conf", 0o640),)), "fault", "(0640)", "chmod 0600 /etc/pjsip"),
    (checks.secrets, replace(SECRETS, weak=("ari_password",)), "fault", "ari_password", "20 signes"),
    (checks.secrets, replace(SECRETS, exposed=("processus 7 (bash)",)), "fault", "environnement", "changez ce secret"),
    (checks.secrets, replace(SECRETS, tracked=("a.json",)), "fault", "git", "git rm --cached a.json"),
    (checks.secrets, replace(SECRETS, problem="il n'y en a pas"), "fault", "pas", "standardiste-setup"),
    (checks.prompts, replace(PROMPTS, faults=(UNBUILT,)), "fault", "bonjour", "ivr prompts build"),
    (checks.prompts, replace(PROMPTS, loudness={"fr/a": -30.0}), "warning", "fr/a (-30 LUFS)", "ivr prompts build"),
    (disks, replace(DISK, free=900_000_000), "warning", "900 Mo", "du -xh"),
    (disks, replace(DISK, free=5_000_000), "fault", "5 Mo", "/state"),
    (servers.call, replace(CALL, problem="no address"), "warning", "adresse", "IVR_TRUNK_MATCH"),
    (servers.call, replace(CALL, problem="silent"), "fault", "personne", "pare-feu"),
    (servers.call, replace(CALL, problem="refused", status=404), "fault", "404", "ivr asterisk render"),
    (servers.call, replace(CALL, problem="refused", status=503), "warning", "503", "ivr drain --off"),
    (servers.call, replace(CALL, answered_ms=2_400), "fault", "2,4 s", "journalctl"),
    (servers.call, replace(CALL, packets=0), "fault", "au lieu de 100", "IVR_RTP_PORTS"),
    (servers.call, replace(CALL, heard_db=-90.0), "fault", "rien", "ivr prompts build"),
]


@pytest.mark.parametrize(("check", "seen", "level", "what", "cure"), ILL)
def test_what_is_ill_is_said_with_what_to_type(
    check: Callable[[Any], list[Finding]], seen: Any, level: str, what: str, cure: str
) -> None:
    (found,) = check(seen)
    assert (found.level, found.section in SECTIONS) == (level, True)
    assert what in found.what
    assert cure in found.cure
    printed = shown(found).plain
    assert found.what in printed
    assert f"→ {found.cure}" in printed


def test_all_faults_at_once() -> None:
    seen = replace(REDIS, appends=False, policy="volatile-ttl", latency_ms=90.0)
    assert [finding.level for finding in servers.redis(seen)] == ["fault", "fault", "warning"]


def test_a_list_of_faults_is_cut_and_counted() -> None:
    faults = [fault("prompt-not-built", Place("p"), prompt=f"p{n}", language="fr") for n in range(9)]
    found = checks.prompts(replace(PROMPTS, faults=tuple(faults)))
    assert len(found) == 6
    assert "4 autres messages" in found[-1].what


@pytest.mark.parametrize(
    ("version", "parts"),
    [("22.10.1", (22, 10, 1)), ("22.10.1~dfsg+~cs6-1", (22, 10, 1)), ("GIT-22", (22,)), ("", ())],
)
def test_the_numbers_of_a_version(version: str, parts: Sequence[int]) -> None:
    assert checks.numbers(version) == parts


def test_the_required_modules_are_those_of_the_configuration() -> None:
    assert {"chan_pjsip.so", "res_ari.so", "app_stasis.so"} <= set(MODULES)
    assert "res_srtp.so" not in MODULES
    assert len(MODULES) > 50


def test_a_plan_that_is_sound_and_one_that_is_not(tmp_path: Path) -> None:
    sound = load(write(tmp_path))
    assert sound.plan is not None
    assert [finding.level for finding in checks.plan(sound.plan, ())] == ["ok"]
    (behind,) = checks.plan(sound.plan, (), "plan", 3)
    assert (behind.level, behind.where) == ("warning", "plan")
    assert "version 3" in behind.what
    assert "ivr plan publish" in behind.cure
    (tmp_path / "menu.yaml").write_text("root: [", encoding="utf-8")
    broken = load(tmp_path)
    found = checks.plan(broken.plan, broken.faults)
    assert found
    assert found[0].level == "fault"
    assert "menu.yaml:1:" in found[0].where
    assert found[0].cure
