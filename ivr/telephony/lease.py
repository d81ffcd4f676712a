"""The lease of a node: its holder alone acts on the node's Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

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

_log = log.get("lease")


class NodeLease:
    """One worker's hold on one node, good for LEASE_MS after each renewal."""

    def __init__(self, queue: Queue, node: NodeId) -> None:
        self._queue = queue
        self._node = node
        self._id = WorkerId(own_name())

    async def take(self) -> None:
        """Return once the node is ours; a holder that is dead for sure is not waited for."""
        waiting = False
        while True:
            leased = await self._queue.lease(self._node, self._id, LEASE_MS)
            if leased.granted:
                return
            if leased.holder is not None and is_dead(leased.holder):
                await self._queue.unlease(self._node, leased.holder)
                continue
            if not waiting:
                _log.info("another worker holds the node; standing by", node=self._node)
                waiting = True
            await asyncio.sleep(LEASE_EVERY_S / 4)

    async def keep(self, lost: Callable[[str], Awaitable[None]]) -> None:
        """Renew it for ever; `lost` says why it is no longer sure, stops all acts and takes it again."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(LEASE_EVERY_S)
            late_ms = (time.monotonic() - renewed) * 1000
            if late_ms > LEASE_MS - LEASE_MARGIN_MS:
                await lost(f"frozen for {late_ms:.0f} ms")
            try:
                leased = await self._queue.lease(self._node, self._id, LEASE_MS)
            except QueueError:
                continue
            renewed = time.monotonic()
            if not leased.granted:
                await lost("another worker took the node")

    async def give_back(self) -> None:
        """Let another worker have the node at once."""
        with contextlib.suppress(QueueError):
            await self._queue.unlease(self._node, self._id)
