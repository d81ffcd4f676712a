"""What all resources share: how a typed method becomes a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar

import msgspec

from ivr.ari import models as m
from ivr.ari.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


def nothing(body: str | bytes) -> None:
    """No answer but that it is done."""
    del body


class Resource:
    """A family of operations; every method sends at once and returns the `Reply`."""

    name: str

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def _ask(self, nickname: str, decode: Callable[[str | bytes], T], how: How, **params: Any) -> Reply[T]:
        return self._submit(OPERATIONS[f"{self.name}.{nickname}"], params, decode, how)


to_playback = msgspec.json.Decoder(m.Playback).decode
to_live = msgspec.json.Decoder(m.LiveRecording).decode
