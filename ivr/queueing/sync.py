"""The same commands over a synchronous client and a clock of the caller's: for the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import hiredis
from redis.exceptions import ResponseError

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
    """One site of one Redis, driven step by step. Errors of the client pass through.

    Over a client of one connection (`single_connection_client`) it speaks to that connection alone, which
    costs a third less, and `due` tells after each command when the next `reap` has something to do.
    """

    def __init__(self, redis: Redis, site: SiteId, lines: Sequence[str] = (), node: NodeId | None = None) -> None:
        self._redis: Any = redis
        self._connection: Any = redis.connection
        self._wire = Wire(Keys(site, tuple(lines)), node or NodeId(""))
        self._head = _packed("ZRANGE", self._wire.keys.name("deadlines"), 0, 0, "WITHSCORES")
        self.epoch: Epoch | None = None
        self.due: int | None = None

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
        ask = self._ask if self._connection is None else self._ask_straight
        try:
            raw = ask("FCALL", script.name(), len(keys), *keys, *argv)
        except ResponseError as refusal:
            if script.MISSING not in str(refusal):
                raise
            self._redis.function_load(script.source(), replace=True)
            raw = ask("FCALL", script.name(), len(keys), *keys, *argv)
        return self._wire.decode(command, raw)

    def _ask(self, *words: str | bytes | int) -> Any:
        return self._redis.execute_command(*words)

    def _ask_straight(self, *words: str | bytes | int) -> Any:
        """The answer, and the head of the deadlines in the same round trip."""
        connection = self._connection
        connection.send_packed_command([_packed(*words) + self._head])
        try:
            answer = connection.read_response()
        except ResponseError:
            connection.read_response()  # the head, which comes all the same
            raise
        first = connection.read_response()
        if first and isinstance(first[0], list):  # RESP 3 pairs member and score
            first = first[0]
        self.due = int(float(first[1])) if first else None
        return answer


def _packed(*words: str | bytes | int) -> bytes:
    """One command as Redis reads it, by the packer of redis-py without its look at every word."""
    pack: Any = hiredis.pack_command  # takes a tuple of any length, whatever its annotation says
    packed: bytes = pack(words)
    return packed
