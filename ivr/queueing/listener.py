"""Offers that other workers' commands made for the calls of this node, as they are published."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004

from ivr.queueing import replies
from ivr.queueing.cancelling import heeding
from ivr.queueing.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from ivr.queueing.keys import Keys
    from ivr.queueing.model import News, NodeId, Offer, Withdrawn

QUIET_S: Final = 5.0


def parse(raw: bytes | str) -> Offer | Withdrawn | News:
    """A published message: its kind, a line end, JSON."""
    kind, _, body = replies.text(raw).partition("\n")
    match kind:
        case "offer":
            return replies.offer(body)
        case "withdrawn":
            return replies.withdrawal(body)
        case _:
            return replies.news(body)


class OfferListener:
    """Calls `on_message` for each message, and `on_listening` each time that listening (re)starts.

    What was published in between is lost: answer `on_listening` with a `reap`, which tells every
    live offer. The same message may come by a reply too: tokens tell. Neither callback may wait.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        node: NodeId,
        on_message: Callable[[Offer | Withdrawn | News], None],
        on_listening: Callable[[], None],
        *,
        retry: Retry | None = None,
    ) -> None:
        self._redis = redis
        self._channel = keys.offers_channel(node)
        self._on_message = on_message
        self._on_listening = on_listening
        self._retry = retry or Retry(first_ms=100, factor=2, max_ms=5_000)

    async def run(self) -> None:
        """Listen until cancelled, whatever Redis does."""
        failures = 0
        while True:
            pubsub = self._redis.pubsub()
            try:
                await heeding(pubsub.subscribe(self._channel))
                while True:
                    message = await heeding(pubsub.get_message(timeout=QUIET_S))
                    failures = 0
                    if message is None:
                        await heeding(pubsub.ping())
                    elif message["type"] == "subscribe":
                        self._on_listening()
                    elif message["type"] == "message":
                        self._on_message(parse(message["data"]))
            except (ConnectionError, TimeoutError):
                failures += 1
                await asyncio.sleep(self._retry.pause_s(failures))
            finally:
                await pubsub.aclose()  # type: ignore[no-untyped-call]
