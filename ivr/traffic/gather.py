"""A month put together from the lines of a site's event stream, in their order. Pure.

The same for the ledger's lines and for those that a simulation's queue wrote. What cannot be used is counted by its
reason, never dropped in silence. Refs are looked at here, to find who called again, and go no further.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from ivr.core.menu import GoInformation, GoTopic, GoTyping, NotAnOption, meaning
from ivr.core.plan import HUMAN, MenuId, PromptId, ToTopic
from ivr.ledger.derive import KEY, number, read_object, steps
from ivr.traffic.month import FORMAT, VERSION, ZONE, Manners, Month, Presence, Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ivr.core.plan import Plan
    from ivr.queueing.stream import Line
    from ivr.traffic.month import Period, WaitEnd, Wish

TYPES: Final = (
    *("founded", "arrived", "trail", "joined", "offered", "withdrawn", "accepted", "restored", "released"),
    *("left", "ended", "agent", "outcome"),
)
"""The lines that say something here."""
MISROUTED: Final = "mauvaise-orientation"
"""The outcome code by which an agent says that a caller was led to the wrong people."""
AGAIN_MS: Final = 15 * 60_000
"""Who calls again within this time, for something else, was led to the wrong people."""
ELSEWHEN: Final = "calls of another month"
ENDLESS: Final = "calls without an end"
OTHER_MENU: Final = "calls with keys of a menu that the plan has no more"
HANG_UPS: Final = frozenset({"left", "informed"})
"""How callers leave a line by hanging up; the second had heard an information before."""
_TWO: Final = 2
_ENGAGED: Final = frozenset({"busy", "failed"})
_NO_PAUSE: Final = frozenset(
    {"", "present", "gone", "free", "resumed", "rested", "overdue", "miss", "expired", "failed", "extended", "busy"}
)
_FREE: Final = frozenset({"idle", "wrap", "cooldown"})


@dataclass(slots=True)
class _Call:
    at: int
    ref: str = ""
    joined_at: int | None = None
    first: str = ""
    relay: bool = False
    hidden: bool = False
    waited: int | None = None
    end: WaitEnd = ""
    offered_at: int = 0
    rang: int | None = None
    talk: int | None = None
    agent: str = ""
    code: str = ""
    outcome: str = ""
    plan: str = ""
    ended_at: int = 0
    over: bool = False
    again: bool = False
    pressed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Agent:
    here: int | None = None
    paused: int | None = None
    spans: list[tuple[int, int]] = field(default_factory=list)
    pauses: list[tuple[int, int]] = field(default_factory=list)
    wraps_since: int | None = None


class Gatherer:
    """Takes lines in order, then gives the month.

    `plan` tells what keys mean; `is_open` whether the site answered at an instant.
    """

    def __init__(self, plan: Plan, is_open: Callable[[int], bool] = lambda _at: True) -> None:
        self._plan = plan
        self._is_open = is_open
        self._calls: dict[str, _Call] = {}
        self._agents: dict[str, _Agent] = {}
        self._seen = Counter[str]()
        self._answers: list[int] = []
        self._wraps: list[int] = []

    def take_all(self, lines: Iterable[Line]) -> None:
        """Take lines, in their order."""
        for line in lines:
            self.take(line)

    def take(self, line: Line) -> None:
        """Take the next line."""
        if line.type == "founded":
            for agent in self._agents.values():
                _away(agent, line.at)
            return
        name, call = line.fields.get("agent", ""), line.fields.get("call", "")
        if name:
            self._of_agent(self._agents.setdefault(name, _Agent()), line)
        if call and line.type in TYPES:
            self._of_call(self._calls.setdefault(call, _Call(line.at)), line)

    # -- agents ------------------------------------------------------------

    def _of_agent(self, agent: _Agent, line: Line) -> None:
        match line.type:
            case "offered":
                self._seen["rings"] += 1
                if agent.wraps_since is not None and self._plan.wrap_ms:  # nobody said how it went: the time was up
                    self._wrapped(agent, min(line.at, agent.wraps_since + self._plan.wrap_ms))
                _here(agent, line.at)
                _back(agent, line.at)
            case "accepted" | "restored":
                _here(agent, line.at)
            case "withdrawn":
                reason = line.fields.get("reason", "")
                self._seen["missed"] += reason in {"miss", "expired"}
                self._seen["engaged"] += reason in _ENGAGED
            case "released":
                agent.wraps_since = line.at
            case "outcome":
                self._wrapped(agent, line.at)
            case "agent":
                self._stated(agent, line)
            case _:
                pass

    def _stated(self, agent: _Agent, line: Line) -> None:
        state, reason = line.fields.get("state", ""), line.fields.get("reason", "")
        if reason == "resumed":
            self._wrapped(agent, line.at)
        if state in {"away", "paused"}:
            agent.wraps_since = None
        if state == "away":
            _away(agent, line.at)
            return
        _here(agent, line.at)
        # Who takes a pause while they talk is on it once they are free; who telephones elsewhere is on one too.
        if state in {"paused", "busy"} or (state == "talking" and reason not in _NO_PAUSE):
            agent.paused = line.at if agent.paused is None else agent.paused
        elif state in _FREE or reason == "resumed":
            _back(agent, line.at)

    def _wrapped(self, agent: _Agent, at: int) -> None:
        if agent.wraps_since is not None:
            self._wraps.append(at - agent.wraps_since)
            agent.wraps_since = None

    # -- calls -------------------------------------------------------------

    def _of_call(self, call: _Call, line: Line) -> None:
        words = line.fields
        match line.type:
            case "arrived":
                call.at = number(words.get("arrival"), call.at)
            case "trail":
                for _, kind, detail in steps(words.get("trail", "")):
                    key, _, menu = detail.partition(" ")
                    if kind == KEY and menu:
                        call.pressed.append((key, menu))
            case "joined":
                if call.joined_at is None:
                    call.joined_at, call.first = line.at, words.get("topic", "")
                    call.relay, call.hidden = words.get("reason") == "relay", "caller" not in words
                call.ref = words.get("caller", "") or call.ref
            case "offered":
                call.offered_at = line.at
            case "accepted" | "restored" if not call.end:
                self._waited(call, line.at, "answered")
                call.agent = words.get("agent", "")
                if line.type == "accepted" and call.offered_at:
                    call.rang = line.at - call.offered_at
                    self._answers.append(call.rang)
            case "released":
                call.talk = (call.talk or 0) + number(words.get("talk"), 0)
            case "left" if not call.end:
                self._waited(call, line.at, "left" if words.get("reason") in HANG_UPS else "told")
            case "ended":
                self._ended(call, line)
            case "outcome":
                call.code = words.get("code", "")
            case _:
                pass

    def _waited(self, call: _Call, at: int, end: WaitEnd) -> None:
        if call.joined_at is not None:
            call.waited, call.end = at - call.joined_at, end

    def _ended(self, call: _Call, line: Line) -> None:
        facts = read_object(line.fields.get("facts", ""))
        call.at = number(line.fields.get("arrival"), call.at)
        call.outcome, call.ended_at, call.over = line.fields.get("outcome", ""), line.at, True
        call.ref, call.plan = str(facts.get("caller") or call.ref), str(facts.get("plan") or call.plan)
        if not call.end:
            self._waited(call, line.at, "left" if call.outcome in HANG_UPS else "told")

    # -- the month ---------------------------------------------------------

    def month(self, period: Period, site: str) -> Month:
        """Return the month of what was taken. Who is still there at the end was there until then."""
        found = sorted(self._calls.items(), key=lambda item: (item[1].at, item[0]))
        self._look_for_callers_again([call for _, call in found])
        notes = Counter[str]()
        calls: list[Recorded] = []
        for _, call in found:
            if not period.start <= call.at < period.end:
                notes[ELSEWHEN] += 1
            elif not call.over:
                notes[ENDLESS] += 1
            else:
                calls.append(self._recorded(len(calls) + 1, call, notes))
        return Month(
            format=FORMAT,
            version=VERSION,
            site=site,
            name=period.name,
            zone=str(ZONE),
            start=period.start,
            end=period.end,
            calls=tuple(calls),
            agents={name: _presence(agent, period) for name, agent in sorted(self._agents.items())},
            manners=self._manners(),
            notes=dict(notes),
        )

    def _look_for_callers_again(self, calls: list[_Call]) -> None:
        before: dict[str, _Call] = {}
        for call in calls:
            if not call.ref or not call.first or call.hidden:
                continue
            known = before.get(call.ref)
            if known and known.first != call.first and known.over and 0 <= call.at - known.ended_at < AGAIN_MS:
                known.again = True
            before[call.ref] = call

    def _recorded(self, n: int, call: _Call, notes: Counter[str]) -> Recorded:
        wish, topic, heard, keys = self._wish(call, notes)
        return Recorded(
            n=n,
            at=call.at,
            wish=wish,
            outcome=call.outcome,
            topic=topic,
            heard=heard,
            keys=keys,
            end=call.end,
            waited=call.waited,
            rang=call.rang,
            talk=call.talk,
            agent=call.agent,
            code=call.code,
            misrouted=call.code == MISROUTED or call.again,
            hidden=call.hidden,
            relay=call.relay,
            plan=call.plan,
        )

    def _wish(self, call: _Call, notes: Counter[str]) -> tuple[Wish, str, str, str]:
        """What they came for, the topic, the information, and the keys: digits of a number that was typed stay out."""
        plan, keys, heard = self._plan, "", PromptId("")
        for key, name in call.pressed:
            menu = plan.menus.get(MenuId(name))
            if menu is None:
                notes[OTHER_MENU] += 1
                break
            match meaning(plan, menu, key):
                case GoTopic(topic):
                    option = menu.options.get(key)
                    meant = option.topic if isinstance(option, ToTopic) else topic
                    return "person" if key == HUMAN else "topic", meant, "", keys + key
                case GoTyping(what):
                    return "topic", what.topic, "", keys + key
                case GoInformation(prompt):
                    heard, keys = prompt, keys + key
                case NotAnOption():
                    pass
                case _:
                    keys += key
        if call.first:  # reached people without a key that says so
            silent = call.first == plan.general
            return "silence" if silent else "topic", call.first, "", keys
        if heard:
            return "information", "", heard, keys
        if call.outcome == "promised" and self._is_open(call.at):
            return "silence", "", "", keys  # no line was free
        return "gone" if self._is_open(call.at) else "closed", "", "", keys

    def _manners(self) -> Manners:
        answer, wrap = self._answers, self._wraps
        return Manners(
            rings=self._seen["rings"],
            missed=self._seen["missed"],
            engaged=self._seen["engaged"],
            answers=len(answer),
            answer_mean=round(statistics.fmean(answer), 1) if answer else 0.0,
            answer_deviation=round(statistics.stdev(answer), 1) if len(answer) >= _TWO else 0.0,
            wraps=len(wrap),
            wrap_mean=round(statistics.fmean(wrap), 1) if wrap else 0.0,
            wrap_deviation=round(statistics.stdev(wrap), 1) if len(wrap) >= _TWO else 0.0,
        )


def _here(agent: _Agent, at: int) -> None:
    agent.here = at if agent.here is None else agent.here


def _back(agent: _Agent, at: int) -> None:
    if agent.paused is not None:
        if at > agent.paused:
            agent.pauses.append((agent.paused, at))
        agent.paused = None


def _away(agent: _Agent, at: int) -> None:
    _back(agent, at)
    if agent.here is not None:
        if at > agent.here:
            agent.spans.append((agent.here, at))
        agent.here = None


def _presence(agent: _Agent, period: Period) -> Presence:
    here = [*agent.spans, *([] if agent.here is None else [(agent.here, period.end)])]
    paused = [*agent.pauses, *([] if agent.paused is None else [(agent.paused, period.end)])]
    return Presence(_within(here, period), _within(paused, period))


def _within(spans: list[tuple[int, int]], period: Period) -> tuple[tuple[int, int], ...]:
    cut = ((max(begin, period.start), min(end, period.end)) for begin, end in spans)
    return tuple((begin, end) for begin, end in cut if end > begin)


def joined(months: Iterable[Month], period: Period) -> Month:
    """Return days that were gathered apart as one month."""
    parts = sorted(months, key=lambda month: month.start)
    calls = sorted((call for part in parts for call in part.calls), key=lambda call: call.at)
    agents: dict[str, tuple[list[tuple[int, int]], list[tuple[int, int]]]] = {}
    for part in parts:
        for name, presence in part.agents.items():
            here, paused = agents.setdefault(name, ([], []))
            here += presence.here
            paused += presence.paused
    notes = sum((Counter(part.notes) for part in parts), Counter[str]())
    return Month(
        format=FORMAT,
        version=VERSION,
        site=parts[0].site if parts else "",
        name=period.name,
        zone=str(ZONE),
        start=period.start,
        end=period.end,
        calls=tuple(msgspec.structs.replace(call, n=n) for n, call in enumerate(calls, 1)),
        agents={name: Presence(tuple(here), tuple(paused)) for name, (here, paused) in sorted(agents.items())},
        manners=_together([part.manners for part in parts]),
        notes=dict(notes),
    )


def _together(parts: list[Manners]) -> Manners:
    answers, wraps = sum(part.answers for part in parts), sum(part.wraps for part in parts)
    answer = _moments([(part.answers, part.answer_mean, part.answer_deviation) for part in parts])
    wrap = _moments([(part.wraps, part.wrap_mean, part.wrap_deviation) for part in parts])
    return Manners(
        rings=sum(part.rings for part in parts),
        missed=sum(part.missed for part in parts),
        engaged=sum(part.engaged for part in parts),
        answers=answers,
        answer_mean=answer[0],
        answer_deviation=answer[1],
        wraps=wraps,
        wrap_mean=wrap[0],
        wrap_deviation=wrap[1],
    )


def _moments(parts: list[tuple[int, float, float]]) -> tuple[float, float]:
    """Mean and deviation of samples of which each is known by its count, mean and deviation."""
    count = sum(n for n, _, _ in parts)
    if not count:
        return 0.0, 0.0
    mean = sum(n * each for n, each, _ in parts) / count
    squares = sum(n * (deviation**2 + (each - mean) ** 2) for n, each, deviation in parts)
    return round(mean, 1), round(float((squares / count) ** 0.5), 1)
