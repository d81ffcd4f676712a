"""Every ARI operation that is used, as data, under ari-py's nicknames.

The parameters are those of Asterisk 22.10's own description (`/ari/api-docs/*.json`), which a test compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import Final, Literal

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: names as Asterisk documents them; `body` names the parameter that travels as JSON, if any."""

    resource: str
    nickname: str
    method: Method
    path: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    body: str = ""

    @property
    def name(self) -> str:
        """What errors and metrics call it: "channels.answer"."""
        return f"{self.resource}.{self.nickname}"

    @property
    def lists(self) -> bool:
        """Whether the answer grows with what Asterisk holds."""
        return self.nickname.startswith("list")

    @property
    def path_params(self) -> tuple[str, ...]:
        """The names in the path, in order."""
        return tuple(field for _, field, _, _ in Formatter().parse(self.path) if field)


def _rows(resource: str, *rows: Operation) -> dict[str, Operation]:
    assert all(row.resource == resource for row in rows)  # noqa: S101 - a table's own check
    return {row.name: row for row in rows}


_C = "/channels/{channelId}"
_B = "/bridges/{bridgeId}"
_PLAY = ("lang", "offsetms", "skipms")
_DIAL = ("app", "appArgs", "callerId", "timeout", "otherChannelId", "originator", "formats")
_DIALPLAN = ("context", "extension", "priority", "label")
_RECORD = ("maxDurationSeconds", "maxSilenceSeconds", "ifExists", "beep", "terminateOn")

OPERATIONS: Final[dict[str, Operation]] = {
    **_rows(
        "channels",
        Operation("channels", "list", "GET", "/channels"),
        Operation("channels", "get", "GET", _C),
        Operation("channels", "originateWithId", "POST", _C, ("endpoint",), _DIAL + _DIALPLAN, "variables"),
        Operation("channels", "hangup", "DELETE", _C, (), ("reason", "reason_code")),
        Operation("channels", "continueInDialplan", "POST", f"{_C}/continue", (), _DIALPLAN),
        Operation("channels", "move", "POST", f"{_C}/move", ("app",), ("appArgs",)),
        Operation("channels", "answer", "POST", f"{_C}/answer"),
        Operation("channels", "ring", "POST", f"{_C}/ring"),
        Operation("channels", "ringStop", "DELETE", f"{_C}/ring"),
        Operation("channels", "startMoh", "POST", f"{_C}/moh", (), ("mohClass",)),
        Operation("channels", "stopMoh", "DELETE", f"{_C}/moh"),
        Operation("channels", "startSilence", "POST", f"{_C}/silence"),
        Operation("channels", "stopSilence", "DELETE", f"{_C}/silence"),
        Operation("channels", "playWithId", "POST", f"{_C}/play/{{playbackId}}", ("media",), _PLAY),
        Operation("channels", "record", "POST", f"{_C}/record", ("name", "format"), _RECORD),
        Operation("channels", "getChannelVar", "GET", f"{_C}/variable", ("variable",)),
        Operation("channels", "setChannelVar", "POST", f"{_C}/variable", ("variable",), ("value",)),
        Operation("channels", "setChannelVars", "POST", f"{_C}/variables", body="variables"),
    ),
    **_rows(
        "bridges",
        Operation("bridges", "list", "GET", "/bridges"),
        Operation("bridges", "get", "GET", _B),
        Operation("bridges", "createWithId", "POST", _B, (), ("type", "name")),
        Operation("bridges", "destroy", "DELETE", _B),
        Operation("bridges", "addChannel", "POST", f"{_B}/addChannel", ("channel",), ("role", "absorbDTMF", "mute")),
        Operation("bridges", "removeChannel", "POST", f"{_B}/removeChannel", ("channel",)),
        Operation("bridges", "startMoh", "POST", f"{_B}/moh", (), ("mohClass",)),
        Operation("bridges", "stopMoh", "DELETE", f"{_B}/moh"),
        Operation("bridges", "playWithId", "POST", f"{_B}/play/{{playbackId}}", ("media",), _PLAY),
    ),
    **_rows(
        "playbacks",
        Operation("playbacks", "get", "GET", "/playbacks/{playbackId}"),
        Operation("playbacks", "stop", "DELETE", "/playbacks/{playbackId}"),
    ),
    **_rows(
        "recordings",
        Operation("recordings", "listStored", "GET", "/recordings/stored"),
        Operation("recordings", "getStored", "GET", "/recordings/stored/{recordingName}"),
        Operation(
            "recordings",
            "copyStored",
            "POST",
            "/recordings/stored/{recordingName}/copy",
            ("destinationRecordingName",),
        ),
        Operation("recordings", "deleteStored", "DELETE", "/recordings/stored/{recordingName}"),
        Operation("recordings", "getLive", "GET", "/recordings/live/{recordingName}"),
        Operation("recordings", "cancel", "DELETE", "/recordings/live/{recordingName}"),
        Operation("recordings", "stop", "POST", "/recordings/live/{recordingName}/stop"),
    ),
    **_rows(
        "endpoints",
        Operation("endpoints", "list", "GET", "/endpoints"),
        Operation("endpoints", "listByTech", "GET", "/endpoints/{tech}"),
        Operation("endpoints", "get", "GET", "/endpoints/{tech}/{resource}"),
    ),
    **_rows(
        "applications",
        Operation("applications", "list", "GET", "/applications"),
        Operation("applications", "get", "GET", "/applications/{applicationName}"),
        Operation(
            "applications", "subscribe", "POST", "/applications/{applicationName}/subscription", ("eventSource",)
        ),
        Operation(
            "applications", "unsubscribe", "DELETE", "/applications/{applicationName}/subscription", ("eventSource",)
        ),
        Operation("applications", "filter", "PUT", "/applications/{applicationName}/eventFilter", body="filter"),
    ),
    **_rows(
        "asterisk",
        Operation("asterisk", "ping", "GET", "/asterisk/ping"),
        Operation("asterisk", "getInfo", "GET", "/asterisk/info", (), ("only",)),
        Operation("asterisk", "listModules", "GET", "/asterisk/modules"),
        Operation("asterisk", "reloadModule", "PUT", "/asterisk/modules/{moduleName}"),
        Operation("asterisk", "getObject", "GET", "/asterisk/config/dynamic/{configClass}/{objectType}/{id}"),
        Operation("asterisk", "getGlobalVar", "GET", "/asterisk/variable", ("variable",)),
        Operation("asterisk", "setGlobalVar", "POST", "/asterisk/variable", ("variable",), ("value",)),
    ),
}
