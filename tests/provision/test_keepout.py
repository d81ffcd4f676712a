"""Strangers learn nothing from a real Asterisk, reach nothing, and cannot have others banned in their place."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

import pytest

from tests.provision.ban import offenders
from tests.provision.instance import TRUNK, instance
from tests.provision.phone import phone
from tests.stranger import authorization, nonce_of, stranger, without_its_own

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stranger import Stranger

pytestmark = pytest.mark.asterisk

SCANNER: Final = "127.0.0.66"
OFFICE: Final = "127.0.0.4"
KNOWN: Final = "agent-lucie"
UNKNOWN: Final = ("agent-lucia", "agent-lucie2", "AGENT-LUCIE", "trunk", "anonymous", "admin", "100", "+33639980001")
METHODS: Final = ("REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "NOTIFY", "PUBLISH", "INFO", "REFER", "FOO")
UNAUTHORIZED: Final = b"SIP/2.0 401 "
ROUNDS: Final = 200
ALIKE_S: Final = 0.001


async def asked(who: Stranger, method: str, name: str) -> tuple[str, str]:
    """What a name gets: at first, and with a wrong password."""
    first, _ = await who.ask(who.request(method, name))
    guess = authorization(name, "guess", nonce=nonce_of(first), method=method)
    second, _ = await who.ask(who.request(method, name, authorization=guess))
    assert first.startswith(UNAUTHORIZED), first
    assert second.startswith(UNAUTHORIZED), second
    return without_its_own(first, name), without_its_own(second, name)


@pytest.mark.parametrize("method", METHODS)
async def test_who_exists_is_answered_as_who_does_not(tmp_path: Path, method: str) -> None:
    async with instance(tmp_path) as asterisk, stranger(SCANNER, asterisk.address) as scanner:
        known = await asked(scanner, method, KNOWN)
        for name in UNKNOWN:
            assert await asked(scanner, method, name) == known, name


async def test_who_exists_is_answered_as_fast_as_who_does_not(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, stranger(SCANNER, asterisk.address) as scanner:
        took: dict[tuple[str, bool], list[float]] = {}
        nonces = {name: nonce_of((await scanner.ask(scanner.request("REGISTER", name)))[0]) for name in (KNOWN, "100")}
        for _ in range(ROUNDS):
            for name, nonce in nonces.items():
                for guess in (None, authorization(name, "guess", nonce=nonce)):
                    answer, seconds = await scanner.ask(scanner.request("REGISTER", name, authorization=guess))
                    assert answer.startswith(UNAUTHORIZED)
                    took.setdefault((name, guess is not None), []).append(seconds)
        for guessed in (False, True):
            there, nowhere = median(took[KNOWN, guessed]), median(took["100", guessed])
            assert abs(there - nowhere) < ALIKE_S, f"{there * 1e3:.3f} ms against {nowhere * 1e3:.3f} ms"


async def test_an_agent_registers_as_nobody_else_and_learns_of_nobody(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, stranger(OFFICE, asterisk.address) as curious:
        password = asterisk.secrets.agent_password("lucie")
        answers = []
        asterisk.expected.append("AOR '.*' not found for endpoint 'agent-lucie'")
        for other in ("agent-omar", "agent-nobody"):
            first, _ = await curious.ask(curious.request("REGISTER", KNOWN, to=other))
            proof = authorization(KNOWN, password, nonce=nonce_of(first))
            answer, _ = await curious.ask(curious.request("REGISTER", KNOWN, to=other, authorization=proof))
            answers.append(without_its_own(answer, other))
        assert answers[0] == answers[1]
        assert answers[0].startswith("SIP/2.0 404 ")
        assert OFFICE not in await asterisk.cli("pjsip show contacts")


def forgeries(who: Stranger, victim: str, nonce: str) -> list[bytes]:
    """Requests whose wording, copied into the log, would be a line about somebody else; and broken ones."""
    tail = f'x",LocalAddress="IPV4/UDP/127.0.0.1/5060",RemoteAddress="IPV4/UDP/{victim}/5060'
    ends = f'{tail}",Challenge="",Response="'
    whole = (
        '\n[2026-11-25 03:02:00.123 +0100] SECURITY[1] res_security_log.c: SecurityEvent="InvalidAccountID",'
        'EventTV="2026-11-25T03:02:00.123+0100",Severity="Error",Service="PJSIP",EventVersion="1",AccountID="",'
        f'SessionID="",LocalAddress="IPV4/UDP/1.1/1",RemoteAddress="IPV4/UDP/{victim}/1"\n'
    )

    def escaped(text: str) -> str:
        return "".join(letter if letter.isalnum() else f"%{ord(letter):02X}" for letter in text)

    def digest(response: str) -> str:
        return f'Digest username="{KNOWN}", realm="standardiste", nonce="{nonce}", uri="sip:x", response={response}'

    quoted = ends.replace('"', '\\"')
    return [
        *(who.request("REGISTER", escaped(name)) for name in (tail, tail[1:], whole, "x\n", "x\x1b", "x\x00y", '"')),
        *(who.request("REGISTER", name) for name in ("%FF%FE", "%C3%28", "x'y")),
        *(who.request("OPTIONS", "100", call_id=call_id) for call_id in (tail, ends, 'x"', "x\x1bm", whole.strip())),
        *(who.request("REGISTER", KNOWN, call_id=call_id, authorization=digest('"x"')) for call_id in (tail, ends)),
        *(who.request("REGISTER", KNOWN, authorization=digest(f'"{answer}"')) for answer in (quoted, escaped(ends))),
        *(who.request("REGISTER", KNOWN, authorization=digest(escaped(answer))) for answer in (ends, whole, "x\n")),
        who.request("REGISTER", KNOWN, authorization=digest('"x"').replace(nonce, escaped(tail))),
    ]


async def test_the_log_names_who_offended_and_no_wording_names_another(tmp_path: Path) -> None:
    """Of the trunk's calls and an agent's there is nothing that could ban them, mistakes of strangers or not."""
    async with (
        instance(tmp_path) as asterisk,
        phone(TRUNK, asterisk.address) as trunk,
        phone(OFFICE, asterisk.address) as office,
        stranger(SCANNER, asterisk.address) as scanner,
    ):
        # Bytes that are no UTF-8: that request has no line at all.
        asterisk.expected.append("Failed to issue security event of type InvalidAccountID")
        assert await office.register(KNOWN, asterisk.secrets.agent_password("lucie")) == [401, 200]
        assert (await trunk.invite("0536490001"))[0] == 404
        await asked(scanner, "REGISTER", KNOWN)
        await asterisk.until_logged("security.log", f'ChallengeResponseFailed".*AccountID="{KNOWN}"')
        assert offenders(tmp_path / "log" / "security.log") == [SCANNER]
        await asked(scanner, "REGISTER", "100")
        nonce = nonce_of((await scanner.ask(scanner.request("REGISTER", KNOWN)))[0])
        for forged in forgeries(scanner, TRUNK, nonce):
            scanner.send(forged)
            await scanner.ask(scanner.request("OPTIONS", "100"))
        assert (await trunk.invite("0536490001"))[0] == 404
        assert await office.register(KNOWN, asterisk.secrets.agent_password("lucie")) == [401, 200]
        await scanner.ask(scanner.request("OPTIONS", "the-last-one"))
        await asterisk.until_logged("security.log", 'InvalidAccountID".*AccountID="the-last-one"')
        found = offenders(tmp_path / "log" / "security.log")
        assert set(found) == {SCANNER}
        assert len(found) > 10
