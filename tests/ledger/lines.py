"""Lines of an event stream, as the vocabulary has them, for tests."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ivr.queueing.stream import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

T0 = 1_795_500_000_000
"""Tuesday 24 November 2026, 05:20 in Paris."""


@dataclass
class Script:
    """Writes lines of one epoch, a second apart unless told otherwise."""

    epoch: str = "e1"
    at: int = T0
    lines: list[Line] = field(default_factory=list)
    _n: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self, type_: str, after_ms: int = 1_000, **fields: Any) -> Line:
        self.at += after_ms
        words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        line = Line(self.epoch, f"{self.at}-{next(self._n)}", type_, self.at, words)
        self.lines.append(line)
        return line

    def call(self, call: str, agent: str = "alice", topic: str = "etat-civil", caller: str = "r1") -> list[Line]:
        """A call that is answered, said to be done, and over."""
        before = len(self.lines)
        self("arrived", call=call, node="a", arrival=self.at)
        self("trail", call=call, trail=[[self.at, "menu", "principal"], [self.at, "key", "1 principal"]])
        self("joined", call=call, topic=topic, since=self.at, caller=caller, node="a")
        self("offered", 0, call=call, agent=agent, topic=topic, token="e1:1", step=0, rule="longest-idle")
        self("accepted", 5_000, call=call, agent=agent, topic=topic, token="e1:1", wait=7_000)
        self("released", 60_000, call=call, agent=agent, topic=topic, token="e1:1", talk=60_000)
        facts = {"caller": caller, "called": "+33536490000", "plan": "v1", "keys": "1"}
        self("ended", 0, call=call, topic=topic, outcome="answered", node="a", arrival=T0 + 1_000, facts=facts)
        return self.lines[before:]
