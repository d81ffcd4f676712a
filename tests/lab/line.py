"""An Asterisk whose dialplan is the tests' own: numbers that echo, ring a phone, read a key."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ivr.core.plan import Agent, AgentId
from ivr.stack.stack import Stack, StackConfig
from tests.plans import small_plan
from tests.stack.prompts import silent_prompts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ivr.core.plan import Plan

DESKS: Final = 20
ECHO: Final = "0536499001"
TONE: Final = "0536499002"
KEY: Final = "0536499003"
PAUSES: Final = "0536499004"
TONE_HZ: Final = 425
_DIALPLAN: Final = f"""
[from-trunk](+)
exten => {ECHO},1,Answer()
 same => n,Echo()
exten => {TONE},1,Answer()
 same => n,Playtones({TONE_HZ})
 same => n,Wait(30)
; A key 1-9 rings that desk; the desk is told what the caller's identity was.
exten => {KEY},1,Answer()
 same => n,Read(KEY,,1,,1,30)
 same => n,Dial(PJSIP/agent-desk${{KEY}},20)
; A second of tone, a second and a half of nothing at all, tone again.
exten => {PAUSES},1,Answer()
 same => n,Playtones({TONE_HZ})
 same => n,Wait(1)
 same => n,StopPlaytones()
 same => n,Wait(1.5)
 same => n,Playtones({TONE_HZ})
 same => n,Wait(1)
exten => _05364991XX,1,Dial(PJSIP/agent-desk$[${{EXTEN:8}} + 0],20)
"""


def desk_number(desk: int) -> str:
    """The number that rings a desk without a word."""
    return f"05364991{desk:02d}"


def lab_plan() -> Plan:
    plan = small_plan()
    desks = {AgentId(f"desk{n}"): Agent(AgentId(f"desk{n}"), f"Desk {n}", ()) for n in range(1, DESKS + 1)}
    return replace(plan, agents={**plan.agents, **desks})


def amend(etc: Path) -> None:
    with (etc / "extensions.conf").open("a", encoding="utf-8") as file:
        file.write(_DIALPLAN)
    with (etc / "modules.conf").open("a", encoding="utf-8") as file:
        file.write("load = app_echo.so\nload = app_read.so\n")


@asynccontextmanager
async def lab_line(folder: Path) -> AsyncIterator[Stack]:
    """A running stack; it has complained of nothing by the end."""
    prompts = silent_prompts(folder / "prompts")
    async with Stack(StackConfig(plan=lab_plan(), prompts_dir=prompts, amend=amend)) as stack:
        yield stack
        assert stack.errors() == []
