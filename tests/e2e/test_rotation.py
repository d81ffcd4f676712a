"""New passwords of ARI and of agents, while people talk and wait: nobody notices."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest

from ivr.lab import audio
from ivr.lab.house import House
from ivr.lab.moments import PhoneError
from ivr.lab.phones import PhoneBank
from ivr.lab.scenes import AGENT_HZ, SOON_S, within
from ivr.provision.render import render
from tests.e2e.trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.lab.phones import PhoneCall

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

GAP_S: Final = 0.2
PACKETS_S: Final = 0.1
"""What is on its way, and not heard yet."""
TALK_S: Final = 2.0
OTHER_DESK: Final = "127.0.0.13"


async def opens(house: House, account: tuple[str, str]) -> bool:
    """Whether ARI knows this name and password."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": aiohttp.encode_basic_auth(*account)}) as session,
        session.get(f"{house.stack.ari_url}/asterisk/ping") as reply,
    ):
        assert reply.status in {200, 401}
        return reply.status == 200


async def bring_into_force(house: House, plan: Plan, how: str) -> None:
    """Render, and reload what changed or, as the service units do, everything."""
    if how == "apply":
        await house.stack.apply(plan)
    else:
        render(plan, house.stack.secrets, house.stack.options, house.stack.state_dir / "etc")
        await house.stack.asterisk_cli(how)


async def gap(call: PhoneCall, since_ns: int) -> float:
    heard = (await call.heard()).between(since_ns)
    passed = (time.monotonic_ns() - since_ns) / 1e9
    assert heard.seconds > 0.9 * passed - PACKETS_S, "it ended early"
    return audio.longest_silence(heard.pcm, heard.rate).seconds


@pytest.mark.parametrize(("transport", "how"), [("ws", "apply"), ("http", "core reload")])
async def test_a_talk_and_a_caller_who_waits_live_through_new_passwords_of_ari(
    quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]], transport: str, how: str
) -> None:
    plan, folder = quick_plan
    env = {"IVR_ARI_TRANSPORT": transport, "IVR_WRAP_MS": "0"}
    async with House(plan, folder, tones[0], env) as house, Trial(house, tones[1]) as trial:
        secrets, worker = house.stack.secrets, house.worker.process.pid
        agent = await trial.agent()
        talking, talk = await trial.joined(agent)
        waiting = await trial.talk_to_menu()
        await waiting.digits("1")
        await trial.hears(waiting, "hold")
        await talk.play_tone(AGENT_HZ)
        await trial.hears_tone(talking, AGENT_HZ)
        since = time.monotonic_ns()

        (former,) = secrets.ari_accounts(house.stack.options.ari_user)
        secrets.rotate_ari()
        await bring_into_force(house, plan, how)
        new, kept = secrets.ari_accounts(house.stack.options.ari_user)
        assert kept == former
        assert [await opens(house, account) for account in (new, former)] == [True, True]
        between = await trial.talk_to_menu()
        await between.hangup()

        secrets.retire()
        await bring_into_force(house, plan, how)
        assert [await opens(house, account) for account in (new, former)] == [True, False]
        after = await trial.talk_to_menu()
        await trial.hears(after, trial.menu.prompt)
        await after.hangup()
        connections = (await trial.metrics())["ivr_ari_connections_total"]
        assert connections == 2
        assert house.worker.process.pid == worker
        assert house.worker.process.returncode is None

        assert await gap(talking, since) < GAP_S
        await trial.hears(waiting, "hold", time.monotonic_ns())
        await talking.hangup()
        ringing = await trial.rings(agent)
        await ringing.answer()
        await trial.talking()
        assert waiting.established.happened
        assert not waiting.closed.happened
        await trial.everybody_leaves()
        await trial.nothing_left()


async def test_an_agents_phone_has_time_for_its_new_password(
    quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]]
) -> None:
    plan, folder = quick_plan
    async with House(plan, folder, tones[0], {"IVR_WRAP_MS": "0"}) as house, Trial(house, tones[1]) as trial:
        agent = await trial.agent()
        name = trial._id(agent)
        secrets = house.stack.secrets
        talking, talk = await trial.joined(agent)
        await talk.play_tone(AGENT_HZ)
        await talking.hear_tone(AGENT_HZ, TALK_S)
        since = time.monotonic_ns()
        secrets.rotate_agents([name])
        await house.stack.apply(plan)
        await agent.register()  # it renews its registration with the password that it knows
        assert await gap(talking, since) < GAP_S
        await talk.hangup()  # and ends its talk with it
        await within(SOON_S, "the caller's talk ends", talking.closed)
        async with PhoneBank(OTHER_DESK) as elsewhere:
            phone = await elsewhere.phone(agent.user, secrets.agent_password(name), registrar=house.registrar)
            await phone.register()
            assert f"@{OTHER_DESK}:" in await house.stack.asterisk_cli(f"pjsip show aor {agent.user}")
            secrets.retire()
            await house.stack.apply(plan)
            with pytest.raises(PhoneError):
                await agent.register()
            caller = await trial.talk_to_menu()
            await caller.digits("1")
            await (await trial.rings(phone)).answer()
            await trial.talking()
            await caller.hangup()
        trial.here.clear()
