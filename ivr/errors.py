"""The one root of the errors that this product raises on purpose."""

from __future__ import annotations


class IvrError(Exception):
    """Something that a person can act on; subclasses carry the data, `str()` the sentence."""
