"""A node that takes no new calls, so that its Asterisk can be restarted once the old ones have ended.

The dialplan itself refuses new calls (503: the operator tries the other node) while the second in the global variable
IVR_DRAIN has not come. So a drain needs no worker, ends by itself, and ends with the Asterisk that it was for.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.ari import AriError
from ivr.errors import IvrError
from ivr.telephony.reach import reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from ivr.ari import AriClient

VARIABLE: Final = "IVR_DRAIN"
LOOK_MS: Final = 500
_TRUNK: Final = "PJSIP/trunk-"

_log = log.get("drain")


class NodeAway(IvrError):
    """Asterisk did not answer; a drain that was on may have ended with it."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a restart would cut: callers of this node, and all lines (agents' too, who may talk to another node's)."""

    callers: int
    lines: int


class Node:
    """What a command can have a node do; every method raises NodeAway when Asterisk does not answer."""

    def __init__(self, ari: AriClient) -> None:
        self._ari = ari

    async def close(self, until_s: int) -> None:
        """Have it refuse new calls until that second (Unix)."""
        with _answering():
            await self._ari.asterisk.setGlobalVar(variable=VARIABLE, value=str(until_s))

    async def open(self) -> None:
        """Have it take calls again."""
        await self.close(0)

    async def left(self) -> Left:
        """Return what is still there, whoever has it: a worker, the fallback, an agent."""
        with _answering():
            channels = await self._ari.channels.list()
        return Left(sum(channel.name.startswith(_TRUNK) for channel in channels), len(channels))


@contextlib.asynccontextmanager
async def node_at(url: str, accounts: Sequence[tuple[str, str]]) -> AsyncIterator[Node | None]:
    """The node whose ARI is there; None when it does not answer soon."""
    async with reached(url, accounts, "drain") as ari:
        yield Node(ari) if ari is not None else None


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except AriError as error:
        raise NodeAway(str(error)) from error


class Drain:
    """What a worker knows of its node's drain."""

    def __init__(self, ari: AriClient, now_s: Callable[[], float] = time.time) -> None:
        self._ari = ari
        self._now_s = now_s
        self._on = False

    async def look(self) -> bool:
        """Return whether the node refuses new calls; what was known holds while Asterisk does not answer."""
        try:
            value = (await self._ari.asterisk.getGlobalVar(variable=VARIABLE, timeout_ms=LOOK_MS)).value
        except AriError:
            return self._on
        on = value.isdecimal() and int(value) > self._now_s()
        if on != self._on:
            _log.warning("the node takes no new calls" if on else "the node takes calls again")
        self._on = on
        return on
