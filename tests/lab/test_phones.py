from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from ivr.lab import audio
from ivr.lab.moments import NotEstablished, PhoneError
from ivr.lab.phones import Phone, PhoneBank
from tests.lab.line import DESKS, ECHO, KEY, PAUSES, TONE, TONE_HZ, desk_number, lab_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ivr.stack.stack import Stack

# One Asterisk for all; every test has phones of its own and leaves no channel.
pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

CALLER_HZ, AGENT_HZ = 440, 620
SECOND = 1_000_000_000


class Line:
    """The stack with a bank of callers and a bank of desks."""

    def __init__(self, stack: Stack, callers: PhoneBank, desks: PhoneBank) -> None:
        self.stack, self.callers, self.desks = stack, callers, desks
        self.registrar = f"{stack.sip_host}:{stack.sip_port}"

    async def caller(self, user: str = "+33639980001", display: str | None = None) -> Phone:
        return await self.callers.phone(user, registrar=self.registrar, display=display)

    async def desk(self, number: int, *, auto_answer: int | None = None, reject: int | None = None) -> Phone:
        name = f"desk{number}"
        phone = await self.desks.phone(
            f"agent-{name}",
            self.stack.secrets.agent_password(name),
            registrar=self.registrar,
            auto_answer=auto_answer,
            reject=reject,
        )
        await phone.register()
        return phone

    def uri(self, number: str) -> str:
        return f"sip:{number}@{self.registrar}"

    async def quiet(self) -> None:
        """Return once no channel is left: until then a phone that has hung up counts as busy."""
        async with asyncio.timeout(5):
            while "0 active channels" not in await self.stack.asterisk_cli("core show channels count"):
                pass


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with lab_line(tmp_path_factory.mktemp("line")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def line(stack: Stack) -> AsyncIterator[Line]:
    async with PhoneBank("127.0.0.2") as callers, PhoneBank("127.0.0.3") as desks:
        line = Line(stack, callers, desks)
        yield line
    await line.quiet()


async def test_a_key_rings_a_desk_and_tones_go_both_ways_until_the_hangup(line: Line) -> None:
    desk = await line.desk(3)
    caller = await line.caller()
    call = await caller.dial(line.uri(KEY))
    assert await call.established > call.invited_ns
    (key,) = await call.digits("3")
    assert (key.digit, key.pressed_ns < key.released_ns) == ("3", True)
    ringing = await desk.next_call()
    assert 0 < ringing.invited_ns - key.released_ns < SECOND
    assert not ringing.established.happened
    await ringing.answer()
    await ringing.established
    await call.play_tone(CALLER_HZ)
    await ringing.play_tone(AGENT_HZ)
    assert (await call.hear_tone(AGENT_HZ, 1.0)).seconds >= 1.0
    assert (await ringing.hear_tone(CALLER_HZ, 1.0)).seconds >= 1.0
    hung_up = await call.hangup()
    assert hung_up <= await call.closed < hung_up + SECOND
    assert hung_up <= await ringing.closed < hung_up + SECOND
    # Nothing comes after the end, and what came can still be listened to.
    heard = await ringing.heard()
    assert heard.end_ns <= await ringing.closed + 100_000_000
    assert audio.longest_silence(heard.between(heard.end_ns - SECOND).pcm, heard.rate).seconds < 0.1


async def test_a_tone_stops_when_told(line: Line) -> None:
    caller = await line.caller()
    call = await caller.dial(line.uri(ECHO))
    await call.established
    await call.play_tone(CALLER_HZ)
    await call.hear_tone(CALLER_HZ)
    await call.be_silent()
    stopped = time.monotonic_ns()
    heard = await call.hear_for((await call.heard()).seconds + 1)
    after = heard.between(stopped + 250_000_000)
    assert audio.level_dbfs(after.pcm) < -55
    await call.hangup()


async def test_what_is_said_comes_back_as_it_was(line: Line) -> None:
    from tests.lab.test_audio import voice  # noqa: PLC0415

    caller = await line.caller()
    call = await caller.dial(line.uri(ECHO))
    await call.established
    await call.say(voice(3))
    assert audio.correlation((await call.hear_for(4)).pcm, voice(3)) > 0.95
    await call.hangup()


async def test_media_that_stops_is_a_gap_as_long_as_it_was(line: Line) -> None:
    call = await (await line.caller()).dial(line.uri(PAUSES))
    await call.closed
    heard = await call.heard()
    assert audio.longest_tone(heard.pcm, heard.rate, TONE_HZ).seconds > 0.8
    assert audio.longest_silence(heard.pcm, heard.rate).seconds == pytest.approx(1.5, abs=0.15)


async def test_keys_keep_their_order_and_their_places(line: Line) -> None:
    call = await (await line.caller()).dial(line.uri(ECHO))
    await call.established
    keys = await call.digits("159*0#", gap_ms=80)
    assert "".join(key.digit for key in keys) == "159*0#"
    edges = [edge for key in keys for edge in (key.pressed_ns, key.released_ns)]
    assert all(before < after for before, after in pairwise(edges))
    await call.hangup()


async def test_the_callers_identity_arrives_as_given(line: Line) -> None:
    desk = await line.desk(1)
    caller = await line.caller("anonymous", display="Anonyme")
    call = await caller.dial(line.uri(desk_number(1)), asserted="+33639980042")
    ringing = await desk.next_call()
    assert ringing.peer is not None
    assert "+33639980042" in ringing.peer
    await call.hangup()
    await ringing.closed
    await line.quiet()
    private = await caller.dial(line.uri(desk_number(1)), asserted="+33639980042", private=True)
    hidden = await desk.next_call()
    listing = await line.stack.asterisk_cli("core show channels concise")
    assert "+33639980042" in listing  # for the switchboard; whom it shows it to is its affair
    await private.hangup()
    await hidden.closed


@pytest.mark.parametrize(("status", "told"), [(480, "480"), (486, "486"), (603, "503")])
async def test_a_desk_refuses_with_the_status_it_is_told(line: Line, status: int, told: str) -> None:
    """The switchboard tells the caller what it makes of the desk's status."""
    desk = await line.desk(1, reject=status)
    call = await (await line.caller()).dial(line.uri(desk_number(1)))
    with pytest.raises(NotEstablished, match=told):
        await call.established
    await call.closed
    await (await desk.next_call()).closed


async def test_a_desk_answers_by_itself_or_later_or_not_at_all(line: Line) -> None:
    desk = await line.desk(1, auto_answer=300)
    caller = await line.caller()
    call = await caller.dial(line.uri(desk_number(1)))
    established = await call.established
    assert await call.ringing < established
    assert established - desk.calls[0].invited_ns == pytest.approx(0.3 * SECOND, abs=0.2 * SECOND)
    await call.hangup()
    await desk.calls[0].closed
    await desk.behave()
    await line.quiet()
    given_up = await caller.dial(line.uri(desk_number(1)))
    await desk.next_call()
    ignored = await desk.next_call()
    await given_up.hangup()
    await ignored.closed
    assert not ignored.established.happened


async def test_a_refused_registration_says_why(line: Line) -> None:
    phone = await line.desks.phone("agent-desk1", "wrong", registrar=line.registrar)
    with pytest.raises(PhoneError, match="401"):
        await phone.register()


async def test_twenty_phones_talk_at_once(line: Line) -> None:
    desks = await asyncio.gather(*(line.desk(n, auto_answer=0) for n in range(1, DESKS + 1)))
    callers = await asyncio.gather(*(line.caller(f"+336399800{n:02d}") for n in range(1, DESKS + 1)))
    calls = await asyncio.gather(*(caller.dial(line.uri(desk_number(n))) for n, caller in enumerate(callers, 1)))
    await asyncio.gather(*(call.established for call in calls))
    answered = [await desk.next_call() for desk in desks]
    await asyncio.gather(*(call.established for call in answered))
    await asyncio.gather(*(call.play_tone(CALLER_HZ) for call in calls))
    await asyncio.gather(*(call.hear_tone(CALLER_HZ) for call in answered))
    await asyncio.gather(*(call.hangup() for call in calls))
    await asyncio.gather(*(call.closed for call in answered))


async def test_phones_that_die_say_nothing_and_their_calls_are_over(line: Line) -> None:
    async with PhoneBank("127.0.0.3") as bank:
        phone = await bank.phone(
            "agent-desk5", line.stack.secrets.agent_password("desk5"), registrar=line.registrar, auto_answer=0
        )
        await phone.register()
        call = await (await line.caller()).dial(line.uri(desk_number(5)))
        await call.established
        pid = bank.pid
        await bank.kill()
        assert not Path(f"/proc/{pid}").exists()
        await phone.calls[0].closed
        with pytest.raises(PhoneError, match="gone"):
            await phone.register()
        assert not call.closed.happened
    await call.hangup()


async def test_frozen_phones_go_on_when_thawed(line: Line) -> None:
    desk = await line.desk(1)
    caller = await line.caller()
    line.desks.freeze()
    call = await caller.dial(line.uri(desk_number(1)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call.ringing, 0.4)
    line.desks.thaw()
    await desk.next_call()
    await call.ringing
    await call.hangup()


OWNER = """
import asyncio, sys
from ivr.lab.phones import PhoneBank
async def main():
    async with PhoneBank("127.0.0.3") as bank:
        phone = await bank.phone("agent-desk1", sys.argv[2], registrar=sys.argv[1])
        await phone.register()
        print(bank.pid, bank._scratch.name, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_nothing_outlives_an_owner_that_is_killed(line: Line) -> None:
    password = line.stack.secrets.agent_password("desk1")
    with subprocess.Popen(  # noqa: ASYNC220 - a moment
        [sys.executable, "-c", OWNER, line.registrar, password],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as owner:
        assert owner.stdout is not None
        pid, scratch = (await asyncio.to_thread(owner.stdout.readline)).split()
        handle = os.pidfd_open(int(pid))
        owner.send_signal(signal.SIGKILL)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(handle, ended.set)
        await asyncio.wait_for(ended.wait(), 5)
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
    assert not Path(scratch).exists()
    contacts = await line.stack.asterisk_cli("pjsip show contacts")
    assert "agent-desk1" not in contacts  # they have even said goodbye


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_bank_leaves_nothing_behind() -> None:
    before = open_files()
    async with PhoneBank("127.0.0.4") as bank:
        pid = bank.pid
    assert not Path(f"/proc/{pid}").exists()
    assert open_files() == before


async def test_a_tone_of_the_switchboard_is_heard(line: Line) -> None:
    call = await (await line.caller()).dial(line.uri(TONE))
    await call.established
    await call.hear_tone(TONE_HZ)
    await call.hangup()
