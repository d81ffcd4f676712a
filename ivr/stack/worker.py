"""The worker as a process of its own: started, killed, frozen, restarted by its supervisor."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

import aiohttp

from ivr.stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

READY_S: Final = 15.0
STOP_S: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    """Asterisk and Redis die with our parent too: there is nothing to give back, and one that is stopped must end."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class WorkerProcess:
    """`ivr serve` under `env`; its log goes to `log`. It dies with this process."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self._env = {**os.environ, **env}
        self.log = log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """Return the running process; raises StackError where there is none."""
        if self._process is None:
            raise StackError("the worker was not started")
        return self._process

    async def start(self) -> None:
        """Start the worker, and return at once."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ivr",
                "serve",
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )

    async def ready(self) -> None:
        """Return once the worker serves; raises StackError with the end of its log where it does not."""
        url = f"http://{self._env['IVR_HTTP_BIND']}/readyz"
        try:
            async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
                while True:
                    if self.process.returncode is not None:
                        break
                    try:
                        async with session.get(url) as reply:
                            if reply.status == 200:  # noqa: PLR2004 - HTTP OK
                                return
                    except aiohttp.ClientConnectionError:
                        pass
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise StackError(f"the worker is not ready; its log ends with:\n{tail}")

    async def kill(self) -> None:
        """End the worker as a crash would: SIGKILL."""
        self.process.kill()
        await self.process.wait()

    def freeze(self) -> None:
        """Stop the worker's process where it is (SIGSTOP): its sockets stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen worker go on."""
        self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End the worker with good manners, then without."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
