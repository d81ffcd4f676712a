"""Who calls, when, and what for: assumptions as data, and callers drawn from them.

The sources of the figures are in docs/simulator.md. Everything is drawn here, before the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 - read when JSON is decoded
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from ivr.core.plan import HUMAN, Information, MenuId, PromptId, ToLanguage, ToMenu, ToOutside, TopicId, ToTopic, Typed
from ivr.sim.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ivr.core.plan import Plan

QUARTER_MS: Final = 900_000
DAY_MS: Final = 86_400_000
QUARTERS: Final = 96
BYE: Final = "bye"
SILENCE: Final = ""
_MOMENTS: Final = 8
_LEAST_TALK_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Spread:
    """A log-normal duration: its mean (s) and its standard deviation as a share of the mean."""

    mean_s: float
    cv: float = 1.0

    def of(self, normal: NDArray[np.float64]) -> NDArray[np.int64]:
        """The durations (ms) that standard normal numbers stand for."""
        variance = math.log1p(self.cv**2)
        seconds = np.exp(math.log(self.mean_s) - variance / 2 + math.sqrt(variance) * normal)
        found: NDArray[np.int64] = np.rint(seconds * 1000).astype(np.int64)
        return found


@dataclass(frozen=True, slots=True)
class Load:
    """What callers do. Shares are of all calls; `topics` weighs what they come for.

    `weekdays` from Monday; `day` the weight of the quarters of an hour that begin at or after each time.
    """

    topics: Mapping[TopicId, float]
    talk: Mapping[TopicId, Spread]
    weekdays: tuple[float, float, float, float, float] = (1.43, 0.97, 0.92, 0.87, 0.81)
    day: Mapping[str, float] = field(
        default_factory=lambda: {
            "08:15": 0.15, "08:30": 0.85, "09:00": 1.1, "09:30": 1.25, "11:30": 1.05, "12:00": 0.8, "12:30": 0.2,
            "13:30": 0.9, "14:00": 1.1, "16:00": 0.95, "16:30": 0.7, "17:00": 0.15, "17:15": 0.0,
        }
    )  # fmt: skip
    day_to_day: float = 0.08
    patience: Spread = Spread(300)
    message: Spread = Spread(20, 0.6)
    information: float = 0.06
    human: float = 0.12
    silent: float = 0.03
    wrong_key: float = 0.02
    gives_up_in_menu: float = 0.03
    hidden: float = 0.06
    relay: float = 0.003
    refuses_message: float = 0.25
    takes_message: float = 0.3
    hangs_up_first: float = 0.7

    @classmethod
    def of(cls, plan: Plan) -> Load:
        """The assumptions for a plan: a topic is asked for as its staff is many, and the general desk is brief."""
        shared = {agent.id: len(_topics_of(plan, agent.groups)) for agent in plan.agents.values()}
        weights = {
            topic.id: sum(1 / n for who, n in shared.items() if n and set(plan.agents[who].groups) & set(topic.groups))
            for topic in plan.topics.values()
        }
        if not any(weights.values()):
            weights = dict.fromkeys(plan.topics, 1.0)
        talk = {topic: Spread(110 if topic == plan.general else 165) for topic in plan.topics}
        return cls(weights, talk)

    @classmethod
    def read(cls, path: Path, plan: Plan) -> Load:
        """The assumptions for a plan with what a JSON file says instead; names are those of the fields."""
        known = msgspec.to_builtins(cls.of(plan))
        try:
            said = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
            if strange := sorted(set(said) - set(known)):
                raise SimulationError(f"{path}: nothing is called {', '.join(strange)}; there are {', '.join(known)}.")
            for name in ("topics", "talk"):
                said[name] = {**known[name], **said.get(name, {})}
                if unknown := sorted(set(said[name]) - set(plan.topics)):
                    raise SimulationError(f"{path}: the plan has no topic {', '.join(unknown)}.")
            return msgspec.convert({**known, **said}, cls)
        except (OSError, msgspec.MsgspecError) as error:
            raise SimulationError(f"{path}: not the assumptions of a simulation: {error}") from error

    def quarters(self) -> NDArray[np.float64]:
        """The weight of each quarter of an hour of a day."""
        weights = np.zeros(QUARTERS)
        for time, weight in sorted(self.day.items()):
            hour, _, minute = time.partition(":")
            weights[int(hour) * 4 + int(minute) // 15 :] = weight
        return weights


def _topics_of(plan: Plan, groups: Sequence[str]) -> list[TopicId]:
    return [topic.id for topic in plan.topics.values() if set(groups) & set(topic.groups)]


@dataclass(frozen=True, slots=True)
class Visitor:
    """One caller to be, of the day that begins at `midnight`.

    `keys`: what they do menu by menu, at `moments` of each prompt (1: its end).

    A key, SILENCE, or BYE: they hang up. Past the last key they are silent.
    """

    number: int
    midnight: int
    at: int
    keys: tuple[str, ...]
    moments: tuple[float, ...]
    patience_ms: int
    talk_ms: int
    message_ms: int
    hidden: bool
    relay: bool
    refuses_message: bool
    takes_message: bool
    hangs_up_first: bool


def ways(plan: Plan) -> dict[TopicId | PromptId, tuple[str, ...]]:
    """The keys that lead from the first menu to each topic and each information, by the shortest way."""
    found: dict[TopicId | PromptId, tuple[str, ...]] = {plan.general: (HUMAN,)}
    seen: set[MenuId] = {plan.root}
    line: list[tuple[MenuId, tuple[str, ...]]] = [(plan.root, ())]
    for menu, keys in line:  # it grows while it is read: the nearest menus first
        for key, option in plan.menus[menu].options.items():
            match option:
                case ToTopic(topic):
                    found.setdefault(topic, (*keys, key))
                case Information(prompt):
                    found.setdefault(prompt, (*keys, key))
                case ToMenu(target):
                    if target not in seen:
                        seen.add(target)
                        line.append((target, (*keys, key)))
                case ToOutside(outside):
                    found.setdefault(plan.outsides[outside].prompt, (*keys, key))
                case Typed(topic=topic):
                    found.setdefault(topic, (*keys, key))
                case ToLanguage():
                    pass
    return found


def drawn(load: Load, plan: Plan, days: Sequence[int], calls: int, seed: int) -> list[Visitor]:
    """So many callers over the days (the midnight that each begins with, Unix ms), as they come.

    Given their number, the arrivals are those of a Poisson process whose rate changes by quarters of an hour.
    """
    chance = np.random.default_rng((seed, 1))
    busy = np.array([load.weekdays[n % len(load.weekdays)] for n in range(len(days))])
    busy = busy * np.exp(load.day_to_day * chance.standard_normal(len(days)))
    rate = np.outer(busy, load.quarters()).ravel()
    cell = chance.choice(len(rate), calls, p=rate / rate.sum())
    within = chance.integers(0, QUARTER_MS, calls)
    midnights = np.asarray(days, dtype=np.int64)[cell // QUARTERS]
    at = midnights + (cell % QUARTERS) * QUARTER_MS + within
    order = np.argsort(at, kind="stable")
    return _visitors(load, plan, midnights[order], at[order], chance)


def _visitors(
    load: Load, plan: Plan, midnights: NDArray[np.int64], at: NDArray[np.int64], chance: np.random.Generator
) -> list[Visitor]:
    calls = len(at)
    reach = ways(plan)
    wishes = [topic for topic in load.topics if topic in reach]
    answers = [wish for wish in reach if wish not in plan.topics]
    weights = np.array([load.topics[wish] for wish in wishes])
    wish = chance.choice(len(wishes), calls, p=weights / weights.sum())
    answer = chance.integers(0, max(1, len(answers)), calls)
    kind = chance.random(calls)
    slip = chance.random(calls) < load.wrong_key
    normal = chance.standard_normal((3, calls))
    patience, message = load.patience.of(normal[0]).tolist(), load.message.of(normal[1]).tolist()
    spreads = [load.talk.get(topic, Spread(150)) for topic in wishes]
    talks = [np.maximum(spread.of(normal[2]), _LEAST_TALK_MS).tolist() for spread in spreads]
    general = wishes.index(plan.general) if plan.general in wishes else 0
    moments = np.round(chance.uniform(0.25, 1.15, (calls, _MOMENTS)), 3).tolist()
    shares = (
        load.hidden,
        load.relay if plan.relays else 0.0,
        load.refuses_message,
        load.takes_message,
        load.hangs_up_first,
    )
    hidden, relay, refuses, takes, first = ((chance.random(calls) < share).tolist() for share in shares)
    limits = np.cumsum([load.gives_up_in_menu, load.information if answers else 0.0, load.silent, load.human])
    what = np.searchsorted(limits, kind, side="right").tolist()
    wrong = next((key for key in "9876" if key not in plan.menus[plan.root].options), "")
    found = []
    for n, (midnight, when, pick) in enumerate(zip(midnights.tolist(), at.tolist(), wish.tolist(), strict=True)):
        keys, asks = reach[wishes[pick]], pick
        if what[n] == 0:
            keys = (BYE,)
        elif what[n] == 1:
            keys = (*reach[answers[answer[n]]], BYE)
        elif what[n] == 2:  # noqa: PLR2004 - the third kind: silent
            keys, asks = (), general
        elif what[n] == 3:  # noqa: PLR2004 - the fourth: asks for a person
            keys, asks = (HUMAN,), general
        if slip[n] and wrong and keys:
            keys = (wrong, *keys)
        found.append(
            Visitor(
                n, midnight, when, keys, tuple(moments[n]), patience[n], talks[asks][n], message[n],
                hidden[n], relay[n], refuses[n], takes[n], first[n],
            )
        )  # fmt: skip
    return found
