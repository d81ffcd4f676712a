"""The events that are used, typed as Asterisk documents them, and the cheap first look at any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import msgspec

from ivr.ari.models import (
    Bridge,
    Channel,
    ContactInfo,
    Endpoint,
    LiveRecording,
    Model,
    Peer,
    Playback,
    instant_ms,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class EventModel(Model, frozen=True, kw_only=True, tag_field="type", tag=True):
    """What every event carries: the application's name and Asterisk's time."""

    application: str
    timestamp: str

    @property
    def at_ms(self) -> int:
        """Unix milliseconds by Asterisk's clock."""
        return instant_ms(self.timestamp)


class StasisStart(EventModel, frozen=True, kw_only=True):
    """A channel came into the application; `args` are those of the dialplan or of the origination."""

    channel: Channel
    args: tuple[str, ...]
    replace_channel: Channel | None = None


class StasisEnd(EventModel, frozen=True, kw_only=True):
    """A channel left the application: hung up, or gone on in the dialplan."""

    channel: Channel


class ChannelDestroyed(EventModel, frozen=True, kw_only=True):
    """A channel is no more; `cause` is Q.850 (16 normal, 17 busy, 19 no answer, 21 refused …)."""

    channel: Channel
    cause: int
    cause_txt: str
    tech_cause: int | None = None


class ChannelDtmfReceived(EventModel, frozen=True, kw_only=True):
    """A key was released after `duration_ms`."""

    channel: Channel
    digit: str
    duration_ms: int


class ChannelStateChange(EventModel, frozen=True, kw_only=True):
    """A channel's `state` is new."""

    channel: Channel


class ChannelHangupRequest(EventModel, frozen=True, kw_only=True):
    """The far end, or we, asked for the end of a channel."""

    channel: Channel
    cause: int | None = None
    soft: bool | None = None


class PlaybackFinished(EventModel, frozen=True, kw_only=True):
    """A playback ended, by itself (done), stopped, or because it could not (failed)."""

    playback: Playback


class RecordingFinished(EventModel, frozen=True, kw_only=True):
    """A recording is whole and stored."""

    recording: LiveRecording


class RecordingFailed(EventModel, frozen=True, kw_only=True):
    """A recording could not be made; see its `cause`."""

    recording: LiveRecording


class ContactStatusChange(EventModel, frozen=True, kw_only=True):
    """A registered phone came, went, or stopped to answer."""

    endpoint: Endpoint
    contact_info: ContactInfo


class PeerStatusChange(EventModel, frozen=True, kw_only=True):
    """An endpoint's peer changed."""

    endpoint: Endpoint
    peer: Peer


class EndpointStateChange(EventModel, frozen=True, kw_only=True):
    """An endpoint went online or offline."""

    endpoint: Endpoint


class ChannelLeftBridge(EventModel, frozen=True, kw_only=True):
    """A channel is not in the bridge any more."""

    bridge: Bridge
    channel: Channel


class ApplicationReplaced(EventModel, frozen=True, kw_only=True):
    """Another client took the application's name; the client shows it as the state `Replaced`."""


class ApplicationMoveFailed(EventModel, frozen=True, kw_only=True):
    """A channel could not be moved to the application that was asked for."""

    channel: Channel
    destination: str
    args: tuple[str, ...]


AnyEvent = (
    StasisStart
    | StasisEnd
    | ChannelDestroyed
    | ChannelDtmfReceived
    | ChannelStateChange
    | ChannelHangupRequest
    | PlaybackFinished
    | RecordingFinished
    | RecordingFailed
    | ContactStatusChange
    | PeerStatusChange
    | EndpointStateChange
    | ChannelLeftBridge
    | ApplicationReplaced
    | ApplicationMoveFailed
)

EVENT_TYPES: Final[frozenset[str]] = frozenset(model.__name__ for model in get_args(AnyEvent))
"""The names of all events that can be asked for."""

_decode: Callable[[bytes], AnyEvent] = msgspec.json.Decoder(AnyEvent).decode


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as far as routing needs it; the rest is parsed by whom it concerns, in his own time.

    `channel_id` is the event's channel, or the one that its playback or recording belongs to; `endpoint` reads
    "PJSIP/agent-lea".
    """

    type: str
    raw: bytes
    channel_id: str | None = None
    bridge_id: str | None = None
    playback_id: str | None = None
    recording: str | None = None
    endpoint: str | None = None

    def decode(self) -> AnyEvent:
        """The whole event, typed; `msgspec.ValidationError` when Asterisk left out what it documents."""
        return _decode(self.raw)
