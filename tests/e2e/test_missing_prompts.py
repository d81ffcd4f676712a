"""A prompt's file is gone while the line runs: the caller goes on, and is never left in silence."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from ivr.lab import audio
from ivr.lab.house import House
from ivr.lab.scenes import SOON_S, within
from ivr.stack.root import ensure_root
from tests.e2e.trial import HEARD_S, Trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ivr.core.plan import Plan

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SAID: Final = ("greeting", "no_input", "to_human")
SILENT_S: Final = 2.5
"""A menu waits a second for a key here, and the next one begins."""
PATIENT_S: Final = 20.0
"""For who presses nothing, until they wait for people."""


@pytest.fixture(scope="module")
def sounds(tones: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(tones[0], tmp_path_factory.mktemp("missing") / "sounds")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]], sounds: Path) -> AsyncIterator[Trial]:
    """A house of its own: Asterisk complains of what it cannot find."""
    await asyncio.to_thread(ensure_root)
    async with House(*quick_plan, sounds, {"IVR_WRAP_MS": "0"}) as house, Trial(house, tones[1]) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def trial(town: Trial) -> AsyncIterator[Trial]:
    """The house, with nobody in it; after the test nothing of it may be left."""
    yield town
    await town.everybody_leaves()
    await town.nothing_left()


@pytest.mark.parametrize("missing", ["menu", *SAID])
async def test_who_presses_nothing_reaches_people_whatever_prompt_is_missing(
    trial: Trial, sounds: Path, missing: str
) -> None:
    plan = trial.house.plan
    said = {"menu": trial.menu.prompt, **{each: getattr(trial.said, each) for each in SAID}}
    name = said.pop(missing)
    if missing == "menu":
        del said["no_input"]  # who did not hear the menu is not asked again
    path = sounds / plan.language / f"{name}.alaw"
    kept = path.read_bytes()
    path.unlink()
    try:
        agent = await trial.agent()
        await trial.pause(agent)
        call = await trial.talk_to_menu()
        answered = await within(SOON_S, "answered", call.established)
        await trial.hears(call, "hold", seconds=PATIENT_S)
        await trial.resume(agent)
        ringing = await trial.rings(agent)
        heard = (await call.heard()).between(answered)
        assert await trial.seconds_of(call, name, answered) < HEARD_S
        for other in said.values():
            assert await trial.seconds_of(call, other, answered) >= HEARD_S, other
        silence = audio.longest_silence(heard.pcm, heard.rate)
        assert silence.seconds <= SILENT_S, f"silent for {silence.seconds:.2f} s at {silence.start:.1f} s"
        await ringing.answer()
        await trial.talking()
    finally:
        path.write_bytes(kept)
