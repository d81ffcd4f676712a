"""The Redis keys of one site: a fixed set, all under one hash tag, known before any command."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivr.core.plan import SiteId
    from ivr.queueing.model import NodeId

FIXED: Final = ("site", "calls", "agents", "offers", "deadlines", "events", "idle", "known")
FORBIDDEN: Final = frozenset("|{}~\n\r\0")


def checked(text: str, what: str) -> str:
    """`text`, which can stand in keys and members; ValueError otherwise."""
    if not text or not FORBIDDEN.isdisjoint(text):
        raise ValueError(f"{what} {text!r}: must not be empty nor contain | ~ {{ }} or a line end")
    return text


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key that a command of the site may touch, in the order that the script expects.

    `lines` are `<topic>~<step>`: the callers of a topic at one step of its widening.
    """

    site: SiteId
    lines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked(self.site, "site")

    def name(self, part: str) -> str:
        """One key, e.g. `{pessac}:calls`."""
        return f"{{{self.site}}}:{part}"

    def all(self) -> tuple[str, ...]:
        """The KEYS of every command."""
        return _all(self)

    def offers_channel(self, node: NodeId) -> str:
        """Where offers and withdrawals for calls of a node are published."""
        return self.name(f"offers:{node}")

    def widened(self, lines: Iterable[str]) -> Keys:
        """The same with these lines too; the order of the known ones is kept."""
        return Keys(self.site, tuple(dict.fromkeys((*self.lines, *lines))))


@cache
def _all(keys: Keys) -> tuple[str, ...]:
    """Worked out once: a site has few sets of lines in its life, and every command names them all."""
    return (
        *(keys.name(part) for part in FIXED),
        *(keys.name(f"w:{line}") for line in keys.lines),
    )
