"""Out of hours, at closing time, in a crisis, down a chain and in another language, at the ear of real callers."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
import pytest_asyncio

from ivr.core.plan import BEEP, CrisisId, MenuId, PromptId
from ivr.core.schedule import Forced
from ivr.lab.house import House
from ivr.lab.scenes import SOON_S, SceneFailed, until, within
from ivr.ledger.store import Ledger
from ivr.plan import load_or_raise
from ivr.prompts import alaw
from ivr.publish.states import CrisisState
from ivr.publish.store import Publications
from ivr.queueing.connect import connect
from ivr.settings import Settings
from ivr.stack.root import ensure_root
from tests.e2e.conftest import FIRST_HZ, MUSIC_HZ, PROMPT_S, STEP_HZ
from tests.e2e.trial import Trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.ledger.store import File
    from ivr.publish.states import State

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]
HOUR: Final = 3_600_000
ENGLISH: Final = "in English"
ENGLISH_HZ: Final = FIRST_HZ - 45
NEWS_S: Final = 2.5
"""Until what was forced is at the ear."""
USUAL = "      - topic: accueil\n      - message: etat-civil\n"
CHAIN = "      - topic: accueil\n      - outside: metropole\n      - callback: accueil\n"


def tones(plan: Plan, out: Path) -> dict[str, int]:
    """A second of a tone of its own for each prompt, one tone for all that is English; the hertz of each."""
    hertz = {str(name): FIRST_HZ + STEP_HZ * n for n, name in enumerate(sorted({*plan.prompts, BEEP}))}
    files = {f"fr/{name}": hz for name, hz in hertz.items()} | {f"en/{name}": ENGLISH_HZ for name in hertz}
    for name, hz in (files | {"music/hold": MUSIC_HZ}).items():
        at = np.arange(int(8000 * (20.0 if name == "music/hold" else PROMPT_S))) / 8000
        path = out / f"{name}.alaw"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(alaw.encode((6000 * np.sin(2 * np.pi * hz * at)).astype(np.int16)).tobytes())
    return hertz | {"hold": MUSIC_HZ, ENGLISH: ENGLISH_HZ}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    quick_plan: tuple[Plan, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Trial, Publications, Ledger]]:
    await asyncio.to_thread(ensure_root)
    base = tmp_path_factory.mktemp("hours")
    folder, sounds = base / "pessac", base / "sounds"
    shutil.copytree(quick_plan[1], folder)
    sounds.mkdir()
    topics = (folder / "topics.yaml").read_text()
    assert USUAL in topics
    (folder / "topics.yaml").write_text(topics.replace(USUAL, CHAIN))
    plan = load_or_raise(folder)[0]
    hertz = tones(plan, sounds)
    async with House(plan, folder, sounds, {"IVR_WRAP_MS": "0"}) as house, Trial(house, hertz) as trial:
        redis = connect(house.stack.redis_url)
        async with Ledger(Settings(state_dir=house.stack.state_dir).ledger) as ledger:
            yield trial, Publications(redis, ledger, plan.site), ledger
        await redis.aclose()
        assert house.complaints() == []


class Town:
    """A trial, and what an admin can force."""

    def __init__(self, trial: Trial, store: Publications, ledger: Ledger) -> None:
        self.trial = trial
        self.store = store
        self.ledger = ledger

    @property
    def now(self) -> int:
        return self.trial.house.queue.clock()

    async def set(self, state: State) -> None:
        """Force it, and let the worker learn of it."""
        await self.store.set(state, self.now)

    async def close(self) -> None:
        """Closed from now on, for an hour."""
        await self.set(Forced(None, open=False, since=self.now, until=self.now + HOUR, reason="panne"))

    async def reopen(self) -> None:
        """Open at whatever hour this runs, as the house began."""
        await self.store.unset(("crisis",), self.now)
        await self.set(Forced(None, open=True, since=self.now, until=self.now + 24 * HOUR, reason="essai"))

    async def file_of(self, call: str) -> File:
        """The file that a call left."""
        found: list[File] = []

        async def there() -> bool:
            found[:] = [file for file in await self.ledger.files() if file.call == call]
            return bool(found)

        await until(SOON_S, "a file", there)
        return found[0]

    async def begins(self, sentence: str) -> None:
        """Returns once a new caller hears that sentence: the worker knows what was forced."""

        async def heard() -> bool:
            call = await self.trial.talk_to_menu()

            async def begun() -> bool:
                return await self.trial.seconds_of(call, sentence) >= PROMPT_S / 2

            with suppress(SceneFailed):
                await until(NEWS_S, f"this caller hears {sentence}", begun)
                return True
            await call.hangup()
            return False

        await until(4 * NEWS_S, f"a caller hears {sentence}", heard)
        for call in self.trial.calls:
            await call.hangup()
        await self.trial.nothing_left()


@pytest_asyncio.fixture(loop_scope="module")
async def hall(town: tuple[Trial, Publications, Ledger]) -> AsyncIterator[Town]:
    hall = Town(*town)
    await hall.reopen()
    await hall.begins("bonjour")
    yield hall
    await hall.trial.everybody_leaves()
    await hall.trial.nothing_left()


async def test_out_of_hours_the_news_then_the_menu_then_a_chain_to_a_promise(hall: Town) -> None:
    await hall.close()
    await hall.begins("mairie-fermee")
    trial = hall.trial
    call = await trial.talk_to_menu()
    await trial.hears(call, "mairie-fermee")
    await trial.hears(call, "menu-principal")
    (record,) = (await trial.state()).calls.values()
    pressed = (await call.digits("1"))[0].released_ns
    await trial.hears(call, trial.house.plan.outsides[next(iter(trial.house.plan.outsides))].prompt, pressed)
    await trial.hears(call, "rappel-promis", pressed)
    await within(SOON_S, "the line ends", call.closed)
    file = await hall.file_of(record.call)
    assert (file.kind, file.topic, file.owner) == ("callback", "etat-civil", "group:accueil")


async def test_who_waits_at_closing_time_is_kept_and_who_talks_is_left_alone(hall: Town) -> None:
    trial = hall.trial
    phone = await trial.agent()
    talker, talked = await trial.joined(phone, "0")
    call = await trial.talk_to_menu()
    pressed = (await call.digits("0"))[0].released_ns
    await trial.hears(call, "hold", pressed)
    (record,) = [each for each in (await trial.state()).calls.values() if each.state == "waiting"]
    await hall.close()
    await trial.hears(call, "mairie-ferme-attente", pressed)
    file = await hall.file_of(record.call)
    assert (file.kind, file.owner, file.opened_ms) == ("callback", "group:accueil", record.arrival)
    assert not talker.closed.happened
    assert not talked.closed.happened


async def test_a_crisis_is_heard_before_its_menu(hall: Town) -> None:
    profile = hall.trial.house.plan.crises[CrisisId("inondation")]
    await hall.set(CrisisState(profile.id, hall.now + HOUR))
    await hall.begins(profile.message)
    call = await hall.trial.talk_to_menu()
    await hall.trial.hears(call, profile.message)
    assert profile.menu is not None
    await hall.trial.hears(call, hall.trial.house.plan.menus[profile.menu].prompt)


async def test_a_key_changes_the_language_of_all_that_follows(hall: Town) -> None:
    trial = hall.trial
    call = await trial.talk_to_menu()
    pressed = (await call.digits("9"))[0].released_ns
    await trial.hears(call, ENGLISH, pressed)
    assert await trial.seconds_of(call, PromptId("menu-principal"), pressed) < 0.15
    pressed = (await call.digits("2"))[0].released_ns
    await trial.hears(call, ENGLISH, pressed)
    assert await trial.seconds_of(call, trial.house.plan.menus[MenuId("urbanisme-voirie")].prompt, pressed) < 0.15
