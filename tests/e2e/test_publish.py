"""A publication and a rollback under load: no call is disturbed, no agent, no place; new callers meet the new menu."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from ivr.lab import audio
from ivr.lab.editor import OTHER, Editor, edited
from ivr.lab.house import House
from ivr.lab.scenes import AGENT_HZ, CALLER_HZ, until
from ivr.plan import load
from tests.e2e.trial import Trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.lab.phones import PhoneCall

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

SWITCHED_S: Final = 1.0
ROLLED_BACK_S: Final = 5.0
EVERY_S: Final = 0.4
"""Between two callers of the load: their phones are in this process."""
GAP_S: Final = 0.2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trial(
    quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trial]:
    folder = tmp_path_factory.mktemp("published") / "pessac"
    await asyncio.to_thread(shutil.copytree, quick_plan[1], folder)
    async with (
        House(quick_plan[0], folder, tones[0], {"IVR_WRAP_MS": "0"}) as house,
        Trial(house, tones[1], 60) as trial,
    ):
        yield trial
        assert house.complaints() == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    async with Editor(trial.house, tmp_path_factory.mktemp("shelf")) as editor:
        yield editor


class Load:
    """Callers who listen to the first menu for a moment, one after another, until it is told to end."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.told: list[tuple[float, str]] = []
        """When each caller called, and which first menu it heard."""
        self._ending = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self._ending.is_set():
                group.create_task(self._one())
                await asyncio.wait([asyncio.create_task(self._ending.wait())], timeout=EVERY_S)

    async def _one(self) -> None:
        began = time.monotonic()
        call = await self.trial.talk_to_menu()
        names: list[str] = []

        async def heard() -> bool:
            names[:] = filter(None, [await self.heard(call)])
            return bool(names)

        await until(8.0, "a menu is heard", heard)
        self.told.append((began, names[0]))
        await call.hangup()

    async def meets(self, name: str, since: float) -> None:
        """Returns once a caller who called after that moment has heard that menu."""

        async def heard() -> bool:
            return any(began >= since and menu == name for began, menu in self.told)

        await until(8.0, f"a new caller hears {name}", heard)

    def heard_between(self, since: float, end: float) -> set[str]:
        """The first menus of those who called between two moments."""
        return {menu for began, menu in self.told if since <= began < end}

    async def heard(self, call: PhoneCall) -> str:
        """Which first menu it heard."""
        for name in (self.trial.menu.prompt, OTHER):
            if await self.trial.seconds_of(call, name) >= 0.3:
                return name
        return ""

    def end(self) -> None:
        self._ending.set()


async def test_a_publication_and_a_rollback_disturb_no_call(trial: Trial, editor: Editor, tmp_path: Path) -> None:
    old_menu = str(trial.menu.prompt)
    before = load(editor.folder)
    agent = await trial.agent()
    caller, talk = await trial.joined(agent)
    await talk.play_tone(AGENT_HZ)
    await caller.play_tone(CALLER_HZ)
    await trial.hears_tone(caller, AGENT_HZ)
    waiting = await trial.talk_to_menu()
    await waiting.digits("1")
    await trial.hears(waiting, "hold")
    thinking = await trial.talk_to_menu()
    await trial.hears(thinking, old_menu)
    held = await trial.state()
    load_ = Load(trial)
    running = asyncio.create_task(load_.run())
    since = time.monotonic_ns()

    await editor.publish(edited(editor.folder, tmp_path / "new"))
    published = time.monotonic()
    await load_.meets(OTHER, published)
    late = await trial.talk_to_menu()
    await trial.hears(late, OTHER)
    again = time.monotonic_ns()
    await thinking.digits("*")
    await trial.hears(thinking, old_menu, again)

    rolling = time.monotonic()
    assert await editor.publish(before) < ROLLED_BACK_S
    back = time.monotonic()
    await load_.meets(old_menu, back)
    later = await trial.talk_to_menu()
    await trial.hears(later, old_menu)
    load_.end()
    await running

    now = await trial.state()
    assert load_.heard_between(published + SWITCHED_S, rolling) <= {OTHER}
    assert load_.heard_between(back + SWITCHED_S, time.monotonic()) <= {old_menu}
    assert now.agents[trial._id(agent)].call == held.agents[trial._id(agent)].call is not None
    arrivals = {call.call: call.arrival for call in held.calls.values()}
    assert {name: now.calls[name].arrival for name in arrivals} == arrivals
    waited = [name for name, call in held.calls.items() if call.state == "waiting"]
    assert [now.calls[name].state for name in waited] == ["waiting"]
    heard = (await caller.heard()).between(since, time.monotonic_ns())
    assert audio.longest_silence(heard.pcm, heard.rate).seconds < GAP_S
    await caller.hangup()
    await (await trial.rings(agent)).answer()
    await trial.talking()
    await trial.everybody_leaves()
    await trial.nothing_left()
