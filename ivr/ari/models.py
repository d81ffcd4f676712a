"""What Asterisk says of its things: the fields that we read, all others skipped.

Each class is named as in `/ari/api-docs`, and so is each field; a test compares them.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen record read from Asterisk's JSON; unknown fields are skipped."""


class CallerID(Model, frozen=True, kw_only=True):
    """A party's name and number, each possibly empty."""

    name: str
    number: str


class DialplanCEP(Model, frozen=True, kw_only=True):
    """Where in the dialplan a channel is, and the application that it runs there."""

    context: str
    exten: str
    priority: int
    app_name: str = ""
    app_data: str = ""


class Channel(Model, frozen=True, kw_only=True):
    """A channel; `state` is Down, Ring, Ringing, Up, Busy … and `creationtime` like 2026-11-23T23:48:05.582+0000."""

    id: str
    name: str
    state: str
    caller: CallerID
    connected: CallerID
    dialplan: DialplanCEP
    creationtime: str
    language: str = ""
    protocol_id: str = ""
    channelvars: dict[str, str] = {}


class Bridge(Model, frozen=True, kw_only=True):
    """A bridge and the ids of its channels."""

    id: str
    technology: str
    bridge_type: str
    name: str
    channels: tuple[str, ...]
    creationtime: str


class Playback(Model, frozen=True, kw_only=True):
    """A playback; `target_uri` is "channel:<id>" or "bridge:<id>", `state` queued, playing, done, failed."""

    id: str
    media_uri: str
    target_uri: str
    state: str


class LiveRecording(Model, frozen=True, kw_only=True):
    """A recording being made or just ended; durations in seconds, `cause` set when it failed."""

    name: str
    format: str
    target_uri: str
    state: str
    duration: int | None = None
    talking_duration: int | None = None
    silence_duration: int | None = None
    cause: str = ""


class StoredRecording(Model, frozen=True, kw_only=True):
    """A recording on Asterisk's disk."""

    name: str
    format: str


class Endpoint(Model, frozen=True, kw_only=True):
    """An endpoint, `technology`/`resource` ("PJSIP"/"agent-lea"); `state` is unknown, offline or online."""

    technology: str
    resource: str
    channel_ids: tuple[str, ...]
    state: str = ""


class ContactInfo(Model, frozen=True, kw_only=True):
    """One registered phone: its address of record and whether it answers our OPTIONS."""

    uri: str
    contact_status: str
    aor: str


class Peer(Model, frozen=True, kw_only=True):
    """What happened to a peer: Registered, Unregistered, Reachable."""

    peer_status: str
    cause: str = ""
    address: str = ""


class Application(Model, frozen=True, kw_only=True):
    """An application and what it is subscribed to."""

    name: str
    channel_ids: tuple[str, ...]
    bridge_ids: tuple[str, ...]
    endpoint_ids: tuple[str, ...]


class Variable(Model, frozen=True, kw_only=True):
    """A variable's value, of a channel or of the whole dialplan."""

    value: str


class Module(Model, frozen=True, kw_only=True):
    """A loaded module; `status` is "Running" or "Not Running"."""

    name: str
    status: str


class ConfigTuple(Model, frozen=True, kw_only=True):
    """One attribute of an object of the configuration."""

    attribute: str
    value: str


class AsteriskPing(Model, frozen=True, kw_only=True):
    """The proof that Asterisk answers."""

    ping: str
    timestamp: str
    asterisk_id: str


class SystemInfo(Model, frozen=True, kw_only=True):
    """The running Asterisk."""

    version: str
    entity_id: str


class StatusInfo(Model, frozen=True, kw_only=True):
    """Since when Asterisk runs; a stamp as `instant_ms` reads it."""

    startup_time: str


class AsteriskInfo(Model, frozen=True, kw_only=True):
    """The parts of Asterisk's description of itself that were asked for."""

    system: SystemInfo | None = None
    status: StatusInfo | None = None


def instant_ms(stamp: str) -> int:
    """Unix milliseconds of one of Asterisk's timestamps; ValueError where it is none."""
    return round(datetime.fromisoformat(stamp).timestamp() * 1000)
