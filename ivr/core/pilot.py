"""A department that joins the single number for a part of its calls. Pure; the same caller has the same side.

The share of callers is taken by their ref, which the number gives: who calls again is led where they were led before,
and raising the share only adds callers.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ivr.core.plan import ToTopic

if TYPE_CHECKING:
    from ivr.core.plan import Option, TopicId
    from ivr.core.schedule import Calendar


def piloted(option: Option | None, topic: TopicId, ref: str, calendar: Calendar, now: int) -> TopicId:
    """Return the topic that an option leads a caller to: `topic`, unless the option is a pilot that is not theirs."""
    if not isinstance(option, ToTopic) or option.pilot is None:
        return topic
    pilot = option.pilot
    within = pilot.hours is None or pilot.hours not in calendar.hours or calendar.hours[pilot.hours].at(now).open
    return topic if within and place(option.topic, ref) < pilot.share else pilot.otherwise


def place(topic: TopicId, ref: str) -> float:
    """Return a caller's place among all, from 0 to below 1, another for each topic."""
    return int.from_bytes(hashlib.sha256(f"{topic}:{ref}".encode()).digest()[:6], "big") / 2**48
