"""Every event of Asterisk to the call that it concerns, found by the ids that it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.ari import events as ari_events
from ivr.ari.models import instant_ms
from ivr.core import inputs as ev
from ivr.core.caller import CallId
from ivr.telephony.codes import CODE
from ivr.telephony.events import leg_failure, leg_lost
from ivr.telephony.ids import parse, recorded
from ivr.telephony.presence import EVENTS as PRESENCE_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.ari import AnyEvent, AriClient, Event
    from ivr.telephony.calls import Calls
    from ivr.telephony.codes import Codes
    from ivr.telephony.presence import Presence

EVENTS: Final = (
    "StasisStart",
    "StasisEnd",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "PlaybackFinished",
    "RecordingFinished",
    "RecordingFailed",
    *PRESENCE_EVENTS,
)


class Router:
    """Turns events into inputs. Nothing here awaits; what belongs to no call of ours changes nothing."""

    def __init__(self, ari: AriClient, calls: Calls, codes: Codes, presence: Presence) -> None:
        self._ari = ari
        self._calls = calls
        self._codes = codes
        self._presence = presence

    def route(self, event: Event) -> None:
        """Route one event."""
        match event.type:
            case "StasisEnd":
                if actor := self._calls.get(event.channel_id):
                    actor.put(ev.HungUp())
                else:
                    self._codes.over(event.channel_id)
                if event.channel_id and parse(event.channel_id) is None:
                    self._calls.fallback.left(CallId(event.channel_id))
            case "ChannelDtmfReceived" | "StasisStart" | "ChannelDestroyed" | "PlaybackFinished":
                self._decoded(event.decode())
            case "RecordingFinished" | "RecordingFailed":
                self._recorded(event)
            case "ContactStatusChange" | "PeerStatusChange" | "ChannelStateChange":
                self._presence.heard(event.decode())
            case _:
                pass

    def arrived(self, channel: str, args: Sequence[str], age_ms: int = 0) -> None:
        """Take a channel that entered our application: an agent's leg that is up, an agent's code, or a caller."""
        if args and args[0] == CODE:
            self._codes.arrived(channel, args)
            return
        own = parse(channel)
        if own is None:
            self._calls.arrived(channel, args, age_ms)
            return
        actor = self._calls.get(own.call)
        if actor is None or not actor.leg_up(own.n):
            self._ari.channels.hangup(channelId=channel)

    def _decoded(self, event: AnyEvent) -> None:
        match event:
            case ari_events.ChannelDtmfReceived():
                if actor := self._calls.get(event.channel.id):
                    actor.put(ev.Digit(event.digit))
            case ari_events.StasisStart():
                self.arrived(event.channel.id, event.args, event.at_ms - instant_ms(event.channel.creationtime))
            case ari_events.ChannelDestroyed():
                self._destroyed(event.channel.id, event.cause)
            case ari_events.PlaybackFinished():
                own = parse(event.playback.id)
                if own is not None and (actor := self._calls.get(own.call)):
                    actor.put(ev.PromptDone(own.n, played=event.playback.state != "failed"))
                elif own is not None:
                    self._codes.over(own.call)
            case _:
                pass

    def _destroyed(self, channel: str, cause: int) -> None:
        own = parse(channel)
        if own is None:
            self._presence.gone(channel)
            self._codes.over(channel)
            self._calls.fallback.forget(CallId(channel))
            if actor := self._calls.get(channel):
                actor.put(ev.HungUp())
        elif own.kind == "leg":
            self._calls.phones.gone(channel)
            if actor := self._calls.get(own.call):
                actor.leg_gone(own.n, leg_failure(cause), lost=leg_lost(cause))

    def _recorded(self, event: Event) -> None:
        own = recorded(event.recording or "")
        if own is not None and (actor := self._calls.get(own[0])):
            actor.put(ev.RecordingDone(own[1], kept=event.type == "RecordingFinished"))
