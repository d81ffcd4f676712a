"""The site's event stream: every change of a call, an agent or an offer, in the words that follow.

The script writes a line in the same step as the change. A line is read once it is copied to the
ledger, where its key is (epoch, id): ids begin anew when Redis loses its state.

Fields beside `type`, `at` (Unix ms) and `epoch`; one that does not apply is absent. Durations are in ms.

| type | what happened | fields |
|---|---|---|
| founded | a new epoch began | |
| configured | another routing is in force | |
| lease, unlease | a worker took or gave back a node | node worker term |
| arrived | a call is known | call node arrival |
| trail | what a caller did, as its worker tells | call trail: JSON [[at, kind, detail], …] |
| joined | a call waits for a topic | call topic step since reason caller node |
| widened | more groups may answer it | call topic step why (time, empty, plan) |
| offered | an agent rings for it | call agent topic token step rule (longest-idle, ordered, ring-many, owner) reason |
| withdrawn | an offer ended unanswered | call agent topic token reason |
| accepted | the agent answered: they talk | call agent topic token wait |
| released | the talk is over | call agent topic token talk |
| restored | a talk was made known again | call agent topic token |
| left | the call waits no more | call topic reason |
| overflow | it was offered to leave a message | call topic why: wait, ratio |
| unstaffed | nobody who could answer a topic is there | topic waiting |
| repair | a worker found a call otherwise than Asterisk shows it, and mended that | call kind node |
| ended | the call is over | call topic outcome node arrival facts: JSON object of what its worker knows |
| agent | an agent's state changed of itself or from outside (leave, back: by the plan) | agent state reason node |
| notice | an agent was paused after two missed calls: somebody should look | agent reason |
| outcome | an agent said how a call went; `to` is the right topic | call agent topic code to follow_up caller |
| unresolved | an agent did not say it in time: the call's file stays open with them | call agent topic caller |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from ivr.queueing.replies import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEPT: Final = 100_000
"""About how many lines Redis keeps (`store.lua`): beyond, the oldest go, copied or not."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `id` is Redis' own (`<ms>-<n>`), unique and growing within `epoch`."""

    epoch: str
    id: str
    type: str
    at: int
    fields: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, id_: bytes | str, raw: Mapping[bytes, bytes] | Mapping[str, str]) -> Self:
        """Return the line that Redis keeps under an id."""
        words = {text(name): text(value) for name, value in raw.items()}
        epoch, kind, at = words.pop("epoch", ""), words.pop("type"), int(words.pop("at"))
        return cls(epoch, text(id_), kind, at, words)


def lines(raw: Sequence[tuple[bytes | str, Mapping[bytes, bytes]]]) -> tuple[Line, ...]:
    """Return what XRANGE or XREAD brought, in order."""
    return tuple(Line.of(id_, fields) for id_, fields in raw)
