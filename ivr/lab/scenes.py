"""The scenes of the demo: real SIP calls through the whole switchboard, judged by what the phones hear.

Each scene gets a running house, tells what happens as it happens, and returns its figures;
it raises SceneFailed when the caller was not served as promised.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiosqlite
import numpy as np

from ivr.errors import IvrError
from ivr.lab import audio
from ivr.prompts.alaw import decode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from numpy.typing import NDArray

    from ivr.core.plan import PromptId
    from ivr.lab.house import House
    from ivr.lab.phones import Phone, PhoneCall

T = TypeVar("T")

CALLER_HZ: Final = 440
AGENT_HZ: Final = 620
OVER_DB: Final = 20.0
ALIKE: Final = 0.8
TALK_S: Final = 2.0
TONE_S: Final = 1.0
SOON_S: Final = 5.0
PATIENCE_S: Final = 75.0
SECOND_CALLER: Final = "+33639980002"
THIRD_CALLER: Final = "+33639980003"


class SceneFailed(IvrError):
    """A caller was not served as promised; the sentence says how."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A story with a name; `play` tells it live and returns its figures."""

    name: str
    title: str
    play: Callable[[House, Callable[[str], None]], Awaitable[Mapping[str, Any]]]


def expect(holds: bool, why: str) -> None:  # noqa: FBT001 - it reads as a sentence
    """Raise SceneFailed unless it holds."""
    if not holds:
        raise SceneFailed(why)


async def within(seconds: float, what: str, event: Awaitable[T]) -> T:
    """Return what is awaited, or fail the scene after so many seconds."""
    try:
        return await asyncio.wait_for(event, seconds)
    except TimeoutError:
        raise SceneFailed(f"{what}: not within {seconds:.0f} s") from None


async def until(seconds: float, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
    """Return once it holds; fail the scene after so many seconds."""
    deadline = time.monotonic() + seconds
    while not await holds():
        expect(time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s")
        await asyncio.sleep(0.05)


def prompt(house: House, name: PromptId) -> NDArray[np.int16]:
    """Return the samples of a built prompt."""
    path = house.prompts_dir / house.plan.language / f"{name}.alaw"
    return decode(np.fromfile(path, dtype=np.uint8))


async def hears_prompt(house: House, call: PhoneCall, name: PromptId, since_ns: int, seconds: float) -> float:
    """Return how alike the prompt and what the phone heard are, once it is alike enough."""
    wanted = prompt(house, name)
    deadline = time.monotonic() + seconds
    await asyncio.sleep(max(0.0, len(wanted) / 8000 - (time.monotonic_ns() - since_ns) / 1e9))
    score = 0.0
    while score < ALIKE:
        expect(
            time.monotonic() < deadline,
            f"the sentence {name} at the caller's ear: not within {seconds:.0f} s (correlation {score:.2f})",
        )
        await asyncio.sleep(0.3)
        heard = (await call.heard()).between(since_ns)
        score = await asyncio.to_thread(audio.correlation, heard.pcm, wanted)
    return round(score, 3)


async def two_way(caller: PhoneCall, agent: PhoneCall) -> dict[str, Any]:
    """Send a tone each way for a while; fail unless each end hears the other's, clear and long enough."""
    await caller.play_tone(CALLER_HZ)
    await agent.play_tone(AGENT_HZ)
    since = time.monotonic_ns()
    await asyncio.sleep(TALK_S)
    figures: dict[str, Any] = {}
    for ear, call, hz in (("agent", agent, CALLER_HZ), ("caller", caller, AGENT_HZ)):
        heard = (await call.heard()).between(since)
        stretch = audio.longest_tone(heard.pcm, heard.rate, hz, over_db=OVER_DB)
        expect(stretch.seconds >= TONE_S, f"the {ear} hears {hz} Hz for only {stretch.seconds:.2f} s")
        figures[f"{ear}_hears_s"] = round(stretch.seconds, 2)
    return {"two_way_audio": True, **figures}


async def next_call(phone: Phone, seconds: float = SOON_S) -> PhoneCall:
    """Return the next call that rings this phone."""
    return await within(seconds, f"{phone.user} rings", phone.next_call())


async def call_and_choose(
    house: House, key: str, tell: Callable[[str], None], number: str | None = None
) -> tuple[PhoneCall, int, float]:
    """Call, and press a key while the greeting plays; return the call, the key's end, the time to the answer."""
    call = await (house.call(number) if number else house.call())
    answered = await within(SOON_S, "the call is answered", call.established)
    answered_ms = (answered - call.invited_ns) / 1e6
    tell(f"the call is answered after {answered_ms:.0f} ms")
    pressed = (await call.digits(key))[-1]
    tell(f"the caller presses {key} while the greeting plays")
    return call, pressed.released_ns, round(answered_ms, 1)


async def hang_up(house: House, call: PhoneCall) -> None:
    """End a call from the caller's side and wait until nothing of it is left."""
    await call.hangup()
    await nothing_left(house)


async def nothing_left(house: House) -> None:
    """Fail unless every channel, bridge, call, offer and talk is gone soon."""

    async def gone() -> bool:
        held = await house.state()
        return not (held.calls or held.offers or held.talks or await house.channels() or await house.bridges())

    await until(SOON_S, "nothing of the call is left", gone)


async def right_agent(house: House, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """A caller presses 1: the right agent rings, and both hear each other."""
    agent = await house.agent("julien-castaing", answers_ms=1_500)
    tell("Julien Castaing (état civil) registers his phone")
    call = await house.call()
    answered = await within(SOON_S, "the call is answered", call.established)
    tell("the call is answered; the greeting and the menu play")
    said = house.plan.announcements.greeting
    alike = await hears_prompt(house, call, said, answered, 30.0)
    tell(f"the greeting is heard as it was recorded (correlation {alike})")
    key = (await call.digits("1"))[-1]
    ringing = await next_call(agent)
    ring_ms = (ringing.invited_ns - key.released_ns) / 1e6
    tell(f"the caller presses 1; Julien's phone rings {ring_ms:.0f} ms later")
    await within(SOON_S, "Julien answers", ringing.established)
    figures = await two_way(call, ringing)
    tell("caller and agent hear each other")
    await ringing.hangup()
    await within(SOON_S, "the caller's line ends", call.closed)
    await nothing_left(house)
    return {
        "answered_ms": round((answered - call.invited_ns) / 1e6, 1),
        "digit_to_ring_ms": round(ring_ms, 1),
        "prompt_correlation": alike,
        **figures,
    }


async def next_agent(house: House, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """The first agent does not answer: the second gets the call, the caller keeps the place."""
    julien = house.agents.get("julien-castaing") or await house.agent("julien-castaing")
    await julien.behave()
    sophie = await house.agent("sophie-darrieux")
    tell("Julien Castaing and Sophie Darrieux are there; the one who rings first takes no call")
    call, key_ns, answered_ms = await call_and_choose(house, "1", tell)
    rings = {asyncio.create_task(phone.next_call()): phone for phone in (julien, sophie)}
    done, waiting = await asyncio.wait(rings, timeout=SOON_S, return_when=asyncio.FIRST_COMPLETED)
    expect(len(done) == 1, f"{len(done)} phones ring instead of one")
    missed = done.pop().result()
    ring_ms = (missed.invited_ns - key_ns) / 1e6
    tell(f"{missed.phone.user} rings {ring_ms:.0f} ms after the key …")
    ringing = await within(house.plan.ring_timeout_ms / 1000 + SOON_S, "the second phone rings", waiting.pop())
    after = (ringing.invited_ns - missed.invited_ns) / 1e9
    tell(f"… for {after:.1f} s; then {ringing.phone.user}")
    await ringing.answer()
    await within(SOON_S, "the second agent answers", ringing.established)
    figures = await two_way(call, ringing)
    tell("caller and second agent hear each other")
    await hang_up(house, call)
    return {
        "answered_ms": answered_ms,
        "digit_to_ring_ms": round(ring_ms, 1),
        "second_rings_s": round(after, 1),
        **figures,
    }


async def nobody_there(house: House, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """No agent anywhere: the caller is told, and leaves a message that has an owner and a date."""
    call, _, answered_ms = await call_and_choose(house, "1", tell)
    since = time.monotonic_ns()
    alike = await hears_prompt(house, call, house.plan.announcements.unstaffed, since, 30.0)
    tell(f"nobody is there: the caller is told so (correlation {alike}) and asked for a message")
    folder = house.stack.spool / "recording" / "message"

    async def recording() -> bool:
        return folder.is_dir() and any(folder.iterdir())

    await until(30.0, "the recording begins", recording)
    await call.play_tone(CALLER_HZ)
    await asyncio.sleep(2.0)
    await call.digits("#")
    await call.be_silent()
    tell("the caller speaks, and presses #")
    await within(30.0, "the call ends after the last sentence", call.closed)
    async with aiosqlite.connect(house.stack.state_dir / "ledger.sqlite") as ledger:
        rows = list(await ledger.execute_fetchall("SELECT owner, due_ms, recording, opened_ms FROM files"))
    expect(len(rows) == 1, f"{len(rows)} files in the ledger instead of one")
    owner, due_ms, name, opened_ms = rows[0]
    size = (house.stack.spool / "recording" / f"{name}.wav").stat().st_size
    expect(size > 16_000, f"the message has only {size} bytes")  # noqa: PLR2004 - one second of 16-bit sound
    tell(f"a file: owner {owner}, due in {(due_ms - opened_ms) / 86_400_000:.0f} days, {size // 1000} kB of sound")
    await nothing_left(house)
    return {"answered_ms": answered_ms, "prompt_correlation": alike, "owner": owner, "message_bytes": size}


async def _reaches_the_desk(house: House, tell: Callable[[str], None]) -> dict[str, Any]:
    desk = house.agents.get("camille-laborde") or await house.agent("camille-laborde")
    call = await house.call()
    answered = await within(20.0, "the fallback answers", call.established)
    waited = (answered - call.invited_ns) / 1e6
    tell(f"a new caller is answered by the fallback after {waited:.0f} ms and hears a sentence")
    ringing = await next_call(desk, PATIENCE_S)
    rings = (ringing.invited_ns - call.invited_ns) / 1e9
    tell(f"the general desk's phone rings after {rings:.1f} s")
    await ringing.answer()
    await within(SOON_S, "the desk answers", ringing.established)
    figures = await two_way(call, ringing)
    heard = (await call.heard()).between(answered)
    silence = audio.longest_silence(heard.pcm, heard.rate)
    tell("caller and desk hear each other")
    await call.hangup()
    await within(SOON_S, "the desk's line ends", ringing.closed)
    return {
        "answered_ms": round(waited, 1),
        "desk_rings_s": round(rings, 1),
        "longest_silence_s": round(silence.seconds, 2),
        **figures,
    }


async def killed(house: House, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """Our process is killed: a new caller reaches the general desk all the same."""
    if "camille-laborde" not in house.agents:
        await house.agent("camille-laborde")
    await house.worker.kill()
    tell("our process is killed (kill -9)")
    figures = await _reaches_the_desk(house, tell)
    await house.worker.start()
    await house.worker.ready()
    return figures


async def frozen(house: House, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """Our process is frozen: the watchdog gives a new caller to the general desk."""
    if "camille-laborde" not in house.agents:
        await house.agent("camille-laborde")
    house.worker.freeze()
    tell("our process is frozen (kill -STOP)")
    try:
        return await _reaches_the_desk(house, tell)
    finally:
        house.worker.thaw()


async def adopted(house: House, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """Killed with three callers, and started again: all three are kept."""
    agent = house.agents.get("julien-castaing") or await house.agent("julien-castaing")
    await agent.behave(auto_answer=200)
    talking, _, answered_ms = await call_and_choose(house, "1", tell)
    joined = await next_call(agent)
    await within(SOON_S, "Julien answers", joined.established)
    await talking.play_tone(CALLER_HZ)
    await joined.play_tone(AGENT_HZ)
    tell("the first caller talks with Julien")
    holding, _, _ = await call_and_choose(house, "1", tell, SECOND_CALLER)

    async def waits() -> bool:
        return any((await house.state()).waiting.values())

    await until(SOON_S, "the second caller waits", waits)
    tell("the second caller waits for Julien")
    choosing = await house.call(THIRD_CALLER)
    await within(SOON_S, "the third call is answered", choosing.established)
    await asyncio.sleep(1.0)
    before = await house.state()
    tell("the third caller listens to the menu; our process is killed (kill -9)")
    since = time.monotonic_ns()
    await house.worker.kill()
    await asyncio.sleep(0.5)
    await house.worker.start()
    await house.worker.ready()
    back_ns = time.monotonic_ns()
    tell(f"started again; ready after {(back_ns - since) / 1e9:.1f} s")
    root = house.plan.menus[house.plan.root].prompt
    alike = await hears_prompt(house, choosing, root, back_ns - 1_000_000_000, 40.0)
    tell(f"the third caller hears the menu again (correlation {alike})")
    after = await house.state()
    expect(before.waiting == after.waiting, "the second caller lost the place in line")
    expect(
        {call: record.arrival for call, record in before.calls.items()}
        == {call: record.arrival for call, record in after.calls.items()},
        "an arrival changed",
    )
    heard = (await talking.heard()).between(since)
    stretch = audio.longest_tone(heard.pcm, heard.rate, AGENT_HZ, over_db=OVER_DB)
    expect(
        stretch.seconds >= heard.seconds - 0.5, f"the talk was heard for {stretch.seconds:.1f} of {heard.seconds:.1f} s"
    )
    tell(f"the first caller heard Julien all the time ({stretch.seconds:.1f} s without a gap)")
    await joined.hangup()
    await within(SOON_S, "the first caller's line ends", talking.closed)
    ringing = await next_call(agent)
    await within(SOON_S, "Julien answers the second caller", ringing.established)
    figures = await two_way(holding, ringing)
    tell("Julien hangs up, and has the second caller at once")
    await holding.hangup()
    await choosing.hangup()
    await nothing_left(house)
    return {
        "answered_ms": answered_ms,
        "back_s": round((back_ns - since) / 1e9, 2),
        "prompt_correlation": alike,
        "talk_without_gap_s": round(stretch.seconds, 1),
        **figures,
    }


RIGHT_AGENT: Final = Scene("right-agent", "a resident presses 1 and reaches the right agent", right_agent)
NEXT_AGENT: Final = Scene("next-agent", "the first agent does not answer: the second does", next_agent)
NOBODY: Final = Scene("nobody-there", "no agent is there: a message with an owner and a date", nobody_there)
KILLED: Final = Scene("killed", "our process is dead: the general desk rings", killed)
FROZEN: Final = Scene("frozen", "our process is frozen: the general desk rings", frozen)
ADOPTED: Final = Scene("adopted", "killed with three callers, started again: all three are kept", adopted)

HOUSES: Final = ((RIGHT_AGENT, NEXT_AGENT), (NOBODY, ADOPTED), (KILLED, FROZEN))
"""Which scenes follow one another in the same house; a house is a switchboard of its own."""
