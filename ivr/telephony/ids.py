"""Ids that we choose: each names its call, so that an event finds its call by its id alone.

A call's id is its caller's channel id, given by Asterisk (`<node>-<epoch>.<n>`). The other
ids carry the call's id and the number of the offer's token, or of the Play: a command
that comes late meets 404 and never another call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from ivr.core.caller import CallId

Kind = Literal["leg", "br", "pb"]
_KINDS: Final = get_args(Kind)


@dataclass(frozen=True, slots=True)
class OwnId:
    """An id of ours, taken apart; `n` is the offer's number, or the Play's serial."""

    kind: Kind
    call: CallId
    n: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.call}.{self.n}"


def parse(text: str) -> OwnId | None:
    """Return the parts of an id of ours, None for any other."""
    kind, _, rest = text.partition(".")
    call, _, n = rest.rpartition(".")
    if kind not in _KINDS or not call or not n.isdecimal():
        return None
    return OwnId(kind, CallId(call), int(n))  # type: ignore[arg-type]  # narrowed by the test above


def offer_number(token: str) -> int:
    """Return the number of an offer's token `<epoch>:<n>`."""
    return int(token.rpartition(":")[2])


def recording_name(call: CallId, serial: int) -> str:
    """Return the name, below Asterisk's recording folder, of a message."""
    return f"message/{call}.{serial}"


def recorded(name: str) -> tuple[CallId, int] | None:
    """Return the call and the serial of a message's name, None for any other name."""
    folder, _, rest = name.partition("/")
    call, _, serial = rest.rpartition(".")
    return (CallId(call), int(serial)) if folder == "message" and call and serial.isdecimal() else None
