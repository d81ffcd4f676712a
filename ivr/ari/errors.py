"""What can become of a request that was not granted."""

from __future__ import annotations

from ivr.errors import IvrError


class AriError(IvrError):
    """A request to Asterisk had no good end; `operation` ("channels.answer") and `target` (its path) name it."""

    def __init__(self, operation: str, target: str, why: str) -> None:
        super().__init__(f"{operation} ({target}): {why}")
        self.operation = operation
        self.target = target


class AriRefused(AriError):
    """Asterisk answered 4xx: it did nothing, and would do nothing if asked again in the same state."""

    def __init__(self, operation: str, target: str, status: int, message: str) -> None:
        super().__init__(operation, target, f"{status} {message}".rstrip())
        self.status = status
        self.message = message


class NotFound(AriRefused):
    """404: the channel, bridge, playback or recording is not there, or not any more."""


class Conflict(AriRefused):
    """409: it exists already, or the channel is not in the application (in the dialplan, for one)."""


class Unprocessable(AriRefused):
    """412 or 422: the channel is in no state for it, or a parameter has no sense for it."""


class AriFailed(AriError):
    """Asterisk answered 5xx or something unreadable: what it did is unknown."""

    def __init__(self, operation: str, target: str, status: int, message: str) -> None:
        super().__init__(operation, target, f"{status} {message}".rstrip())
        self.status = status
        self.message = message


class AriDisconnected(AriError):
    """There was no connection, or it went before the answer came; `sent` False means: certainly not done."""

    def __init__(self, operation: str, target: str, reason: str, *, sent: bool) -> None:
        super().__init__(operation, target, f"no connection: {reason}")
        self.reason = reason
        self.sent = sent


class AriTimeout(AriError):
    """No answer within `timeout_ms`; `sent` False means: it still waited its turn and will not be sent."""

    def __init__(self, operation: str, target: str, timeout_ms: int, *, sent: bool) -> None:
        super().__init__(operation, target, f"no answer in {timeout_ms} ms")
        self.timeout_ms = timeout_ms
        self.sent = sent


class AriDeaf(AriError):
    """Asterisk took the connection, and sends no events over it, or nothing at all: it is of no use."""

    def __init__(self, app: str, what: str, within_ms: int) -> None:
        super().__init__("events", app, f"no {what} in {within_ms} ms")
        self.app = app
        self.within_ms = within_ms


_REFUSALS: dict[int, type[AriRefused]] = {
    404: NotFound,
    409: Conflict,
    412: Unprocessable,
    422: Unprocessable,
}


def from_status(operation: str, target: str, status: int, message: str) -> AriError:
    """The error that stands for an answer whose status is not 2xx."""
    if 400 <= status < 500:  # noqa: PLR2004 - the HTTP classes
        return _REFUSALS.get(status, AriRefused)(operation, target, status, message)
    return AriFailed(operation, target, status, message)
