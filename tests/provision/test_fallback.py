"""What a caller hears when the worker is dead, frozen or gives the call back: never silence."""

from __future__ import annotations

import time
import wave
from typing import TYPE_CHECKING

import pytest

from ivr.ari import AriClient
from ivr.ledger.store import Ledger
from ivr.telephony.messages import FallbackMessages
from tests.provision.instance import SOUNDS, TRUNK, Instance, instance, now
from tests.provision.phone import phone
from tests.provision.plans import FALLBACK, KEPT, MESSAGE, small_plan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.phone import Phone

pytestmark = pytest.mark.asterisk

NUMBER = "0536490000"
OFFICE = "127.0.0.4"
NO_WORKER = r"Stasis app 'ivr-a' doesn't exist|Failed to find outbound websocket per-call config for app 'ivr-a'"
# Packets come each 20 ms; the rest is for a busy machine.
QUIET_S = 1.0


async def desk_phone(asterisk: Instance, office: Phone) -> None:
    await office.register("agent-lucie", asterisk.secrets.agent_password("lucie"))
    await asterisk.until("pjsip show contacts", "Avail")


async def test_nobody_at_all_the_caller_is_told_waits_and_leaves_a_message(tmp_path: Path) -> None:
    plan = small_plan(message_max_ms=2_000)
    async with instance(tmp_path, plan) as asterisk, phone(TRUNK, asterisk.address) as caller:
        asterisk.expected.append(NO_WORKER)
        begun = now()
        status, call = await caller.invite(NUMBER)
        answered = now()
        assert status == 200
        assert answered - begun < 3
        assert call is not None
        await call.wait_end()
        assert caller.statuses == [100, 180, 200]
        assert caller.names(answered, SOUNDS) == [FALLBACK, "music", MESSAGE, "beep", KEPT]
        assert caller.longest_gap(answered, caller.heard[-1].at) < QUIET_S
        (recording,) = asterisk.recordings()
        assert recording.name.startswith("a-")
        assert recording.name.endswith("-33639980001.wav")
        with wave.open(str(recording)) as audio:
            assert audio.getnframes() / audio.getframerate() == pytest.approx(2, abs=0.3)


async def test_the_message_becomes_a_file_at_the_next_connect(tmp_path: Path) -> None:
    plan = small_plan(message_max_ms=1_000)
    async with (
        instance(tmp_path, plan) as asterisk,
        phone(TRUNK, asterisk.address) as caller,
        Ledger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger,
    ):
        asterisk.expected.append(NO_WORKER)
        _, call = await caller.invite(NUMBER)
        assert call is not None
        await call.wait_end()
        await asterisk.until("core show channels count", r"\b0 active channels")
        options = asterisk.options
        url = f"http://{options.http_host}:{options.http_port}/ari"
        async with AriClient(url, options.ari_user, asterisk.secrets.ari_password, options.app) as ari:
            await ari.wait_connected()
            messages = FallbackMessages(ari, ledger, plan, b"k", lambda: time.time_ns() // 1_000_000)
            (before,) = asterisk.recordings()
            sound = before.read_bytes()
            assert await messages.adopt() == 1
            assert await messages.adopt() == 0
        assert asterisk.recordings() == []
        (file,) = await ledger.files()
        general = plan.topics[plan.general]
        assert (file.kind, file.owner, file.topic) == ("message", f"group:{general.groups[0]}", plan.general)
        kept = tmp_path / "spool" / "recording" / f"{file.recording}.wav"
        assert kept.read_bytes() == sound
        assert await ledger.numbers() == {file.caller_ref: "+33639980001"}
        assert abs(file.opened_ms - time.time_ns() // 1_000_000) < 60_000


async def test_a_message_is_kept_when_the_caller_hangs_up_and_a_hidden_number_is_not_written(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, phone(TRUNK, asterisk.address) as caller:
        asterisk.expected.append(NO_WORKER)
        _, call = await caller.invite(
            NUMBER, caller="anonymous", P_Asserted_Identity="<sip:+33639980009@operator.example>", Privacy="id"
        )
        assert call is not None
        while "beep" not in caller.names(0, SOUNDS):
            await caller.hears(25)
        await caller.hears(50)
        await call.bye()
        await asterisk.until("core show channels count", r"\b0 active channels")
        (recording,) = asterisk.recordings()
        assert recording.name.endswith("-.wav")
        with wave.open(str(recording)) as audio:
            assert audio.getnframes() > 0


async def test_the_desk_rings_answers_and_is_never_cut(tmp_path: Path) -> None:
    async with (
        instance(tmp_path, desk_ring_s=20) as asterisk,
        phone(OFFICE, asterisk.address) as office,
        phone(TRUNK, asterisk.address) as caller,
    ):
        asterisk.expected.append(NO_WORKER)
        await desk_phone(asterisk, office)
        _, call = await caller.invite(NUMBER)
        assert call is not None
        await office.rings()
        assert "+33639980001" in office.invites[0].headers["from"]
        # Longer than the watchdog, which is 1 s here.
        await office.hears(120)
        assert not call.ended.is_set()
        assert caller.names(0, SOUNDS)[0] == FALLBACK
        (talk,) = office.calls.values()
        await talk.bye()
        await call.wait_end()
        assert asterisk.recordings() == []


async def test_a_desk_that_does_not_answer_rings_twice_then_the_caller_leaves_a_message(tmp_path: Path) -> None:
    plan = small_plan(message_max_ms=1_000)
    async with (
        instance(tmp_path, plan) as asterisk,
        phone(OFFICE, asterisk.address, answers=False) as office,
        phone(TRUNK, asterisk.address) as caller,
    ):
        asterisk.expected.append(NO_WORKER)
        await desk_phone(asterisk, office)
        _, call = await caller.invite(NUMBER)
        assert call is not None
        answered = now()
        await call.wait_end()
        assert len({invite.headers["call-id"] for invite in office.invites}) == 2
        assert caller.names(answered, SOUNDS) == [FALLBACK, "ringing", "music", "ringing", MESSAGE, "beep", KEPT]
        assert caller.longest_gap(answered, caller.heard[-1].at) < QUIET_S


async def test_a_desk_in_a_talk_is_not_rung_again(tmp_path: Path) -> None:
    plan = small_plan(message_max_ms=1_000)
    async with (
        instance(tmp_path, plan, desk_ring_s=20) as asterisk,
        phone(OFFICE, asterisk.address) as office,
        phone(TRUNK, asterisk.address) as first,
        phone(TRUNK, asterisk.address) as second,
    ):
        asterisk.expected.append(NO_WORKER)
        await desk_phone(asterisk, office)
        _, call = await first.invite(NUMBER)
        assert call is not None
        await office.rings()
        _, other = await second.invite(NUMBER)
        assert other is not None
        await other.wait_end()
        assert len(office.invites) == 1
        assert second.names(0, SOUNDS) == [FALLBACK, "music", MESSAGE, "beep", KEPT]
        await call.bye()


async def test_a_frozen_worker_is_asked_once_a_step_and_cannot_hold_the_caller(tmp_path: Path) -> None:
    plan = small_plan(message_max_ms=1_000)
    async with (
        instance(tmp_path, plan) as asterisk,
        asterisk.worker() as worker,
        phone(TRUNK, asterisk.address) as caller,
    ):
        begun = now()
        status, call = await caller.invite(NUMBER)
        assert status == 200
        assert call is not None
        answered = now()
        assert answered - begun < 5
        await call.wait_end()
        assert caller.statuses == [100, 180, 200]
        assert caller.names(answered, SOUNDS) == [FALLBACK, "music", MESSAGE, "beep", KEPT]
        assert caller.longest_gap(answered, caller.heard[-1].at) < QUIET_S
        asked = [event for event in await worker.events() if event["type"] == "StasisStart"]
        # In the first place, then before the desk, before the desk again, and before the message.
        assert len(asked) == 4


async def test_a_worker_that_has_gone_is_not_waited_for(tmp_path: Path) -> None:
    async with instance(tmp_path, watchdog_s=30) as asterisk, phone(TRUNK, asterisk.address) as caller:
        async with asterisk.worker():
            pass
        asterisk.expected.append(NO_WORKER)
        begun = now()
        _, call = await caller.invite(NUMBER)
        assert now() - begun < 10
        assert call is not None
        await caller.hears(20)
        assert caller.names(0, SOUNDS) == [FALLBACK]
        await call.bye()


async def test_a_worker_that_comes_back_takes_the_call_over(tmp_path: Path) -> None:
    async with (
        instance(tmp_path, desk_music_s=2, watchdog_s=5) as asterisk,
        phone(TRUNK, asterisk.address) as caller,
    ):
        asterisk.expected.append(NO_WORKER)
        _, call = await caller.invite(NUMBER)
        assert call is not None
        async with asterisk.worker() as worker:
            event = await worker.event("StasisStart")
            assert event["args"] == ["caller", "33536490000", "+33639980001", "allowed_not_screened"]
            channel = event["channel"]["id"]
            await worker.post(f"channels/{channel}/variable", variable="TIMEOUT(absolute)", value="60")
            since = now()
            await worker.post(f"channels/{channel}/play/pb1", media=f"sound:{asterisk.options.sounds_dir}/fr/menu")
            await worker.event("PlaybackFinished")
            assert caller.names(since, SOUNDS)[-1] == "menu"
            await call.bye()


async def test_a_call_that_the_worker_gives_back_goes_on(tmp_path: Path) -> None:
    async with (
        instance(tmp_path, watchdog_s=5) as asterisk,
        asterisk.worker() as worker,
        phone(TRUNK, asterisk.address) as caller,
    ):
        asked = caller.start_invite(NUMBER)
        channel = (await worker.event("StasisStart"))["channel"]["id"]
        assert await worker.post(f"channels/{channel}/continue", context="fallback", extension="s", priority="1") == 204
        status, call = await asked
        assert status == 200
        assert call is not None
        again = await worker.event("StasisStart")
        assert again["channel"]["id"] == channel
        assert caller.names(0, SOUNDS)[0] == FALLBACK
        await call.bye()


async def test_a_worker_that_loses_a_call_it_had_taken_makes_the_fallback_begin_again(tmp_path: Path) -> None:
    async with instance(tmp_path) as asterisk, asterisk.worker() as worker, phone(TRUNK, asterisk.address) as caller:
        asked = caller.start_invite(NUMBER)
        await worker.event("StasisStart")
        _, call = await asked
        channel = (await worker.event("StasisStart"))["channel"]["id"]
        await worker.post(f"channels/{channel}/variable", variable="TIMEOUT(absolute)", value="60")
        # Three times the watchdog, which is 1 s here, and more: it was in good hands.
        await caller.hears(220)
        since = now()
        await worker.post(f"channels/{channel}/continue", context="fallback", extension="s", priority="1")
        await worker.event("StasisStart")
        assert caller.names(since, SOUNDS)[-1] == FALLBACK
        assert call is not None
        await call.bye()


async def test_a_message_that_cannot_be_written_is_never_said_to_be_kept(tmp_path: Path) -> None:
    async with (
        instance(tmp_path, small_plan(message_max_ms=1_000)) as asterisk,
        phone(TRUNK, asterisk.address) as caller,
    ):
        asterisk.expected += [NO_WORKER, "fallback"]
        folder = tmp_path / "spool" / "recording"
        folder.mkdir(exist_ok=True)
        (folder / "fallback").write_text("in the way")
        _, call = await caller.invite(NUMBER)
        assert call is not None
        while caller.names(0, SOUNDS).count(FALLBACK) < 2:
            await caller.hears(25)
        assert KEPT not in caller.names(0, SOUNDS)
        await call.bye()


async def test_nobody_can_transfer_a_call_by_refer(tmp_path: Path) -> None:
    async with (
        instance(tmp_path, desk_ring_s=20) as asterisk,
        phone(OFFICE, asterisk.address) as office,
        phone(TRUNK, asterisk.address) as caller,
    ):
        asterisk.expected += [NO_WORKER, "transfer attempt blocked due to configuration"]
        await desk_phone(asterisk, office)
        _, call = await caller.invite(NUMBER)
        assert call is not None
        await office.rings()
        await office.hears(10)
        (talk,) = office.calls.values()
        for side in (talk, call):
            reply = await side.refer("sip:0639980002@operator.example")
            assert reply.status == 603
        await office.hears(10)
        await call.bye()
