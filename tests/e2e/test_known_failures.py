"""Failures that other queues are known for, each lived through on the real line.

Named by where they were reported: asterisk/asterisk and signalwire/freeswitch on GitHub. Every phone of
a group rings here, and a phone that says nothing for 4 s is taken for dead (40 s and 60 s in production).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import aiosqlite
import pytest
import pytest_asyncio

from ivr.lab import audio
from ivr.lab.house import House
from ivr.lab.phones import PhoneBank
from ivr.lab.scenes import SOON_S, SceneFailed, until, within
from ivr.lab.sipp import Callers, start_callers
from ivr.plan import load_or_raise
from ivr.stack.root import ensure_root
from tests.e2e.test_hangups import answers_after, files, hangs_up_after, later
from tests.e2e.trial import Trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.lab.phones import Phone, PhoneCall
    from ivr.lab.sipp import Sipp
    from ivr.stack.stack import StackConfig

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

DEAD_S: Final = 4
QUALIFY_S: Final = 2
ROUNDS: Final = 8
ELSEWHERE: Final = "127.0.0.5"
CALLER_HZ: Final = 440
WAIT_S: Final = int(os.environ.get("IVR_LONG_WAIT_S", "40"))
AT_CLOSING: Final = int(os.environ.get("IVR_AT_CLOSING", "40"))
MOST: Final = 2_000
"""Calls at once: nobody is turned away because the town is small."""
FILL_RATE: Final = 5.0
PATIENCE_MS: Final = 60_000 + 400 * AT_CLOSING
QUIET_MS: Final = 20 if AT_CLOSING < 100 else 1_000
"""Five seconds of silence end a message where it is sent as it is; with hundreds that is too much for a machine."""


def _ring_many(topics: str) -> str:
    """The first topic's successor, état civil, as one whose phones all ring, and that never widens."""
    head, name, rest = topics.partition("  etat-civil:\n")
    entry, _, tail = rest.partition("\n\n")
    kept = "\n".join(line for line in entry.splitlines() if line.lstrip().startswith(("label", "groups")))
    return f"{head}{name}{kept}\n    strategy: ring-many\n    ring_at_once: 3\n\n{tail}"


def _strict(config: StackConfig) -> StackConfig:
    def amend(etc: Path) -> None:
        path = etc / "pjsip.conf"
        text, changed = re.subn(r"^rtp_timeout = \d+$", f"rtp_timeout = {DEAD_S}", path.read_text(), flags=re.MULTILINE)
        assert changed == 2
        path.write_text(text)

    ports = max(config.rtp_ports, 2 * 2 * AT_CLOSING + 200)
    return replace(config, adjust=lambda options: replace(options, qualify_s=QUALIFY_S), amend=amend, rtp_ports=ports)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict(
    quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trial]:
    folder = tmp_path_factory.mktemp("strict") / "pessac"
    shutil.copytree(quick_plan[1], folder)
    path = folder / "topics.yaml"
    path.write_text(_ring_many(path.read_text()))
    path = folder / "site.yaml"
    text, changed = re.subn(r"^max_calls: .*$", f"max_calls: {MOST}", path.read_text(), flags=re.MULTILINE)
    assert changed == 1
    path.write_text(text)
    plan = load_or_raise(folder)[0]
    await asyncio.to_thread(ensure_root)
    async with (
        House(plan, folder, tones[0], {"IVR_WRAP_MS": "0"}, shape=_strict) as house,
        Trial(house, tones[1]) as it,
    ):
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def trial(strict: Trial) -> AsyncIterator[Trial]:
    """The house, with nobody in it; after the test nothing of it may be left."""
    yield strict
    await strict.everybody_leaves()
    await strict.nothing_left()


async def states(trial: Trial, agents: list[Phone]) -> list[str]:
    return sorted([await trial.state_of(agent) for agent in agents])


async def test_asterisk_176_phones_that_answer_by_themselves_and_all_ring(trial: Trial) -> None:
    """One has the call; the others, who answered too, are let go and are idle."""
    agents = [await trial.agent(answers_ms=wait) for wait in (1, 2, 3)]
    for _ in range(ROUNDS):
        call = await trial.talk_to_menu()
        await call.digits("1")
        await trial.talking()

        async def settled() -> bool:
            return await states(trial, agents) == ["idle", "idle", "talking"]

        await until(SOON_S, "one talks, the others are free", settled)
        legs = [channel for channel in await trial.house.channels() if "agent-" in channel]
        assert len(legs) == 1, legs
        await call.hangup()
        await trial.nothing_left()
        assert await states(trial, agents) == ["idle"] * 3


async def test_asterisk_1557_an_agent_answers_and_drops_before_the_bridge(trial: Trial) -> None:
    """The caller stays in line, and the next one who is there has the call."""
    hasty = await trial.agent()
    call = await trial.talk_to_menu()
    await call.digits("1")
    for ms in (0, random.uniform(0, 5), random.uniform(0, 30)):
        ringing = await trial.rings(hasty)
        await ringing.answer()
        await later(ms)
        await ringing.hangup()
        await within(SOON_S, "the agent's line ends", ringing.closed)
    assert not call.closed.happened
    await hasty.behave(reject=486)
    steady = await trial.agent(answers_ms=1)
    await trial.rings(steady)
    await trial.talking()
    await call.hangup()


async def test_freeswitch_2540_nobody_stays_reserved(trial: Trial) -> None:
    """Many phones ring for many callers who all give up: everybody is idle again."""
    agents = [await trial.agent() for _ in range(8)]

    async def gives_up() -> None:
        call = await trial.talk_to_menu()
        await call.digits("1")
        await later(random.uniform(0, 1_500))
        await call.hangup()

    for _ in range(3):
        await asyncio.gather(*(gives_up() for _ in range(6)))
        await trial.nothing_left()
        assert await states(trial, agents) == ["idle"] * len(agents)


async def test_a_lost_bye_frees_the_agent(trial: Trial) -> None:
    """The caller's line goes without a word: the agent is free once it has been silent for too long."""
    agent = await trial.agent(answers_ms=1)
    async with PhoneBank("127.0.0.2") as bank:
        caller = await bank.phone("+33639981071", registrar=trial.house.registrar)
        site = trial.house.plan.numbers[0].replace("+33", "0")
        call = await caller.dial(f"sip:{site}@{trial.house.registrar}")
        await within(SOON_S, "the call is answered", call.established)
        await call.digits("1")
        await trial.rings(agent)
        await trial.talking()
        await bank.kill()
        died = time.monotonic()

        async def free() -> bool:
            return await trial.state_of(agent) == "idle"

        await until(DEAD_S * 3, "the agent is free", free)
        assert time.monotonic() - died >= DEAD_S - 1, "found out by something else"


async def dies_in_a_talk(trial: Trial) -> tuple[PhoneCall, float]:
    """A caller whose agent's phone has just died in their talk."""
    bank = PhoneBank(ELSEWHERE)
    async with bank:
        agent = await trial.agent(answers_ms=1, bank=bank)
        call = await trial.talk_to_menu()
        await call.digits("1")
        await trial.rings(agent)
        await trial.talking()
        await later(2_000)  # a shorter talk would be taken for none
        await bank.kill()
    return call, time.monotonic()


async def test_a_phone_killed_in_a_talk_frees_its_agent_and_its_caller_has_the_next_one(trial: Trial) -> None:
    call, died = await dies_in_a_talk(trial)
    other = await trial.agent(answers_ms=1)
    await trial.rings(other, 60.0)
    assert time.monotonic() - died < 60
    await trial.talking()
    assert not call.closed.happened
    await call.hangup()


@pytest.mark.timeout(120)
async def test_a_phone_killed_in_a_talk_and_nobody_else_there_is_a_promise(trial: Trial) -> None:
    before = len(await files(trial))
    call, died = await dies_in_a_talk(trial)
    await trial.hears(call, trial.said.unstaffed, seconds=60.0)
    assert time.monotonic() - died < 60
    await call.hangup()
    await trial.nothing_left()
    assert len(await files(trial)) == before + 1


@pytest.mark.parametrize("heard", ["hold", "patience"])
async def test_freeswitch_1148_no_dead_air_at_the_answer(trial: Trial, heard: str) -> None:
    """The agent hears the caller at once, whatever the caller was listening to."""
    agent = await trial.agent(answers_ms=1)
    await trial.pause(agent)
    call = await trial.talk_to_menu()
    await call.digits("1")
    await call.play_tone(CALLER_HZ)
    since = time.monotonic_ns()
    await trial.hears(call, heard if heard == "hold" else getattr(trial.said, heard), since, seconds=20.0)
    await trial.resume(agent)
    ringing = await trial.rings(agent)
    answered = await within(SOON_S, "the agent answers", ringing.established)

    async def hears_the_caller() -> bool:
        sound = (await ringing.heard()).between(answered)
        return audio.longest_tone(sound.pcm, sound.rate, CALLER_HZ).seconds >= 1.0

    await until(SOON_S, "the agent hears the caller", hears_the_caller)
    sound = (await ringing.heard()).between(answered)
    began = audio.longest_tone(sound.pcm, sound.rate, CALLER_HZ)
    late_ns = sound.instant(int(began.start * sound.rate)) - answered
    assert late_ns / 1e6 < 300, f"{late_ns / 1e6:.0f} ms of dead air"
    await call.hangup()


@pytest.mark.timeout(60 + WAIT_S)
async def test_a_long_wait_is_never_silent(trial: Trial) -> None:
    agent = await trial.agent()
    await trial.house.queue.pause(trial._id(agent), "test", trial.house.queue.clock() + 290_000)
    call = await trial.talk_to_menu()
    answered = await within(SOON_S, "answered", call.established)
    await call.digits("1")
    await later(WAIT_S * 1_000)
    sound = (await call.heard()).between(answered)
    assert sound.seconds > WAIT_S - 2
    silence = audio.longest_silence(sound.pcm, sound.rate)
    assert silence.seconds <= 1.0, f"silent for {silence.seconds:.2f} s at {silence.start:.1f} s"
    await call.hangup()


async def fill_the_line(trial: Trial, crowd: contextlib.AsyncExitStack) -> list[Sipp]:
    """Returns once so many callers wait as are to be there at closing; whom the machine refused comes again."""
    refused = len(await files(trial))
    sipps: list[Sipp] = []
    called = 0

    async def waiting() -> int:
        return sum(map(len, (await trial.state()).waiting.values()))

    async def settled() -> bool:
        # Who was one too many for the machine has a file of the general desk already.
        return await waiting() + len(await files(trial)) - refused == called

    while (missing := AT_CLOSING - await waiting()) > 0:
        assert called < 2 * AT_CLOSING, "this machine refuses too many"
        called += missing
        spec = Callers(
            number=trial.house.plan.numbers[0].replace("+33", "0"),
            registrar=trial.house.registrar,
            calls=missing,
            rate=FILL_RATE,
            patience_ms=PATIENCE_MS,
            quiet_ms=QUIET_MS,
            numbers=[f"063998{n:04d}" for n in range(called - missing, called)],
        )
        sipps.append(await crowd.enter_async_context(await start_callers(ensure_root(None), spec)))
        await until(30 + 2 * missing / FILL_RATE, f"{called} callers wait or are refused", settled)
    return sipps


async def owed(trial: Trial) -> list[tuple[str, str, int]]:
    """Call, owner and date of every file."""
    async with aiosqlite.connect(trial.house.stack.state_dir / "ledger.sqlite") as ledger:
        rows = await ledger.execute_fetchall("SELECT call, owner, due_ms FROM files")
        return [(call, owner, due) for call, owner, due in rows]


async def opens(trial: Trial) -> None:
    """Open again; returns once a caller is greeted so."""
    await trial.house.force(is_open=True)

    async def greeted() -> bool:
        call = await trial.talk_to_menu()
        with contextlib.suppress(SceneFailed):
            await trial.hears(call, trial.said.greeting, seconds=2.0)
            return True
        await call.hangup()
        return False

    await until(SOON_S, "a caller is greeted", greeted)


@pytest.mark.timeout(240 + 2 * AT_CLOSING)
@pytest.mark.parametrize("closing", ["the last agent leaves", "the hours end"])
async def test_everybody_who_waits_when_the_queue_closes_has_a_promise(trial: Trial, closing: str) -> None:
    """Nobody is put out: each is told, and leaves a file with an owner and a date."""
    before = {name for _, _, name in await files(trial)}
    count = len(await files(trial))
    agent = await trial.agent()
    await trial.house.queue.pause(trial._id(agent), "test", trial.house.queue.clock() + 290_000)
    async with contextlib.AsyncExitStack() as crowd:
        sipps = await fill_the_line(trial, crowd)
        waiting = [call for line in (await trial.state()).waiting.values() for call in line]
        assert len(waiting) == AT_CLOSING
        if closing == "the hours end":
            await trial.house.force(is_open=False)
        else:
            await agent.unregister()
        reports = [await sipp.done() for sipp in sipps]
    called = sum(report.ok for report in reports)
    assert called >= AT_CLOSING
    assert sum(report.failed for report in reports) == 0
    await trial.nothing_left()
    if closing == "the hours end":
        await opens(trial)
    new = (await files(trial))[count:]
    assert len(new) == called
    assert not before & {name for _, _, name in new if name}
    mine = [(owner.rpartition(":")[2], due) for call, owner, due in await owed(trial) if call in waiting]
    assert len(mine) == AT_CLOSING
    assert {owner for owner, _ in mine} == {"etat-civil"}
    assert all(due > trial.house.queue.clock() for _, due in mine)


async def test_the_answer_in_the_instant_of_the_hang_up_among_phones_that_all_ring(trial: Trial) -> None:
    agents = [await trial.agent() for _ in range(3)]
    for _ in range(ROUNDS):
        call = await trial.talk_to_menu()
        await call.digits("1")
        ringing = await asyncio.gather(*(trial.rings(agent) for agent in agents))

        picked = (answers_after(one, random.uniform(0, 8)) for one in ringing)
        await asyncio.gather(hangs_up_after(call, random.uniform(0, 8)), *picked)
        await asyncio.gather(*(within(SOON_S, "an agent's line ends", one.closed) for one in ringing))
        await trial.nothing_left()
        assert await states(trial, agents) == ["idle"] * 3
