"""What an SIPp did, read from the files that it leaves."""

from __future__ import annotations

import contextlib
import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ERRORS: Final = "errors.log"
_TAIL_BYTES: Final = 2_000
_HEADING: Final = "The following events occurred:"


class SippError(IvrError):
    """SIPp could not do its work at all; the text ends with what it said."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of `count` durations, in milliseconds."""

    count: int
    p50: float
    p90: float
    p99: float
    longest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quantiles:
        """The nearest-rank quantiles; zeros when there are no values."""
        ranked = sorted(values)
        if not ranked:
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        p50, p90, p99 = (ranked[max(0, -(-share * len(ranked) // 100) - 1)] for share in (50, 90, 99))
        return cls(len(ranked), p50, p90, p99, ranked[-1])


@dataclass(frozen=True, slots=True)
class Report:
    """What one SIPp did. `response_ms`: INVITE to 200 (callers), 200 to ACK (agents), REGISTER to 200.

    `cpu_s` is SIPp's own use of the processor (with some milliseconds of its start), `begun_s` how long it took to
    begin all calls, to a second.
    """

    calls: int
    ok: int
    failed: int
    retransmissions: int
    unexpected: int
    timeouts: int
    response_ms: Quantiles
    cpu_s: float
    wall_s: float
    begun_s: float
    status: int
    errors: str


def read(folder: Path, cpu_s: float, wall_s: float, status: int) -> Report:
    """Return what an SIPp that has ended left in its folder; SippError if it did nothing at all."""
    errors = _worth_saying(_tail(folder / ERRORS))
    said = "\n".join((errors, _tail(folder / "screen")))
    try:
        with (folder / "stat.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
            last = rows[-1]
    except (OSError, IndexError):
        raise SippError(f"SIPp ended with {status} before it did anything: {said}") from None

    def total(name: str) -> int:
        return int(last.get(f"{name}(C)") or last.get(name) or 0)

    return Report(
        calls=total("TotalCallCreated"),
        ok=total("SuccessfulCall"),
        failed=total("FailedCall"),
        retransmissions=total("Retransmissions"),
        unexpected=total("FailedUnexpectedMessage"),
        timeouts=total("FailedTimeoutOnRecv") + total("FailedMaxUDPRetrans"),
        response_ms=Quantiles.of(_response_times(folder)),
        cpu_s=cpu_s,
        wall_s=wall_s,
        begun_s=_begun_s(rows),
        status=status,
        errors=errors or ("" if total("SuccessfulCall") else said),
    )


def _begun_s(rows: Sequence[Mapping[str, str]]) -> float:
    """From the start to the first second at whose end every call had begun."""
    created = rows[-1].get("TotalCallCreated")
    first = next(row for row in rows if row.get("TotalCallCreated") == created)
    began, done = (float((first.get(name) or "0").split()[-1]) for name in ("StartTime", "CurrentTime"))
    return round(done - began, 1)


def _worth_saying(errors: str) -> str:
    """Without the waits that our scenarios mean to end by time."""
    lines = [line for line in errors.splitlines() if "jumping to label" not in line]
    return "" if lines == [_HEADING] else "\n".join(lines)


def _response_times(folder: Path) -> list[float]:
    values = []
    for path in folder.glob("*_rtt.csv"):
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            with contextlib.suppress(ValueError, IndexError):
                values.append(float(line.split(";")[1]))
    return values


def lines(path: Path) -> list[str]:
    """Return the lines of a file, none where it is not there."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def _tail(path: Path) -> str:
    """Return the end of a file, nothing where it is not there."""
    try:
        return path.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
