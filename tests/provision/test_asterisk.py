"""A real Asterisk runs what is rendered: it starts clean, lets in whom it should and reloads without harm."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import Agent, AgentId
from ivr.provision.render import TEMPLATES, Bench, Peer, Tls, TrunkRegistration
from tests.provision.instance import HOME, SOUNDS, TRUNK, instance
from tests.provision.phone import phone
from tests.provision.plans import codes, small_plan
from tests.test_no_way_out import EMERGENCY

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asterisk

NUMBER = "0536490000"
CALLER = "+33639980001"
OFFICE = "127.0.0.4"
STRANGER = "127.0.0.5"
NODE_B = "127.0.0.12"
PEERS = (Peer("b", NODE_B, 9),)


async def certificate(folder: Path) -> Tls | None:
    """Make a certificate of our own; None where there is no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    folder.mkdir()
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    process = await asyncio.create_subprocess_exec(
        *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", *files),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return Tls(port, f"{HOME}/{folder.name}/cert.pem", f"{HOME}/{folder.name}/key.pem")


async def test_starts_without_a_word_of_complaint_and_with_every_module(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk:
        wanted = re.findall(r"^(?:load|require) = (\S+)", (TEMPLATES / "modules.conf").read_text(), re.MULTILINE)
        running = re.findall(r"^(\S+\.so) .* Running ", await asterisk.cli("module show"), re.MULTILINE)
        assert sorted(running) == sorted(wanted)
        endpoints = re.findall(r"^ Endpoint:  (\S+) ", await asterisk.cli("pjsip show endpoints"), re.MULTILINE)
        assert [name for name in endpoints if "<" not in name] == ["agent-lucie", "agent-omar", "agent-zoe", "trunk"]
        assert asterisk.alarms() == []


async def test_starts_clean_with_every_option(tmp_path: Path) -> None:
    tls = await certificate(tmp_path / "tls")
    async with phone(TRUNK, ("127.0.0.1", 9)) as operator:
        here = f"sip:{operator.host}:{operator.port}"
        async with instance(
            tmp_path,
            registration=TrunkRegistration(here, f"sip:mairie@{operator.host}", "mairie", "secret"),
            bench=Bench(),
            agent_media="srtp",
            verbose=3,
            tls=tls,
            peers=PEERS,
        ) as asterisk:
            assert tls is None or f"127.0.0.1:{tls.port}" in await asterisk.cli("pjsip show transports")
            assert "sdes" in await asterisk.cli("pjsip show endpoint agent-omar")
            assert "PJSIP/agent-zoe" in await asterisk.cli("queue show bench")
            await asterisk.until("pjsip show registrations", r"Registered|Rejected|Unregistered")


async def test_a_trunk_caller_named_as_an_agent_is_a_caller(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, asterisk.worker() as worker, phone(TRUNK, asterisk.address) as caller:
        asked = caller.start_invite(NUMBER, caller="agent-lucie")
        event = await worker.event("StasisStart")
        channel = event["channel"]
        assert channel["name"].startswith("PJSIP/trunk-")
        assert channel["id"].startswith("a-")
        assert event["args"] == ["caller", "33536490000", "", "allowed_not_screened"]
        assert await worker.delete(f"channels/{channel['id']}") == 204
        status, _ = await asked
        assert status >= 400


async def test_the_asserted_identity_wins_and_is_marked_when_hidden(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, asterisk.worker() as worker, phone(TRUNK, asterisk.address) as caller:
        asked = caller.start_invite(
            "+33536490000;npdi",
            caller="anonymous",
            P_Asserted_Identity="<sip:+33639980009@operator.example>",
            Privacy="id",
        )
        event = await worker.event("StasisStart")
        assert event["args"][:3] == ["caller", "33536490000", "+33639980009"]
        assert event["args"][3].startswith("prohib")
        await worker.delete(f"channels/{event['channel']['id']}")
        await asked


async def test_every_form_of_the_number_reaches_the_site(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, asterisk.worker() as worker, phone(TRUNK, asterisk.address) as caller:
        for form in ("+33536490000", "33536490000", "0033536490000", "0536490000"):
            asked = caller.start_invite(form)
            event = await worker.event("StasisStart")
            assert event["args"] == ["caller", "33536490000", CALLER, "allowed_not_screened"], form
            await worker.delete(f"channels/{event['channel']['id']}")
            await asked


async def test_who_is_let_in(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, phone(OFFICE, asterisk.address) as office:
        password = asterisk.secrets.agent_password("lucie")
        assert await office.register("agent-lucie", "not the password") == [401, 401]
        await asterisk.until_logged("security.log", r"ChallengeResponseFailed.*agent-lucie")
        assert await office.register("agent-lucie", password) == [401, 200]
        assert f"{OFFICE}:{office.port}" in await asterisk.cli("pjsip show contacts")
        assert await office.register("agent-nobody", password) == [401, 401]

        # From the trunk's address nobody registers, not even with the right password.
        asterisk.expected.append("Endpoint 'trunk' .* has no configured AORs")
        async with phone(TRUNK, asterisk.address) as trunk:
            assert await trunk.register("agent-lucie", password) == [403]
            assert await trunk.register("trunk", password) == [403]
        assert TRUNK not in await asterisk.cli("pjsip show contacts")

        async with phone(STRANGER, asterisk.address) as stranger:
            for name in ("+33639980001", "agent-lucie", "trunk", "anonymous"):
                status, _ = await stranger.invite(NUMBER, caller=name, password="guess")
                assert status == 401, name
        await asterisk.until_logged("security.log", rf'Inval.*RemoteAddress="IPV4/UDP/{STRANGER}')


async def test_an_agent_reaches_no_line(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, phone(OFFICE, asterisk.address) as office:
        password = asterisk.secrets.agent_password("lucie")
        outside = (
            "0536490000",
            "+33639980001",
            "0033639980001",
            "00441632960001",
            "agent-omar",
            "*21",
            "fallback",
            "s",
        )
        for dialled in (*EMERGENCY, *(f"*{number}" for number in EMERGENCY), *outside):
            status, _ = await office.invite(dialled, caller="agent-lucie", password=password)
            assert status == 403, dialled
        await asterisk.until("core show channels count", r"\b0 active channels")


async def test_a_code_names_the_phone_that_proved_its_password_and_comes_from_nowhere_else(tmp_path: Path) -> None:
    plan = small_plan(**codes())
    async with (
        instance(tmp_path, plan, watchdog_s=5) as asterisk,
        asterisk.worker() as worker,
        phone(OFFICE, asterisk.address) as office,
        phone(TRUNK, asterisk.address) as trunk,
    ):
        password = asterisk.secrets.agent_password("lucie")
        for dialled, code in (("*1", "1"), ("*21", "21"), ("*31", "31"), ("*4", "4")):
            asked = office.start_invite(dialled, caller="agent-lucie", password=password)
            event = await worker.event("StasisStart")
            assert event["args"] == ["code", code, "agent-lucie"]
            await worker.post(f"channels/{event['channel']['id']}/answer")
            status, _ = await asked
            assert status == 200
            await worker.delete(f"channels/{event['channel']['id']}")
        for dialled in ("*", "*2", "*23", "*32", "*41", "*11", "**21", "21", "1"):
            status, _ = await office.invite(dialled, caller="agent-lucie", password=password)
            assert status == 403, dialled
        status, _ = await trunk.invite("*21", caller="agent-lucie")
        assert status == 404


@pytest.mark.parametrize("worker", ["gone", "frozen"])
async def test_a_code_that_no_worker_takes_is_refused_aloud(tmp_path: Path, worker: str) -> None:
    plan = small_plan(**codes("menu"))
    async with AsyncExitStack() as opening:
        asterisk = await opening.enter_async_context(instance(tmp_path, plan))
        if worker == "frozen":
            await opening.enter_async_context(asterisk.worker())
        else:
            asterisk.expected.append(r"Stasis app 'ivr-a' doesn't exist|per-call config for app 'ivr-a'")
        office = await opening.enter_async_context(phone(OFFICE, asterisk.address))
        status, call = await office.invite(
            "*21", caller="agent-lucie", password=asterisk.secrets.agent_password("lucie")
        )
        assert status == 200
        assert call is not None
        await call.wait_end()
        assert office.names(0, SOUNDS) == ["menu"]


async def test_the_trunk_reaches_nothing_but_the_site(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, phone(TRUNK, asterisk.address) as caller:
        for dialled in (*EMERGENCY, "0536490001", "+33536499999", "s", "T", "h", "fallback", "agent-lucie"):
            status, _ = await caller.invite(dialled)
            assert status == 404, dialled


async def test_the_events_that_the_worker_needs_are_not_declined(tmp_path: Path) -> None:
    async with (
        instance(tmp_path) as asterisk,
        asterisk.worker() as worker,
        phone(OFFICE, asterisk.address) as office,
        phone(TRUNK, asterisk.address) as caller,
    ):
        app = asterisk.options.app
        await worker.post(f"applications/{app}/subscription", eventSource="endpoint:PJSIP")
        await office.register("agent-zoe", asterisk.secrets.agent_password("zoe"))
        await asterisk.until("pjsip show contacts", "Avail")
        seen = [event["type"] for event in await worker.events()]
        asked = caller.start_invite(NUMBER)
        channel = (await worker.event("StasisStart"))["channel"]["id"]
        await worker.post(f"channels/{channel}/variable", variable="TIMEOUT(absolute)", value="0")
        await worker.post(f"channels/{channel}/answer")
        await worker.post(f"channels/{channel}/play/pb", media=f"sound:{asterisk.options.sounds_dir}/fr/menu")
        _, call = await asked
        assert call is not None
        await caller.hears(5)
        caller.press(call, 1)
        seen += await worker.until("PlaybackFinished")
        await worker.post(f"channels/{channel}/record", name="message", format="wav", maxDurationSeconds="1")
        seen += await worker.until("RecordingFinished")
        await worker.post("channels/leg", endpoint="PJSIP/agent-zoe", app=app, appArgs="leg,x,1:1", originator=channel)
        seen += await worker.until("StasisStart")
        await worker.post("bridges/br", type="mixing")
        await worker.post("bridges/br/addChannel", channel=f"{channel},leg")
        await office.hears(10)
        await call.bye()
        await worker.delete("channels/leg")
        seen += await worker.until("ChannelDestroyed")
        await asterisk.until("core show channels count", r"\b0 active channels")
        asterisk.expected.append("Queued '.*' message for Stasis app 'ivr-a'; websocket is not ready")  # it is replaced
        async with asterisk.worker():
            seen += await worker.until("ApplicationReplaced")
    wanted = {"ContactStatusChange", "PeerStatusChange", "ChannelStateChange", "ChannelDtmfReceived", "PlaybackStarted"}
    wanted |= {"PlaybackFinished", "RecordingStarted", "RecordingFinished", "Dial", "StasisStart", "StasisEnd"}
    wanted |= {"ChannelEnteredBridge", "ChannelLeftBridge", "ChannelHangupRequest", "ChannelDestroyed"}
    assert wanted - set(seen) == set()
    assert "ChannelVarset" not in seen


async def test_a_reload_changes_the_plan_and_leaves_the_call(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, asterisk.worker() as worker, phone(TRUNK, asterisk.address) as caller:
        asked = caller.start_invite(NUMBER)
        channel = (await worker.event("StasisStart"))["channel"]["id"]
        await worker.post(f"channels/{channel}/variable", variable="TIMEOUT(absolute)", value="0")
        await worker.post(f"channels/{channel}/answer")
        await worker.post(f"channels/{channel}/moh", mohClass="hold")
        status, call = await asked
        assert status == 200
        assert call is not None
        await caller.hears(20)

        plan = small_plan(numbers=("+33536490001",), language="en")
        new = Agent(AgentId("ines"), "Inès Roy", plan.agents[AgentId("omar")].groups)
        plan = replace(plan, agents={**plan.agents, new.id: new})
        assert await asterisk.apply(plan) == ["extensions.conf", "pjsip.conf"]
        assert "agent-ines" in await asterisk.cli("pjsip show endpoints")
        assert await asterisk.apply(plan) == []
        await caller.hears(50)
        async with phone(TRUNK, asterisk.address) as other:
            assert (await other.invite(NUMBER))[0] == 404
        await call.bye()


async def test_the_trunk_address_is_reloaded_too(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk:
        await asterisk.apply(asterisk.plan)
        moved = replace(asterisk.options, trunk_match=f"{STRANGER}, 192.0.2.0/24")
        asterisk.options = moved
        assert await asterisk.apply(asterisk.plan) == ["pjsip.conf"]
        async with phone(TRUNK, asterisk.address) as old, phone(STRANGER, asterisk.address) as new:
            assert (await old.invite("0536490001"))[0] == 401
            assert (await new.invite("0536490001"))[0] == 404


async def test_the_bench_number_is_answered_by_read_and_queue(tmp_path: Path) -> None:
    async with (
        instance(tmp_path, bench=Bench()) as asterisk,
        phone(OFFICE, asterisk.address) as office,
        phone(TRUNK, asterisk.address) as caller,
    ):
        await office.register("agent-zoe", asterisk.secrets.agent_password("zoe"))
        await asterisk.until("pjsip show contacts", "Avail")
        _, call = await caller.invite("0536499999")
        assert call is not None
        await caller.hears(10)
        caller.press(call, 1)
        await office.rings()
        await office.hears(20)
        assert caller.names(0, SOUNDS)[:1] == ["menu"]
        await call.bye()


async def test_a_peer_reaches_an_agent_who_is_here_and_nothing_else(tmp_path: Path) -> None:
    async with (
        instance(tmp_path, small_plan(**codes()), peers=PEERS) as asterisk,
        phone(OFFICE, asterisk.address) as office,
        phone(NODE_B, asterisk.address) as node,
    ):
        word = asterisk.secrets.node_password
        known = {"caller": "node-b", "password": word}
        for dialled in ("112", "15", "0536490000", "+33639980001", "*21", "1", "s", "h", "T", "code", "fallback"):
            assert (await node.invite(dialled, **known))[0] == 404, dialled
        for dialled in ("agent-nobody", "agent-", "agent", "trunk", "node-b", "agent-lucie,1", "agent-lucie&agent-zoe"):
            assert (await node.invite(dialled, **known))[0] == 404, dialled
        asterisk.expected += ["Endpoint 'agent-lucie': Could", "session to endpoint 'agent-lucie'", "blocked due to"]
        away, _ = await node.invite("agent-lucie", **known)
        assert away >= 400

        await office.register("agent-lucie", asterisk.secrets.agent_password("lucie"))
        await asterisk.until("pjsip show contacts", "agent-lucie.* Avail")
        status, call = await node.invite("agent-lucie", **known, P_Asserted_Identity=f"<sip:{CALLER}@{NODE_B}>")
        assert status == 200
        assert call is not None
        assert CALLER in office.invites[-1].headers["from"]
        await office.hears(10)
        await node.hears(10)
        assert (await call.refer("sip:112@127.0.0.1")).status >= 400
        await call.bye()


async def test_only_a_peer_that_proves_itself_reaches_the_nodes_context(tmp_path: Path) -> None:
    async with (
        instance(tmp_path, peers=PEERS) as asterisk,
        phone(NODE_B, asterisk.address) as node,
        phone(STRANGER, asterisk.address) as stranger,
        phone(TRUNK, asterisk.address) as trunk,
        phone(OFFICE, asterisk.address) as office,
    ):
        word = asterisk.secrets.node_password
        assert (await node.invite("agent-lucie", caller="node-b", password="guess"))[0] == 401
        assert (await node.invite("agent-lucie", caller="node-c", password=word))[0] == 401
        asterisk.expected.append("AOR '' not found for endpoint 'node-b'")
        assert (await node.register("node-b", word))[-1] >= 400
        assert (await stranger.invite("agent-lucie", caller="node-b", password=word))[0] == 401
        assert (await stranger.register("node-b", word))[-1] >= 400
        assert (await trunk.invite("agent-lucie", caller="node-b"))[0] == 404
        password = asterisk.secrets.agent_password("lucie")
        assert (await office.invite("agent-zoe", caller="agent-lucie", password=password))[0] == 403
