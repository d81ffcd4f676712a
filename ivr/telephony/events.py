"""What single ARI events mean for agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.ari.events import ContactStatusChange, PeerStatusChange

if TYPE_CHECKING:
    from ivr.ari import Event
    from ivr.core.inputs import AgentFailure

# ITU-T Q.850 cause values, as Asterisk reports them
_BUSY = 17
_REJECTED = 21
_GONE = frozenset({1, 3, 20, 27, 34, 38, 41, 58, 88})


def leg_failure(cause: int) -> AgentFailure:
    """Return why an agent's leg ended before it was up, from its Q.850 cause."""
    if cause == _BUSY:
        return "busy"
    if cause == _REJECTED:
        return "failed"
    return "gone" if cause in _GONE else "miss"


def presence_of(event: Event) -> tuple[str, bool] | None:
    """Return (endpoint, present) of a contact or peer event, None when it says neither."""
    said = event.decode()
    if not isinstance(said, ContactStatusChange | PeerStatusChange):
        return None
    endpoint = said.endpoint
    if endpoint.technology != "PJSIP" or endpoint.state not in {"online", "offline"}:
        return None
    return endpoint.resource, endpoint.state == "online"
