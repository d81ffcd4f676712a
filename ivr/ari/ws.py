"""REST over the events websocket: one socket, requests written in order, answered by id."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Final

import aiohttp

from ivr.ari import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.ari.wire import Message, Request


WINDOW: Final = 128
"""Requests on their way at most: those that a broken connection leaves behind in Asterisk, which runs them still."""


class WsTransport:
    """All lanes share the socket, so their order holds; Asterisk runs requests one at a time as they come.

    What is beyond the `WINDOW` waits here for answers to the requests before it.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse[bool], broken: Callable[[str], None]) -> None:
        self._ws = ws
        self._broken = broken
        self._ids = count(1)
        self._waiting: dict[str, Request] = {}
        self._outbox: deque[tuple[Request, bytes]] = deque()
        self._unanswered: set[str] = set()
        self._more = asyncio.Event()
        self._writer = asyncio.create_task(self._write(), name="ari-writer")

    def send(self, request: Request) -> None:
        """Written to the socket in the order of the calls; one that is too large is refused here."""
        request.id = str(next(self._ids))
        frame = wire.encode(request.id, request)
        if len(frame) > wire.MAX_REQUEST_BYTES:
            why = f"{len(frame)} bytes are more than Asterisk reads"
            request.answered(413, why, b"")
            return
        self._waiting[request.id] = request
        self._outbox.append((request, frame))
        self._more.set()

    def answer(self, message: Message) -> bool:
        """Settles the request of that id."""
        self._unanswered.discard(message.request_id)
        if self._outbox:
            self._more.set()
        request = self._waiting.pop(message.request_id, None)
        if request is not None and message.status_code == wire.UNAUTHORIZED:
            request.disconnected(wire.SHUT_OUT)
            self._broken(wire.SHUT_OUT)
            return True
        return request is not None and request.answered(
            message.status_code, message.reason_phrase, message.message_body
        )

    def forget(self, request: Request) -> None:
        """Its late answer will be for nobody; not yet written, it will not be."""
        self._waiting.pop(request.id, None)

    def abandon(self, reason: str) -> None:
        """Fails all; the writer stops."""
        self._writer.cancel()
        waiting, self._waiting = self._waiting, {}
        self._outbox.clear()
        for request in waiting.values():
            request.disconnected(reason)

    async def close(self) -> None:
        """The writer is gone."""
        self._writer.cancel()
        await asyncio.wait({self._writer})

    async def _write(self) -> None:
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while self._outbox and len(self._unanswered) < WINDOW:
                    request, frame = self._outbox.popleft()
                    if request.reply.done():
                        continue
                    request.sent = True
                    self._unanswered.add(request.id)
                    await self._ws.send_frame(frame, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, OSError) as error:
            self._broken(f"could not write: {error}")
