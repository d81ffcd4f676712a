"""Plans that nobody wrote: sound ones load, render, run and are proven; a fault in one is told at its line."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.state import Ended
from ivr.plan import load
from ivr.prove import prove
from ivr.prove.explore import callers
from ivr.prove.moves import moves
from ivr.prove.rest import NOW, Rest, State
from ivr.prove.world import World, carry_out
from ivr.provision.render import RenderOptions, compose
from ivr.provision.secrets import Secrets
from tests.plan.folders import PROMPTS, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.core.plan import Plan

pytestmark = pytest.mark.long

PROVEN: Final = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "proof" else 3
"""Plans that are proven: each takes a second or two."""
TOPICS: Final = ("accueil", "etat-civil", "voirie", "enfance")
Files = dict[str, str]


@st.composite
def folders(draw: st.DrawFn) -> Files:
    """A sound folder: some topics with their teams and people, and a tree of menus that leads to them."""
    topics = TOPICS[: draw(st.integers(1, len(TOPICS)))]
    size = draw(st.integers(1, 3))
    menus = [f"menu-{n}" for n in range(size)]
    text = {"topics": "topics:\n", "groups": "groups:\n", "agents": "agents:\n", "menu": "root: menu-0\nmenus:\n"}
    for topic in topics:
        text["groups"] += f"  {topic}:\n    label: Équipe {topic}\n"
        text["topics"] += f"  {topic}:\n    label: Motif {topic}\n    groups: [{topic}]\n"
        if draw(st.booleans()):
            text["topics"] += "    strategy: ring-many\n"
        if draw(st.booleans()):
            text["topics"] += "    overflow: {wait: 5 min}\n"
        for n in range(draw(st.integers(1, 2))):
            text["agents"] += f"  {topic}-{n}:\n    name: Agent {topic} {n}\n    groups: [{topic}]\n"
    prompts = PROMPTS
    left = list(topics)
    for n, menu in enumerate(menus):
        prompts += f"  {menu}: Choisissez.\n"
        parent = "" if n == 0 else f"    parent: {menus[n - 1]}\n"
        text["menu"] += f"  {menu}:\n    prompt: {menu}\n{parent}    options:\n"
        targets = [f"{{menu: {menus[n + 1]}}}"] if n + 1 < size else []
        mine = left if n + 1 == size else left[: len(left) // 2]
        left = left[len(mine) :]
        targets += [f"{{topic: {topic}}}" for topic in mine] or ["{information: phrase}"]
        for key, target in enumerate(draw(st.permutations(targets)), 1):
            text["menu"] += f"      {key}: {target}\n"
    return {**text, "prompts": prompts}


def loaded(files: Files) -> tuple[Plan | None, list[str]]:
    """The plan of these files, and its errors as `file:line code`."""
    with tempfile.TemporaryDirectory() as folder:
        found = load(write(Path(folder), **files))
    errors = [fault for fault in found.faults if fault.severity == "error"]
    return found.plan, [f"{Path(fault.file).name}:{fault.line} {fault.code}" for fault in errors]


@given(folders(), st.lists(st.integers(0, 10_000), max_size=120))
@settings(max_examples=25)
def test_a_sound_plan_loads_renders_and_runs_to_an_end(files: Files, picks: Sequence[int]) -> None:
    plan, errors = loaded(files)
    assert not errors
    assert plan is not None
    with tempfile.TemporaryDirectory() as folder:
        rendered = compose(plan, Secrets.load_or_create(Path(folder) / "secrets.json"), RenderOptions())
    assert all(agent.endpoint in rendered["pjsip.conf"] for agent in plan.agents.values())
    rest = Rest(plan)
    call, world = next(callers(plan)), World()
    for pick in picks:
        possible = list(moves(State(call, world), rest.plan))
        move = possible[pick % len(possible)]
        now = NOW + move.ms
        call, effects = step(move.call or call, move.happened, Env(now, rest.plan))
        world = move.world.copy()
        assert carry_out(world, rest.plan, effects) is None
        if isinstance(call.phase, Ended) or world.given:
            return
        _, make = rest.state(call, world.verdicts()[0], now)
        call, world = make().call, make().world
    call, _ = step(call, ev.HungUp(), Env(NOW, rest.plan))
    assert isinstance(call.phase, Ended)


@given(folders())
@settings(max_examples=PROVEN)
def test_a_sound_plan_is_proven(files: Files) -> None:
    plan, _ = loaded(files)
    assert plan is not None
    found = prove(plan)
    assert found.ok, found.story


REFERENCE: Final = re.compile(r"(?:topic|menu|parent|information): ([a-z0-9-]+)|groups: \[([a-z0-9-]+)\]")


@given(folders(), st.integers(0, 10_000), st.sampled_from(["name", "key"]))
def test_a_fault_is_told_at_its_line(files: Files, pick: int, what: str) -> None:
    places = [
        (name, number)
        for name, text in files.items()
        for number, line in enumerate(text.splitlines())
        if name != "prompts" and REFERENCE.search(line)
    ]
    name, number = places[pick % len(places)]
    lines = files[name].splitlines()
    found = REFERENCE.search(lines[number])
    assert found is not None
    if what == "name":
        start, end = found.span(1) if found[1] else found.span(2)
        lines[number] = lines[number][:start] + "zzz" + lines[number][end:]
        code = "unknown-reference|unknown-prompt"
    else:
        lines[number] = lines[number][: found.start()] + "zz" + lines[number][found.start() :]
        code = "unknown-key"
    _, errors = loaded({**files, name: "\n".join(lines) + "\n"})
    assert any(re.fullmatch(rf"{name}\.yaml:{number + 1} (?:{code})", error) for error in errors), errors
