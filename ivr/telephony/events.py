"""What the end of an agent's leg means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ivr.core.inputs import AgentFailure

# ITU-T Q.850 cause values, as Asterisk reports them
_BUSY = 17
_NO_MEDIA = 44
_FAILED = frozenset({1, 3, 20, 21, 27, 34, 38, 41, 58, 88})


def leg_failure(cause: int) -> AgentFailure:
    """Return why an agent's leg ended before it was up, from its Q.850 cause.

    Whether the agent is still there is told by the registration alone, never by a call that failed.
    """
    if cause == _BUSY:
        return "busy"
    return "failed" if cause in _FAILED else "miss"


def leg_lost(cause: int) -> bool:
    """Return whether a leg that was up ended for lack of audio (`rtp_timeout`): a dead phone, not a hang-up."""
    return cause == _NO_MEDIA
