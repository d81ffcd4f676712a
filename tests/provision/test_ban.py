"""Who is banned by our log, and who never is, whatever strangers write into it; what the firewall lets through."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Final

import pytest

from tests.provision.ban import BAN, offenders

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit

SCANNER: Final = "203.0.113.66"
VICTIM: Final = "127.0.0.2"
DATE: Final = "[2026-11-25 03:02:00.123 +0100] "
SHORT: Final = "SECURITY[1] res_security_log.c: "
NUMBERS: Final = 'Severity="Error",Service="PJSIP",EventVersion="1"'
WHEN: Final = 'EventTV="2026-11-25T03:02:00.123+0100"'
US: Final = 'LocalAddress="IPV4/UDP/192.0.2.1/5060"'


def line(event: str, account: str = "100", call: str = "abc", who: str = SCANNER, tail: str = "") -> str:
    """One line of security.log, as Asterisk writes it: no word is escaped."""
    return (
        f'{DATE}{SHORT}SecurityEvent="{event}",{WHEN},{NUMBERS},AccountID="{account}",SessionID="{call}",{US},'
        f'RemoteAddress="IPV4/UDP/{who}/5060"{tail}'
    )


def answered(challenge: str = "n", response: str = "r") -> str:
    return f',Challenge="{challenge}",Response="{response}",ExpectedResponse=""'


def banned(tmp_path: Path, *lines: str) -> list[str]:
    log = tmp_path / "security.log"
    log.write_text("\n".join(lines) + "\n")
    return offenders(log)


def test_who_guesses_names_or_passwords_is_an_offender(tmp_path: Path) -> None:
    lines = [line("InvalidAccountID"), line("InvalidAccountID", account="")]
    lines += [line("ChallengeResponseFailed", account="agent-awa", tail=answered())]
    lines += [line("InvalidAccountID", who="2001:db8::66").replace("IPV4/UDP/2", "IPV6/TCP/2")]
    lines += [line("InvalidAccountID").replace("SECURITY[1]", "SECURITY[42][C-0000002a]")]
    assert banned(tmp_path, *lines) == [SCANNER, SCANNER, SCANNER, "2001:db8::66", SCANNER]


def test_who_is_asked_for_a_password_or_has_given_it_is_not(tmp_path: Path) -> None:
    fine = [line("ChallengeSent", tail=',Challenge="n"'), line("SuccessfulAuth", tail=',UsingPassword="1"')]
    fine = [text.replace('"Error"', '"Informational"') for text in fine]
    assert banned(tmp_path, *fine) == []


FORGED: Final = f'x",{US},RemoteAddress="IPV4/UDP/{VICTIM}/5060'


@pytest.mark.parametrize(
    "forged",
    [
        line("InvalidAccountID", account=FORGED),
        line("InvalidAccountID", call=FORGED),
        line("InvalidAccountID", call=f'{FORGED}"\\n'),
        line("ChallengeResponseFailed", call=FORGED, tail=answered()),
        line("ChallengeResponseFailed", call=f'{FORGED}",Challenge="', tail=answered()),
        line("ChallengeResponseFailed", tail=answered(response=f'{FORGED}"{answered(response="")[:-22]}')),
        line("ChallengeResponseFailed", tail=answered(challenge=FORGED)),
        line("InvalidAccountID", call="RemoteAddress") + f',RemoteAddress="IPV4/UDP/{VICTIM}/5060"',
    ],
)
def test_no_wording_has_another_banned(tmp_path: Path, forged: str) -> None:
    assert set(banned(tmp_path, forged)) <= {SCANNER}


def test_a_whole_forged_line_does_not_fit_into_what_asterisk_copies(tmp_path: Path) -> None:
    """Line ends pass through it: 36 characters of a name, 255 of a digest's answer. More it does not copy."""
    whole = line("InvalidAccountID", account="", call="", who=VICTIM).replace("192.0.2.1/5060", "1.1/1")
    assert banned(tmp_path, whole) == [VICTIM]
    assert len("\n" + whole + "\n") > 255
    cut = ("\n" + whole)[:255]
    assert banned(tmp_path, *line("ChallengeResponseFailed", tail=answered(response=cut)).split("\n")) == []


def test_the_jail_names_our_filter_and_asks_whom_to_spare() -> None:
    jail = (BAN / "fail2ban-jail.conf").read_text()
    assert "filter = standardiste\n" in jail
    assert 'protocol="udp,tcp"' in jail
    spared = re.search(r"^ignoreip = (.*)$", jail, re.MULTILINE)
    assert spared is not None
    assert len(spared[1].split()) == 4


# The firewall

NFT: Final = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
SCENE: Final = """
import json, socket, subprocess, sys

nft, rules = sys.argv[1:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run([nft, "-f", "-"], input=rules, text=True, check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 5060))
server.setblocking(False)
got = dict.fromkeys(("127.0.0.2", "127.0.0.4", "127.0.0.66", "127.0.0.67"), 0)
sent = [("127.0.0.2", 500), ("127.0.0.4", 500), ("127.0.0.66", 500), ("127.0.0.67", 40), ("127.0.0.66", 40)]
for host, count in sent:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind((host, 0))
    for _ in range(count):
        client.sendto(b"REGISTER", ("127.0.0.1", 5060))
        try:
            while True:
                got[server.recvfrom(100)[1][0]] += 1
        except BlockingIOError:
            pass
banned = json.loads(subprocess.run([nft, "-j", "list", "set", "inet", "standardiste", "banned"],
                                   check=True, capture_output=True).stdout)
(held,) = (row["set"] for row in banned["nftables"] if "set" in row)
print(json.dumps({"got": got, "banned": [row["elem"]["val"] for row in held.get("elem", [])]}))
"""


def rules() -> str:
    text = (BAN / "standardiste.nft").read_text()
    for example, own in (("192.0.2.10/32", "127.0.0.2/32"), ("198.51.100.0/24", "127.0.0.4/32")):
        assert text.count(example) == 1
        text = text.replace(example, own)
    return text


@pytest.fixture
def alone() -> list[str]:
    """The beginning of a command that runs in a network of its own."""
    if NFT is None:
        pytest.skip("nft is not installed (Debian: nftables)")
    words = ["unshare", "--net"]
    made = subprocess.run([*words, NFT, "list", "ruleset"], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no firewall of our own to try it on: {made.stderr.strip()}")
    return words


def test_the_firewalls_example_is_accepted(alone: list[str]) -> None:
    assert NFT is not None
    checked = subprocess.run(
        [*alone, NFT, "-c", "-f", str(BAN / "standardiste.nft")], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_strangers_flood_is_cut_off_and_nobody_else(alone: list[str]) -> None:
    if shutil.which("ip") is None:
        pytest.skip("ip is not installed (Debian: iproute2)")
    assert NFT is not None
    scene = [sys.executable, "-c", textwrap.dedent(SCENE), NFT, rules()]
    played = subprocess.run([*alone, *scene], capture_output=True, text=True, check=False)
    assert played.returncode == 0, played.stderr
    seen = json.loads(played.stdout)
    assert seen["banned"] == ["127.0.0.66"]
    assert (seen["got"]["127.0.0.2"], seen["got"]["127.0.0.4"], seen["got"]["127.0.0.67"]) == (500, 500, 40)
    assert 50 <= seen["got"]["127.0.0.66"] <= 80
