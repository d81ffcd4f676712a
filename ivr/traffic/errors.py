"""What is wrong with a recorded month, in French for who asked for it."""

from __future__ import annotations

from ivr.errors import IvrError


class TrafficError(IvrError):
    """A recorded month cannot be made, read or used; the sentence says why and what to do."""

    language = "fr"
