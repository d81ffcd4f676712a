"""`make run`: what it tells works when it is pasted, and the end of a program is one sentence."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shlex
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ivr.plan import load_or_raise
from ivr.settings import Settings
from ivr.stack import run
from ivr.stack.errors import StackError
from ivr.stack.root import ensure_root
from tests.plan.folders import write
from tests.polling import until
from tests.stack.prompts import silent_prompts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120)]


def free_port() -> int:
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        return int(attempt.getsockname()[1])


async def test_it_says_how_to_call_and_what_ended(tmp_path: Path) -> None:
    (tmp_path / "plan").mkdir()
    silent_prompts(tmp_path / "state" / "prompts")
    settings = Settings(
        _env_file=None,
        plan=write(tmp_path / "plan"),
        state_dir=tmp_path / "state",
        sip_bind=f"127.0.0.1:{free_port()}",
        http_bind=f"127.0.0.1:{free_port()}",
        trunk_match="127.0.0.2/32, 192.0.2.0/24",
    )
    said = io.StringIO()
    console = Console(file=said, highlight=False, width=200)
    plan, root = load_or_raise(settings.plan)[0], ensure_root()
    running = asyncio.create_task(run._run(settings, plan, root, console))
    await until(lambda: running.done() or "Ctrl-C ends it" in said.getvalue(), 60)
    told = re.search(r"^a caller +(chroot .* sipp .*)$", said.getvalue(), re.MULTILINE)
    assert told is not None, said.getvalue()
    words = shlex.split(told[1].replace("-d 20000", "-d 100"))
    assert words[words.index("-i") + 1] == "127.0.0.2"
    caller = await asyncio.create_subprocess_exec(
        *words,
        *("-nostdin", "-p", str(free_port()), "-timeout", "30"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await caller.communicate()
    assert caller.returncode == 0, output
    os.kill(int((tmp_path / "state" / "run" / "redis.host-pid").read_text(encoding="ascii")), signal.SIGKILL)
    with pytest.raises(StackError, match=r"^Redis ended by itself with"):
        await running
