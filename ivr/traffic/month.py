"""A recorded month, and its form at rest: one JSON object with a version, described in docs/simulator.md.

It holds no number and no caller's ref: calls have running numbers. Agents are named, since who was there is what
it is for. Instants are Unix ms (UTC), durations ms.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from ivr.traffic.errors import TrafficError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = "standardiste-month"
VERSION: Final = 1
ZONE: Final = ZoneInfo("Europe/Paris")

Wish = Literal["topic", "person", "information", "silence", "gone", "closed"]
"""What a caller came for: a topic; a person (key 0); an information; nothing was pressed until people were reached;
they hung up in the menu; they met a closed door and pressed nothing, so that nobody knows."""
WaitEnd = Literal["", "answered", "left", "told"]
"""How a wait for people ended: with an answer, with a hang-up, or because the caller was told that nobody can answer
or left a message; "": there was none."""


class Recorded(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One call. `topic` is what was asked for, `heard` the information; `keys` those that led there.

    `waited` is from the first place in line to the end of the wait, `rang` of it the phone that was answered;
    `talk` the talks together. `misrouted`: the agent said so, or the caller called again within 15 minutes for
    something else.
    """

    n: int
    at: int
    wish: Wish
    outcome: str
    topic: str = ""
    heard: str = ""
    keys: str = ""
    end: WaitEnd = ""
    waited: int | None = None
    rang: int | None = None
    talk: int | None = None
    agent: str = ""
    code: str = ""
    misrouted: bool = False
    hidden: bool = False
    relay: bool = False
    plan: str = ""


class Presence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an agent was there, and when of that on a pause: [from, until) each, in order."""

    here: tuple[tuple[int, int], ...] = ()
    paused: tuple[tuple[int, int], ...] = ()


class Manners(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How agents work: how often phones rang, how many were missed or engaged, how long answers and wrap-ups took (ms).

    The last two by mean and standard deviation, of as many as were seen.
    """

    rings: int = 0
    missed: int = 0
    engaged: int = 0
    answers: int = 0
    answer_mean: float = 0.0
    answer_deviation: float = 0.0
    wraps: int = 0
    wrap_mean: float = 0.0
    wrap_deviation: float = 0.0


class Month(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The calls that arrived from `start` to before `end`, by arrival.

    `notes`: what was not taken, or not understood, and how often.
    """

    format: str
    version: int
    site: str
    name: str
    zone: str
    start: int
    end: int
    calls: tuple[Recorded, ...]
    agents: dict[str, Presence]
    manners: Manners
    notes: dict[str, int]

    def days(self) -> list[int]:
        """The local midnights of the days on which somebody called."""
        return sorted({midnight_of(call.at) for call in self.calls})


@dataclass(frozen=True, slots=True)
class Period:
    """A month, or any days, by their first instant and the first one after them."""

    name: str
    start: int
    end: int

    @classmethod
    def of(cls, text: str) -> Period:
        """The month that `2026-10` names."""
        try:
            first = datetime.strptime(text, "%Y-%m").replace(tzinfo=ZONE)
        except ValueError as error:
            raise TrafficError(
                f"« {text} » n'est pas un mois : écrivez l'année et le mois, --month 2026-10."
            ) from error
        after = (first + timedelta(days=32)).replace(day=1)
        return cls(f"{first:%Y-%m}", round(first.timestamp() * 1000), round(after.timestamp() * 1000))

    def midnights(self) -> Iterator[tuple[int, int]]:
        """Each day by its first instant and the first one after it; a day has 23 to 25 hours."""
        here = self.start
        while here < self.end:
            after = min(next_midnight(here), self.end)
            yield here, after
            here = after


def midnight_of(at: int, zone: ZoneInfo = ZONE) -> int:
    """The first instant of the local day of an instant."""
    local = datetime.fromtimestamp(at / 1000, zone)
    return round(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)


def next_midnight(at: int, zone: ZoneInfo = ZONE) -> int:
    """The first instant of the local day after that of an instant."""
    local = datetime.fromtimestamp(at / 1000, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return round((local + timedelta(days=1)).timestamp() * 1000)


def date_of(at: int, zone: ZoneInfo = ZONE) -> str:
    """The local date of an instant, 2026-10-12."""
    return datetime.fromtimestamp(at / 1000, zone).date().isoformat()


def write(month: Month, path: Path) -> None:
    """Put a month into a file that only its user can read: it names agents. Raises TrafficError."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.touch(mode=0o600)
        part.write_bytes(msgspec.json.format(msgspec.json.encode(month), indent=1))
        part.replace(path)
    except OSError as error:
        raise TrafficError(f"{path} ne peut être écrit : {error.strerror}.") from error


def read(path: Path) -> Month:
    """Return the month of a file. Raises TrafficError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TrafficError(f"{path} ne peut être lu : {error.strerror}.") from error
    try:
        head = msgspec.json.decode(raw, type=_Head)
        if head.format != FORMAT:
            raise TrafficError(f"{path} n'est pas un mois enregistré : « ivr month export » en fait un.")
        if head.version != VERSION:
            raise TrafficError(
                f"{path} est un mois de la version {head.version}, cette installation lit la version {VERSION} : "
                "exportez-le de nouveau."
            )
        return msgspec.json.decode(raw, type=Month)
    except msgspec.MsgspecError as error:
        raise TrafficError(f"{path} n'est pas un mois enregistré : {error}") from error


class _Head(msgspec.Struct, frozen=True):
    format: str = ""
    version: int = 0
