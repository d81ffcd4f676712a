"""What must hold of a switchboard, checked by books of its own: from what was said and done, never from Redis.

The books hear of every offer, withdrawal, answer, bridge and end at its instant, and know the plan. They hold
the invariants 1, 2, 4, 8 and 9 of the design against that, and say which one was broken, when and by whom.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections import Counter
from typing import TYPE_CHECKING, Final

from ivr.core.plan import EVERYONE, AgentId
from ivr.sim.entries import AgentEntry, CallerEntry, LineEntry, Violation, remove

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivr.core.plan import Plan, TopicId
    from ivr.queueing.model import Dump, Routing

APART_MS: Final = 1_000
"""A caller and an agent who could meet are left apart for no longer (invariant 4)."""
KEPT: Final = 50
_OUTCOMES: Final = frozenset({"answered", "informed", "left", "promised"})
_TWICE: Final = 2


class Books:
    """The books of one site and one routing. A caller's `reason` is the rule that lets them before others."""

    def __init__(self, plan: Plan, routing: Routing) -> None:
        self._rules = routing
        self._first: dict[TopicId, LineEntry] = {}
        reach: dict[AgentId, list[LineEntry]] = {agent: [] for agent in plan.agents}
        for topic, known in routing.topics.items():
            groups: set[str] = set()
            line: LineEntry | None = None
            for number, step in enumerate(known.steps):
                groups |= set(step.groups)
                following = LineEntry(topic, number)
                if line is None:
                    self._first[topic] = following
                else:
                    line.next, line.next_ms = following, step.after_ms
                line = following
                for agent in plan.agents.values():
                    if groups & {*agent.groups, EVERYONE}:
                        reach[agent.id].append(line)
        self._agents = {agent: AgentEntry(tuple(lines)) for agent, lines in reach.items()}
        self._callers: dict[str, CallerEntry] = {}
        self._offers: dict[str, tuple[str, AgentId]] = {}
        self._ahead: list[tuple[int, str, str]] = []
        self.now = 0
        self.begun = 0
        self.outcomes: Counter[str] = Counter()
        self.overtakings: Counter[str] = Counter()
        self.found = 0
        self.violations: list[Violation] = []

    # -- time and faults ---------------------------------------------------

    def at(self, now: int) -> None:
        """It is that late: whose rest is over is free since then, whose wait has widened may have others since then."""
        while self._ahead and self._ahead[0][0] <= now:
            self.now, kind, who = heapq.heappop(self._ahead)
            if kind == "call":
                self._widen(self._callers[who])
            else:
                self._rested(self._agents[AgentId(who)])
        self.now = now

    def _rested(self, a: AgentEntry) -> None:
        if a.paused and a.rests and a.rests <= self.now:
            a.paused, a.rests = False, 0
        self._settle(a)

    def _broken(self, invariant: int, what: str) -> None:
        self.found += 1
        if len(self.violations) < KEPT:
            self.violations.append(Violation(invariant, self.now, what))

    def _settle(self, a: AgentEntry) -> None:
        """What follows from an agent's facts: whether they are free, and count as staff."""
        free = a.here and not a.paused and not a.token and a.held <= self.now
        staff = a.here and (not a.paused or a.short)
        if free != a.free:
            a.free = free
            for line in a.lines:
                line.free += 1 if free else -1
                self._look(line)
        if staff != a.staff:
            a.staff = staff
            for line in a.lines:
                line.crew += 1 if staff else -1
            for line in () if staff else a.lines:
                if not line.crew:
                    for _, call in tuple(line.waiting):
                        self._widen(self._callers[call])

    def _look(self, line: LineEntry) -> None:
        """Note since when a caller and a free agent are apart, and what became of it."""
        if line.waiting and line.free:
            if line.apart is None:
                line.apart = self.now
        elif line.apart is not None:
            self._apart(line)
            line.apart = None

    def _apart(self, line: LineEntry) -> None:
        if line.apart is not None and self.now - line.apart > APART_MS:
            self._broken(4, f"{line.name}: a caller and a free agent were left apart for {self.now - line.apart} ms")

    # -- agents ------------------------------------------------------------

    def here(self, agent: AgentId, *, here: bool) -> None:
        """The agent's phone came or went; who comes back starts afresh."""
        a = self._agents[agent]
        if here and not a.here:
            a.misses = 0
            if a.rests:
                a.paused, a.rests = False, 0
        a.here = here
        self._settle(a)

    def paused(self, agent: AgentId, *, short: bool = False) -> None:
        """The agent takes no calls; for a `short` while they still count as staff."""
        a = self._agents[agent]
        a.paused, a.short, a.rests, a.misses = True, short, 0, 0
        self._settle(a)

    def ready(self, agent: AgentId) -> None:
        """The agent takes calls: no pause, no wrap and no cool-down any more. Who had none said nothing new."""
        a = self._agents[agent]
        if not a.paused and a.held <= self.now:
            return
        a.paused, a.held, a.rests, a.misses = False, 0, 0, 0
        self._settle(a)

    def coded(self, agent: AgentId) -> None:
        """The agent said how the talk went: the wrap is over."""
        a = self._agents[agent]
        a.held = 0
        self._settle(a)

    def _hold(self, agent: AgentId, ms: int) -> None:
        self._agents[agent].held = self.now + ms if ms else 0
        if ms:
            heapq.heappush(self._ahead, (self.now + ms, "agent", agent))

    def _missed(self, agent: AgentId) -> None:
        """Once: a rest. Twice in a row: a pause."""
        a = self._agents[agent]
        a.misses += 1
        if a.misses < _TWICE or a.paused:
            self._hold(agent, self._rules.cooldown_ms)
        else:
            a.misses = a.held = 0
            a.paused, a.short, a.rests = True, False, self.now + self._rules.missed_pause_ms
            heapq.heappush(self._ahead, (a.rests, "agent", agent))

    # -- offers and talks, as the queue tells ------------------------------

    def begins(self, call: str, arrival: int) -> None:
        """A call is there."""
        self.begun += 1
        self._callers[call] = CallerEntry(call, arrival)

    def joins(self, call: str, topic: TopicId, since: int = 0, reason: str = "") -> None:
        """A caller takes a place in a topic's line, or keeps the one that they have."""
        caller = self._callers[call]
        caller.heard = False  # who asks for people has not heard what they came for
        if caller.line is None or caller.line.topic != topic or caller.reason != reason:
            self._steps_aside(caller)
            caller.line, caller.reason, caller.since = self._first[topic], reason, since or self.now
            caller.place = (caller.arrival - (self._rules.boost_ms if reason else 0), call)
            self._stands(caller)

    def leaves(self, call: str) -> None:
        """A caller stands in no line any more."""
        caller = self._callers[call]
        self._steps_aside(caller)
        caller.line = None

    def offered(self, token: str, call: str, agent: AgentId) -> None:
        """An agent was reserved for a caller."""
        a, caller = self._agents[agent], self._callers.get(call)
        if a.token:
            self._broken(1, f"{agent} was offered {call} while at {a.token}")
        if not a.here or a.paused:
            self._broken(1, f"{agent} was offered {call} while away or paused")
        if caller is not None and any(caller.tokens.values()):
            self._broken(2, f"{call} was offered to {agent} while talking")
        if caller is None or caller.line is None:
            self._broken(9, f"{call} was offered to {agent}, and waits nowhere")
            return
        self._overtakes(call, caller, a)
        if caller.stands:
            caller.ringing = caller.line
            insort(caller.line.ringing, caller.place)
        self._steps_aside(caller)
        caller.tokens[token] = False
        self._offers[token] = (call, agent)
        a.token = token
        self._settle(a)

    def _overtakes(self, call: str, caller: CallerEntry, a: AgentEntry) -> None:
        """Nobody who comes before could have had this agent (invariant 9).

        Before all come those whom nobody rings; among them, who arrived first, a right of way being worth so much.
        """
        for line in a.lines:
            if line.waiting and line.waiting[0][1] != call:
                first = line.waiting[0]
                if caller.tokens:
                    self._unexplained(f"a second phone rings for {call} before one for {first[1]}")
                    return
                if first[0] < caller.place[0]:
                    self._unexplained(f"{call} was offered before {first[1]}, who waits longer")
                    return
        if caller.reason and any(
            self._callers[other].arrival < caller.arrival for line in a.lines for _, other in line.waiting
        ):
            self.overtakings[caller.reason] += 1

    def _unexplained(self, what: str) -> None:
        self.overtakings["unexplained"] += 1
        self._broken(9, what)

    def ends_offer(self, token: str, reason: str) -> None:
        """An offer ended unanswered: the caller is in line again, the agent rests if it was theirs to miss."""
        if token not in self._offers:
            return
        call, agent = self._offers.pop(token)
        a, caller = self._agents[agent], self._callers[call]
        a.token = ""
        match reason:
            case "miss" | "expired":
                self._missed(agent)
            case "busy" | "failed":
                self._hold(agent, self._rules.cooldown_ms)
            case "gone":
                a.here = False
            case "paused":
                a.paused = True
            case _:
                pass
        self._settle(a)
        caller.tokens.pop(token, None)
        if not caller.tokens:
            self._rings_nowhere(caller)
            self._stands(caller)

    def accepted(self, token: str) -> None:
        """The agent has the caller; whom they overtook stands here with the reason."""
        call, agent = self._offers[token]
        caller, a = self._callers[call], self._agents[agent]
        for name in ("ringing", "waiting"):
            if any(bisect_left(getattr(line, name), caller.place) for line in a.lines):
                self.overtakings["ringing elsewhere" if name == "ringing" else "in line since"] += 1
        self._rings_nowhere(caller)
        caller.tokens[token] = True
        a.misses = 0

    def talk_over(self, call: str) -> None:
        """The queue was told that a talk, if there was one, is over: its agent wraps up."""
        caller = self._callers[call]
        for token, talks in tuple(caller.tokens.items()):
            if talks:
                del caller.tokens[token]
                _, agent = self._offers.pop(token)
                self._agents[agent].token = ""
                self._hold(agent, self._rules.wrap_ms)
                self._settle(self._agents[agent])
        if not caller.tokens:
            self.leaves(call)

    # -- phones, as they ring and speak ------------------------------------

    def rings(self, agent: AgentId, token: str) -> None:
        """The agent's phone rings for an offer."""
        a = self._agents[agent]
        if a.phone:
            self._broken(1, f"{agent}'s phone rings for {token} while at {a.phone}")
        a.phone = token

    def silent(self, agent: AgentId, token: str) -> None:
        """The agent's phone is at rest again."""
        a = self._agents[agent]
        if a.phone == token:
            a.phone = ""

    def bridged(self, call: str, agent: AgentId, token: str) -> None:
        """Caller and agent hear each other."""
        caller, a = self._callers[call], self._agents[agent]
        if caller.bridge:
            self._broken(2, f"{call} was bridged to {agent} while to {caller.bridge}")
        if a.phone != token or a.token != token:
            self._broken(1, f"{agent} was bridged to {call} while at {a.token or 'nothing'}")
        caller.bridge, caller.talked = token, True

    def parted(self, call: str, token: str) -> None:
        """They do not any more."""
        caller = self._callers[call]
        if caller.bridge == token:
            caller.bridge = ""

    # -- ends --------------------------------------------------------------

    def heard(self, call: str) -> None:
        """The caller heard an information to its end."""
        self._callers[call].heard = True

    def promised(self, call: str) -> None:
        """The ledger holds a promise to the caller."""
        self._callers[call].promised = True

    def ends(self, call: str, outcome: str) -> None:
        """A call is over, as what the core says; the books judge it by what happened (invariant 8)."""
        caller = self._callers[call]
        just = (
            "promised" if caller.promised
            else "answered" if caller.talked
            else "informed" if caller.heard
            else "left"
        )  # fmt: skip
        if caller.outcome:
            self._broken(8, f"{call} ended twice: {caller.outcome}, then {outcome}")
        elif outcome not in _OUTCOMES or outcome != just:
            self._broken(8, f"{call} ended as {outcome} and was {just}")
        if caller.bridge:
            self._broken(2, f"{call} ended while bridged")
        caller.outcome = outcome
        self.outcomes[outcome] += 1

    def forgets(self, call: str) -> None:
        """The queue was told of a call's end: it holds nothing any more."""
        self.leaves(call)
        for token, talks in tuple(self._callers[call].tokens.items()):
            if not talks:
                self.ends_offer(token, "ended")
        self.talk_over(call)

    def close(self, now: int) -> None:
        """The last caller has gone: nobody is left without an end, and the sums agree."""
        self.at(now)
        for line in self._lines():
            self._apart(line)
        for call, caller in self._callers.items():
            if not caller.outcome:
                self._broken(8, f"{call} never ended")
        if sum(self.outcomes.values()) != self.begun:
            self._broken(8, f"{self.begun} calls began and {sum(self.outcomes.values())} ended")

    def compare(self, dump: Dump) -> None:
        """The queue's own account is that of the books: who waits for what, what rings, who talks, who is free."""
        talks = {token for token, (call, _) in self._offers.items() if self._callers[call].tokens.get(token)}
        waiting = {(line.topic, call) for line in self._lines() for _, call in line.waiting}
        pairs: Iterable[tuple[str, object, object]] = (
            ("waiting", waiting, {(c.topic, call) for call, c in dump.calls.items() if c.state == "waiting"}),
            ("offers", self._offers.keys() - talks, set(dump.offers)),
            ("talks", talks, set(dump.talks)),
            ("free", {who for who, a in self._agents.items() if a.free},
             {a.id for a in dump.agents.values() if a.state == "idle"}),
        )  # fmt: skip
        for what, ours, theirs in pairs:
            if ours != theirs:
                self._broken(0, f"{what}: the books have {ours}, the queue {theirs}")

    # -- lines -------------------------------------------------------------

    def _lines(self) -> Iterable[LineEntry]:
        for first in self._first.values():
            line: LineEntry | None = first
            while line is not None:
                yield line
                line = line.next

    def _stands(self, caller: CallerEntry) -> None:
        """In line, if they wait for anything and nobody rings or talks."""
        if caller.line is not None and not caller.tokens:
            caller.stands = True
            insort(caller.line.waiting, caller.place)
            self._look(caller.line)
            self._widen(caller)

    def _widen(self, caller: CallerEntry) -> None:
        """Every step whose time has come, and every one before which nobody is there."""
        while caller.stands and caller.line is not None and caller.line.next is not None:
            at = caller.since + caller.line.next_ms
            if self.now < at and caller.line.crew:
                heapq.heappush(self._ahead, (at, "call", caller.place[1]))
                return
            following = caller.line.next
            self._steps_aside(caller)
            caller.line, caller.stands = following, True
            insort(following.waiting, caller.place)
            self._look(following)

    def _steps_aside(self, caller: CallerEntry) -> None:
        if caller.stands and caller.line is not None:
            caller.stands = False
            remove(caller.line.waiting, caller.place)
            self._look(caller.line)

    def _rings_nowhere(self, caller: CallerEntry) -> None:
        if caller.ringing is not None:
            remove(caller.ringing.ringing, caller.place)
            caller.ringing = None
