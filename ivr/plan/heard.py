"""What callers hear of a draft: the texts, and about how long they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.plan.compile import spoken

if TYPE_CHECKING:
    from ivr.plan.draft import Draft

CHARACTERS_PER_S: Final = 13
"""How fast a prompt is read: measured on French prompts, pauses included."""


def texts(draft: Draft, language: str | None = None) -> dict[str, str]:
    """Return the texts by prompt, in a language, by default the site's own."""
    if draft.prompts is None:
        return {}
    own = draft.site.language if draft.site is not None else "fr"
    wanted = language or own
    found = {name: spoken(entry, own).get(wanted) for name, entry in draft.prompts.prompts.items()}
    return {name: text for name, text in found.items() if text}


def seconds(text: str) -> int:
    """Return about how long a text takes to be said."""
    return len(text) // CHARACTERS_PER_S
