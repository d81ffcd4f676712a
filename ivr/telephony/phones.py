"""One call at a time on a phone: it is rung again when its last leg is gone, not when that was told to end.

The queue gives a freed agent to the next caller at once, while Asterisk ends the old leg on a thread of its own: on
a busy machine the INVITE of the next call overtakes the CANCEL or BYE of the last one, and a phone with one line
answers 486, which counts against its agent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_S: Final = 1.0
"""For so long the end of a leg is waited for: invariant 4 gives a free agent a second."""


class Phones:
    """The legs of one node that are told to end and have not ended yet, by the endpoint of their phone."""

    def __init__(self) -> None:
        self._endpoint: dict[str, str] = {}
        self._leaving: dict[str, dict[str, asyncio.TimerHandle]] = {}
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def __len__(self) -> int:
        return len(self._endpoint)

    def has(self, leg: str, endpoint: str) -> None:
        """Note that a leg is, or soon will be, on that phone."""
        self._endpoint[leg] = endpoint

    def leaves(self, leg: str) -> None:
        """Note that a leg was told to end."""
        endpoint = self._endpoint.get(leg)
        if endpoint is None:
            return
        leaving = self._leaving.setdefault(endpoint, {})
        if leg not in leaving:
            leaving[leg] = asyncio.get_running_loop().call_later(MOST_S, self.gone, leg)

    def gone(self, leg: str) -> None:
        """Note that a leg is no more; whoever waited for its phone rings it."""
        endpoint = self._endpoint.pop(leg, None)
        if endpoint is None:
            return
        leaving = self._leaving.get(endpoint, {})
        if (timer := leaving.pop(leg, None)) is not None:
            timer.cancel()
        if not leaving:
            self._leaving.pop(endpoint, None)
            for ring in self._waiting.pop(endpoint, ()):
                ring()

    def when_free(self, endpoint: str, ring: Callable[[], None]) -> None:
        """Ring a phone: now, or once the legs that leave it are gone."""
        if endpoint in self._leaving:
            self._waiting.setdefault(endpoint, deque()).append(ring)
        else:
            ring()

    def forget(self) -> None:
        """Know nothing any more: the calls are another worker's, or Asterisk will be compared anew."""
        for leaving in self._leaving.values():
            for timer in leaving.values():
                timer.cancel()
        self._endpoint.clear()
        self._leaving.clear()
        self._waiting.clear()
