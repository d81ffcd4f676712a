"""The recording of one call's inputs, with what came of each: a bug report that can be run again.

One JSON object a line: the call at first, its number masked; then each input, with the calendar where it is another
than before, and after it the effects that followed. An input without effects line is the one that broke the call.
A number that the caller types is written as zeros, which lead to the same.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self, TextIO, get_args

from ivr import log
from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.schedule import ALWAYS_OPEN, Calendar, Crisis, Span, Timeline
from ivr.core.state import Typing, decode, encode
from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ivr.core.effects import Effect
    from ivr.core.plan import Plan
    from ivr.core.state import Call

_INPUTS: Final = {kind.__name__: kind for kind in get_args(ev.Input)}
_log = log.get("recorder")


class RecordingError(IvrError):
    """The file is no recording of a call, or not of a version that can be run again."""


class Recorder:
    """Writes one call's recording, line by line. A disk that fails ends the recording, never the call."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._calendar: Calendar = ALWAYS_OPEN

    @classmethod
    def off(cls) -> Self:
        """Return a recorder that keeps nothing."""
        return cls(None)

    @classmethod
    def begin(cls, folder: Path, call: Call) -> Self:
        """Return a recorder of a new file in `folder`, named after the call; `.2` and so on after an adoption."""
        number = call.caller.number
        masked = replace(call.caller, number=None if number is None else log.mask(number))
        unnamed = replace(call, caller=masked, typed="0" * len(call.typed))
        if isinstance(call.phase, Typing):
            unnamed = replace(unnamed, phase=replace(call.phase, digits="0" * len(call.phase.digits)))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = len(list(folder.glob(f"{call.id}.*jsonl")))
            name = f"{call.id}.{taken + 1}.jsonl" if taken else f"{call.id}.jsonl"
            recorder = cls((folder / name).open("x", encoding="utf-8", buffering=1))
        except OSError as error:
            _log.warning("the call is not recorded", call=call.id, reason=str(error))
            return cls.off()
        recorder._put(encode(unnamed))
        return recorder

    def write(self, happened: ev.Input, env: Env, *, secret: bool = False) -> None:
        """Add one input; `secret`: a digit is not shown."""
        if self._stream is not None:
            if secret and isinstance(happened, ev.Digit) and happened.key.isdecimal():
                happened = ev.Digit("0")
            line = {"now": env.now, "input": type(happened).__name__, **asdict(happened)}
            if env.calendar != self._calendar:
                self._calendar = env.calendar
                line["calendar"] = asdict(env.calendar)
            self._put(json.dumps(line, ensure_ascii=False))

    def did(self, effects: Sequence[Effect]) -> None:
        """Add what followed from the last input."""
        if self._stream is not None:
            self._put(json.dumps({"did": [str(effect) for effect in effects]}, ensure_ascii=False))

    def close(self) -> None:
        """End the recording."""
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except OSError as error:
                _log.warning("the recording is not whole", reason=str(error))

    def _put(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
        except OSError as error:
            _log.warning("the recording ends here", reason=str(error))
            self.close()


@dataclass(frozen=True, slots=True)
class Step:
    """One input, run again: `effects` now, `did` as recorded (None: it broke the call then)."""

    now: int
    happened: ev.Input
    call: Call
    effects: tuple[Effect, ...]
    did: tuple[str, ...] | None

    @property
    def same(self) -> bool:
        """Whether the same followed as when it was recorded."""
        return self.did == tuple(str(effect) for effect in self.effects)


def replay(path: Path, plan: Plan) -> Iterator[Step]:
    """Yield every step of a recording, run again on `plan`; raises RecordingError."""
    try:
        call, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
        state = decode(call)
        rows = [json.loads(line) for line in lines]
        calendar = ALWAYS_OPEN
        for row, after in zip(rows, [*rows[1:], {}], strict=True):
            if "did" in row:
                continue
            if "calendar" in row:
                calendar = _calendar(row.pop("calendar"))
            now, happened = _input(dict(row))
            state, effects = step(state, happened, Env(now, plan, calendar))
            yield Step(now, happened, state, effects, tuple(after["did"]) if "did" in after else None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path} is not a recording of a call: {error}") from error


def _calendar(row: dict[str, Any]) -> Calendar:
    crisis = row["crisis"]
    return Calendar(
        site=_timeline(row["site"]),
        topics=row["topics"],
        hours={name: _timeline(hours) for name, hours in row["hours"].items()},
        crisis=Crisis(**crisis) if crisis is not None else None,
    )


def _timeline(row: dict[str, Any]) -> Timeline:
    return Timeline(tuple(Span(**span) for span in row["spans"]))


def _input(row: dict[str, Any]) -> tuple[int, ev.Input]:
    now = int(row.pop("now"))
    happened: ev.Input = _INPUTS[row.pop("input")](**row)
    return now, happened
