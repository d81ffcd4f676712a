"""Bytes and meanings, with no socket: the JSON that travels and the requests that it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from ivr.ari.errors import AriDisconnected, AriTimeout, from_status
from ivr.ari.events import Event

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping

    from ivr.ari.operations import Operation
    from ivr.ari.reply import Reply

MAX_REQUEST_BYTES = 60_000
"""Asterisk closes the socket on a frame above 65,535 bytes, headers included: such a request is refused here."""

ALWAYS_ALLOWED = ("ApplicationReplaced", "RESTResponse", "BridgeDestroyed")
"""Asterisk's event filter holds these back too where it does not name them (seen on 22.10.1).

The last one proves that events come (`ivr.ari.hearing`).
"""

UNAUTHORIZED = 401
SHUT_OUT = "401: the password of this connection is not accepted any more"


class Request:
    """One request from its making to its end; `id` is its transport's own."""

    __slots__ = ("body", "id", "lane", "operation", "query", "reply", "sent", "timeout_ms", "timer", "uri")

    def __init__(
        self,
        operation: Operation,
        uri: str,
        query: list[tuple[str, str]],
        body: bytes | None,
        reply: Reply[Any],
        *,
        lane: str | None,
        timeout_ms: int,
    ) -> None:
        self.operation = operation
        self.uri = uri
        self.query = query
        self.body = body
        self.reply = reply
        self.lane = lane
        self.timeout_ms = timeout_ms
        self.sent = False
        self.id = ""
        self.timer: asyncio.TimerHandle | None = None

    def answered(self, status: int, message: str, body: str | bytes) -> bool:
        """Settles the reply by Asterisk's answer; False when it was settled before."""
        self._stop_timer()
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's success
            return self.reply.grant(body)
        said = _message_in(body) or message
        return self.reply.fail(from_status(self.operation.name, self.uri, status, said))

    def disconnected(self, reason: str) -> None:
        """Settles the reply: the connection is not, or not any more."""
        self._stop_timer()
        self.reply.fail(AriDisconnected(self.operation.name, self.uri, reason, sent=self.sent))

    def expired(self) -> None:
        """Settles the reply: too late."""
        self._stop_timer()
        self.reply.fail(AriTimeout(self.operation.name, self.uri, self.timeout_ms, sent=self.sent))

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def url(self) -> str:
        """The path with its query, encoded, without a leading slash."""
        return f"{self.uri}?{urlencode(self.query)}" if self.query else self.uri


def address(operation: Operation, params: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]], bytes | None]:
    """The encoded path (no leading slash), query and JSON body of an operation; parameters of None are left out.

    ValueError where a part of the path is empty or a parameter is not the operation's.
    """
    left = {name: value for name, value in params.items() if value is not None}
    parts: dict[str, str] = {}
    for name in operation.path_params:
        value = left.pop(name, "")
        if not value:
            raise ValueError(f"{operation.name}: {name} is empty")
        parts[name] = quote(value, safe="")
    body: bytes | None = None
    if operation.body and operation.body in left:
        value = left.pop(operation.body)
        body = msgspec.json.encode({"variables": value} if operation.body == "variables" else value)
    query = [(name, _text(left.pop(name))) for name in operation.required + operation.optional if name in left]
    if left:
        raise ValueError(f"{operation.name} has no parameter {', '.join(sorted(left))}")
    return operation.path.format_map(parts).lstrip("/"), query, body


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)


class _NameValue(msgspec.Struct):
    name: str
    value: str


class _RestRequest(msgspec.Struct, tag_field="type", tag="RESTRequest", omit_defaults=True):
    request_id: str
    method: str
    uri: str
    query_strings: list[_NameValue] | None = None
    content_type: str | None = None
    message_body: str | None = None


_encode = msgspec.json.Encoder().encode


def encode(request_id: str, request: Request) -> bytes:
    """The text frame that carries a request over the events socket."""
    return _encode(
        _RestRequest(
            request_id=request_id,
            method=request.operation.method,
            uri=request.uri,
            query_strings=[_NameValue(*pair) for pair in request.query] or None,
            content_type=None if request.body is None else "application/json",
            message_body=None if request.body is None else request.body.decode(),
        )
    )


class _Id(msgspec.Struct, gc=False):
    id: str = ""


class _Playback(msgspec.Struct, gc=False):
    id: str = ""
    target_uri: str = ""


class _Recording(msgspec.Struct, gc=False):
    name: str = ""
    target_uri: str = ""


class _Endpoint(msgspec.Struct, gc=False):
    technology: str = ""
    resource: str = ""


class Message(msgspec.Struct):
    """The few fields that say what a frame is and whom it concerns."""

    type: str
    application: str = ""
    request_id: str = ""
    status_code: int = 0
    reason_phrase: str = ""
    message_body: str = ""
    channel: _Id | None = None
    bridge: _Id | None = None
    playback: _Playback | None = None
    recording: _Recording | None = None
    endpoint: _Endpoint | None = None


decode = msgspec.json.Decoder(Message).decode
"""The first look at a frame; `msgspec.DecodeError` where it is not one of Asterisk's."""


def event(message: Message, raw: bytes) -> Event:
    """The event that a frame carries, ready to be routed."""
    channel_id = message.channel.id if message.channel else None
    playback_id = recording = endpoint = None
    if message.playback is not None:
        playback_id = message.playback.id
        channel_id = channel_id or _channel_of(message.playback.target_uri)
    if message.recording is not None:
        recording = message.recording.name
        channel_id = channel_id or _channel_of(message.recording.target_uri)
    if message.endpoint is not None:
        endpoint = f"{message.endpoint.technology}/{message.endpoint.resource}"
    return Event(
        type=message.type,
        raw=raw,
        channel_id=channel_id,
        bridge_id=message.bridge.id if message.bridge else None,
        playback_id=playback_id,
        recording=recording,
        endpoint=endpoint,
    )


def _channel_of(target_uri: str) -> str | None:
    scheme, _, name = target_uri.partition(":")
    return name if scheme == "channel" and name else None


def event_filter(wanted: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """The body that makes Asterisk send these events alone, and that forgets what an earlier filter forbade."""
    return {
        "allowed": [{"type": name} for name in sorted({*wanted, *ALWAYS_ALLOWED})],
        "disallowed": [],
    }


class _Said(msgspec.Struct):
    message: str = ""
    error: str = ""


_said = msgspec.json.Decoder(_Said).decode


def _message_in(body: str | bytes) -> str:
    if not body:
        return ""
    try:
        said = _said(body)
    except msgspec.DecodeError:
        return ""
    return said.message or said.error
