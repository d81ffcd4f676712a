"""What a caller lives through, key by key, on the real line; each prompt is a tone of its own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import MenuId, PromptId
from ivr.lab.scenes import SOON_S, until, within

if TYPE_CHECKING:
    from ivr.lab.phones import PhoneCall
    from tests.e2e.trial import Trial

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

STREETS = MenuId("urbanisme-voirie")


def silent_on(call: PhoneCall) -> None:
    """The caller is still there."""
    assert not call.closed.happened


async def test_a_key_in_the_first_moment_of_the_greeting_rings_the_agent(trial: Trial) -> None:
    agent = await trial.agent()
    call = await trial.talk_to_menu()
    key = (await call.digits("1"))[0]
    ringing = await trial.rings(agent)
    assert (ringing.invited_ns - key.released_ns) / 1e6 < 500
    assert await trial.topic() == "etat-civil"
    assert await trial.seconds_of(call, trial.said.greeting) < 0.5


async def test_keys_typed_ahead_cross_the_menus(trial: Trial) -> None:
    agent = await trial.agent()
    call = await trial.talk_to_menu()
    await call.digits("21")
    await trial.rings(agent)
    assert await trial.topic() == "urbanisme"


async def test_0_reaches_the_general_desk_from_any_menu(trial: Trial) -> None:
    agent = await trial.agent()
    for keys in ("0", "20"):
        call = await trial.talk_to_menu()
        await call.digits(keys)
        ringing = await trial.rings(agent)
        assert await trial.topic() == "accueil"
        await call.hangup()
        await within(SOON_S, "the phone stops ringing", ringing.closed)
        await trial.nothing_left()


async def test_star_says_the_menu_again(trial: Trial) -> None:
    call = await trial.talk_to_menu()
    await call.digits("2")
    streets = trial.house.plan.menus[STREETS].prompt
    await trial.hears(call, streets)
    again = (await call.digits("*"))[0].released_ns
    await trial.hears(call, streets, again)


async def test_hash_goes_back(trial: Trial) -> None:
    call = await trial.talk_to_menu()
    await call.digits("2")
    await trial.hears(call, trial.house.plan.menus[STREETS].prompt)
    back = (await call.digits("#"))[0].released_ns
    await trial.hears(call, trial.menu.prompt, back)


async def test_an_answer_is_heard_then_the_menu(trial: Trial) -> None:
    call = await trial.talk_to_menu()
    key = (await call.digits("4"))[0].released_ns
    await trial.hears(call, PromptId("dechets-metropole"), key)
    await trial.hears(call, trial.menu.prompt, key)
    await call.hangup()
    await trial.nothing_left()
    assert (await trial.metrics())['ivr_calls_ended_total{outcome="informed"}'] >= 1


async def test_two_keys_that_mean_nothing_lead_to_people(trial: Trial) -> None:
    agent = await trial.agent()
    call = await trial.talk_to_menu()
    key = (await call.digits("8"))[0].released_ns
    await trial.hears(call, trial.said.invalid, key)
    await trial.hears(call, trial.menu.short_prompt, key)
    again = (await call.digits("7"))[0].released_ns
    await trial.rings(agent)
    await trial.hears(call, trial.said.to_human, again)
    assert await trial.topic() == "accueil"


async def test_silence_leads_to_a_shorter_prompt_then_to_people(trial: Trial) -> None:
    agent = await trial.agent()
    call = await trial.talk_to_menu()
    await trial.hears(call, trial.said.no_input)
    await trial.hears(call, trial.menu.short_prompt)
    await trial.hears(call, trial.said.to_human)
    ringing = await trial.rings(agent)
    silent_on(call)
    assert await trial.topic() == "accueil"
    await ringing.answer()
    await trial.talking()


async def test_a_relay_service_goes_straight_to_people(trial: Trial) -> None:
    agent = await trial.agent()
    (relay, *_) = sorted(trial.house.plan.relays)
    call = await trial.call(relay)
    await within(SOON_S, "answered", call.established)
    ringing = await trial.rings(agent)
    assert await trial.topic() == "accueil"
    record = next(iter((await trial.state()).calls.values()))
    assert record.reason == "relay"
    await ringing.answer()
    await trial.talking()
    assert await trial.seconds_of(call, trial.menu.prompt) < 0.1


async def test_a_hidden_number_stands_nowhere(trial: Trial) -> None:
    hidden = "+33639987654"
    call = await trial.call(hidden, private=True)
    await within(SOON_S, "answered", call.established)
    await call.digits("1")
    record = next(iter((await trial.state()).calls.values()))
    assert "987654" not in record.snapshot
    assert '"privacy":"hidden"' in record.snapshot
    await trial.hears(call, trial.said.unstaffed)
    await call.hangup()
    await trial.nothing_left()
    state = trial.house.stack.state_dir
    for path in (trial.house.worker.log, *state.glob("ledger.sqlite*")):
        assert b"987654" not in path.read_bytes(), path


async def test_a_numbers_digits_are_never_logged(trial: Trial) -> None:
    call = await trial.call("+33639981234")
    await within(SOON_S, "answered", call.established)
    await call.hangup()
    await trial.nothing_left()
    for log in filter(Path.is_file, trial.house.stack.logs.rglob("*")):
        assert b"39981234" not in log.read_bytes(), log


async def test_a_caller_who_calls_himself_by_an_agents_name_is_a_caller(trial: Trial) -> None:
    agent = await trial.agent()
    call = await trial.call(agent.user)
    await within(SOON_S, "answered", call.established)
    await call.digits("1")
    await trial.rings(agent)
    record = next(iter((await trial.state()).calls.values()))
    assert '"number":null' in record.snapshot


async def test_the_agent_who_is_idle_longest_rings_first(trial: Trial) -> None:
    agents = [await trial.agent() for _ in range(3)]
    for agent in (*agents, agents[0]):
        call = await trial.talk_to_menu()
        await call.digits("1")
        ringing = await trial.rings(agent)
        await ringing.answer()
        await trial.talking()
        await call.hangup()
        await trial.nothing_left()


async def test_hold_music_comes_back_after_every_sentence_of_the_wait(trial: Trial) -> None:
    agent = await trial.agent()
    await trial.pause(agent)
    call = await trial.talk_to_menu()
    since = (await call.digits("1"))[0].released_ns
    await trial.hears(call, trial.said.queued, since)
    await trial.hears(call, "hold", since)
    await trial.hears(call, trial.said.patience, since, seconds=8.0)
    await trial.hears(call, "hold", time.monotonic_ns())
    await trial.resume(agent)
    ringing = await trial.rings(agent)
    await ringing.answer()
    await trial.talking()


@pytest.mark.parametrize("delay_ms", [0, 300, 900, 1_000, 1_100, 1_500])
async def test_nothing_plays_to_a_caller_and_an_agent_who_talk(trial: Trial, delay_ms: int) -> None:
    """The agent answers while the first sentence of the wait plays, as it ends, and in the music."""
    agent = await trial.agent()
    call = await trial.talk_to_menu()
    await call.digits("1")
    ringing = await trial.rings(agent)
    await asyncio.sleep(delay_ms / 1000)  # the moment of the answer is what varies
    await ringing.answer()
    await trial.talking()
    joined = time.monotonic_ns() + 100_000_000
    await call.play_tone(2_000)
    await ringing.play_tone(2_200)
    await trial.hears_tone(ringing, 2_000, joined)
    await trial.hears_tone(call, 2_200, joined)
    for name in ("hold", *trial.house.plan.prompts):
        assert await trial.seconds_of(call, name, joined) < 0.15, name
        assert await trial.seconds_of(ringing, name) < 0.15, name


async def test_a_caller_who_waits_is_served_when_an_agent_comes(trial: Trial) -> None:
    agent = await trial.agent()
    await trial.pause(agent)
    call = await trial.talk_to_menu()
    await call.digits("1")

    async def waits() -> bool:
        return any((await trial.state()).waiting.values())

    await until(SOON_S, "the caller waits", waits)
    other = await trial.agent()
    ringing = await trial.rings(other)
    await ringing.answer()
    await trial.talking()
    silent_on(call)


@pytest.mark.parametrize("line", ["http"], indirect=True)
async def test_the_same_call_over_http(trial: Trial) -> None:
    agent = await trial.agent()
    call = await trial.talk_to_menu()
    await call.digits("21")
    ringing = await trial.rings(agent)
    assert await trial.topic() == "urbanisme"
    await ringing.answer()
    await trial.talking()
    await call.play_tone(2_000)
    await ringing.play_tone(2_200)
    await trial.hears_tone(ringing, 2_000)
    await trial.hears_tone(call, 2_200)
    await call.hangup()
    await within(SOON_S, "the agent's line ends", ringing.closed)


async def test_audio_listens_at_the_address_of_sip_and_nowhere_else(trial: Trial) -> None:
    await trial.talk_to_menu()
    ports = trial.house.stack.ports
    ours = range(ports.rtp_first, ports.rtp_last + 1)
    bound = {
        address
        for table in ("udp", "udp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()[1:]
        for address, _, port in [line.split()[1].partition(":")]
        if int(port, 16) in ours
    }
    assert bound == {"0100007F"}  # 127.0.0.1, as the kernel writes it
