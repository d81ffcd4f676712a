"""The faults of `make chaos`, as data: what each does to a line under load, for how long, what is its nature.

Each is done to real processes. `begin` and `end` are the fault; `ready` comes before the clock runs, `tidy` after
the judgement, so that the next fault finds a line of one worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from ivr.lab import acts, notes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ivr.lab.acts import Act
    from ivr.lab.chaos_line import ChaosLine

LONGEST_MUSIC_S: Final = 60.0
SILENCE_S: Final = 20.0
"""A menu is silent for 5.6 s; a worker that starts anew plays it again some seconds later on a busy machine."""
FROZEN_SILENCE_S: Final = 30.0
"""As much, and the eight seconds of a worker that is frozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. It lasts `seconds`; the line is looked at for `watch_s` more at least.

    `check` tells, at its end, what is wrong by then. No caller may hear nothing for longer than `silence_s`.
    `ends_calls`: it drops calls by its nature; then every caller who was up must have a promise.
    """

    name: str
    what: str
    begin: Act
    end: Act = acts.nothing
    ready: Act = acts.nothing
    tidy: Act = acts.nothing
    check: Callable[[ChaosLine], Awaitable[Sequence[str]]] = acts.no_complaints
    seconds: float = 0.0
    watch_s: float = 10.0
    silence_s: float = SILENCE_S
    ends_calls: bool = False

    @property
    def mute_s(self) -> float:
        """After so long without a sound, who hangs up is lost: less than what the fault allows by its nature."""
        return notes.MUTE_S if self.silence_s <= SILENCE_S else self.silence_s


FAULTS: Final = (
    Fault(name="worker-kill", what="worker killed, started 2 s later", begin=acts.kill, end=acts.start, seconds=2.0),
    Fault(
        name="worker-frozen",
        what="worker frozen for 8 s",
        begin=acts.freeze,
        end=acts.thaw,
        seconds=8.0,
        silence_s=FROZEN_SILENCE_S,
    ),
    Fault(
        name="worker-frozen-standby",
        what="worker frozen for 8 s, a standby takes the node, the frozen one wakes",
        ready=acts.standby,
        begin=acts.freeze,
        end=acts.thaw,
        tidy=acts.promote,
        seconds=8.0,
        silence_s=FROZEN_SILENCE_S,
    ),
    Fault(
        name="standby-takes",
        what="worker killed, a standby takes the node",
        ready=acts.standby,
        begin=acts.kill,
        tidy=acts.promote,
        seconds=2.0,
        silence_s=25.0,
    ),
    Fault(
        name="handover",
        what="worker told to end, a standby takes the node",
        ready=acts.standby,
        begin=acts.stop,
        tidy=acts.promote,
        seconds=2.0,
        silence_s=25.0,
    ),
    Fault(name="ari-cut", what="ARI cut off for 3 s", begin=acts.cut, end=acts.mend, seconds=3.0),
    Fault(
        name="ari-cut-60",
        what="ARI cut off for 60 s",
        begin=acts.cut,
        end=acts.mend,
        seconds=60.0,
        silence_s=LONGEST_MUSIC_S + 15.0,
    ),
    Fault(
        name="ari-half-open",
        what="ARI silent on open sockets for 15 s",
        begin=acts.hold,
        end=acts.mend,
        seconds=15.0,
        silence_s=35.0,
    ),
    Fault(
        name="ari-slow",
        what="ARI read at 2 kB a second for 10 s",
        begin=acts.slow,
        end=acts.mend,
        seconds=10.0,
        silence_s=35.0,
    ),
    Fault(name="ari-replaced", what="another program connects under our name, for 3 s", begin=acts.impostor),
    Fault(name="redis-restart", what="Redis restarted with its file", begin=acts.restart_redis),
    Fault(
        name="redis-kill",
        what="Redis killed, started 1 s later",
        begin=acts.kill_redis,
        end=acts.start_redis,
        seconds=1.0,
    ),
    Fault(name="redis-wiped", what="Redis restarted without its file", begin=acts.wipe_redis),
    Fault(
        name="redis-frozen", what="Redis frozen for 10 s", begin=acts.freeze_redis, end=acts.thaw_redis, seconds=10.0
    ),
    Fault(name="redis-flushall", what="FLUSHALL", begin=acts.say("FLUSHALL")),
    Fault(
        name="redis-read-only",
        what="Redis read-only (REPLICAOF nobody) for 10 s",
        begin=acts.say("REPLICAOF", *acts.NOWHERE.split()),
        end=acts.say("REPLICAOF", "NO", "ONE"),
        seconds=10.0,
    ),
    Fault(
        name="redis-no-replica",
        what="Redis wants a replica that is not there (min-replicas-to-write) for 10 s",
        begin=acts.say("CONFIG", "SET", "min-replicas-to-write", "1"),
        end=acts.say("CONFIG", "SET", "min-replicas-to-write", "0"),
        seconds=10.0,
    ),
    Fault(
        name="redis-full",
        what="Redis full (maxmemory 1mb) for 10 s",
        begin=acts.say("CONFIG", "SET", "maxmemory", "1mb"),
        end=acts.say("CONFIG", "SET", "maxmemory", "0"),
        seconds=10.0,
    ),
    Fault(name="redis-down", what="Redis down for 20 s", begin=acts.kill_redis, end=acts.start_redis, seconds=20.0),
    Fault(
        name="standby-flushall",
        what="FLUSHALL, while a standby runs",
        ready=acts.standby,
        begin=acts.say("FLUSHALL"),
        tidy=acts.promote,
    ),
    Fault(
        name="standby-redis-down",
        what="Redis down for 20 s, while a standby runs",
        ready=acts.standby,
        begin=acts.kill_redis,
        end=acts.start_redis,
        tidy=acts.promote,
        seconds=20.0,
    ),
    Fault(
        name="ledger-locked",
        what="ledger locked for 10 s",
        begin=acts.lock_ledger,
        end=acts.unlock_ledger,
        seconds=10.0,
    ),
    Fault(
        name="ledger-full",
        what="no room on the ledger's disk for 20 s",
        begin=acts.fill_ledger,
        end=acts.room_for_ledger,
        seconds=20.0,
    ),
    Fault(
        name="cpu-starved",
        what="two busy loops for 10 s",
        begin=acts.starve,
        end=acts.feed,
        seconds=10.0,
        silence_s=FROZEN_SILENCE_S,
    ),
    Fault(
        name="no-descriptors",
        what="the worker can open no file and no socket for 10 s",
        begin=acts.no_descriptors,
        end=acts.descriptors,
        seconds=10.0,
    ),
    Fault(
        name="phones-mute",
        what="some agents' phones never answer for 25 s",
        begin=acts.mute_phones,
        end=acts.new_phones,
        seconds=25.0,
    ),
    Fault(
        name="phones-killed",
        what="some agents' phones killed, back 10 s later",
        begin=acts.kill_phones,
        end=acts.new_phones,
        seconds=10.0,
        watch_s=65.0,
        silence_s=55.0,
    ),
    Fault(
        name="worker-frozen-long",
        what="worker frozen for 65 s, nobody takes over",
        begin=acts.freeze,
        end=acts.thaw,
        check=acts.music_for_too_long,
        seconds=LONGEST_MUSIC_S + 5.0,
        silence_s=LONGEST_MUSIC_S + 20.0,
    ),
    Fault(
        name="asterisk-crash",
        what="Asterisk killed, started 1 s later",
        begin=acts.crash_asterisk,
        end=acts.start_asterisk,
        seconds=1.0,
        ends_calls=True,
    ),
)
BY_NAME: Final = {fault.name: fault for fault in FAULTS}
TRIED_IN_TESTS: Final = ("worker-kill", "ari-cut", "redis-restart")


def random_kill(seed: int, n: int) -> Fault:
    """Return the `n`th blow of a seed: one of three, each of a length of its own."""
    drawn = Random(f"{seed}:{n}")  # noqa: S311 - the same seed, the same blows
    seconds = round(drawn.uniform(0.1, 4.0), 2)
    what = "Redis restarted with its file"
    begin: Act = acts.restart_redis
    end: Act = acts.nothing
    match drawn.choice(("kill", "freeze", "redis")):
        case "kill":
            what, begin, end = f"worker killed, started {seconds} s later", acts.kill, acts.start
        case "freeze":
            seconds = round(seconds * 2, 2)
            what, begin, end = f"worker frozen for {seconds} s", acts.freeze, acts.thaw
        case _:
            seconds = 0.0
    return Fault(
        name=f"kill-{n}", what=what, begin=begin, end=end, seconds=seconds, watch_s=5.0, silence_s=FROZEN_SILENCE_S
    )
