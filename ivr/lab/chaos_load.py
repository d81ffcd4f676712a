"""The load of `make chaos`: how much, and the plan that it needs."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.lab.crowd import LoadFailed

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.lab.sipp import Sipp

NOBODYS_KEY: Final = "3"
NARROWED: Final = ("enfance", "accueil")
"""The topic of that key, and the general desk's, where it leads."""
NOBODYS_SHARE: Final = 0.1
MESSAGE_S: Final = 40
"""The longest that a message may be here: one that speaks into a frozen worker is in the fallback within a minute."""
SLACK: Final = 0.92
"""The agents' share of work: less than all, or no line that has grown is ever shorter again."""
ANSWER_MS: Final = 300
PATIENCE_MS: Final = 118_000
STAFF_MS: Final = 290_000
FILL_RATE: Final = 10.0
CHUNK_S: Final = 120.0
VARIETY: Final = (0.6, 0.8, 1.0, 1.2, 1.4)
"""Lengths of talks, by group of agents, in shares of the mean."""
_LONGEST: Final = r"^(message:\n  longest: ).*"
_WIDEN: Final = r"^(  {}:\n(?:    .*\n)*?)    widen:\n(?:      .*\n)+"


@dataclass(frozen=True, slots=True)
class Shape:
    """How much load: `rate` calls a second to so many agents, `waiting` callers in line.

    Who waits sends a packet every `quiet_ms`: with few, a message that nobody meant to leave is as long as it sounds.
    """

    agents: int
    waiting: int
    rate: float
    variety: tuple[float, ...] = VARIETY
    quiet_ms: int = 1_000

    @property
    def talk_ms(self) -> int:
        """The mean talk with which the agents are just quick enough."""
        return round(self.agents / (self.rate * (1 - NOBODYS_SHARE)) * 1_000 * SLACK) - ANSWER_MS

    @property
    def rtp_ports(self) -> int:
        """UDP ports for everybody at once, when the line has grown."""
        return 2 * (self.waiting + 2 * self.agents + round(self.rate * PATIENCE_MS / 1_000)) + 200


FULL: Final = Shape(agents=50, waiting=50, rate=2.0)
SMALL: Final = Shape(agents=6, waiting=4, rate=1.0, variety=(0.7, 1.3), quiet_ms=20)


@dataclass(slots=True)
class Group:
    """Agents of one SIPp; `died` when it was killed (Unix seconds)."""

    sipp: Sipp
    talk_s: float
    died: float | None = None


@dataclass(slots=True)
class Crew:
    """Callers of one SIPp, the last of whom calls at `last` (monotonic); `over` when its end was first seen (Unix)."""

    sipp: Sipp
    last: float
    over: float | None = None


def narrowed(plan_dir: Path, out: Path) -> Path:
    """Copy a plan so that one topic, and the general desk, have nobody but their own people, who are not there.

    Messages are short in it.
    """
    shutil.copytree(plan_dir, out)
    path = out / "topics.yaml"
    text = path.read_text(encoding="utf-8")
    for topic in NARROWED:
        text, changed = re.subn(_WIDEN.format(topic), r"\1", text, flags=re.MULTILINE)
        if changed != 1:
            raise LoadFailed(f"{path}: the topic {topic} is not written as expected")
    path.write_text(text, encoding="utf-8")
    path = out / "site.yaml"
    text, changed = re.subn(_LONGEST, rf"\g<1>{MESSAGE_S} s", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if changed != 1:
        raise LoadFailed(f"{path}: the longest message is not written as expected")
    path.write_text(text, encoding="utf-8")
    return out
