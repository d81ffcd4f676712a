"""What the client asks of whatever carries its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ivr.ari.wire import Message, Request


class Transport(Protocol):
    """Carries requests over one connection, in order within each lane, many at once; nothing here waits."""

    def send(self, request: Request) -> None:
        """The request is on its way, or in line for it; its reply will be settled."""

    def answer(self, message: Message) -> bool:
        """An answer came over the events socket; False when nothing here waits for it."""

    def forget(self, request: Request) -> None:
        """A request expired: it is not sent if it was not, and its late answer is for nobody."""

    def abandon(self, reason: str) -> None:
        """Every request in flight fails at once and nothing more leaves."""

    async def close(self) -> None:
        """None of its tasks is left."""
