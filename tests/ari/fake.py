"""An ARI server over real sockets that does as it is told: late, refusing, doubled, silent, gone."""

from __future__ import annotations

import asyncio
import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote_plus

import orjson
from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import Callable

PING = {"ping": "pong", "timestamp": "2026-01-01T00:00:00.000+0000", "asterisk_id": "00:00:00:00:00:01"}


SOURCES: dict[str, list[str]] = {"channel_ids": [], "bridge_ids": [], "endpoint_ids": []}
BRIDGE = {
    "technology": "simple_bridge",
    "bridge_type": "mixing",
    "bridge_class": "stasis",
    "creator": "Stasis",
    "name": "",
    "channels": [],
    "creationtime": "2026-01-01T00:00:00.000+0000",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as Asterisk would read it."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    via: str  # "ws" or "http"

    @property
    def own(self) -> bool:
        """Whether the client asks it for itself, at its opening."""
        about = self.query.get("eventSource", self.path)
        return self.path.endswith("/eventFilter") or about.startswith(("bridges/hearing.", "bridge:hearing."))


@dataclass(frozen=True, slots=True)
class Say:
    """An answer; `after` holds it back until set, `times` sends it again (over the events socket)."""

    status: int = 204
    body: Any = None
    after: asyncio.Event | None = None
    times: int = 1


LOSE = Say(times=0)
"""No answer, ever (over HTTP: the connection is cut)."""


def refuse(status: int, message: str) -> Say:
    return Say(status, {"message": message})


@dataclass(slots=True)
class _Rule:
    method: str
    path: re.Pattern[str]
    say: Say | Callable[[Asked], Say | None]
    left: int


@dataclass(slots=True)
class FakeAri:
    """`async with FakeAri() as fake`: listens on `fake.url`; what it was asked is in `fake.asked`.

    Without a rule, GET of a collection answers [], of ping the pong, any other GET 404, all else 204, and the end of
    a bridge is told to who subscribed to it. As Asterisk does, it runs what comes over one events socket in order,
    one at a time, tells the former holder of an application's name that it is replaced, and sends only what the
    event filter allows, answers included.
    """

    user: str = "ivr"
    password: str = "secret"
    asked: list[Asked] = field(default_factory=list)
    filters: dict[str, frozenset[str]] = field(default_factory=dict)
    refuse_connections: int = 0
    connections: int = 0
    url: str = ""
    deaf: bool = False
    """Its application has no listener: requests are answered, events go nowhere."""
    _subscribed: dict[str, set[str]] = field(default_factory=dict)
    _rules: list[_Rule] = field(default_factory=list)
    _sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    _transports: dict[web.WebSocketResponse, asyncio.Transport] = field(default_factory=dict)
    _late: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.AppRunner | None = None
    _port: int = 0

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def listen(self) -> None:
        """Listens (again, on the same port)."""
        app = web.Application()
        app.router.add_get("/ari/events", self._events)
        app.router.add_route("*", "/ari/{path:.*}", self._http)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}/ari"

    async def stop(self) -> None:
        """No listening socket, no connection, no task."""
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        for app in list(self._sockets):
            self.cut(app)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # What it is told

    def on(self, method: str, path: str, say: Say | Callable[[Asked], Say | None], times: int = -1) -> None:
        """Requests whose decoded path matches the regular expression get this; the newest rule first."""
        self._rules.insert(0, _Rule(method, re.compile(path), say, times))

    async def emit(self, app: str, event_type: str, **fields: Any) -> None:
        """An event as Asterisk would send it: not, where the filter holds it back."""
        stamp = "2026-01-01T00:00:00.000+0000"
        event = {"type": event_type, "application": app, "timestamp": stamp, **fields}
        await self._send(app, self._sockets[app], event)

    async def emit_raw(self, app: str, text: str) -> None:
        """Any text frame."""
        await self._sockets[app].send_str(text)

    async def close(self, app: str, code: int = 1001) -> None:
        """A clean end of the socket."""
        await self._sockets.pop(app).close(code=code)

    def cut(self, app: str) -> None:
        """The connection is gone without a word."""
        self._transports[self._sockets.pop(app)].abort()

    async def until(self, holds: Callable[[], object]) -> None:
        """Waits for a condition on what it was asked or who is connected."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(holds()))

    def paths(self, method: str = "") -> list[str]:
        """The paths asked for, in order, without those of the client's own openings."""
        return [asked.path for asked in self.wanted if method in ("", asked.method)]

    @property
    def wanted(self) -> list[Asked]:
        """What it was asked, without what every opening asks: the event filter and the proof of hearing."""
        return [asked for asked in self.asked if not asked.own]

    @property
    def connected(self) -> set[str]:
        """The applications that have a connection now."""
        return set(self._sockets)

    # What it does

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _trusted(self, request: web.Request) -> bool:
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {token}"

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if not self._trusted(request):
            return web.Response(status=401)
        if self.refuse_connections:
            self.refuse_connections -= 1
            return web.Response(status=503)
        app = request.query["app"]
        ws = web.WebSocketResponse(timeout=0.1)
        await ws.prepare(request)
        assert request.transport is not None
        self._transports[ws] = request.transport
        former, self._sockets[app] = self._sockets.get(app), ws
        if former is not None:
            await self._send(app, former, {"type": "ApplicationReplaced", "application": app})
        self.connections += 1
        await self._note()
        try:
            async for frame in ws:
                if frame.type is WSMsgType.TEXT:
                    await self._rest(app, ws, orjson.loads(frame.data), trusted=self._trusted(request))
        finally:
            del self._transports[ws]
            if self._sockets.get(app) is ws:
                del self._sockets[app]
            await self._note()
        return ws

    async def _rest(self, app: str, ws: web.WebSocketResponse, request: dict[str, Any], *, trusted: bool) -> None:
        path, _, query = request["uri"].partition("?")
        assert request["type"] == "RESTRequest"
        assert not query, "the query travels as query_strings"
        assert "message_body" not in request or request["content_type"] == "application/json"
        asked = Asked(
            request["method"],
            unquote_plus(path),
            {pair["name"]: pair["value"] for pair in request.get("query_strings", ())},
            orjson.loads(request["message_body"]) if "message_body" in request else None,
            "ws",
        )
        say = await self._answer(asked) if trusted else refuse(401, "Authentication required")
        answer = {
            "type": "RESTResponse",
            "transaction_id": "",
            "request_id": request.get("request_id", ""),
            "status_code": say.status,
            "reason_phrase": "OK" if say.status < 400 else "Refused",
            "uri": path,
        }
        if say.body is not None:
            answer |= {"content_type": "application/json", "message_body": orjson.dumps(say.body).decode()}
        if say.after is None:
            for _ in range(say.times):
                await self._send(app, ws, answer)
        else:
            task = asyncio.create_task(self._send_later(app, ws, answer, say))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _send_later(self, app: str, ws: web.WebSocketResponse, answer: dict[str, Any], say: Say) -> None:
        assert say.after is not None
        await say.after.wait()
        for _ in range(say.times):
            await self._send(app, ws, answer)

    async def _send(self, app: str, ws: web.WebSocketResponse, message: dict[str, Any]) -> None:
        allowed = self.filters.get(app)
        if self.deaf and message["type"] != "RESTResponse":
            return
        if (allowed is None or message["type"] in allowed) and not ws.closed:
            await ws.send_str(orjson.dumps(message).decode())

    async def _http(self, request: web.Request) -> web.StreamResponse:
        if not self._trusted(request):
            return web.Response(status=401)
        raw = await request.read()
        path = unquote_plus(request.raw_path.partition("?")[0].removeprefix("/ari/"))
        body = orjson.loads(raw) if raw else None
        say = await self._answer(Asked(request.method, path, dict(request.query), body, "http"))
        if say.after is not None:
            await say.after.wait()
        if say.times == 0:
            assert request.transport is not None
            request.transport.abort()
        if say.body is None:
            return web.Response(status=say.status)
        return web.Response(status=say.status, body=orjson.dumps(say.body), content_type="application/json")

    async def _happens(self, asked: Asked) -> None:
        """What follows from a request that is granted."""
        kind, _, name = asked.path.partition("/")
        if kind == "applications" and name.endswith("/subscription"):
            self._subscribed.setdefault(name.split("/")[0], set()).update(asked.query["eventSource"].split(","))
        elif kind == "bridges" and asked.method == "DELETE":
            for app, sources in self._subscribed.items():
                if f"bridge:{name}" in sources and app in self._sockets:
                    sources.discard(f"bridge:{name}")
                    await self.emit(app, "BridgeDestroyed", bridge={**BRIDGE, "id": name})

    async def _answer(self, asked: Asked) -> Say:
        self.asked.append(asked)
        await self._note()
        for rule in self._rules:
            if rule.left != 0 and rule.method == asked.method and rule.path.fullmatch(asked.path):
                said = rule.say(asked) if callable(rule.say) else rule.say
                if said is not None:
                    rule.left -= 1
                    return said
        await self._happens(asked)
        if asked.path.endswith("/eventFilter"):
            app = asked.path.split("/")[1]
            self.filters[app] = frozenset(entry["type"] for entry in asked.body["allowed"])
            return Say(200, {"name": app, **SOURCES})
        if asked.path.endswith("/subscription"):
            return Say(200, {"name": asked.path.split("/")[1], **SOURCES})
        if asked.path.startswith("bridges/") and asked.path.count("/") == 1 and asked.method == "POST":
            return Say(200, {**BRIDGE, "id": asked.path.partition("/")[2]})
        if asked.method == "GET":
            if asked.path == "asterisk/ping":
                return Say(200, PING)
            known = asked.path in {"channels", "bridges", "endpoints", "applications", "recordings/stored"}
            return Say(200, []) if known else refuse(404, "not there")
        return Say()
