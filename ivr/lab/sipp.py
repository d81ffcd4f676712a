"""Load by SIPp: many callers at a rate, many agents on one address, and what SIPp saw of it.

    async with await start_agents(root, Agents(...)) as agents, await start_callers(root, Callers(...)) as callers:
        report = await callers.done()
    # leaving the block ends what still runs

SIPp runs inside the runtime root from scenarios of our own (`scenarios/`). It needs
raw sockets for the keys it plays, hence `privileged`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from xml.sax.saxutils import escape

from ivr.lab.keys import capture
from ivr.lab.report import ERRORS, Report, SippError, lines, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_SCENARIOS: Final = Path(__file__).with_name("scenarios")
_INSIDE: Final = "/run/sipp"
_PLACE: Final = re.compile(r"@\{([A-Z_]+)\}")
_SILENT_SECOND: Final = b"\xd5" * 8_000  # A-law
_FOREVER: Final = -1
_NEVER: Final = "1000000000"
_RTP_PORTS: Final = (6_000, 11_998)  # below those of the stacks
_MOST_CALLS: Final = (_RTP_PORTS[1] - _RTP_PORTS[0]) // 4
_LONGEST_MS: Final = 300_000
_END_S: Final = 10.0
_LOG: Final = "phones.log"


class Jail(Protocol):
    """What is needed of `ivr.stack.root.Root`."""

    def command(
        self,
        argv: Sequence[str],
        *,
        binds: Mapping[Path, str] | None = None,
        env: Mapping[str, str] | None = None,
        privileged: bool = False,
    ) -> list[str]:
        """Return the argv that runs `argv` inside the root."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Residents who call `number`, listen `before_ms` after the answer, press `keys`, and wait.

    They wait `patience_ms` after that for the switchboard to hang up, then hang up themselves. `at_once` bounds
    how many calls there are at a time. Once the keys are pressed they send a packet every `quiet_ms`. With `notes`
    each call leaves its own (`Sipp.log`).
    """

    number: str
    registrar: str
    calls: int
    rate: float
    keys: str = "1"
    before_ms: int = 1_000
    patience_ms: int = 30_000
    at_once: int = 2_000
    quiet_ms: int = 20
    notes: bool = False
    bind: str = "127.0.0.2"
    numbers: Sequence[str] = field(default_factory=lambda: [f"063998{n:04d}" for n in range(10_000)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """Agents' phones (user, password), registered from one address and port.

    They answer after `answer_ms` and hang up `talk_ms` later. `calls` ends the run after so many. `voice` is a
    second of A-law, said again and again; `quiet` phones say it once.
    """

    credentials: Sequence[tuple[str, str]]
    registrar: str
    answer_ms: int = 300
    talk_ms: int = 2_000
    bind: str = "127.0.0.3"
    expires_s: int = 3_600
    calls: int | None = None
    voice: bytes = _SILENT_SECOND
    quiet: bool = False


class Sipp:
    """One SIPp at work. `done` waits for its own end, `stop` asks for it; leaving the block kills it."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, ears: contextlib.ExitStack) -> None:
        self._process = process
        self._folder = folder
        self._ears = ears
        self._began = time.monotonic()
        self._report: Report | None = None
        # A thread of its own: the loop's few are for short work.
        waiting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sipp")
        self._end = asyncio.get_running_loop().run_in_executor(waiting, os.wait4, process.pid, 0)
        waiting.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._end.done():
            self._signal(signal.SIGKILL)
        await self._ended()
        self._ears.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def log(self) -> list[str]:
        """What its phones noted so far, a line each; `ivr.lab.notes` reads them."""
        return lines(self._folder / _LOG)

    def errors(self) -> list[str]:
        """What SIPp itself noted of calls that went wrong so far."""
        return lines(self._folder / ERRORS)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._end.done()

    def ease(self) -> None:
        """Begin no more calls; it ends with the last of those in progress."""
        if not self._end.done():
            self._signal(signal.SIGUSR1)

    async def kill(self) -> None:
        """End it as a crash of its phones: nobody says goodbye. Its notes stay."""
        if not self._end.done():
            self._signal(signal.SIGKILL)
        await asyncio.shield(self._end)

    async def done(self) -> Report:
        """What it did, once it has ended by itself."""
        return await self._ended()

    async def stop(self) -> Report:
        """Ask it to end (it lets calls in progress end first, a while), and say what it did."""
        if not self._end.done():
            self.ease()
            try:
                await asyncio.wait_for(asyncio.shield(self._end), _END_S)
            except TimeoutError:
                self._signal(signal.SIGKILL)
        return await self._ended()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    async def _ended(self) -> Report:
        _, status, usage = await asyncio.shield(self._end)
        if self._report is None:
            self._process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.monotonic() - self._began
            self._report = read(self._folder, usage.ru_utime + usage.ru_stime, wall, self._process.returncode)
        return self._report


async def start_callers(root: Jail, spec: Callers) -> Sipp:
    """The callers begin to call."""
    folder = _scratch()
    # Media ports go up by 4 with each call, as the player has it, and stay below those of the stacks.
    if spec.calls > _MOST_CALLS:
        raise SippError(f"one SIPp makes at most {_MOST_CALLS} calls here, not {spec.calls}")
    # Twice: when the session is refreshed, patience begins anew, and who sends nothing for a minute is cut off.
    total_ms = min(spec.before_ms + 2 * spec.patience_ms, _LONGEST_MS)
    (folder / "caller.pcap").write_bytes(
        capture(spec.keys, before_ms=spec.before_ms, total_ms=total_ms, quiet_ms=spec.quiet_ms)
    )
    _table(folder, [(number,) for number in spec.numbers])
    values = {
        "NUMBER": spec.number,
        "PATIENCE_MS": spec.before_ms + spec.patience_ms,
    }
    options = ["-inf", "table.csv", "-m", str(spec.calls), "-l", str(spec.at_once)]
    # Rates below one a second: so many calls per 10 s.
    options += ["-r", str(round(spec.rate * 10)), "-rp", "10000"]
    if spec.notes:
        options += ["-trace_logs", "-log_file", _LOG]
    ears = _ears(spec.bind, spec.calls)
    return _start(root, folder, "caller", values, spec.bind, _free_port(spec.bind), spec.registrar, options, ears=ears)


async def start_agents(root: Jail, spec: Agents) -> Sipp:
    """The agents are registered and ready to be called. A refused registration is a `SippError`."""
    port = _free_port(spec.bind)
    folder = _scratch()
    _table(folder, spec.credentials)
    options = ["-inf", "table.csv", "-m", str(len(spec.credentials)), "-r", "100"]
    values: dict[str, Any] = {"EXPIRES_S": spec.expires_s}
    async with _start(root, folder, "register", values, spec.bind, port, spec.registrar, options) as registering:
        report = await registering.done()
    if report.ok != len(spec.credentials):
        raise SippError(f"{report.failed} of {len(spec.credentials)} agents could not register: {report.errors}")
    values = {"ANSWER_MS": spec.answer_ms, "TALK_MS": spec.talk_ms, "TIMES": 1 if spec.quiet else _FOREVER}
    options = [] if spec.calls is None else ["-m", str(spec.calls)]
    options += ["-trace_logs", "-log_file", _LOG]
    return _start(root, _scratch(), "agent", values, spec.bind, port, spec.registrar, options, voice=spec.voice)


def _start(  # noqa: PLR0913 - what SIPp is told
    root: Jail,
    folder: Path,
    scenario: str,
    values: Mapping[str, Any],
    bind: str,
    port: int,
    registrar: str,
    options: Sequence[str],
    *,
    voice: bytes = _SILENT_SECOND,
    ears: contextlib.ExitStack | None = None,
) -> Sipp:
    # SIPp's ids come from its pid, which in a namespace is always the same.
    run = secrets.token_hex(4)
    (folder / "voice.alaw").write_bytes(voice)
    known = {"RUN": run, "FOLDER": _INSIDE, **values}
    text = (_SCENARIOS / f"{scenario}.xml").read_text(encoding="utf-8")
    text = _PLACE.sub(lambda found: escape(str(known[found[1]])), text)
    (folder / "scenario.xml").write_text(text, encoding="utf-8")
    argv = [
        *("sipp", registrar, "-sf", "scenario.xml", "-i", bind, "-p", str(port), "-mi", bind),
        *("-min_rtp_port", str(_RTP_PORTS[0]), "-max_rtp_port", str(_RTP_PORTS[1])),
        *("-cid_str", f"%u-{run}@%s", "-aa", "-nostdin", "-trace_err", "-error_file", ERRORS),
        *("-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1"),
        # A busy machine is no reason to give up.
        *("-watchdog_minor_maxtriggers", _NEVER, "-watchdog_major_maxtriggers", _NEVER),
        *options,
    ]
    command = root.command(
        ["sh", "-c", f'cd {_INSIDE} && exec "$@"', "sh", *argv], binds={folder: _INSIDE}, privileged=True
    )
    with (folder / "screen").open("wb") as screen:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT)
    return Sipp(process, folder, ears or contextlib.ExitStack())


def _ears(bind: str, calls: int) -> contextlib.ExitStack:
    """Open the callers' media ports, which SIPp's player does not: nobody reads, and what comes is dropped at once.

    A packet to a closed port is answered by one more, which a switchboard pays for; no phone does that.
    """
    with contextlib.ExitStack() as ears:
        for port in range(_RTP_PORTS[0], _RTP_PORTS[0] + 4 * calls, 4):
            ear = ears.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            with contextlib.suppress(OSError):  # taken is open
                ear.bind((bind, port))
        return ears.pop_all()


def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="sipp-"))


def _table(folder: Path, rows: Sequence[Sequence[str]]) -> None:
    lines = ["SEQUENTIAL", *(";".join(row) for row in rows)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _free_port(bind: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
        attempt.bind((bind, 0))
        return int(attempt.getsockname()[1])
