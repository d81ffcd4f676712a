"""All other resources as typed methods, one class each, with ari-py's names."""

# ruff: noqa: N802, N803 - the names are ARI's own, as ari-py has them

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ivr.ari import models as m
from ivr.ari.resource import Resource, nothing, to_live, to_playback, to_variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from ivr.ari.reply import Reply
    from ivr.ari.resource import How

_bridge = msgspec.json.Decoder(m.Bridge).decode
_bridges = msgspec.json.Decoder(tuple[m.Bridge, ...]).decode
_stored = msgspec.json.Decoder(m.StoredRecording).decode
_all_stored = msgspec.json.Decoder(tuple[m.StoredRecording, ...]).decode
_endpoint = msgspec.json.Decoder(m.Endpoint).decode
_endpoints = msgspec.json.Decoder(tuple[m.Endpoint, ...]).decode
_application = msgspec.json.Decoder(m.Application).decode
_applications = msgspec.json.Decoder(tuple[m.Application, ...]).decode
_ping = msgspec.json.Decoder(m.AsteriskPing).decode
_info = msgspec.json.Decoder(m.AsteriskInfo).decode
_modules = msgspec.json.Decoder(tuple[m.Module, ...]).decode
_tuples = msgspec.json.Decoder(tuple[m.ConfigTuple, ...]).decode


class Bridges(Resource):
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
        return self._ask("destroy", nothing, how, bridgeId=bridgeId)

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
            nothing,
            how,
            bridgeId=bridgeId,
            channel=channel,
            role=role,
            absorbDTMF=absorbDTMF,
            mute=mute,
        )

    def removeChannel(self, *, bridgeId: str, channel: str | Sequence[str], **how: Unpack[How]) -> Reply[None]:
        """The channels go out, and stay in the application."""
        return self._ask("removeChannel", nothing, how, bridgeId=bridgeId, channel=channel)

    def startMoh(self, *, bridgeId: str, mohClass: str | None = None, **how: Unpack[How]) -> Reply[None]:
        """Music plays in the bridge."""
        return self._ask("startMoh", nothing, how, bridgeId=bridgeId, mohClass=mohClass)

    def stopMoh(self, *, bridgeId: str, **how: Unpack[How]) -> Reply[None]:
        """No music any more."""
        return self._ask("stopMoh", nothing, how, bridgeId=bridgeId)

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
            to_playback,
            how,
            bridgeId=bridgeId,
            playbackId=playbackId,
            media=media,
            lang=lang,
            offsetms=offsetms,
        )

    play = playWithId


class Playbacks(Resource):
    """What is being played."""

    name = "playbacks"

    def get(self, *, playbackId: str, **how: Unpack[How]) -> Reply[m.Playback]:
        """One playback; NotFound before it began and a moment after its PlaybackFinished."""
        return self._ask("get", to_playback, how, playbackId=playbackId)

    def stop(self, *, playbackId: str, **how: Unpack[How]) -> Reply[None]:
        """It is cut short; NotFound before it began and a moment after its PlaybackFinished."""
        return self._ask("stop", nothing, how, playbackId=playbackId)


class Recordings(Resource):
    """What is being recorded and what was."""

    name = "recordings"

    def listStored(self, **how: Unpack[How]) -> Reply[tuple[m.StoredRecording, ...]]:
        """Every recording on the disk."""
        return self._ask("listStored", _all_stored, how)

    def getStored(self, *, recordingName: str, **how: Unpack[How]) -> Reply[m.StoredRecording]:
        """One recording on the disk."""
        return self._ask("getStored", _stored, how, recordingName=recordingName)

    def copyStored(
        self, *, recordingName: str, destinationRecordingName: str, **how: Unpack[How]
    ) -> Reply[m.StoredRecording]:
        """It is on the disk under another name too; Conflict when something is there already."""
        return self._ask(
            "copyStored", _stored, how, recordingName=recordingName, destinationRecordingName=destinationRecordingName
        )

    def deleteStored(self, *, recordingName: str, **how: Unpack[How]) -> Reply[None]:
        """It is on the disk no more."""
        return self._ask("deleteStored", nothing, how, recordingName=recordingName)

    def getLive(self, *, recordingName: str, **how: Unpack[How]) -> Reply[m.LiveRecording]:
        """One recording that goes on."""
        return self._ask("getLive", to_live, how, recordingName=recordingName)

    def cancel(self, *, recordingName: str, **how: Unpack[How]) -> Reply[None]:
        """It ends and nothing is kept."""
        return self._ask("cancel", nothing, how, recordingName=recordingName)

    def stop(self, *, recordingName: str, **how: Unpack[How]) -> Reply[None]:
        """It ends and is kept."""
        return self._ask("stop", nothing, how, recordingName=recordingName)


class Endpoints(Resource):
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


class Applications(Resource):
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


class AsteriskServer(Resource):
    """Asterisk itself."""

    name = "asterisk"

    def ping(self, **how: Unpack[How]) -> Reply[m.AsteriskPing]:
        """Asterisk answers."""
        return self._ask("ping", _ping, how)

    def getInfo(self, *, only: str | Sequence[str] | None = None, **how: Unpack[How]) -> Reply[m.AsteriskInfo]:
        """What runs; `only` is build, system, config or status."""
        return self._ask("getInfo", _info, how, only=only)

    def listModules(self, **how: Unpack[How]) -> Reply[tuple[m.Module, ...]]:
        """Every module that is loaded, running or not."""
        return self._ask("listModules", _modules, how)

    def getObject(
        self, *, configClass: str, objectType: str, id: str, **how: Unpack[How]
    ) -> Reply[tuple[m.ConfigTuple, ...]]:
        """One object of the configuration ("res_pjsip", "endpoint", "trunk"); NotFound when there is none."""
        return self._ask("getObject", _tuples, how, configClass=configClass, objectType=objectType, id=id)

    def getGlobalVar(self, *, variable: str, **how: Unpack[How]) -> Reply[m.Variable]:
        """A variable of the whole dialplan; empty when it was never set."""
        return self._ask("getGlobalVar", to_variable, how, variable=variable)

    def setGlobalVar(self, *, variable: str, value: str, **how: Unpack[How]) -> Reply[None]:
        """The dialplan has it, until Asterisk ends."""
        return self._ask("setGlobalVar", nothing, how, variable=variable, value=value)

    def reloadModule(self, *, moduleName: str, **how: Unpack[How]) -> Reply[None]:
        """The module reads its files again, without touching calls."""
        return self._ask("reloadModule", nothing, how, moduleName=moduleName)
