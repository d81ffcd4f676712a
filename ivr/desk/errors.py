"""Why a desk command could not be carried out, as sentences for town staff."""

from __future__ import annotations

from ivr.errors import IvrError


class DeskError(IvrError):
    """A sentence in French that says what is wrong and what to do."""

    language = "fr"
