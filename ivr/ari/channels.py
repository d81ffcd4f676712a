"""Channels: the resource that most requests concern, typed, with ari-py's names.

Ids are chosen by the caller and known before Asterisk speaks of them. `lane` keeps the order of requests on
both transports.
"""

# ruff: noqa: N802, N803 - the names are ARI's own, as ari-py has them
# ruff: noqa: PLR0913 - and so are the parameters, all by keyword

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ivr.ari import models as m
from ivr.ari.resource import Resource, nothing, to_live, to_playback, to_variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from ivr.ari.reply import Reply
    from ivr.ari.resource import How

_channel = msgspec.json.Decoder(m.Channel).decode
_channels = msgspec.json.Decoder(tuple[m.Channel, ...]).decode


class Channels(Resource):
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
        return self._ask("hangup", nothing, how, channelId=channelId, reason=reason, reason_code=reason_code)

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
            nothing,
            how,
            channelId=channelId,
            context=context,
            extension=extension,
            priority=priority,
            label=label,
        )

    def move(self, *, channelId: str, app: str, appArgs: str | None = None, **how: Unpack[How]) -> Reply[None]:
        """The channel goes to another application."""
        return self._ask("move", nothing, how, channelId=channelId, app=app, appArgs=appArgs)

    def answer(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """The caller is answered."""
        return self._ask("answer", nothing, how, channelId=channelId)

    def ring(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """The caller hears ringing."""
        return self._ask("ring", nothing, how, channelId=channelId)

    def ringStop(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """The caller hears ringing no more."""
        return self._ask("ringStop", nothing, how, channelId=channelId)

    def startMoh(self, *, channelId: str, mohClass: str | None = None, **how: Unpack[How]) -> Reply[None]:
        """Music plays until stopped or until a prompt plays (it does not resume after one)."""
        return self._ask("startMoh", nothing, how, channelId=channelId, mohClass=mohClass)

    def stopMoh(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """No music any more."""
        return self._ask("stopMoh", nothing, how, channelId=channelId)

    def startSilence(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """Silence is sent, so that no far end believes the line dead."""
        return self._ask("startSilence", nothing, how, channelId=channelId)

    def stopSilence(self, *, channelId: str, **how: Unpack[How]) -> Reply[None]:
        """Silence is not sent any more."""
        return self._ask("stopSilence", nothing, how, channelId=channelId)

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
            to_playback,
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
            to_live,
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
        return self._ask("getChannelVar", to_variable, how, channelId=channelId, variable=variable)

    def setChannelVar(self, *, channelId: str, variable: str, value: str, **how: Unpack[How]) -> Reply[None]:
        """A variable is set, or a function written ("TIMEOUT(absolute)")."""
        return self._ask("setChannelVar", nothing, how, channelId=channelId, variable=variable, value=value)

    def setChannelVars(self, *, channelId: str, variables: Mapping[str, str], **how: Unpack[How]) -> Reply[None]:
        """Several variables or functions are set by one request (22.10)."""
        return self._ask("setChannelVars", nothing, how, channelId=channelId, variables=variables)
