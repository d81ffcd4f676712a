"""A recorded month as days to live: the same callers on another plan, with the people who were there.

What callers wish, when they come and how long they talk is what was recorded. How long they would have waited is
drawn for those who did not show it (`survival`), what the recording cannot tell (a talk of somebody who had none) from
the others of that topic. Everything is drawn by a caller's number, so that two plans meet the same callers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ivr.core.plan import HUMAN, AgentId, PromptId, SiteId, TopicId
from ivr.core.staffing import leave_at
from ivr.sim.load import BYE, Load, Spread, Visitor, ways
from ivr.sim.parallel import Job
from ivr.sim.staff import Habits, Move
from ivr.sim.survival import Patience
from ivr.sim.town import Stretch
from ivr.traffic.errors import TrafficError
from ivr.traffic.month import midnight_of, next_midnight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ivr.core.plan import Plan
    from ivr.core.schedule import Calendar
    from ivr.sim.staff import What
    from ivr.traffic.month import Manners, Month, Recorded

_COLUMNS: Final = 8
_MOMENTS: Final = 6
_ENOUGH: Final = 30
_HOUR: Final = 3_600_000
_FROM_H: Final = 10.5
_TO_H: Final = 15.0
"""Whoever is on leave from before to after these hours of a day is on leave that day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A plan to live the month on; `without`: who is away on which days (their midnights) besides."""

    plan: Plan
    lengths: Mapping[PromptId, int]
    calendar: Calendar
    without: Mapping[int, frozenset[AgentId]]


@dataclass(slots=True)
class Notes:
    """What had to be decided: topics that are reached otherwise now, agents whom the month does not know."""

    moved: dict[str, str]
    unreached: Counter[str]
    like: dict[AgentId, str]
    unknown: tuple[AgentId, ...]
    gone: tuple[str, ...]


class Replay:
    """A month ready to be lived. The same seed gives the same callers on every plan."""

    def __init__(self, month: Month, seed: int) -> None:
        if not month.calls:
            raise TrafficError(f"Le mois {month.name} n'a aucun appel : il n'y a rien à vivre de nouveau.")
        if not any(presence.here for presence in month.agents.values()):
            raise TrafficError(
                f"Le mois {month.name} ne dit d'aucun agent quand il était là : on ne peut le vivre de nouveau."
            )
        self.month = month
        self._seed = seed
        calls = month.calls
        waits = [(call.waited, call.end == "left") for call in calls if call.waited is not None]
        self.patience = Patience.of(waits)
        self._talks: dict[str, NDArray[np.int64]] = _by_topic(calls)
        chance = np.random.default_rng((seed, 3))
        self._chance: NDArray[np.float64] = chance.random((len(calls), _COLUMNS))
        self._messages: list[int] = _LOAD.message.of(chance.standard_normal(len(calls))).tolist()
        self._moments: list[list[float]] = np.round(chance.uniform(0.25, 1.15, (len(calls), _MOMENTS)), 3).tolist()
        self._wishes = [n for n, call in enumerate(calls) if call.wish in {"topic", "person"}]
        self.habits = habits_of(month.manners)
        self.days = month.days()

    def jobs(self, side: Side, name: str, days: Sequence[int] | None = None) -> tuple[list[Job], Notes]:
        """Return all days, or those of some midnights, on a plan; `name` sets its queue apart from another's."""
        reach = ways(side.plan)
        notes = Notes({}, Counter[str](), *self._likes(side.plan))
        by_day: dict[int, list[Visitor]] = {midnight: [] for midnight in (self.days if days is None else days)}
        for n, call in enumerate(self.month.calls):
            midnight = midnight_of(call.at)
            if midnight in by_day:
                by_day[midnight].append(self._visitor(n, call, midnight, side, reach, notes))
        base = Stretch(
            plan=replace(side.plan, site=SiteId(f"{side.plan.site}-{name}")),
            lengths=side.lengths,
            load=Load.of(side.plan),
            days=1,
            calls=len(self.month.calls),
            seed=self._seed,
            habits=self.habits,
            calendar=side.calendar,
        )
        jobs = []
        for midnight, visitors in by_day.items():
            away = side.without.get(midnight, frozenset()) | leave_on(side.plan, midnight)
            there = self._there(side.plan, midnight, away, notes.like)
            today = replace(base, plan=staffed_on(base.plan, away), moves=there)
            jobs.append(Job(today, midnight, visitors))
        return jobs, notes

    # -- callers -----------------------------------------------------------

    def _visitor(
        self, n: int, call: Recorded, midnight: int, side: Side, reach: Mapping[TopicId | PromptId, tuple[str, ...]],
        notes: Notes,
    ) -> Visitor:  # fmt: skip
        chance: list[float] = self._chance[n].tolist()
        meant = call
        if call.wish == "closed" and side.calendar.site.at(call.at).open and self._wishes:
            # Nobody asked them, as the door was closed: they come for what others come for.
            meant = self.month.calls[self._wishes[int(chance[0] * len(self._wishes))]]
        keys, topic = self._keys(meant, side.plan, reach, notes)
        waited = call.waited or 0
        if call.end == "left" and call.waited is not None:
            patience = call.waited
        else:
            patience = self.patience.draw(chance[1], waited)
        talk = call.talk or self._talk(topic, chance[2])
        return Visitor(
            number=n,
            midnight=midnight,
            at=call.at,
            keys=keys,
            moments=tuple(self._moments[n]),
            patience_ms=patience,
            talk_ms=talk,
            message_ms=self._messages[n],
            hidden=call.hidden,
            relay=call.relay,
            refuses_message=chance[3] < _LOAD.refuses_message,
            takes_message=chance[4] < _LOAD.takes_message,
            hangs_up_first=chance[5] < _LOAD.hangs_up_first,
        )

    def _keys(
        self, call: Recorded, plan: Plan, reach: Mapping[TopicId | PromptId, tuple[str, ...]], notes: Notes
    ) -> tuple[tuple[str, ...], str]:
        """The keys by which a caller gets what they want on this plan, and the topic that this is."""
        match call.wish:
            case "topic":
                topic = heir_of(plan, call.topic)
                if topic != call.topic:
                    notes.moved[call.topic] = topic
                if topic in reach:
                    return reach[topic], topic
                notes.unreached[call.topic] += 1
                return (HUMAN,), plan.general
            case "person":
                return (HUMAN,), plan.general
            case "information":
                if PromptId(call.heard) in reach:
                    return (*reach[PromptId(call.heard)], BYE), ""
                notes.unreached[call.heard] += 1
                return (HUMAN,), plan.general
            case "silence":
                return (), plan.general
            case "gone" | "closed":
                return (BYE,), ""

    def _talk(self, topic: str, chance: float) -> int:
        found = self._talks.get(topic)
        if found is None or len(found) < _ENOUGH:
            found = self._talks[""]
        return int(found[int(chance * len(found))]) if len(found) else int(150_000 * (0.3 + 1.4 * chance))

    # -- agents ------------------------------------------------------------

    def _likes(self, plan: Plan) -> tuple[dict[AgentId, str], tuple[AgentId, ...], tuple[str, ...]]:
        """Whom new agents are there like, who is like nobody, and who was there and is in the plan no more."""
        known = self.month.agents
        like: dict[AgentId, str] = {}
        unknown = []
        for agent in plan.agents.values():
            if agent.id in known:
                continue
            best = max(
                (who for who in known if AgentId(who) in plan.agents),
                key=lambda who: (
                    len(set(agent.groups) & set(plan.agents[AgentId(who)].groups)),
                    _time(known[who].here),
                ),
                default=None,
            )
            if best is None or not _time(known[best].here):
                unknown.append(agent.id)
            else:
                like[agent.id] = best
        gone = tuple(who for who, presence in known.items() if AgentId(who) not in plan.agents and presence.here)
        return like, tuple(unknown), gone

    def _there(
        self, plan: Plan, midnight: int, away: frozenset[AgentId], like: Mapping[AgentId, str]
    ) -> tuple[Move, ...]:
        moves: list[Move] = []
        end = next_midnight(midnight)
        for agent in plan.agents:
            presence = self.month.agents.get(like.get(agent, agent))
            if presence is None or agent in away:
                continue
            for spans, begins, ends in ((presence.here, "comes", "goes"), (presence.paused, "pauses", "is back")):
                moves += _moves(agent, spans, (midnight, end), begins, ends)  # type: ignore[arg-type]
        return tuple(sorted(moves, key=lambda move: (move.at, move.agent, _ORDER.index(move.what))))


_ORDER: Final[tuple[What, ...]] = ("is back", "goes", "comes", "pauses")
_LOAD: Final = Load({}, {})


def _moves(
    agent: AgentId, spans: Iterable[tuple[int, int]], day: tuple[int, int], begins: What, ends: What
) -> list[Move]:
    start, end = day
    found = []
    for since, until in spans:
        if since < end and until > start:
            found += [Move(max(since, start), agent, begins), Move(min(until, end), agent, ends)]
    return found


def _time(spans: Iterable[tuple[int, int]]) -> int:
    return sum(end - begin for begin, end in spans)


def _by_topic(calls: Sequence[Recorded]) -> dict[str, NDArray[np.int64]]:
    talks: defaultdict[str, list[int]] = defaultdict(list)
    for call in calls:
        if call.talk and call.end == "answered":
            talks[""].append(call.talk)
            talks[call.topic].append(call.talk)
    return {
        "": np.zeros(0, dtype=np.int64),
        **{topic: np.array(found, dtype=np.int64) for topic, found in talks.items()},
    }


def heir_of(plan: Plan, topic: str) -> TopicId:
    """The topic itself, or what the plan names in its place; itself where it names nothing."""
    seen = set()
    here = TopicId(topic)
    while here not in plan.topics and here in plan.successors.topics and here not in seen:
        seen.add(here)
        here = plan.successors.topics[here]
    return here


def leave_on(plan: Plan, midnight: int) -> frozenset[AgentId]:
    """Who is on leave by the plan on the whole of a day's working hours."""
    first, last = (midnight + round(hour * _HOUR) for hour in (_FROM_H, _TO_H))
    morning, evening = (leave_at(plan.agents, at)[0] for at in (first, last))
    return frozenset(morning.keys() & evening.keys())


def staffed_on(plan: Plan, away: frozenset[AgentId]) -> Plan:
    """The plan of a day on which some are away: their substitutes answer in their groups too."""
    if not away:
        return plan
    agents = {}
    for agent in plan.agents.values():
        groups = list(agent.groups)
        if agent.id not in away:
            for absent in away & plan.agents.keys():
                if agent.id in plan.agents[absent].substitutes:
                    groups += [group for group in plan.agents[absent].groups if group not in groups]
        agents[agent.id] = replace(agent, groups=tuple(groups))
    groups_of = {
        group.id: replace(group, agents=tuple(who for who, agent in agents.items() if group.id in agent.groups))
        for group in plan.groups.values()
    }
    return replace(plan, agents=agents, groups=groups_of)


def habits_of(manners: Manners) -> Habits:
    """How agents work, by the month where it shows that, else as is assumed."""
    usual = Habits()
    answer, wrap = usual.answer, usual.wrap
    if manners.answers >= _ENOUGH and manners.answer_mean > 0:
        answer = Spread(manners.answer_mean / 1000, max(0.05, manners.answer_deviation / manners.answer_mean))
    if manners.wraps >= _ENOUGH and manners.wrap_mean > 0:
        wrap = Spread(manners.wrap_mean / 1000, max(0.05, manners.wrap_deviation / manners.wrap_mean))
    seen = manners.rings >= _ENOUGH
    return replace(
        usual,
        answer=answer,
        wrap=wrap,
        misses=manners.missed / manners.rings if seen else usual.misses,
        phone_engaged=manners.engaged / manners.rings if seen else usual.phone_engaged,
    )
