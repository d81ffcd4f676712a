"""Whole houses for the tests: Asterisk, Redis, a worker, phones. Shared, for they take seconds to build."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
import pytest_asyncio
from rich.console import Console

from ivr.core.plan import BEEP
from ivr.lab.house import House
from ivr.plan import load_or_raise
from ivr.prompts import alaw
from ivr.prompts.studio import make_sounds
from ivr.stack.root import ensure_root
from tests.e2e.trial import Trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ivr.core.plan import Plan

PLAN: Final = Path(__file__).parents[2] / "dialplan" / "pessac"
PROMPTS: Final = Path(".run/prompts")
SPARES: Final = 70
FIRST_HZ: Final = 400
STEP_HZ: Final = 40
MUSIC_HZ: Final = 300
PROMPT_S: Final = 1.0


@pytest.fixture(scope="session")
def spoken_prompts() -> Path:
    """Pessac's prompts, spoken; built once, then cached."""
    make_sounds(PLAN, PROMPTS, Console(stderr=True, quiet=True))
    return PROMPTS


@pytest.fixture(scope="session")
def quick_plan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """Pessac, with everybody's patience cut short and spare agents who answer every topic that is tested."""
    folder = tmp_path_factory.mktemp("plan") / "pessac"
    shutil.copytree(PLAN, folder)
    site = (folder / "site.yaml").read_text()
    for name, ms in (("ring", "5 s"), ("first_patience", "5 s"), ("patience_every", "15 s")):
        site, changed = re.subn(rf"^(  {name}:).*$", rf"\1 {ms}", site, flags=re.MULTILINE)
        assert changed == 1
    (folder / "site.yaml").write_text(site)
    menu = (folder / "menu.yaml").read_text()
    (folder / "menu.yaml").write_text(
        re.sub(r"^(    prompt: .*)$", r"\1\n    input_timeout: 1 s", menu, flags=re.MULTILINE)
    )
    with (folder / "agents.yaml").open("a") as agents:
        for n in range(SPARES):
            agents.write(f"\n  renfort-{n}:\n    name: Renfort {n}\n    groups: [accueil, etat-civil, urbanisme]\n")
    return load_or_raise(folder)[0], folder


@pytest.fixture(scope="session")
def tones(quick_plan: tuple[Plan, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """Prompts that are one second of a tone each, and the frequency of each: what plays is told at once."""
    plan, _ = quick_plan
    out = tmp_path_factory.mktemp("tones")
    hertz = {str(name): FIRST_HZ + STEP_HZ * n for n, name in enumerate(sorted({*plan.prompts, BEEP}))}
    hertz["hold"] = MUSIC_HZ
    (out / "music").mkdir()
    (out / plan.language).mkdir()
    for name, hz in hertz.items():
        at = np.arange(int(8000 * (20.0 if name == "hold" else PROMPT_S))) / 8000
        path = out / ("music" if name == "hold" else plan.language) / f"{name}.alaw"
        path.write_bytes(alaw.encode((6000 * np.sin(2 * np.pi * hz * at)).astype(np.int16)).tobytes())
    return out, hertz


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["ws"])
async def line(
    request: pytest.FixtureRequest, quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]]
) -> AsyncIterator[Trial]:
    """A house for many short calls; the parameter is the transport of ARI."""
    await asyncio.to_thread(ensure_root)
    plan, folder = quick_plan
    env = {"IVR_ARI_TRANSPORT": request.param, "IVR_WRAP_MS": "0"}
    async with House(plan, folder, tones[0], env) as house, Trial(house, tones[1]) as trial:
        yield trial
        assert house.complaints() == []


@pytest_asyncio.fixture(loop_scope="session")
async def trial(line: Trial) -> AsyncIterator[Trial]:
    """The shared house, with nobody in it; after the test nothing of it may be left."""
    yield line
    await line.everybody_leaves()
    await line.nothing_left()
