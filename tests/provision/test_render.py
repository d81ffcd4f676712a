"""What is written, when, and what is refused; no Asterisk needed."""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ivr.core.plan import Agent, AgentId, PauseReason, PromptId
from ivr.provision.render import (
    TEMPLATES,
    Bench,
    Peer,
    ProvisionError,
    RenderOptions,
    Tls,
    TrunkRegistration,
    compose,
    peers_of,
    reload_of,
    render,
)
from ivr.provision.secrets import Secrets
from ivr.provision.sections import desk, number_forms
from ivr.provision.template import fill
from tests.provision.plans import codes, small_plan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets.load_or_create(tmp_path / "secrets.json")


def section(text: str, name: str, kind: str = "") -> str:
    """Return the body of a section of a configuration file."""
    found = re.search(rf"^\[{re.escape(name)}\]{re.escape(kind)}\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found.group(1)


def test_every_template_is_written_and_no_placeholder_is_left(tmp_path: Path, secrets: Secrets) -> None:
    out = tmp_path / "etc"
    changed = render(small_plan(), secrets, RenderOptions(), out)
    assert [path.name for path in changed] == sorted(path.name for path in TEMPLATES.glob("*.conf"))
    assert sorted(out.iterdir()) == changed
    assert not [path.name for path in changed if "@{" in path.read_text()]


def test_only_what_differs_is_written_again(tmp_path: Path, secrets: Secrets) -> None:
    out = tmp_path / "etc"
    plan = small_plan()
    render(plan, secrets, RenderOptions(), out)
    assert render(plan, secrets, RenderOptions(), out) == []
    (out / "rtp.conf").write_text("touched by hand")
    (out / "pjsip.conf").chmod(0o644)
    assert [path.name for path in render(plan, secrets, RenderOptions(), out)] == ["pjsip.conf", "rtp.conf"]
    moved = render(small_plan(numbers=("+33536490007",)), secrets, RenderOptions(), out)
    assert [path.name for path in moved] == ["extensions.conf"]


def test_nothing_is_written_when_something_does_not_fit(tmp_path: Path, secrets: Secrets) -> None:
    out = tmp_path / "etc"
    with pytest.raises(ProvisionError, match="prompt"):
        render(
            small_plan(announcements=replace(small_plan().announcements, fallback=PromptId("a,b"))),
            secrets,
            RenderOptions(),
            out,
        )
    assert not out.exists()


def test_files_with_secrets_are_for_their_owner_alone(tmp_path: Path, secrets: Secrets) -> None:
    out = tmp_path / "etc"
    render(small_plan(), secrets, RenderOptions(), out)
    passwords = [secrets.ari_password, *(secrets.agent_password(agent) for agent in small_plan().agents)]
    for path in out.iterdir():
        secret = path.name in {"ari.conf", "pjsip.conf"}
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if secret else 0o644)
        assert [word for word in passwords if word in path.read_text()] == (
            [secrets.ari_password] if path.name == "ari.conf" else []
        )


def test_while_passwords_are_being_changed_both_are_accepted(secrets: Secrets) -> None:
    first, lucie = secrets.ari_password, secrets.agent_password("lucie")
    secrets.rotate_ari()
    secrets.rotate_agents(["lucie"])
    texts = compose(small_plan(), secrets, RenderOptions(ari_user="ivr-b"))
    users = re.findall(r"^\[(\S+)\]\ntype = user\n(?:.*\n)*?password = (.*)$", texts["ari.conf"], re.MULTILINE)
    assert users == [("ivr-b-1", secrets.ari_password), ("ivr-b", first)]
    sip = texts["pjsip.conf"]
    assert section(sip, "agent-lucie", "(agent-endpoint)").startswith("auth = agent-lucie,former-agent-lucie\n")
    for name, word in (("agent-lucie", secrets.agent_password("lucie")), ("former-agent-lucie", lucie)):
        auth = section(sip, name, "(agent-auth)")
        assert "username = agent-lucie\n" in auth
        assert hashlib.md5(f"agent-lucie:standardiste:{word}".encode()).hexdigest() in auth
    assert "former-agent-omar" not in sip
    secrets.retire()
    texts = compose(small_plan(), secrets, RenderOptions(ari_user="ivr-b"))
    assert "former-" not in texts["pjsip.conf"]
    assert first not in texts["ari.conf"]


def test_agents_are_generated_from_the_plan(secrets: Secrets) -> None:
    text = compose(small_plan(), secrets, RenderOptions())["pjsip.conf"]
    for agent in ("lucie", "omar", "zoe"):
        name = f"agent-{agent}"
        hashed = hashlib.md5(f"{name}:standardiste:{secrets.agent_password(agent)}".encode()).hexdigest()
        assert section(text, name, "(agent-endpoint)").split("\n")[:2] == [f"auth = {name}", f"aors = {name}"]
        assert f"password_digest = MD5:{hashed}" in section(text, name, "(agent-auth)")
        section(text, name, "(agent-aor)")
    assert "max_contacts = 1" in section(text, "agent-aor", "(!)")
    assert "device_state_busy_at = 1" in section(text, "agent-endpoint", "(!)")


def test_the_trunk_is_its_address_and_nothing_can_register_as_it(secrets: Secrets) -> None:
    text = compose(small_plan(), secrets, RenderOptions(trunk_match="127.0.0.2, 192.0.2.0/24"))["pjsip.conf"]
    trunk = section(text, "trunk")
    assert "identify_by = ip\n" in trunk
    assert not re.search(r"^(aors|auth|outbound_auth) *=", trunk, re.MULTILINE)
    assert "match = 127.0.0.2/32\nmatch = 192.0.2.0/24\n" in text
    assert "anonymous" not in re.sub(r"^;.*$", "", text, flags=re.MULTILINE)


def test_a_name_cannot_write_configuration(secrets: Secrets) -> None:
    agent = Agent(AgentId("eve"), "Eve\n[admin]\ntype=endpoint ; <x>", ())
    text = compose(small_plan(agents={**small_plan().agents, agent.id: agent}), secrets, RenderOptions())["pjsip.conf"]
    assert "; Eve admin type endpoint x\n" in text
    assert "[admin]" not in text
    for bad in ("e ve", "a]b", "", "e\nve"):
        evil = Agent(AgentId(bad), "Eve", ())
        with pytest.raises(ProvisionError, match="agent"):
            compose(small_plan(agents={**small_plan().agents, evil.id: evil}), secrets, RenderOptions())


@pytest.mark.parametrize(
    ("number", "forms"),
    [
        ("+33536490000", ("+33536490000", "33536490000", "0033536490000", "0536490000")),
        ("+3225550199", ("+3225550199", "3225550199", "003225550199", "025550199")),
    ],
)
def test_the_forms_of_a_number(number: str, forms: tuple[str, ...]) -> None:
    assert number_forms(number) == forms


def test_every_form_leads_to_the_same_caller_extension(secrets: Secrets) -> None:
    text = section(compose(small_plan(), secrets, RenderOptions())["extensions.conf"], "from-trunk")
    assert re.findall(r"^exten => (\S+?),1,Goto\(caller,33536490000,1\)$", text, re.MULTILINE) == list(
        number_forms("+33536490000")
    )


@pytest.mark.parametrize("number", ["0536490000", "+33 5", "_X.", "+33536490000,1,System(x)"])
def test_a_number_that_is_not_e164_is_refused(secrets: Secrets, number: str) -> None:
    with pytest.raises(ProvisionError, match="number"):
        compose(small_plan(numbers=(number,)), secrets, RenderOptions())


def test_the_desk_is_every_agent_of_the_general_topic_once(secrets: Secrets) -> None:
    plan = small_plan()
    assert [agent.id for agent in desk(plan)] == ["lucie", "omar"]
    text = compose(plan, secrets, RenderOptions())["extensions.conf"]
    assert re.findall(r"DEVICE_STATE\(PJSIP/([a-z-]+)\)", text) == ["agent-lucie", "agent-omar"]


def test_agents_have_the_codes_of_the_plan_and_no_other(secrets: Secrets) -> None:
    text = compose(small_plan(**codes()), secrets, RenderOptions())["extensions.conf"]
    dialled = re.findall(r"^exten => (.+?),1,(.*)$", section(text, "from-agents"), re.MULTILINE)
    assert dialled == [
        *((f"*{code}", f"Goto(code,{code},1)") for code in ("1", "21", "22", "31", "4")),
        ("_[+*#0-9a-zA-Z]!", "Hangup(21)"),
    ]
    assert "; Réunion x\n" in text
    way = section(text, "code")
    assert "Stasis(ivr-a,code,${EXTEN},${CHANNEL(endpoint)})" in way
    assert "Playback(/var/lib/standardiste/prompts/fr/fallback_kept)" in way
    assert "CALLERID" not in way


def test_a_plan_without_sentences_has_no_codes(secrets: Secrets) -> None:
    text = compose(small_plan(**codes() | {"agent_sentences": None}), secrets, RenderOptions())["extensions.conf"]
    assert "[code]" not in text
    assert re.findall(r"^exten => (.+?),", section(text, "from-agents"), re.MULTILINE) == ["_[+*#0-9a-zA-Z]!"]


def test_a_code_cannot_write_configuration(secrets: Secrets) -> None:
    evil = PauseReason("1,1,System(x)\n", "x", "X", 60_000, PromptId("x"))
    with pytest.raises(ProvisionError, match="code"):
        compose(small_plan(**codes() | {"pauses": {evil.key: evil}}), secrets, RenderOptions())


def test_options_that_are_off_leave_nothing_behind(secrets: Secrets) -> None:
    texts = compose(small_plan(), secrets, RenderOptions())
    bare = {name: re.sub(r"^\s*;.*$", "", text, flags=re.MULTILINE) for name, text in texts.items()}
    assert "protocol = tls" not in bare["pjsip.conf"]
    assert "registration" not in bare["pjsip.conf"]
    assert "Queue(" not in bare["extensions.conf"]
    assert "app_queue" not in bare["modules.conf"]
    assert "outbound" not in bare["modules.conf"]


def test_options_that_are_on(secrets: Secrets) -> None:
    options = RenderOptions(
        tls=Tls(5061, "/etc/ssl/mairie.pem", "/etc/ssl/mairie.key"),
        registration=TrunkRegistration("sip:operator.example", "sip:mairie@operator.example", "mairie", "pass"),
        bench=Bench(),
        agent_media="srtp",
        sip_host="::1",
        verbose=3,
    )
    texts = compose(small_plan(), secrets, options)
    assert "bind = [::1]:5061\n" in texts["pjsip.conf"]
    assert "client_uri = sip:mairie@operator.example\n" in texts["pjsip.conf"]
    assert "media_encryption = sdes\n" in texts["pjsip.conf"]
    assert "member => PJSIP/agent-zoe" in texts["queues.conf"]
    assert "Goto(bench,33536499999,1)" in texts["extensions.conf"]
    assert ",verbose(3)\n" in texts["logger.conf"]
    with pytest.raises(ProvisionError, match="would mean both"):
        compose(small_plan(), secrets, replace(options, bench=Bench(number="+330536490000")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"node": "a b"},
        {"app": "ivr,x"},
        {"trunk_match": ""},
        {"trunk_match": "0.0.0.0/0"},
        {"trunk_match": "sip.operator.example"},
        {"sip_host": "localhost"},
        {"sip_port": 0},
        {"rtp_start": 20_000, "rtp_end": 20_000},
        {"spool_dir": "relative"},
        {"sounds_dir": "/a,b"},
        {"log_dir": "/a;b"},
        {"music_dir": "/a b"},
        {"watchdog_s": 0},
    ],
)
def test_options_that_cannot_be_written_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProvisionError):
        RenderOptions(**wrong)


def test_a_registration_cannot_write_configuration() -> None:
    with pytest.raises(ProvisionError, match="password") as refused:
        TrunkRegistration("sip:a", "sip:b", "c", "hunter2\n[x]")
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(TrunkRegistration("sip:a", "sip:b", "c", "hunter2"))


def test_placeholders_are_known_and_values_are_used() -> None:
    assert fill({"a.conf": "x=@{X}\n"}, {"X": "1"}) == {"a.conf": "x=1\n"}
    with pytest.raises(ProvisionError, match=r"a\.conf:2: unknown placeholder @\{Y\}; unused value Z"):
        fill({"a.conf": "@{X}\n@{Y}"}, {"X": "1", "Z": "2"})


def test_reloads_touch_no_call_and_the_rest_waits_for_a_restart(tmp_path: Path) -> None:
    names = ("modules.conf", "pjsip.conf", "extensions.conf", "musiconhold.conf", "queues.conf")
    changed = [tmp_path / name for name in names]
    found = reload_of(changed, RenderOptions())
    assert found.restart == ("modules.conf",)
    assert found.commands[0] == "dialplan reload"
    assert not [command for command in found.commands if "restart" in command or "queue" in command]
    richer = RenderOptions(
        bench=Bench(), registration=TrunkRegistration("sip:operator.example", "sip:m@operator.example", "m", "p")
    )
    assert {"queue reload all", "module reload res_pjsip_outbound_registration.so"} <= set(
        reload_of(changed, richer).commands
    )


def test_every_file_is_either_reloaded_or_restarted() -> None:
    found = reload_of(TEMPLATES.glob("*.conf"), RenderOptions(bench=Bench()))
    assert len(found.commands) + len(found.restart) == len(list(TEMPLATES.glob("*.conf")))


def test_audio_is_bound_to_the_address_of_sip(secrets: Secrets) -> None:
    bound = "media_address = 192.0.2.7\nbind_rtp_to_media_address = yes\n"
    assert compose(small_plan(), secrets, RenderOptions(sip_host="192.0.2.7"))["pjsip.conf"].count(bound) == 2
    for everywhere in ("0.0.0.0", "::"):
        assert "media_address =" not in compose(small_plan(), secrets, RenderOptions(sip_host=everywhere))["pjsip.conf"]


PEERS = (Peer("b", "192.0.2.12", 5060), Peer("c", "192.0.2.13", 5070))


def test_a_node_alone_knows_no_other(secrets: Secrets) -> None:
    texts = compose(small_plan(), secrets, RenderOptions())
    bare = {name: re.sub(r"^\s*;.*$", "", text, flags=re.MULTILINE) for name, text in texts.items()}
    assert not [name for name, text in bare.items() if "node-" in text or "from-nodes" in text]
    assert "outbound" not in bare["modules.conf"]


def test_a_peer_is_its_address_and_a_password(secrets: Secrets) -> None:
    texts = compose(small_plan(), secrets, RenderOptions(node="a", peers=PEERS))
    text = texts["pjsip.conf"]
    for peer in PEERS:
        name = f"node-{peer.node}"
        bodies = re.findall(rf"^\[{name}\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
        kinds = {re.findall(r"^type = (\w+)", body, re.MULTILINE)[0]: body for body in bodies}
        assert set(kinds) == {"endpoint", "identify", "auth", "aor"}
        assert f"match = {peer.host}\n" in kinds["identify"]
        assert f"contact = sip:{peer.host}:{peer.port}\n" in kinds["aor"]
        wanted = ("identify_by = ip", "context = from-nodes", "allow = alaw", "allow_transfer = no", "rtp_timeout = 60")
        for line in wanted:
            assert f"{line}\n" in kinds["endpoint"], line
        hashed = hashlib.md5(f"{name}:standardiste:{secrets.node_password}".encode()).hexdigest()
        assert f"username = {name}\npassword_digest = MD5:{hashed}\n" in kinds["auth"]
        assert "username = node-a\n" in section(text, f"{name}-out")
    assert secrets.node_password not in text
    assert texts["modules.conf"].count("res_pjsip_outbound_authenticator_digest.so") == 1


def test_a_peer_reaches_one_dial_for_each_agent_and_nothing_else(secrets: Secrets) -> None:
    plan = small_plan(**codes(), ring_timeout_ms=20_000)
    text = section(compose(plan, secrets, RenderOptions(peers=PEERS))["extensions.conf"], "from-nodes")
    steps = re.findall(r"^(?:exten|\s*same) => (.*)$", text, re.MULTILINE)
    wanted = []
    for agent in ("agent-lucie", "agent-omar", "agent-zoe"):
        wanted += [
            f"{agent},1,Dial(PJSIP/{agent},25,g)",
            'n,Hangup(${IF($["${DIALSTATUS}${CHANNEL(hangupsource)}" = "ANSWER"]?44:${HANGUPCAUSE})})',
        ]
    assert steps == wanted


def test_agents_whom_another_node_could_not_tell_apart_are_refused(secrets: Secrets) -> None:
    twin = Agent(AgentId("lu-cie"), "Lu Cie", ())
    plan = small_plan(agents={**small_plan().agents, twin.id: twin})
    compose(plan, secrets, RenderOptions())
    with pytest.raises(ProvisionError, match="agent-lucie and agent-lu-cie"):
        compose(plan, secrets, RenderOptions(peers=PEERS))


def test_peers_are_read_from_one_line() -> None:
    assert peers_of("b=192.0.2.12:5060, c=192.0.2.13:5070") == PEERS
    assert peers_of("") == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("b=192.0.2.12", "not of the form"),
        ("b=node.example:5060", "not of the form"),
        ("B=192.0.2.12:5060", "not of the form"),
        ("b=192.0.2.12:0", "not a port"),
        ("b=192.0.2:5060", "not an IP address"),
        ("b=0.0.0.0:5060", "no machine's address"),
        ("a=192.0.2.12:5060", "the name 'a'"),
        ("b=192.0.2.12:5060,b=192.0.2.13:5060", "the name 'b'"),
        ("b=192.0.2.12:5060,c=192.0.2.12:5070", "the address '192.0.2.12'"),
        ("b=127.0.0.1:5070", "the address '127.0.0.1'"),
        ("b=127.0.0.2:5060", "the trunk's address"),
    ],
)
def test_a_peer_that_cannot_be_told_from_another_is_refused(text: str, why: str) -> None:
    with pytest.raises(ProvisionError, match=why):
        RenderOptions(peers=peers_of(text))
