"""`make demo`: every scene on real Asterisk, Redis and SIP, told live, with its figures in .run/demo.json."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape

from ivr.errors import IvrError
from ivr.lab.house import House
from ivr.lab.scenes import HOUSES, Scene
from ivr.plan import load_or_raise
from ivr.prompts.studio import make_sounds
from ivr.stack.root import ensure_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.core.plan import Plan

PLAN: Final = Path("dialplan/pessac")
RUN: Final = Path(".run")
COLOURS: Final = ("cyan", "magenta", "green")

Result = dict[str, Any]


async def play_scene(house: House, scene: Scene, tell: Any) -> Result:
    """Play one scene; what goes wrong in it is its result."""
    tell(f"[bold]{scene.title}[/bold]")
    try:
        figures = await scene.play(house, tell)
    except Exception as failed:  # noqa: BLE001 - the boundary of a scene: the others go on, the last line names it
        why = reason(failed)
        tell(f"[red bold]failed:[/red bold] {escape(why)}")
        return {"name": scene.name, "ok": False, "why": why}
    tell("[green]ok[/green]")
    return {"name": scene.name, "ok": True, **figures}


def reason(failed: Exception) -> str:
    """Return why something failed; of what nobody foresaw, with its name and where it was raised."""
    while isinstance(failed, ExceptionGroup):
        failed = failed.exceptions[0]
    if isinstance(failed, IvrError):
        return str(failed)
    frames = traceback.extract_tb(failed.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(failed).__name__}: {failed}".removesuffix(": ") + where


async def play_house(
    plan: Plan, prompts: Path, scenes: Sequence[Scene], colour: str, console: Console, began: float
) -> list[Result]:
    """Play scenes one after the other in a house of their own."""
    results: list[Result] = []
    async with House(plan, PLAN, prompts) as house:
        for scene in scenes:

            def tell(what: str, name: str = scene.name) -> None:
                console.print(
                    f"[dim]{time.monotonic() - began:6.1f} s[/dim] [{colour}]{name:12}[/{colour}] {what}",
                    soft_wrap=True,
                )

            results.append(await play_scene(house, scene, tell))
            if not results[-1]["ok"]:
                keep_logs(house, scene)
    return results


def keep_logs(house: House, scene: Scene) -> None:
    """Keep what a failed scene left, for whoever looks for the reason."""
    folder = RUN / "failed" / scene.name
    folder.mkdir(parents=True, exist_ok=True)
    for log in house.stack.logs.iterdir():
        if log.is_file():
            (folder / log.name).write_bytes(log.read_bytes())


async def demo(console: Console) -> list[Result]:
    """Play every scene, the houses side by side; return the results in the scenes' order."""
    plan, _ = load_or_raise(PLAN)
    prompts = RUN / "prompts"
    make_sounds(PLAN, prompts, console)
    began = time.monotonic()
    played = await asyncio.gather(
        *(
            play_house(plan, prompts, scenes, colour, console, began)
            for scenes, colour in zip(HOUSES, COLOURS, strict=True)
        )
    )
    return [result for results in played for result in results]


def main() -> int:
    """Run the demo; the last line says how it went, and so does the exit status."""
    console = Console(highlight=False)
    RUN.mkdir(exist_ok=True)
    figures = RUN / "demo.json"
    figures.unlink(missing_ok=True)  # those of another run say nothing of this one
    try:
        ensure_root()
        results = asyncio.run(demo(console))
    except Exception as error:  # noqa: BLE001 - the boundary of the process: the last line says how it went
        results = [{"name": "start", "ok": False, "why": reason(error)}]
    failed = [result for result in results if not result["ok"]]
    figures.write_text(
        json.dumps({"ok": not failed, "scenes": results}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    if failed:
        print(f"demo: FAILED {failed[0]['name']}: {failed[0]['why']}")
        return 1
    print("demo: ok")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
