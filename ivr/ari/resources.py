"""ARI's operations as typed methods, one class per resource, with ari-py's names.

Every method sends at once and returns the `Reply`; ids are chosen by the caller and known before Asterisk
speaks of them. `lane` keeps the order of requests on both transports.
"""

# ruff: noqa: N802, N803 - the names are ARI's own, as ari-py has them
# ruff: noqa: PLR0913 - and so are the parameters, all by keyword

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar

import msgspec

from ivr.ari import models as m
from ivr.ari.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Unpack

    from ivr.ari.operations import Operation
    from ivr.ari.reply import Reply

T = TypeVar("T")


class How(TypedDict, total=False):
    """How a request travels: requests of one `lane` keep their order; `timeout_ms` instead of the client's."""

    lane: str | None
    timeout_ms: int | None


class Submit(Protocol):
    """The client's side of a resource."""

    def __call__(
        self, operation: Operation, params: Mapping[str, Any], decode: Callable[[str | bytes], T], how: How
    ) -> Reply[T]:
        """The request is on its way."""


def _nothing(body: str | bytes) -> None:
    del body


_channel = msgspec.json.Decoder(m.Channel).decode
_channels = msgspec.json.Decoder(tuple[m.Channel, ...]).decode
_bridge = msgspec.json.Decoder(m.Bridge).decode
_bridges = msgspec.json.Decoder(tuple[m.Bridge, ...]).decode
_playback = msgspec.json.Decoder(m.Playback).decode
_live = msgspec.json.Decoder(m.LiveRecording).decode
_stored = msgspec.json.Decoder(m.StoredRecording).decode
_all_stored = msgspec.json.Decoder(tuple[m.StoredRecording, ...]).decode
_endpoint = msgspec.json.Decoder(m.Endpoint).decode
_endpoints = msgspec.json.Decoder(tuple[m.Endpoint, ...]).decode
_application = msgspec.json.Decoder(m.Application).decode
_applications = msgspec.json.Decoder(tuple[m.Application, ...]).decode
_variable = msgspec.json.Decoder(m.Variable).decode
_ping = msgspec.json.Decoder(m.AsteriskPing).decode
_info = msgspec.json.Decoder(m.AsteriskInfo).decode


class _Resource:
    name: str

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def _ask(self, nickname: str, decode: Callable[[str | bytes], T], how: How, **params: Any) -> Reply[T]:
        return self._submit(OPERATIONS[f"{self.name}.{nickname}"], params, decode, how)


class Channels(_Resource):
    """Channels: callers and legs."""

    name = "channels"

    def list(self, **how: Unpack[How]) -> Reply[tuple[m.Channel, ...]]:
        """Every channel of this Asterisk, other applications' too."""
        return self._ask("list", _channels, how)

    def get(self, *, channelId: str, **how: Unpack[How]) -> Reply[m.Channel]:
        """One channel; NotFound when it is gone."""
        return self._ask("get", _channel, how, channelId=channelId)

    def originateWithId(
        self,
        *,
        channelId: str,
        endpoint: str,
        app: str | None = None,
        appArgs: str | None = None,
        context: str | None = None,
        extension: str | None = None,
        priority: int | None = None,
        callerId: str | None = None,
        timeout: int | None = None,
        originator: str | None = None,
        formats: str | None = None,
        variables: Mapping[str, str] | None = None,
        **how: Unpack[How],
    ) -> Reply[m.Channel]:
        """A new leg rings for `timeout` seconds (-1: for ever); Conflict when the id is taken."""
        return self._ask(
            "originateWithId",
            _channel,
            how,
            channelId=channelId,
            endpoint=endpoint,
            app=app,
            appArgs=appArgs,
            context=context,
            extension=extension,
            priority=priority,
            callerId=callerId,
            timeout=timeout,
            originator=originator,
            formats=formats,
            variables=variables,
        )

    originate = originateWithId

    def hangup(
        self, *, channelId: str, reason: str | None = None, reason_code: str | None = None, **how: Unpack[How]
    ) -> Reply[None]:
        """The channel ends, with a `reason` (normal, busy, congestion, no_answer …) or a Q.850 `reason_code`."""
        return self._ask("hangup", _nothing, how, channelId=channelId, reason=reason, reason_code=reason_code)

    def continueInDialplan(
        self,
        *,
        channelId: str,
        context: str | None = None,
        extension: str | None = None,
        priority: int | None = None,
        label: str | None = None,
        **how: Unpack[How],
    ) -> Reply[None]:
        """The channel leaves the application for the dialplan."""
        return self._ask(
            "continueInDialplan",
            _nothing,
            how,
            channelId=channelId,
            context=context,
            extension=extension,
            priority=priority,
            label=label,
        )

    def move(self, *, channelId: str, app: str, appArgs: str | None = None, **how: Unpack[How]) -> Reply[None]:
        """The channel goes to another application."""
        return self._ask("move", _nothing, how, channelId=channelId, app=app, appArgs=appArgs)

    def answer(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """The caller is answered."""
        return self._ask("answer", _nothing, how, channelId=channelId)

    def ring(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """The caller hears ringing."""
        return self._ask("ring", _nothing, how, channelId=channelId)

    def ringStop(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """The caller hears ringing no more."""
        return self._ask("ringStop", _nothing, how, channelId=channelId)

    def startMoh(self, *, channelId: str, mohClass: str | None = None, **how: Unpack[How]) -> Reply[None]:
        """Music plays until stopped or until a prompt plays (it does not resume after one)."""
        return self._ask("startMoh", _nothing, how, channelId=channelId, mohClass=mohClass)

    def stopMoh(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """No music any more."""
        return self._ask("stopMoh", _nothing, how, channelId=channelId)

    def startSilence(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """Silence is sent, so that no far end believes the line dead."""
        return self._ask("startSilence", _nothing, how, channelId=channelId)

    def stopSilence(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """Silence is not sent any more."""
        return self._ask("stopSilence", _nothing, how, channelId=channelId)

    def playWithId(
        self,
        *,
        channelId: str,
        playbackId: str,
        media: str | Sequence[str],
        lang: str | None = None,
        offsetms: int | None = None,
        **how: Unpack[How],
    ) -> Reply[m.Playback]:
        """The media ("sound:/path/without/extension") play one after the other, after what plays already."""
        return self._ask(
            "playWithId",
            _playback,
            how,
            channelId=channelId,
            playbackId=playbackId,
            media=media,
            lang=lang,
            offsetms=offsetms,
        )

    play = playWithId

    def record(
        self,
        *,
        channelId: str,
        name: str,
        format: str,
        maxDurationSeconds: int | None = None,
        maxSilenceSeconds: int | None = None,
        ifExists: str | None = None,
        beep: bool | None = None,
        terminateOn: str | None = None,
        **how: Unpack[How],
    ) -> Reply[m.LiveRecording]:
        """The caller is recorded; `terminateOn` is none, any, * or #; Conflict when the name is being recorded."""
        return self._ask(
            "record",
            _live,
            how,
            channelId=channelId,
            name=name,
            format=format,
            maxDurationSeconds=maxDurationSeconds,
            maxSilenceSeconds=maxSilenceSeconds,
            ifExists=ifExists,
            beep=beep,
            terminateOn=terminateOn,
        )

    def getChannelVar(self, *, channelId: str, variable: str, **how: Unpack[How]) -> Reply[m.Variable]:
        """A variable's or function's value; NotFound when it has none."""
        return self._ask("getChannelVar", _variable, how, channelId=channelId, variable=variable)

    def setChannelVar(self, *, channelId: str, variable: str, value: str, **how: Unpack[How]) -> Reply[None]:
        """A variable is set, or a function written ("TIMEOUT(absolute)")."""
        return self._ask("setChannelVar", _nothing, how, channelId=channelId, variable=variable, value=value)

    def setChannelVars(self, *, channelId: str, variables: Mapping[str, str], **how: Unpack[How]) -> Reply[None]:
        """Several variables or functions are set by one request (22.10)."""
        return self._ask("setChannelVars", _nothing, how, channelId=channelId, variables=variables)


class Bridges(_Resource):
    """Bridges: who talks with whom."""

    name = "bridges"

    def list(self, **how: Unpack[How]) -> Reply[tuple[m.Bridge, ...]]:
        """Every bridge of this Asterisk."""
        return self._ask("list", _bridges, how)

    def get(self, *, bridgeId: str, **how: Unpack[How]) -> Reply[m.Bridge]:
        """One bridge; NotFound when it is gone."""
        return self._ask("get", _bridge, how, bridgeId=bridgeId)

    def createWithId(
        self, *, bridgeId: str, type: str | None = None, name: str | None = None, **how: Unpack[How]
    ) -> Reply[m.Bridge]:
        """A bridge; `type` is mixing, holding … and comma-separated dtmf_events, proxy_media; Conflict if it is."""
        return self._ask("createWithId", _bridge, how, bridgeId=bridgeId, type=type, name=name)

    create = createWithId

    def destroy(self, *, bridgeId: str, **how: Unpack[How]) -> Reply[None]:
        """The bridge is no more; its channels go on, in the application."""
        return self._ask("destroy", _nothing, how, bridgeId=bridgeId)

    def addChannel(
        self,
        *,
        bridgeId: str,
        channel: str | Sequence[str],
        role: str | None = None,
        absorbDTMF: bool | None = None,
        mute: bool | None = None,
        **how: Unpack[How],
    ) -> Reply[None]:
        """The channels come in; Unprocessable when one is not in this application."""
        return self._ask(
            "addChannel",
            _nothing,
            how,
            bridgeId=bridgeId,
            channel=channel,
            role=role,
            absorbDTMF=absorbDTMF,
            mute=mute,
        )

    def removeChannel(self, *, bridgeId: str, channel: str | Sequence[str], **how: Unpack[How]) -> Reply[None]:
        """The channels go out, and stay in the application."""
        return self._ask("removeChannel", _nothing, how, bridgeId=bridgeId, channel=channel)

    def startMoh(self, *, bridgeId: str, mohClass: str | None = None, **how: Unpack[How]) -> Reply[None]:
        """Music plays in the bridge."""
        return self._ask("startMoh", _nothing, how, bridgeId=bridgeId, mohClass=mohClass)

    def stopMoh(self, *, bridgeId: str, **how: Unpack[How]) -> Reply[None]:
        """No music any more."""
        return self._ask("stopMoh", _nothing, how, bridgeId=bridgeId)

    def playWithId(
        self,
        *,
        bridgeId: str,
        playbackId: str,
        media: str | Sequence[str],
        lang: str | None = None,
        offsetms: int | None = None,
        **how: Unpack[How],
    ) -> Reply[m.Playback]:
        """Everybody in the bridge hears the media."""
        return self._ask(
            "playWithId",
            _playback,
            how,
            bridgeId=bridgeId,
            playbackId=playbackId,
            media=media,
            lang=lang,
            offsetms=offsetms,
        )

    play = playWithId


class Playbacks(_Resource):
    """What is being played."""

    name = "playbacks"

    def get(self, *, playbackId: str, **how: Unpack[How]) -> Reply[m.Playback]:
        """One playback; NotFound before it began and after it ended."""
        return self._ask("get", _playback, how, playbackId=playbackId)

    def stop(self, *, playbackId: str, **how: Unpack[How]) -> Reply[None]:
        """It is cut short; NotFound before it began and after it ended."""
        return self._ask("stop", _nothing, how, playbackId=playbackId)


class Recordings(_Resource):
    """What is being recorded and what was."""

    name = "recordings"

    def listStored(self, **how: Unpack[How]) -> Reply[tuple[m.StoredRecording, ...]]:
        """Every recording on the disk."""
        return self._ask("listStored", _all_stored, how)

    def getStored(self, *, recordingName: str, **how: Unpack[How]) -> Reply[m.StoredRecording]:
        """One recording on the disk."""
        return self._ask("getStored", _stored, how, recordingName=recordingName)

    def deleteStored(self, *, recordingName: str, **how: Unpack[How]) -> Reply[None]:
        """It is on the disk no more."""
        return self._ask("deleteStored", _nothing, how, recordingName=recordingName)

    def getLive(self, *, recordingName: str, **how: Unpack[How]) -> Reply[m.LiveRecording]:
        """One recording that goes on."""
        return self._ask("getLive", _live, how, recordingName=recordingName)

    def cancel(self, *, recordingName: str, **how: Unpack[How]) -> Reply[None]:
        """It ends and nothing is kept."""
        return self._ask("cancel", _nothing, how, recordingName=recordingName)

    def stop(self, *, recordingName: str, **how: Unpack[How]) -> Reply[None]:
        """It ends and is kept."""
        return self._ask("stop", _nothing, how, recordingName=recordingName)


class Endpoints(_Resource):
    """The phones and trunks that Asterisk knows."""

    name = "endpoints"

    def list(self, **how: Unpack[How]) -> Reply[tuple[m.Endpoint, ...]]:
        """Every endpoint."""
        return self._ask("list", _endpoints, how)

    def listByTech(self, *, tech: str, **how: Unpack[How]) -> Reply[tuple[m.Endpoint, ...]]:
        """Every endpoint of a technology ("PJSIP")."""
        return self._ask("listByTech", _endpoints, how, tech=tech)

    def get(self, *, tech: str, resource: str, **how: Unpack[How]) -> Reply[m.Endpoint]:
        """One endpoint."""
        return self._ask("get", _endpoint, how, tech=tech, resource=resource)


class Applications(_Resource):
    """Who hears of what."""

    name = "applications"

    def list(self, **how: Unpack[How]) -> Reply[tuple[m.Application, ...]]:
        """Every application that Asterisk knows."""
        return self._ask("list", _applications, how)

    def get(self, *, applicationName: str, **how: Unpack[How]) -> Reply[m.Application]:
        """One application."""
        return self._ask("get", _application, how, applicationName=applicationName)

    def subscribe(
        self, *, applicationName: str, eventSource: str | Sequence[str], **how: Unpack[How]
    ) -> Reply[m.Application]:
        """The application hears of "channel:<id>", "bridge:<id>", "endpoint:PJSIP/<name>"."""
        return self._ask("subscribe", _application, how, applicationName=applicationName, eventSource=eventSource)

    def unsubscribe(
        self, *, applicationName: str, eventSource: str | Sequence[str], **how: Unpack[How]
    ) -> Reply[m.Application]:
        """The application hears of it no more."""
        return self._ask("unsubscribe", _application, how, applicationName=applicationName, eventSource=eventSource)

    def filter(self, *, applicationName: str, filter: Mapping[str, Any], **how: Unpack[How]) -> Reply[m.Application]:
        """The application is sent these events alone; the client does it at each connect."""
        return self._ask("filter", _application, how, applicationName=applicationName, filter=filter)


class AsteriskServer(_Resource):
    """Asterisk itself."""

    name = "asterisk"

    def ping(self, **how: Unpack[How]) -> Reply[m.AsteriskPing]:
        """Asterisk answers."""
        return self._ask("ping", _ping, how)

    def getInfo(self, *, only: str | Sequence[str] | None = None, **how: Unpack[How]) -> Reply[m.AsteriskInfo]:
        """What runs; `only` is build, system, config or status."""
        return self._ask("getInfo", _info, how, only=only)

    def reloadModule(self, *, moduleName: str, **how: Unpack[How]) -> Reply[None]:
        """The module reads its files again, without touching calls."""
        return self._ask("reloadModule", _nothing, how, moduleName=moduleName)
