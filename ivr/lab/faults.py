"""The faults of `make chaos`, as data: what each does to a line under load, for how long, what is its nature.

Each is done to real processes. `begin` and `end` are the fault; `ready` comes before the clock runs, `tidy` after
the judgement, so that the next fault finds a line of one worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

import aiohttp

from ivr.lab import notes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ivr.lab.chaos_line import ChaosLine

    Act = Callable[[ChaosLine], Awaitable[object]]

NOWHERE: Final = "127.0.0.1 1"
LONGEST_MUSIC_S: Final = 60.0
SILENCE_S: Final = 20.0
"""A menu is silent for 5.6 s; a worker that starts anew plays it again some seconds later on a busy machine."""
FROZEN_SILENCE_S: Final = 30.0
"""As much, and the eight seconds of a worker that is frozen."""
_LOOP: Final = "while True: pass"


async def _nothing(_line: ChaosLine) -> None:
    """Do nothing."""


async def _no_complaints(_line: ChaosLine) -> list[str]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. It lasts `seconds`; the line is looked at for `watch_s` more at least.

    `check` tells, at its end, what is wrong by then. No caller may hear nothing for longer than `silence_s`; None:
    no bound. `ends_calls`: it drops calls by its nature; then every caller who was up must have a promise.
    """

    name: str
    what: str
    begin: Act
    end: Act = _nothing
    ready: Act = _nothing
    tidy: Act = _nothing
    check: Callable[[ChaosLine], Awaitable[Sequence[str]]] = _no_complaints
    seconds: float = 0.0
    watch_s: float = 10.0
    silence_s: float | None = SILENCE_S
    ends_calls: bool = False

    @property
    def mute_s(self) -> float:
        """After so long without a sound, who hangs up is lost: less than what the fault allows by its nature."""
        allowed = self.silence_s or SILENCE_S
        return notes.MUTE_S if allowed <= SILENCE_S else allowed


# -- our process


async def _kill(line: ChaosLine) -> None:
    await line.worker.kill()


async def _start(line: ChaosLine) -> None:
    await line.worker.start()
    await line.worker.ready()


async def _stop(line: ChaosLine) -> None:
    await line.worker.stop()


async def _freeze(line: ChaosLine) -> None:
    line.worker.freeze()


async def _thaw(line: ChaosLine) -> None:
    line.worker.thaw()


async def _standby(line: ChaosLine) -> None:
    await line.add_standby()


async def _promote(line: ChaosLine) -> None:
    await line.promote_standby()


async def _music_for_too_long(line: ChaosLine) -> list[str]:
    return [f"{call} has heard music from before the freeze and no fallback" for call in await line.never_in_fallback()]


# -- the socket of ARI


async def _cut(line: ChaosLine) -> None:
    line.relay.cut()


async def _hold(line: ChaosLine) -> None:
    line.relay.hold()


async def _slow(line: ChaosLine) -> None:
    line.relay.slow = True


async def _mend(line: ChaosLine) -> None:
    line.relay.mend()


async def _impostor(line: ChaosLine) -> None:
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


async def _restart_redis(line: ChaosLine) -> None:
    await line.house.stack.restart_redis()


async def _kill_redis(line: ChaosLine) -> None:
    await line.house.stack.kill_redis()


async def _start_redis(line: ChaosLine) -> None:
    await line.house.stack.start_redis()


async def _wipe_redis(line: ChaosLine) -> None:
    await line.house.stack.wipe_redis()


async def _freeze_redis(line: ChaosLine) -> None:
    line.house.stack.redis.freeze()


async def _thaw_redis(line: ChaosLine) -> None:
    line.house.stack.redis.thaw()


def _say(*words: str) -> Act:
    async def say(line: ChaosLine) -> None:
        await line.redis.execute_command(*words)  # type: ignore[no-untyped-call]

    return say


# -- the rest


async def _lock_ledger(line: ChaosLine) -> None:
    path = line.house.stack.state_dir / "ledger.sqlite"
    line.ledger_lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    line.ledger_lock.execute("PRAGMA busy_timeout = 5000")
    await asyncio.to_thread(line.ledger_lock.execute, "BEGIN IMMEDIATE")


async def _unlock_ledger(line: ChaosLine) -> None:
    if line.ledger_lock is not None:
        line.ledger_lock.execute("ROLLBACK")
        line.ledger_lock.close()
        line.ledger_lock = None


async def _crash_asterisk(line: ChaosLine) -> None:
    await line.house.stack.kill_asterisk()


async def _start_asterisk(line: ChaosLine) -> None:
    await line.house.stack.start_asterisk()
    await line.worker.ready()


async def _starve(line: ChaosLine) -> None:
    line.loops = [await asyncio.create_subprocess_exec(sys.executable, "-c", _LOOP) for _ in range(2)]


async def _feed(line: ChaosLine) -> None:
    for loop in line.loops:
        loop.kill()
        await loop.wait()
    line.loops = []


async def _mute_phones(line: ChaosLine) -> None:
    await line.replace_frail(mute=True)


async def _kill_phones(line: ChaosLine) -> None:
    await line.kill_frail()


async def _new_phones(line: ChaosLine) -> None:
    await line.replace_frail(mute=False)


FAULTS: Final = (
    Fault(name="worker-kill", what="worker killed, started 2 s later", begin=_kill, end=_start, seconds=2.0),
    Fault(
        name="worker-frozen",
        what="worker frozen for 8 s",
        begin=_freeze,
        end=_thaw,
        seconds=8.0,
        silence_s=FROZEN_SILENCE_S,
    ),
    Fault(
        name="worker-frozen-standby",
        what="worker frozen for 8 s, a standby takes the node, the frozen one wakes",
        ready=_standby,
        begin=_freeze,
        end=_thaw,
        tidy=_promote,
        seconds=8.0,
        silence_s=FROZEN_SILENCE_S,
    ),
    Fault(
        name="standby-takes",
        what="worker killed, a standby takes the node",
        ready=_standby,
        begin=_kill,
        tidy=_promote,
        seconds=2.0,
        silence_s=25.0,
    ),
    Fault(
        name="handover",
        what="worker told to end, a standby takes the node",
        ready=_standby,
        begin=_stop,
        tidy=_promote,
        seconds=2.0,
        silence_s=25.0,
    ),
    Fault(name="ari-cut", what="ARI cut off for 3 s", begin=_cut, end=_mend, seconds=3.0),
    Fault(
        name="ari-half-open",
        what="ARI silent on open sockets for 15 s",
        begin=_hold,
        end=_mend,
        seconds=15.0,
        silence_s=35.0,
    ),
    Fault(
        name="ari-slow", what="ARI read at 2 kB a second for 10 s", begin=_slow, end=_mend, seconds=10.0, silence_s=35.0
    ),
    Fault(name="ari-replaced", what="another program connects under our name, for 3 s", begin=_impostor),
    Fault(name="redis-restart", what="Redis restarted with its file", begin=_restart_redis),
    Fault(name="redis-kill", what="Redis killed, started 1 s later", begin=_kill_redis, end=_start_redis, seconds=1.0),
    Fault(name="redis-wiped", what="Redis restarted without its file", begin=_wipe_redis),
    Fault(name="redis-frozen", what="Redis frozen for 10 s", begin=_freeze_redis, end=_thaw_redis, seconds=10.0),
    Fault(name="redis-flushall", what="FLUSHALL", begin=_say("FLUSHALL")),
    Fault(
        name="redis-read-only",
        what="Redis read-only (REPLICAOF nobody) for 10 s",
        begin=_say("REPLICAOF", *NOWHERE.split()),
        end=_say("REPLICAOF", "NO", "ONE"),
        seconds=10.0,
    ),
    Fault(
        name="redis-no-replica",
        what="Redis wants a replica that is not there (min-replicas-to-write) for 10 s",
        begin=_say("CONFIG", "SET", "min-replicas-to-write", "1"),
        end=_say("CONFIG", "SET", "min-replicas-to-write", "0"),
        seconds=10.0,
    ),
    Fault(
        name="redis-full",
        what="Redis full (maxmemory 1mb) for 10 s",
        begin=_say("CONFIG", "SET", "maxmemory", "1mb"),
        end=_say("CONFIG", "SET", "maxmemory", "0"),
        seconds=10.0,
    ),
    Fault(name="redis-down", what="Redis down for 20 s", begin=_kill_redis, end=_start_redis, seconds=20.0),
    Fault(name="ledger-locked", what="ledger locked for 10 s", begin=_lock_ledger, end=_unlock_ledger, seconds=10.0),
    Fault(
        name="cpu-starved",
        what="two busy loops for 10 s",
        begin=_starve,
        end=_feed,
        seconds=10.0,
        silence_s=FROZEN_SILENCE_S,
    ),
    Fault(
        name="phones-mute",
        what="some agents' phones never answer for 25 s",
        begin=_mute_phones,
        end=_new_phones,
        seconds=25.0,
    ),
    Fault(
        name="phones-killed",
        what="some agents' phones killed, back 10 s later",
        begin=_kill_phones,
        end=_new_phones,
        seconds=10.0,
        watch_s=65.0,
        silence_s=55.0,
    ),
    Fault(
        name="worker-frozen-long",
        what="worker frozen for 65 s, nobody takes over",
        begin=_freeze,
        end=_thaw,
        check=_music_for_too_long,
        seconds=LONGEST_MUSIC_S + 5.0,
        silence_s=75.0,
    ),
    Fault(
        name="asterisk-crash",
        what="Asterisk killed, started 1 s later",
        begin=_crash_asterisk,
        end=_start_asterisk,
        seconds=1.0,
        ends_calls=True,
        silence_s=None,
    ),
)
BY_NAME: Final = {fault.name: fault for fault in FAULTS}
TRIED_IN_TESTS: Final = ("worker-kill", "ari-cut", "redis-restart")


def random_kill(seed: int, n: int) -> Fault:
    """Return the `n`th blow of a seed: one of three, each of a length of its own."""
    drawn = Random(f"{seed}:{n}")  # noqa: S311 - the same seed, the same blows
    seconds = round(drawn.uniform(0.1, 4.0), 2)
    what = "Redis restarted with its file"
    begin: Act = _restart_redis
    end: Act = _nothing
    match drawn.choice(("kill", "freeze", "redis")):
        case "kill":
            what, begin, end = f"worker killed, started {seconds} s later", _kill, _start
        case "freeze":
            seconds = round(seconds * 2, 2)
            what, begin, end = f"worker frozen for {seconds} s", _freeze, _thaw
        case _:
            seconds = 0.0
    return Fault(
        name=f"kill-{n}", what=what, begin=begin, end=end, seconds=seconds, watch_s=5.0, silence_s=FROZEN_SILENCE_S
    )
