"""An admin who publishes while callers call: each publication is made as `ivr plan publish` makes it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from ivr.core.plan import AgentId
from ivr.lab.crowd import LoadFailed
from ivr.ledger.store import Ledger
from ivr.plan import load
from ivr.publish.publication import prepare
from ivr.publish.shelf import Shelf
from ivr.publish.store import Publications
from ivr.publish.version import Files
from ivr.queueing.connect import connect
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.lab.crowd import Crowd
    from ivr.lab.house import House
    from ivr.plan import Loaded

OTHER: Final = "secours-accueil"
"""A sentence of the plan that is no menu's: the draft's first menu says it."""
CALLS: Final = 600
RATE: Final = 10.0
_AUTHOR: Final = "Claire"


def edited(folder: Path, out: Path) -> Loaded:
    """Copy a plan's folder, have its first menu say something else, and return it as it loads."""
    shutil.copytree(folder, out)
    (out / "tests.yaml").unlink(missing_ok=True)  # which say what the menu was
    path = out / "menu.yaml"
    text, changed = re.subn(r"^(    prompt: )\S+$", rf"\g<1>{OTHER}", path.read_text(), count=1, flags=re.MULTILINE)
    if changed != 1:
        raise LoadFailed(f"{path}: the first menu's prompt is not written as expected")
    path.write_text(text, encoding="utf-8")
    return load(out)


class Editor:
    """Of one house, inside `async with`; `scratch` holds the versions that are laid out."""

    def __init__(self, house: House, scratch: Path) -> None:
        self.folder = Path(house.env["IVR_PLAN"])
        known = {name.removeprefix("IVR_").lower(): value for name, value in house.env.items()}
        values: dict[str, Any] = {name: value for name, value in known.items() if name in Settings.model_fields}
        self._settings = Settings(**values)
        self._site = house.plan.site
        self._shelf = Shelf(scratch / "plans")
        self._closing = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as closing:
            redis = connect(self._settings.redis_url, timeout_s=3)
            closing.push_async_callback(redis.aclose)
            ledger = await closing.enter_async_context(Ledger(self._settings.ledger))
            self._store = Publications(redis, ledger, self._site)
            self._closing = closing.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._closing.aclose()

    async def publish(self, draft: Loaded) -> float:
        """Publish a folder; return how many seconds it took."""
        began = time.monotonic()
        found = await self._store.current()
        if found is None:
            raise LoadFailed("the worker has published nothing")
        current = found, self._shelf.lay(found)
        files = Files.of(draft.folder)
        ready = prepare(draft, files, current, author=_AUTHOR, note="", now=1, waiting={}, owed=())
        await self._store.publish(ready.published)
        return time.monotonic() - began


async def publish_under_load(house: Crowd, scratch: Path, watch: Callable[[float], None]) -> dict[str, Any]:
    """Put calls through while a version is published and taken back; no call, place or agent's state may be lost."""
    editor = Editor(house, scratch)
    resting = AgentId(house.staff[0])
    async with await house.crowd(), editor:
        await house.queue.pause(resting, "chaos", house.queue.clock() + 3_600_000)
        before = await house.state()
        load_ = asyncio.create_task(house.load(house.public_number, calls=CALLS, rate=RATE, watch=watch))
        third = CALLS / RATE / 3
        await asyncio.wait({load_}, timeout=third)
        took = await editor.publish(await asyncio.to_thread(edited, editor.folder, scratch / "edited"))
        await asyncio.wait({load_}, timeout=third)
        back = await editor.publish(await asyncio.to_thread(load, editor.folder))
        report = await load_
        await house.quiet()
        after = await house.state()
        kept = {name: (agent.present, agent.pause) for name, agent in before.agents.items()}
        now = {name: (agent.present, agent.pause) for name, agent in after.agents.items()}
        calls = await house.metrics()
        answered = int(calls.get('ivr_calls_ended_total{outcome="answered"}', 0))
    complaints = house.complaints()
    return {
        "ok": report.ok == answered == CALLS and kept == now and not complaints,
        "calls": report.calls,
        "served": report.ok,
        "answered": answered,
        "published_s": round(took, 2),
        "rolled_back_s": round(back, 2),
        "agents_changed": sorted(name for name in kept if kept[name] != now.get(name)),
        "complaints": complaints[:5],
    }
