"""The four sentences of one fault."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """What is wrong and what to do, in French and in English; `{…}` are filled in."""

    fr: str
    en: str
    cure_fr: str
    cure_en: str
