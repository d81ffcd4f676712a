"""What the faults do to a line: to our process, the socket of ARI, Redis, the ledger, Asterisk, the phones."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import sys
from typing import TYPE_CHECKING, Final

import aiohttp

from ivr.lab.limits import descriptors_as_before, fill, no_more_descriptors, room

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ivr.lab.chaos_line import ChaosLine

    Act = Callable[[ChaosLine], Awaitable[object]]

NOWHERE: Final = "127.0.0.1 1"
_LOOP: Final = "while True: pass"


async def nothing(_line: ChaosLine) -> None:
    """Do nothing."""


async def no_complaints(_line: ChaosLine) -> list[str]:
    """Find nothing wrong."""
    return []


# -- our process


async def kill(line: ChaosLine) -> None:
    """Kill the worker."""
    await line.worker.kill()


async def start(line: ChaosLine) -> None:
    """Start the worker, and wait until it serves."""
    await line.worker.start()
    await line.worker.ready()


async def stop(line: ChaosLine) -> None:
    """Tell the worker to end."""
    await line.worker.stop()


async def freeze(line: ChaosLine) -> None:
    """Freeze the worker."""
    line.worker.freeze()


async def thaw(line: ChaosLine) -> None:
    """Let the worker go on."""
    line.worker.thaw()


async def standby(line: ChaosLine) -> None:
    """Start a standby."""
    await line.add_standby()


async def promote(line: ChaosLine) -> None:
    """Make the standby the line's worker."""
    await line.promote_standby()


async def no_descriptors(line: ChaosLine) -> None:
    """Let the worker open nothing more."""
    line.descriptors = no_more_descriptors(line.worker.process.pid)


async def descriptors(line: ChaosLine) -> None:
    """Give the worker its limits back."""
    descriptors_as_before(line.worker.process.pid, line.descriptors)


async def music_for_too_long(line: ChaosLine) -> list[str]:
    """Say who should have met the fallback by now."""
    return [f"{call} has heard music from before the freeze and no fallback" for call in await line.never_in_fallback()]


# -- the socket of ARI


async def cut(line: ChaosLine) -> None:
    """Cut ARI off."""
    line.relay.cut()


async def hold(line: ChaosLine) -> None:
    """Let nothing through, on open sockets."""
    line.relay.hold()


async def slow(line: ChaosLine) -> None:
    """Read from ARI at 2 kB a second."""
    line.relay.slow = True


async def mend(line: ChaosLine) -> None:
    """Let ARI be as before."""
    line.relay.mend()


async def impostor(line: ChaosLine) -> None:
    """Another program connects under our name, and goes after 3 s."""
    stack = line.house.stack
    auth = aiohttp.BasicAuth(stack.ari_user, stack.ari_password)
    url = f"{stack.ari_url}/events?app={stack.app}&subscribeAll=false"
    async with aiohttp.ClientSession(auth=auth) as session, session.ws_connect(url) as socket:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3.0):
                async for _ in socket:
                    pass


# -- Redis


async def restart_redis(line: ChaosLine) -> None:
    """Restart Redis with its file."""
    await line.house.stack.restart_redis()


async def kill_redis(line: ChaosLine) -> None:
    """Kill Redis."""
    await line.house.stack.kill_redis()


async def start_redis(line: ChaosLine) -> None:
    """Start Redis again."""
    await line.house.stack.start_redis()


async def wipe_redis(line: ChaosLine) -> None:
    """Restart Redis without its file."""
    await line.house.stack.wipe_redis()


async def freeze_redis(line: ChaosLine) -> None:
    """Freeze Redis."""
    line.house.stack.redis.freeze()


async def thaw_redis(line: ChaosLine) -> None:
    """Let Redis go on."""
    line.house.stack.redis.thaw()


def say(*words: str) -> Act:
    """Return what says a command to Redis."""

    async def said(line: ChaosLine) -> None:
        await line.redis.execute_command(*words)  # type: ignore[no-untyped-call]

    return said


# -- the rest


async def lock_ledger(line: ChaosLine) -> None:
    """Keep everybody else from writing to the ledger."""
    line.ledger_lock = sqlite3.connect(line.ledger, isolation_level=None, check_same_thread=False)
    line.ledger_lock.execute("PRAGMA busy_timeout = 5000")
    await asyncio.to_thread(line.ledger_lock.execute, "BEGIN IMMEDIATE")


async def unlock_ledger(line: ChaosLine) -> None:
    """Let the others write to the ledger."""
    if line.ledger_lock is not None:
        line.ledger_lock.execute("ROLLBACK")
        line.ledger_lock.close()
        line.ledger_lock = None


async def fill_ledger(line: ChaosLine) -> None:
    """No room, nor in the journal of SQLite's own, which would be written over."""
    await asyncio.to_thread(_emptied, line.ledger)
    await fill(line.ledger.parent)


def _emptied(ledger: Path) -> None:
    with contextlib.closing(sqlite3.connect(ledger, isolation_level=None)) as look:
        look.execute("PRAGMA busy_timeout = 5000")
        look.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


async def room_for_ledger(line: ChaosLine) -> None:
    """Let the ledger's disk have room again."""
    await room(line.ledger.parent)


async def crash_asterisk(line: ChaosLine) -> None:
    """Kill Asterisk."""
    await line.house.stack.kill_asterisk()


def other_half(conf: str, first: int, last: int) -> str:
    """Return an rtp.conf that has one half of these ports so that it has the other."""
    middle = (first + last + 1) // 2
    lower = f"rtpstart = {first}\n" in conf
    start, end = (middle, last) if lower else (first, middle - 1)
    for name, port in (("rtpstart", start), ("rtpend", end)):
        conf = re.sub(rf"^{name} = .*", f"{name} = {port}", conf, flags=re.MULTILINE)
    return conf


async def start_asterisk(line: ChaosLine) -> None:
    """Start Asterisk, and wait until the worker serves it.

    Its audio has other ports than before. Phones whose calls are lost send to the old ones for as long as they talk,
    and Asterisk learns from what it hears where to send: a phone is told from them by its steady stream, but the
    callers of this load send a packet a second while they wait, and heard up to 55 s of nothing.
    """
    stack = line.house.stack
    path = stack.state_dir / "etc" / "rtp.conf"
    text = path.read_text(encoding="utf-8")
    path.write_text(other_half(text, stack.ports.rtp_first, stack.ports.rtp_last), encoding="utf-8")
    await line.house.stack.start_asterisk()
    await line.worker.ready()


async def starve(line: ChaosLine) -> None:
    """Keep two processors busy."""
    line.loops = [await asyncio.create_subprocess_exec(sys.executable, "-c", _LOOP) for _ in range(2)]


async def feed(line: ChaosLine) -> None:
    """End what keeps them busy."""
    for loop in line.loops:
        loop.kill()
        await loop.wait()
    line.loops = []


async def mute_phones(line: ChaosLine) -> None:
    """Have the frail agents take phones that never answer."""
    await line.replace_frail(mute=True)


async def kill_phones(line: ChaosLine) -> None:
    """Kill the phones of the frail agents."""
    await line.kill_frail()


async def new_phones(line: ChaosLine) -> None:
    """Have the frail agents take phones that answer."""
    await line.replace_frail(mute=False)
