"""The same commands over a synchronous client and a clock of the caller's: for the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from redis.exceptions import NoScriptError

from ivr.queueing import commands, script
from ivr.queueing.errors import LinesMoved
from ivr.queueing.keys import Keys
from ivr.queueing.model import NodeId
from ivr.queueing.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from ivr.core.plan import SiteId
    from ivr.queueing.commands import Command
    from ivr.queueing.model import Epoch

R = TypeVar("R")


class SyncQueue:
    """One site of one Redis, driven step by step. Errors of the client pass through."""

    def __init__(self, redis: Redis, site: SiteId, lines: Sequence[str] = (), node: NodeId | None = None) -> None:
        self._redis = redis
        self._wire = Wire(Keys(site, tuple(lines)), node or NodeId(""))
        self.epoch: Epoch | None = None

    def found(self, epoch: Epoch, now: int) -> Epoch:
        """Establish an epoch, or learn the one in force."""
        self.epoch = epoch
        self.epoch = self.run(commands.found(), now).epoch
        return self.epoch

    def run(self, command: Command[R], now: int) -> R:
        """Send one command at the instant `now` (ms)."""
        try:
            return self._send(command, now)
        except LinesMoved as moved:
            self._wire = Wire(self._wire.keys.widened(moved.lines), self._wire.node)
            return self._send(command, now)

    def _send(self, command: Command[R], now: int) -> R:
        keys, argv = self._wire.encode(command, now, self.epoch)
        try:
            raw: Any = self._redis.evalsha(script.sha(), len(keys), *keys, *argv)
        except NoScriptError:
            raw = self._redis.eval(script.source(), len(keys), *keys, *argv)
        return self._wire.decode(command, raw)
