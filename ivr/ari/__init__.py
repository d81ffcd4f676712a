"""Our ARI client: typed, pipelined, never silent about its connection. Knows nothing of telephone trees."""

from ivr.ari.client import AriClient
from ivr.ari.errors import (
    AriDeaf,
    AriDisconnected,
    AriError,
    AriFailed,
    AriRefused,
    AriTimeout,
    Conflict,
    NotFound,
    Unprocessable,
)
from ivr.ari.events import EVENT_TYPES, AnyEvent, Event
from ivr.ari.policy import Backoff, Connected, Disconnected, Replaced, State, Stats
from ivr.ari.reply import Reply

__all__ = [
    "EVENT_TYPES",
    "AnyEvent",
    "AriClient",
    "AriDeaf",
    "AriDisconnected",
    "AriError",
    "AriFailed",
    "AriRefused",
    "AriTimeout",
    "Backoff",
    "Conflict",
    "Connected",
    "Disconnected",
    "Event",
    "NotFound",
    "Replaced",
    "Reply",
    "State",
    "Stats",
    "Unprocessable",
]
