"""REST over HTTP beside the events websocket: for an Asterisk, or a proxy, that wants it so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from ivr.ari import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.ari.wire import Message, Request

KEEPALIVE_S = 10
"""Asterisk closes an idle connection after 15 s: ours go first, so that no request meets the closing."""

CONNECTIONS = 32
"""Well under Asterisk's default sessionlimit of 100."""


class HttpTransport:
    """Each request is its own exchange; one waits for the end of the one before it in its lane.

    Requests without a lane have no order. After a timeout its successor goes on, while Asterisk may still be
    busy with the first.
    """

    def __init__(self, session: aiohttp.ClientSession, base: str, broken: Callable[[str], None]) -> None:
        self._session = session
        self._base = base
        self._broken = broken
        self._last: dict[str, asyncio.Task[None]] = {}
        self._running: dict[Request, asyncio.Task[None]] = {}
        self._abandoned = False

    def send(self, request: Request) -> None:
        """An exchange of its own, after the one before it in its lane."""
        before = None if request.lane is None else self._last.get(request.lane)
        task = asyncio.create_task(self._exchange(request, before), name=f"ari-{request.operation.name}")
        self._running[request] = task
        if request.lane is not None:
            self._last[request.lane] = task

    def answer(self, message: Message) -> bool:
        """Answers never come over the events socket here."""
        del message
        return False

    def forget(self, request: Request) -> None:
        """Gives up the exchange; one that waits its turn keeps its place, so that its successor waits for it."""
        if request.sent and (task := self._running.get(request)) is not None:
            task.cancel()

    def abandon(self, reason: str) -> None:
        """Fails all and gives up every exchange."""
        self._abandoned = True
        for request, task in self._running.items():
            request.disconnected(reason)
            task.cancel()

    async def close(self) -> None:
        """No exchange is left."""
        for task in self._running.values():
            task.cancel()
        if self._running:
            await asyncio.wait(self._running.values())

    async def _exchange(self, request: Request, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await asyncio.wait({before})
            if not self._abandoned and not request.reply.done():
                await self._ask(request)
        finally:
            task = self._running.pop(request)
            if request.lane is not None and self._last.get(request.lane) is task:
                del self._last[request.lane]

    async def _ask(self, request: Request) -> None:
        request.sent = True
        headers = {} if request.body is None else {"Content-Type": "application/json"}
        url = URL(f"{self._base}/{request.url()}", encoded=True)
        try:
            async with self._session.request(
                request.operation.method, url, data=request.body, headers=headers, allow_redirects=False
            ) as response:
                body = await response.read()
        except aiohttp.ClientConnectorError as error:
            request.sent = False
            request.disconnected(str(error))
        except (aiohttp.ClientError, OSError) as error:
            request.disconnected(f"{type(error).__name__} {error}".rstrip())
        else:
            if response.status == wire.UNAUTHORIZED:
                request.disconnected(wire.SHUT_OUT)
                self._broken(wire.SHUT_OUT)
            else:
                request.answered(response.status, response.reason or "", body)
