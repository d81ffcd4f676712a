"""What happens to a phone's call, as things to await; and what goes wrong, as errors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Generator


class PhoneError(IvrError):
    """A phone could not do what it was told: refused registration, unknown call, process gone."""


class NotEstablished(PhoneError):
    """The call ended without having been answered; `reason` is the peer's."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the call was not answered: {reason}")
        self.reason = reason


class Moment:
    """Something that happens once. Await it (any number of times) for its instant in nanoseconds."""

    __slots__ = ("_event", "_failure", "at_ns")

    def __init__(self) -> None:
        self.at_ns: int | None = None
        self._failure: str | None = None
        self._event = asyncio.Event()

    @property
    def happened(self) -> bool:
        """Whether it has."""
        return self.at_ns is not None

    def __await__(self) -> Generator[Any, None, int]:
        return self._wait().__await__()

    async def _wait(self) -> int:
        await self._event.wait()
        if self.at_ns is None:
            raise NotEstablished(self._failure or "no reason given")
        return self.at_ns

    def fire(self, at_ns: int) -> None:
        """It happens now; a second time changes nothing."""
        if not self._event.is_set():
            self.at_ns = at_ns
            self._event.set()

    def miss(self, reason: str) -> None:
        """It can no longer happen."""
        self._failure = reason
        self._event.set()


@dataclass(frozen=True, slots=True)
class Key:
    """A key that the phone pressed (or heard: then both instants are those of its end)."""

    digit: str
    pressed_ns: int
    released_ns: int
