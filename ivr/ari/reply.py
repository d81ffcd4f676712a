"""The answer that a request will have."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from ivr.ari.errors import AriError, AriFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")


class Reply(Generic[T]):
    """A request already on its way: awaitable any number of times, or never (a failure then says nothing).

    Giving up the wait (cancelling it) does not take the request back. The body is parsed when the result is
    read, in the reader's own task.
    """

    __slots__ = ("_body", "_callbacks", "_decode", "_done", "_error", "_loop", "operation", "target")

    def __init__(self, operation: str, target: str, decode: Callable[[str | bytes], T]) -> None:
        self.operation = operation
        self.target = target
        self._loop = asyncio.get_running_loop()
        self._decode = decode
        self._callbacks: list[Callable[[Reply[T]], Any]] = []
        self._done = False
        self._body: str | bytes = b""
        self._error: AriError | None = None

    def done(self) -> bool:
        """Whether the answer, or the lack of one, is known."""
        return self._done

    def result(self) -> T:
        """The answer; raises its `AriError`, or `asyncio.InvalidStateError` while it is not there."""
        if not self._done:
            raise asyncio.InvalidStateError(f"{self.operation} has no answer yet")
        if self._error is not None:
            raise self._error.with_traceback(None)
        try:
            return self._decode(self._body)
        except msgspec.DecodeError as unread:
            raise AriFailed(self.operation, self.target, 200, f"unreadable answer: {unread}") from unread

    def exception(self) -> AriError | None:
        """Why there is no answer; None where there is one. `asyncio.InvalidStateError` while unknown."""
        try:
            self.result()
        except AriError as error:
            return error
        return None

    def add_done_callback(self, callback: Callable[[Reply[T]], Any]) -> None:
        """`callback(reply)` runs once in the loop, soon after the answer is known (soon, if it is already)."""
        if self._done:
            self._loop.call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    def __await__(self) -> Generator[Any, None, T]:
        if not self._done:
            waiter: asyncio.Future[None] = self._loop.create_future()

            def wake(_: Reply[T]) -> None:
                if not waiter.done():
                    waiter.set_result(None)

            self._callbacks.append(wake)
            try:
                yield from waiter
            finally:
                if not self._done:
                    self._callbacks.remove(wake)
        return self.result()

    def grant(self, body: str | bytes) -> bool:
        """Settles it with an answer's body; False when it was settled before."""
        if self._done:
            return False
        self._body = body
        self._settle()
        return True

    def fail(self, error: AriError) -> bool:
        """Settles it with an error; False when it was settled before."""
        if self._done:
            return False
        self._error = error
        self._settle()
        return True

    def _settle(self) -> None:
        self._done = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._loop.call_soon(callback, self)
