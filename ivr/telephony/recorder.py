"""The recording of one call's (input, env): a bug report that can be run again."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self, TextIO

from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.state import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.core.state import Call


class Recorder:
    """Writes one call's recording: the call at first, then one JSON line per input."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @classmethod
    def off(cls) -> Self:
        """Return a recorder that keeps nothing."""
        return cls(None)

    @classmethod
    def begin(cls, folder: Path, call: Call) -> Self:
        """Return a recorder of a new file in `folder`, named after the call."""
        stream = (folder / f"{call.id}.jsonl").open("w", encoding="utf-8")
        stream.write(encode(call) + "\n")
        return cls(stream)

    def write(self, happened: ev.Input, env: Env) -> None:
        """Add one input."""
        if self._stream is not None:
            line = {"now": env.now, "input": type(happened).__name__, **asdict(happened)}
            self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """End the recording."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def replay(path: Path, plan: Plan) -> Iterator[tuple[int, ev.Input, Call, tuple[Any, ...]]]:
    """Yield (now, input, call after, effects) of a recording, run again on `plan`."""
    with path.open(encoding="utf-8") as lines:
        call = decode(next(lines))
        for text in lines:
            fields = json.loads(text)
            now = int(fields.pop("now"))
            happened: ev.Input = getattr(ev, fields.pop("input"))(**fields)
            call, effects = step(call, happened, Env(now, plan))
            yield now, happened, call, effects
