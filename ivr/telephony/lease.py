"""The lease of a node: its holder alone acts on the node's Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final, Literal

from ivr import log
from ivr.queueing.errors import QueueError
from ivr.queueing.model import WorkerId
from ivr.telephony.liveness import is_dead, own_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ivr.queueing.model import NodeId
    from ivr.queueing.queue import Queue

LEASE_MS: Final = 5_000
LEASE_EVERY_S: Final = 1.0
LEASE_MARGIN_MS: Final = 1_000

Loss = Literal["frozen", "redis away", "taken"]
"""Why the hold is no longer sure: we stood still, Redis does not answer, or another worker has it."""

_log = log.get("lease")


class NodeLease:
    """One worker's hold on one node, good for LEASE_MS after each renewal."""

    def __init__(self, queue: Queue, node: NodeId, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._node = node
        self._id = WorkerId(own_name())
        self._monotonic = monotonic
        self.held = False
        """Whether the node is ours. Who stands by has nothing to tell of its calls."""
        self._renewed = 0.0

    @property
    def id(self) -> WorkerId:
        """Return who holds it: this worker."""
        return self._id

    @property
    def sure(self) -> bool:
        """Whether nobody else can have it yet: else we stood still, or Redis does not answer."""
        return self.held and not self._too_old(self._monotonic())

    def _too_old(self, now: float) -> bool:
        return (now - self._renewed) * 1000 > LEASE_MS - LEASE_MARGIN_MS

    async def take(self) -> None:
        """Return once the node is ours, whatever Redis does; a holder that is dead for sure is not waited for."""
        waiting, self.held = "", False
        while True:
            asked = self._monotonic()
            reason = await self._try()
            if not reason:
                self.held, self._renewed = True, asked
                return
            if reason != waiting:
                _log.info("standing by", node=self._node, reason=reason)
                waiting = reason
            await asyncio.sleep(LEASE_EVERY_S / 4)

    async def _try(self) -> str:
        """Take the node, or return why not."""
        try:
            leased = await self._queue.lease(self._node, self._id, LEASE_MS)
            if not leased.granted and leased.holder is not None and is_dead(leased.holder):
                await self._queue.unlease(self._node, leased.holder)
                leased = await self._queue.lease(self._node, self._id, LEASE_MS)
        except QueueError as error:
            return str(error)
        return "" if leased.granted else "another worker holds the node"

    async def keep(self, lost: Callable[[Loss], Awaitable[None]]) -> None:
        """Renew it for ever; `lost` says why it is no longer sure, stops all acts and takes it again."""
        while True:
            slept = self._monotonic()
            await asyncio.sleep(LEASE_EVERY_S)
            now = self._monotonic()
            if self._too_old(now):
                frozen = (now - slept) * 1000 > LEASE_MS - LEASE_MARGIN_MS
                await lost("frozen" if frozen else "redis away")
                continue
            try:
                granted = await self._renew()
            except QueueError:
                continue
            if not granted:
                await lost("taken")

    async def _renew(self) -> bool:
        """Ask for it again; whether it is ours. An answer that was long on its way tells little."""
        while True:
            asked = self._monotonic()
            leased = await self._queue.lease(self._node, self._id, LEASE_MS)
            if not leased.granted:
                return False
            if self._monotonic() - asked <= LEASE_EVERY_S:
                self._renewed = asked
                return True

    async def give_back(self) -> None:
        """Let another worker have the node at once."""
        self.held = False
        with contextlib.suppress(QueueError):
            await self._queue.unlease(self._node, self._id)
