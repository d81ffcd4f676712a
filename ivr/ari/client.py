"""The ARI client: one application's name, its events, its requests, and the connection that carries both."""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from ivr.ari import wire
from ivr.ari.channels import Channels
from ivr.ari.errors import AriDeaf
from ivr.ari.events import EVENT_TYPES
from ivr.ari.hearing import Hearing
from ivr.ari.http import CONNECTIONS, KEEPALIVE_S, HttpTransport
from ivr.ari.policy import Backoff, Connected, Disconnected, Replaced, Stats
from ivr.ari.reply import Reply
from ivr.ari.resources import (
    Applications,
    AsteriskServer,
    Bridges,
    Endpoints,
    Playbacks,
    Recordings,
)
from ivr.ari.ws import WsTransport
from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from ivr.ari.events import Event
    from ivr.ari.operations import Operation
    from ivr.ari.policy import State
    from ivr.ari.resource import How
    from ivr.ari.transport import Transport

T = TypeVar("T")

_CLOSING_S = 1.0
"""How long Asterisk has to answer our close."""


def _ignore(what: object) -> None:
    del what


class AriClient:
    """Keeps one application connected until closed; requests fail at once while it is not.

    At each connect: the socket opens, the event filter is set, events are proved to come (`ivr.ari.hearing`), and
    `on_connect(client)` runs (it may send requests) while events wait in order, then `on_state(Connected)`, the
    events that waited, and live ones. `on_event` and `on_state` are called in the loop, one at a time, and must not
    block; what they raise goes to the loop's exception handler and stops nothing. A failing `on_connect` is a failed
    connection. After a silence of `silence_ms` events are proved again, within `hearing_ms`.

    Asterisk runs what comes over one socket in its order, so a request that it does not answer in `timeout_ms` holds up
    all that follow, and acting on without answers makes it worse (seen: sentences that were taken for refused played
    one after another, each holding the next request, for minutes). Such a connection is given up like a broken one, and
    the next tells what became of everything. A request with a `timeout_ms` of its own, and one over HTTP, fails alone.

    Lists travel over HTTP always: Asterisk builds each websocket message on its thread's stack of 496 kB (`ast_alloca`
    in res_http_websocket.c, 22.10), and a list of 600 channels ends it. Nor do they hold up the one socket.

    `accounts`, where given, is asked for names and passwords at each connect, and the first one that opens is used.
    Asterisk asks for it again at every request: a 401 ends the connection, so that the next one has the new password.
    """

    def __init__(  # noqa: PLR0913 - four facts, then settings by keyword, each with its default
        self,
        url: str,
        user: str,
        password: str,
        app: str,
        *,
        accounts: Callable[[], Sequence[tuple[str, str]]] | None = None,
        transport: Literal["ws", "http"] = "ws",
        event_filter: Collection[str] = EVENT_TYPES,
        on_event: Callable[[Event], object] = _ignore,
        on_state: Callable[[State], object] = _ignore,
        on_connect: Callable[[AriClient], Awaitable[object]] | None = None,
        backoff: Backoff | None = None,
        timeout_ms: int = 5_000,
        heartbeat_ms: int = 20_000,
        hearing_ms: int = 500,
        silence_ms: int = 10_000,
        rng: Random | None = None,
    ) -> None:
        if unknown := sorted(set(event_filter) - EVENT_TYPES):
            raise ValueError(f"no such event: {', '.join(unknown)}")
        self.url = url.rstrip("/")
        self.app = app
        self.stats = Stats()
        self._accounts = accounts or (lambda: ((user, password),))
        self._kind = transport
        self._wanted = frozenset(event_filter) - {"ApplicationReplaced"}
        self._on_event = on_event
        self._on_state = on_state
        self._on_connect = on_connect
        self._backoff = backoff or Backoff()
        self._timeout_ms = timeout_ms
        self._heartbeat_ms = heartbeat_ms
        self._silence_ms = silence_ms
        self._rng = rng or Random()  # noqa: S311 - the spread of a pause is no secret
        self._task: asyncio.Task[None] | None = None
        self._allowed = asyncio.Event()
        self._allowed.set()
        self._live = asyncio.Event()
        self._transport: Transport | None = None
        self._lists: Transport | None = None
        self._lost: asyncio.Future[str] | None = None
        self._waiting: list[Event] | None = None
        self._why = "not started"
        self.channels = Channels(self._submit)
        self.bridges = Bridges(self._submit)
        self.playbacks = Playbacks(self._submit)
        self.recordings = Recordings(self._submit)
        self.endpoints = Endpoints(self._submit)
        self.applications = Applications(self._submit)
        self.asterisk = AsteriskServer(self._submit)
        self._hearing = Hearing(app, self.bridges, self.applications, hearing_ms)

    # The client's life

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def run(self) -> None:
        """Stays connected until `close()` or cancellation."""
        task = self._start()
        try:
            await asyncio.wait({task})
        finally:
            await self.close()

    async def close(self) -> None:
        """The sockets are closed, every request in flight has failed, no task is left, no state or event comes.

        Not from within `on_connect`, which it would wait for.
        """
        self._why = "closed"
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()

    def suspend(self, reason: str) -> None:
        """From now on nothing is sent: both sockets close and stay closed until `resume()`."""
        if self._allowed.is_set():
            self._halt(reason, Disconnected(reason, 0, None))

    def resume(self) -> None:
        """After `Replaced` or `suspend()`: it may connect again."""
        self._allowed.set()

    @property
    def connected(self) -> bool:
        """Whether `Connected` was the last word."""
        return self._live.is_set()

    async def wait_connected(self) -> None:
        """Returns once connected."""
        await self._live.wait()

    def _start(self) -> asyncio.Task[None]:
        if self._task is not None:
            raise RuntimeError("a client runs once")
        self._task = asyncio.create_task(self._main(), name=f"ari-{self.app}")
        return self._task

    # Requests

    def _submit(
        self, operation: Operation, params: Mapping[str, Any], decode: Callable[[str | bytes], T], how: How
    ) -> Reply[T]:
        uri, query, body = wire.address(operation, params)
        reply = Reply(operation.name, uri, decode)
        timeout_ms = how.get("timeout_ms") or self._timeout_ms
        request = wire.Request(operation, uri, query, body, reply, lane=how.get("lane"), timeout_ms=timeout_ms)
        transport = self._lists if operation.lists else self._transport
        if transport is None:
            request.disconnected(self._why)
            return reply
        self.stats.requests += 1
        expire = self._expire if transport is self._lists or how.get("timeout_ms") else self._stuck
        request.timer = asyncio.get_running_loop().call_later(timeout_ms / 1000, expire, transport, request)
        transport.send(request)
        return reply

    def _expire(self, transport: Transport, request: wire.Request) -> None:
        self.stats.timeouts += 1
        request.expired()
        transport.forget(request)

    def _stuck(self, transport: Transport, request: wire.Request) -> None:
        """Nothing behind that request is answered either, and what became of it nobody knows: begin again."""
        self.stats.timeouts += 1
        if transport is self._transport and self._lost is not None:
            reason = f"no answer to {request.operation.name} in {request.timeout_ms} ms"
            self._hang_up(reason)
            self._end(self._lost, reason)

    # The connection

    async def _main(self) -> None:
        failures = 0
        try:
            while True:
                await self._allowed.wait()
                before = self.stats.connections
                reason = await self._connection()
                if not self._allowed.is_set():
                    failures = 0  # halted, and said so already
                    continue
                failures = 1 if self.stats.connections > before else failures + 1
                pause_ms = self._backoff.delay_ms(failures, self._rng)
                self._tell(Disconnected(reason, failures, pause_ms))
                await asyncio.sleep(pause_ms / 1000)
        finally:
            self._why = "closed"

    async def _connection(self) -> str:
        """One connection from its opening to its end; returns why it ended."""
        self._why = "connecting"
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._lost = lost
        talk = asyncio.create_task(self._talk(lost), name=f"ari-{self.app}-reader")
        try:
            ends: set[asyncio.Future[Any]] = {talk, lost}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._end(lost, "closed")
            self._hang_up(lost.result())
            talk.cancel()
            await asyncio.wait({talk})
        if not talk.cancelled():
            talk.result()
        return lost.result()

    async def _talk(self, lost: asyncio.Future[str]) -> None:
        try:
            accounts = self._accounts()
        except (IvrError, OSError) as error:
            self._end(lost, f"no account: {error}")
            return
        for account in accounts:
            if await self._opened(account, lost):
                return
        self._end(lost, "401: Asterisk knows none of our names and passwords")

    async def _opened(self, account: tuple[str, str], lost: asyncio.Future[str]) -> bool:
        """One connection from its opening to its end; False where the account did not open it."""
        credentials = base64.b64encode(":".join(account).encode()).decode()
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEPALIVE_S)
        async with aiohttp.ClientSession(
            connector=connector,
            headers={"Authorization": f"Basic {credentials}"},
            timeout=aiohttp.ClientTimeout(total=None),
        ) as session:
            try:
                async with asyncio.timeout(self._timeout_ms / 1000):
                    ws = await session.ws_connect(
                        URL(f"{self.url}/events").with_query(app=self.app, subscribeAll="false"),
                        timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSING_S),
                        heartbeat=self._heartbeat_ms / 1000,
                        max_msg_size=0,
                        decode_text=False,
                    )
            except (aiohttp.ClientError, OSError) as error:
                if isinstance(error, aiohttp.WSServerHandshakeError) and error.status == wire.UNAUTHORIZED:
                    return False
                self._end(lost, f"{type(error).__name__} {error}".rstrip())
                return True
            try:
                if lost.done():
                    return True
                await self._carry(session, ws, lost)
            finally:
                await ws.close()
        return True

    async def _carry(
        self,
        session: aiohttp.ClientSession,
        ws: aiohttp.ClientWebSocketResponse[Literal[False]],
        lost: asyncio.Future[str],
    ) -> None:
        broken = partial(self._end, lost)
        lists = HttpTransport(session, self.url, broken)
        transport: Transport = WsTransport(ws, broken) if self._kind == "ws" else lists
        self._transport, self._lists, self._waiting = transport, lists, []
        opening = asyncio.create_task(self._open(lost), name=f"ari-{self.app}-opening")
        try:
            self._end(lost, await self._read(ws, lost))
        finally:
            self._end(lost, "the reader failed")
            self._hang_up(lost.result())
            opening.cancel()
            await asyncio.wait({opening})
            await transport.close()
            await lists.close()

    async def _open(self, lost: asyncio.Future[str]) -> None:
        try:
            await self._hearing.begin(wire.event_filter(self._wanted))
            if self._on_connect is not None:
                await self._on_connect(self)
            if not lost.done():
                self._go_live(lost)
                await self._hearing.stay_sure(self._silence_ms)
        except IvrError as error:
            self.stats.deaf += isinstance(error, AriDeaf)
            self._end(lost, str(error))
        except Exception as error:  # noqa: BLE001 - the boundary: whatever the layer above does, we try again
            self._blame("on_connect failed", error)
            self._end(lost, f"on_connect failed: {error!r}")

    def _go_live(self, lost: asyncio.Future[str]) -> None:
        self.stats.connections += 1
        self._live.set()
        self._tell(Connected(self.stats.connections))
        waited, self._waiting = self._waiting or [], None
        for event in waited:
            if lost.done():
                return
            self._deliver(event)

    async def _read(self, ws: aiohttp.ClientWebSocketResponse[Literal[False]], lost: asyncio.Future[str]) -> str:
        while True:
            frame = await ws.receive()
            if lost.done():
                return lost.result()
            if frame.type is aiohttp.WSMsgType.TEXT:
                self._take(frame.data)
            elif frame.type is aiohttp.WSMsgType.ERROR:
                return f"the socket failed: {frame.data}"
            elif frame.type is not aiohttp.WSMsgType.BINARY:
                return f"the socket closed ({ws.close_code})"

    def _take(self, raw: bytes) -> None:
        try:
            message = wire.decode(raw)
        except msgspec.DecodeError:
            self.stats.malformed += 1
            return
        if message.type == "RESTResponse":
            if self._transport is None or not self._transport.answer(message):
                self.stats.late_answers += 1
        elif self._hearing.note(message):
            pass
        elif message.type in self._wanted:
            event = wire.event(message, raw)
            if self._waiting is None:
                self._deliver(event)
            else:
                self._waiting.append(event)
        elif message.type == "ApplicationReplaced" and message.application == self.app:
            self._halt("replaced by another client", Replaced())
        else:
            self.stats.ignored[message.type] += 1

    def _halt(self, reason: str, state: State) -> None:
        self._allowed.clear()
        self._hang_up(reason)
        if self._lost is not None:
            self._end(self._lost, reason)
        self._tell(state)

    def _hang_up(self, reason: str) -> None:
        """From here on requests fail at once; those in flight have failed."""
        self._live.clear()
        self._why = reason
        self._waiting = None
        gone = (self._transport, self._lists)
        self._transport = self._lists = None
        for transport in gone:
            if transport is not None:
                transport.abandon(reason)

    @staticmethod
    def _end(lost: asyncio.Future[str], reason: str) -> None:
        if not lost.done():
            lost.set_result(reason)

    # The layer above

    def _deliver(self, event: Event) -> None:
        self.stats.events += 1
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - the boundary: one event's bug must not deafen us
            self._blame(f"on_event failed on {event.type}", error)

    def _tell(self, state: State) -> None:
        try:
            self._on_state(state)
        except Exception as error:  # noqa: BLE001 - the same
            self._blame(f"on_state failed on {state}", error)

    def _blame(self, message: str, error: Exception) -> None:
        self.stats.handler_errors += 1
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
