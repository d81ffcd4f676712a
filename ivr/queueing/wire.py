"""Commands to KEYS and ARGV, answers to replies. Pure: shared by every driver of the script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ivr.queueing import replies
from ivr.queueing.errors import LinesMoved, QueueFault, StateLost
from ivr.queueing.model import Epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.queueing.commands import Command
    from ivr.queueing.keys import Keys
    from ivr.queueing.model import NodeId

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Wire:
    """One site as seen from a node; `node` is empty for a process that holds no calls."""

    keys: Keys
    node: NodeId

    def encode(
        self, command: Command[Any], now: int, epoch: Epoch | None
    ) -> tuple[tuple[str, ...], tuple[str | bytes, ...]]:
        """KEYS and ARGV. Whole numbers stay exact; what is None is left out."""
        args = {name: value for name, value in command.args.items() if value is not None}
        args["me"] = self.node
        argv: tuple[str | bytes, ...] = (command.name, epoch or "", str(now), msgspec.json.encode(args))
        if command.snapshot is not None:
            argv = (*argv, command.snapshot)
        keys = self.keys.widened(command.lines) if command.lines else self.keys
        return keys.all(), argv

    def decode(self, command: Command[R], raw: Sequence[Any]) -> R:
        """The reply. Raises StateLost, LinesMoved, QueueFault."""
        status = replies.text(raw[0])
        if status == "OK":
            return command.read(replies.answer(raw))
        if status == "STATE_LOST":
            found = replies.text(raw[1])
            raise StateLost(self.keys.site, Epoch(found) if found else None)
        if status == "LINES":
            raise LinesMoved(self.keys.site, tuple(replies.text(line) for line in raw[1:]))
        reason = replies.text(raw[1])
        if command.refused is None:
            raise QueueFault(self.keys.site, command.name, reason)
        return command.refused(reason)
