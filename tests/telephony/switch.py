"""An Asterisk in small behind FakeAri: channels, bridges and playbacks that a test can move by hand."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.ari.fake import BRIDGE, FakeAri, Say, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ari.fake import Asked

APP = "ivr-a"
CALLED = "33536490000"
STAMP = "2026-01-01T00:00:00.000+0000"
_numbers = itertools.count(1)


@dataclass(slots=True)
class Line:
    """One channel; in Stasis while `args` is set."""

    id: str
    name: str
    state: str = "Ring"
    args: tuple[str, ...] | None = None
    began: tuple[str, ...] = ()
    """What its StasisStart said, as the dialplan keeps it."""


@dataclass(slots=True)
class Switch:
    """The state of the telephone exchange. Its rules are FakeAri's oldest: a test's own come first.

    `quick`: every prompt ends at once. `twice`: every event is sent twice, but for keys, which are two then.
    `mute`: no event leaves, while things happen. `loses`: events of which it is true do not leave.
    """

    fake: FakeAri
    quick: bool = True
    twice: bool = False
    mute: bool = False
    loses: Callable[[str], bool] | None = None
    channels: dict[str, Line] = field(default_factory=dict)
    bridges: dict[str, set[str]] = field(default_factory=dict)
    playing: dict[str, str] = field(default_factory=dict)
    recording: dict[str, str] = field(default_factory=dict)
    phones: dict[str, str] = field(default_factory=dict)
    """The agents' phones: "online", "offline"."""
    began: str = STAMP
    """When Asterisk started."""
    _sending: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)
    _post: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        on = self.fake.on
        on("GET", "channels", lambda _: Say(200, [self._channel(line) for line in self.channels.values()]))
        on(
            "GET",
            "asterisk/info",
            lambda _: Say(200, {"status": {"startup_time": self.began, "last_reload_time": STAMP}}),
        )
        on("GET", "channels/[^/]+", self._shown)
        on("GET", "bridges", lambda _: Say(200, [self._bridge(name) for name in self.bridges]))
        on("GET", "endpoints/PJSIP", lambda _: Say(200, [self._endpoint(name) for name in self.phones]))
        on("POST", "channels/[^/]+/(answer|moh|variable|continue|record)", self._command)
        on("DELETE", "channels/[^/]+/moh", self._command)
        on("POST", "channels/[^/]+/play/[^/]+", self._play)
        on("DELETE", "playbacks/[^/]+", self._stop)
        on("GET", "recordings/live/.*", self._recording)
        on("POST", "channels/leg[^/]+", self._originate)
        on("DELETE", "channels/[^/]+", self._hangup)
        on("POST", "bridges/br[^/]+", self._create)
        on("POST", "bridges/[^/]+/addChannel", self._join)
        on("DELETE", "bridges/br[^/]+", self._destroy)

    async def __aenter__(self) -> Self:
        self._post = asyncio.create_task(self._send_all())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._post is not None:
            self._post.cancel()
            await asyncio.wait({self._post})

    # What people do

    def calls(self, number: str = "+33612345678", presentation: str = "allowed") -> str:
        """A caller comes from the dialplan into our application; returns the channel."""
        name = f"a-1.{next(_numbers)}"
        line = Line(name, f"PJSIP/trunk-{name}", began=("caller", CALLED, number, presentation))
        self.channels[name] = line
        self.enters(name)
        return name

    def in_fallback(self) -> str:
        """A caller whom the dialplan has, as no worker took them; returns the channel."""
        name = f"a-1.{next(_numbers)}"
        self.channels[name] = Line(name, f"PJSIP/trunk-{name}", "Up")
        return name

    def dials(self, agent: str, code: str) -> str:
        """An agent's phone dials a code; returns the channel."""
        name = f"a-1.{next(_numbers)}"
        endpoint = f"agent-{agent}"
        self.channels[name] = Line(name, f"PJSIP/{endpoint}-{name}", began=("code", code, endpoint))
        self.enters(name)
        return name

    def enters(self, name: str, args: tuple[str, ...] | None = None) -> None:
        """A channel enters our application (again)."""
        line = self.channels[name]
        line.args = line.began if args is None else args
        self.emit("StasisStart", channel=self._channel(line), args=list(line.args))

    def presses(self, name: str, key: str) -> None:
        """A key."""
        if name in self.channels:
            channel = self._channel(self.channels[name])
            self._put("ChannelDtmfReceived", channel=channel, digit=key, duration_ms=80)

    def answers(self, leg: str) -> None:
        """An agent takes the receiver up."""
        self.channels[leg].state = "Up"
        self.enters(leg)

    def taken_out(self, name: str) -> None:
        """The dialplan's watchdog takes a caller out of our application."""
        line = self.channels[name]
        line.args = None
        self.emit("StasisEnd", channel=self._channel(line))

    def ends(self, name: str, cause: int = 16) -> None:
        """A channel is gone, whoever hung up."""
        line = self.channels.pop(name)
        for members in self.bridges.values():
            members.discard(name)
        for playback in [playback for playback, owner in self.playing.items() if owner == name]:
            self._played(playback, "failed")
        channel = self._channel(line)
        if line.args is not None:
            self.emit("StasisEnd", channel=channel)
        self.emit("ChannelDestroyed", channel=channel, cause=cause, cause_txt="")

    def finishes(self, playback: str) -> None:
        """A prompt comes to its end."""
        self._played(playback, "done")

    def recorded(self, name: str, event: str = "RecordingFinished") -> None:
        """A message is whole."""
        channel = self.recording.pop(name)
        made = {"name": name, "format": "wav", "target_uri": f"channel:{channel}", "state": "done", "duration": 4}
        self.emit(event, recording=made)

    def registers(self, agent: str, state: str = "online") -> None:
        """A phone comes or goes."""
        self.phones[f"agent-{agent}"] = state
        contact = {"uri": "sip:x", "contact_status": "Reachable", "aor": f"agent-{agent}"}
        self.emit("ContactStatusChange", endpoint=self._endpoint(f"agent-{agent}"), contact_info=contact)

    def emit(self, event_type: str, **fields: Any) -> None:
        """An event, in its turn."""
        for _ in range(1 + self.twice):
            self._put(event_type, **fields)

    # What is so

    def legs(self, call: str = "") -> list[str]:
        """The agents' legs (of one call)."""
        return [name for name in self.channels if name.startswith(f"leg.{call}")]

    def talks(self, call: str) -> bool:
        """Whether the caller is in a bridge with one other."""
        return any(call in members and len(members) == 2 for members in self.bridges.values())

    def asked(self, method: str, path: str) -> list[Asked]:
        """What was asked under exactly that path."""
        return [asked for asked in self.fake.asked if (asked.method, asked.path) == (method, path)]

    def handed_back(self, call: str) -> bool:
        """Whether the caller was given to the dialplan's fallback."""
        return [asked.query["context"] for asked in self.asked("POST", f"channels/{call}/continue")] == ["fallback"]

    def said(self, call: str) -> list[str]:
        """Every prompt that was played to a call, in order."""
        return [
            media.rpartition("/")[2]
            for asked in self.fake.asked
            if asked.path.startswith(f"channels/{call}/play/")
            for media in asked.query["media"].split(",")
        ]

    # What it does

    def _channel(self, line: Line) -> dict[str, Any]:
        party = {"name": "", "number": ""}
        where = {"context": "caller", "exten": "s", "priority": 1, "app_name": "Dial", "app_data": ""}
        if line.args is not None:
            where |= {"app_name": "Stasis", "app_data": ",".join([APP, *line.args])}
        return {
            "id": line.id,
            "name": line.name,
            "state": line.state,
            "caller": party,
            "connected": party,
            "dialplan": where,
            "creationtime": STAMP,
        }

    def _bridge(self, name: str) -> dict[str, Any]:
        return {**BRIDGE, "id": name, "channels": sorted(self.bridges[name])}

    def _endpoint(self, name: str) -> dict[str, Any]:
        own = [line.id for line in self.channels.values() if line.name.startswith(f"PJSIP/{name}-")]
        return {"technology": "PJSIP", "resource": name, "state": self.phones[name], "channel_ids": own}

    def _put(self, event_type: str, **fields: Any) -> None:
        if not self.mute and not (self.loses and self.loses(event_type)):
            self._sending.put_nowait((event_type, fields))

    async def _send_all(self) -> None:
        while True:
            event_type, fields = await self._sending.get()
            if APP in self.fake.connected:
                await self.fake.emit(APP, event_type, **fields)

    def _shown(self, asked: Asked) -> Say:
        line = self.channels.get(asked.path.partition("/")[2])
        return Say(200, self._channel(line)) if line else refuse(404, "Channel not found")

    def _command(self, asked: Asked) -> Say:
        _, name, what = asked.path.split("/")
        line = self.channels.get(name)
        if line is None:
            return refuse(404, "Channel not found")
        if what == "variable":
            return Say()
        if line.args is None:
            return refuse(409, "Channel not in Stasis application")
        if what == "answer":
            line.state = "Up"
        elif what == "continue":
            self.taken_out(name)
        elif what == "record":
            self.recording[asked.query["name"]] = name
            made = {"name": asked.query["name"], "format": "wav", "target_uri": f"channel:{name}", "state": "queued"}
            return Say(201, made)
        return Say()

    def _play(self, asked: Asked) -> Say:
        _, name, _, playback = asked.path.split("/")
        line = self.channels.get(name)
        if line is None:
            return refuse(404, "Channel not found")
        if line.args is None:
            return refuse(409, "Channel not in Stasis application")
        self.playing[playback] = name
        body = {"id": playback, "media_uri": "", "target_uri": f"channel:{name}", "state": "queued"}
        if self.quick:
            self.finishes(playback)
        return Say(201, body)

    def _recording(self, asked: Asked) -> Say:
        name = asked.path.removeprefix("recordings/live/")
        if name not in self.recording:
            return refuse(404, "Recording not found")
        made = {"name": name, "format": "wav", "target_uri": f"channel:{self.recording[name]}", "state": "recording"}
        return Say(200, made)

    def _stop(self, asked: Asked) -> Say:
        playback = asked.path.partition("/")[2]
        if playback not in self.playing:
            return refuse(404, "Playback not found")
        self.finishes(playback)
        return Say()

    def _played(self, playback: str, state: str) -> None:
        name = self.playing.pop(playback)
        body = {"id": playback, "media_uri": "", "target_uri": f"channel:{name}", "state": state}
        self.emit("PlaybackFinished", playback=body)

    def _originate(self, asked: Asked) -> Say:
        name = asked.path.partition("/")[2]
        if name in self.channels:
            return refuse(409, "Channel with given unique ID already exists")
        if asked.query["originator"] not in self.channels:
            return refuse(400, "Provided originator channel was not found")
        agent = asked.query["endpoint"].removeprefix("PJSIP/")
        began = tuple(asked.query["appArgs"].split(","))
        line = Line(name, f"PJSIP/{agent}-{next(_numbers):08x}", "Ringing", began=began)
        self.channels[name] = line
        return Say(200, self._channel(line))

    def _hangup(self, asked: Asked) -> Say:
        name = asked.path.partition("/")[2]
        if name not in self.channels:
            return refuse(404, "Channel not found")
        self.ends(name)
        return Say()

    def _create(self, asked: Asked) -> Say:
        name = asked.path.partition("/")[2]
        self.bridges[name] = set()
        return Say(200, self._bridge(name))

    def _join(self, asked: Asked) -> Say:
        name = asked.path.split("/")[1]
        channels = asked.query["channel"].split(",")
        if name not in self.bridges:
            return refuse(404, "Bridge not found")
        for channel in channels:
            if channel not in self.channels:
                return refuse(400, "Channel not found")
            if self.channels[channel].args is None:
                return refuse(422, "Channel not in Stasis application")
        self.bridges[name].update(channels)
        return Say()

    def _destroy(self, asked: Asked) -> Say:
        name = asked.path.partition("/")[2]
        return refuse(404, "Bridge not found") if self.bridges.pop(name, None) is None else Say()
