"""The event stream of a simulated day, as a worker's history has it: what the queue wrote, and what callers did.

Of calls that never reach people the queue of a simulation does not hear; their lines are made here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ivr.queueing.stream import Line, lines

if TYPE_CHECKING:
    from redis import Redis

    from ivr.core.state import Call
    from ivr.queueing.keys import Keys


class Tape:
    """Hears of keys and ends; reads the rest from Redis when the day is over."""

    def __init__(self, redis: Redis, keys: Keys, version: str) -> None:
        self._redis: Any = redis
        self._stream = keys.name("events")
        self._version = version
        self._trails: dict[str, list[tuple[int, str, str]]] = {}
        self._lines: list[Line] = []

    def pressed(self, call: Call, key: str, now: int) -> None:
        """A caller pressed a key, in a menu or elsewhere."""
        where = f"{key} {getattr(call.phase, 'menu', '')}".rstrip()
        self._trails.setdefault(call.id, []).append((now, "key", where))

    def facts(self) -> str:
        """What a worker would tell of a call that is over; nobody's ref is among it."""
        return json.dumps({"plan": self._version})

    def ended(self, call: Call, outcome: str, now: int, *, told: bool) -> None:
        """A call is over; `told`: the queue knows it."""
        if not told:
            self._add("arrived", call.arrival, call=call.id, arrival=str(call.arrival))
        if (trail := self._trails.pop(call.id, None)) is not None:
            self._add("trail", now, call=call.id, trail=json.dumps(trail))
        if not told:
            self._add("ended", now, call=call.id, outcome=outcome, arrival=str(call.arrival), facts=self.facts())

    def _add(self, kind: str, at: int, **fields: str) -> None:
        # Before what the queue wrote at that very instant: a trail comes before the end.
        self._lines.append(Line("sim", f"0-{len(self._lines)}", kind, at, fields))

    def lines(self) -> list[Line]:
        """Return the whole day in order."""
        told = [*self._lines, *lines(self._redis.xrange(self._stream))]
        return sorted(told, key=lambda line: (line.at, *map(int, line.id.split("-"))))
