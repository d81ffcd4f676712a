"""What the reference of the queue knows: who is there, who meets whom, what is remembered. Full scans, no sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DAY = 86_400_000
WEEK = 7 * DAY
NODE_GONE = 30_000


@dataclass
class Call:
    id: str
    node: str
    arrival: int
    state: str = "held"
    topic: str | None = None
    asked: str | None = None
    reason: str | None = None
    since: int | None = None
    step: int = 0
    caller: str | None = None
    told: bool = False
    guard_at: int | None = None
    ringing: list[str] = field(default_factory=list)
    token: str | None = None
    agent: str | None = None
    rev: int = 0
    snapshot: str = ""

    @property
    def playing(self) -> bool:
        return self.state in ("waiting", "offered")


@dataclass
class Agent:
    id: str
    groups: tuple[str, ...] = ()
    node: str = ""
    present: bool = False
    misses: int = 0
    pause: str | None = None
    back: int | None = None
    short: bool = False
    hold: str | None = None
    free_at: int | None = None
    busy: bool = False
    token: str | None = None
    call: str | None = None
    answered: bool = False
    idle: int | None = None
    done: tuple[str, str, str | None] | None = None
    code: str | None = None
    to: str | None = None
    uncoded: bool = False
    extended: int = 0
    nonce: str | None = None
    leave: bool = False
    more: tuple[str, ...] = ()

    @property
    def able(self) -> set[str]:
        return {*self.groups, *self.more, "*"}

    @property
    def state(self) -> str:
        if self.token:
            return "talking" if self.answered else "offered"
        if not self.present or self.leave:
            return "away"
        if self.pause is not None:
            return "paused"
        return self.hold or ("busy" if self.busy else "idle")

    @property
    def staff(self) -> bool:
        return self.present and not self.leave and (self.pause is None or self.short)

    @property
    def due(self) -> int | None:
        rested = self.free_at if self.hold else None
        back = self.back if self.pause == "missed" or (self.pause is not None and self.short) else None
        return min((at for at in (rested, back) if at is not None), default=None)


@dataclass
class Offer:
    token: str
    call: str
    agent: str
    deadline: int
    accepted: bool = False
    made_for: int = 0


@dataclass
class Known:
    fails: list[int] = field(default_factory=list)
    owner: str | None = None
    owned: int = 0
    due: int | None = None


@dataclass
class Lease:
    worker: str = ""
    until: int = 0
    gone_at: int = 0
    watched: bool = False


@dataclass
class State:
    epoch: str
    clock: int = 0
    seq: int = 0
    calls: dict[str, Call] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    known: dict[tuple[str, str], Known] = field(default_factory=dict)
    topics: dict[str, dict[str, Any]] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    ranks: dict[str, dict[str, int]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    coded: bool = False
    leave: dict[str, bool] = field(default_factory=dict)
    stands_in: dict[str, str] = field(default_factory=dict)
    made: list[Offer] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    preferred: dict[str, str] = field(default_factory=dict)

    def roster(self) -> None:
        for agent in self.agents.values():
            agent.leave = agent.id in self.leave
            agent.more = tuple(group for group in self.stands_in.get(agent.id, "").split("|") if group)

    def settle(self) -> None:
        self.roster()
        for agent in self.agents.values():
            if agent.state == "idle":
                agent.idle = agent.idle if agent.idle is not None else self.clock
            elif agent.state != "offered":
                agent.idle = None

    # -- who is there

    def lines(self) -> list[tuple[str, int]]:
        return [(topic, step) for topic, known in self.topics.items() for step in range(len(known["steps"]))]

    def serves(self, agent: Agent, topic: str, step: int) -> bool:
        return bool(agent.able & set(self.topics[topic]["steps"][step]["groups"]))

    def crew(self, topic: str, step: int) -> int:
        return sum(agent.staff and self.serves(agent, topic, step) for agent in self.agents.values())

    def staffed(self, topic: str) -> bool:
        return self.crew(topic, len(self.topics[topic]["steps"]) - 1) > 0

    def widen(self, call: Call) -> None:
        assert call.topic is not None
        assert call.since is not None
        steps = self.topics[call.topic]["steps"]
        while call.step + 1 < len(steps) and (
            self.clock - call.since >= steps[call.step + 1]["after"] or not self.crew(call.topic, call.step)
        ):
            call.step += 1

    def widen_at(self, call: Call) -> int | None:
        steps = self.topics[call.topic or ""]["steps"]
        return (call.since or 0) + steps[call.step + 1]["after"] if call.step + 1 < len(steps) else None

    def enter(self, call: Call, step: int) -> None:
        call.state, call.step = "offered" if call.ringing else "waiting", step
        self.widen(call)
        self.guard(call)

    def next_guard(self) -> int:
        every = int(self.times["guard_ms"])
        return self.clock - self.clock % every + every

    def guard(self, call: Call) -> None:
        topic = self.topics[call.topic or ""]
        if not call.told and ("wait" in topic or "ratio" in topic):
            call.guard_at = call.guard_at or self.next_guard()
        else:
            call.guard_at = None

    def hold(self, call: Call, state: str) -> None:
        call.state, call.told, call.guard_at = state, False, None
        if not any(other.topic == call.topic and self.room(other) for other in self.calls.values()):
            self.empty.pop(call.topic or "", None)

    def follow(self, before: dict[tuple[str, int], int]) -> None:
        for (topic, step), crew in before.items():
            if bool(crew) == bool(self.crew(topic, step)):
                continue
            if step + 1 == len(self.topics[topic]["steps"]):
                self.watch(topic)
            for call in self.calls.values() if crew else ():
                if (call.topic, call.step) == (topic, step) and self.room(call):
                    self.widen(call)

    def watch(self, topic: str) -> None:
        self.empty.pop(topic, None)
        if not self.staffed(topic) and any(call.topic == topic and self.room(call) for call in self.calls.values()):
            self.empty[topic] = self.clock + self.times["empty_grace_ms"]

    # -- who meets whom

    def order(self, call: Call) -> tuple[bool, int, str]:
        return bool(call.ringing), call.arrival - (self.times["boost_ms"] if call.reason else 0), call.id

    def room(self, call: Call) -> bool:
        return call.playing and len(call.ringing) < self.topics[call.topic or ""]["at_once"]

    def can(self, agent: Agent, call: Call) -> bool:
        return self.serves(agent, call.topic or "", call.step)

    def wanted(self, call: Call) -> Agent | None:
        idle = [agent for agent in self.agents.values() if agent.state == "idle"]
        owner = self.preferred.get(call.id)
        for agent in idle:
            if agent.id == owner:
                return agent
        topic = self.topics[call.topic or ""]
        able = [agent for agent in idle if self.can(agent, call)]
        if topic["ordered"]:
            for group in topic["steps"][call.step]["groups"]:
                ranks = self.ranks.get(group, {})
                ranked = [agent for agent in able if group in agent.able and agent.id in ranks]
                if ranked:
                    return min(ranked, key=lambda agent: ranks[agent.id])
        return min(able, key=lambda agent: (agent.idle or 0, agent.id), default=None)

    def dispatch(self) -> None:
        while True:
            for call in sorted(filter(self.room, self.calls.values()), key=self.order):
                agent = self.wanted(call)
                if agent is not None:
                    self.offer(call, agent)
                    break
            else:
                return

    def offer(self, call: Call, agent: Agent) -> None:
        self.seq = max(self.seq + 1, self.clock)
        token = f"{self.epoch}:{self.seq}"
        deadline = self.clock + self.times["ring_ms"] + self.times["grace_ms"]
        self.offers[token] = Offer(token, call.id, agent.id, deadline, made_for=len(call.ringing))
        self.made.append(self.offers[token])
        call.state = "offered"
        call.ringing.append(token)
        agent.token, agent.call = token, call.id

    def close(self, token: str) -> tuple[Call, Agent]:
        offer = self.offers.pop(token)
        call, agent = self.calls[offer.call], self.agents[offer.agent]
        if offer.accepted:
            call.token = call.agent = None
        else:
            self.withdrawn.append(token)
            call.ringing.remove(token)
        agent.token = agent.call = None
        agent.answered = False
        return call, agent

    def rest(self, agent: Agent, kind: str, ms: int) -> None:
        agent.hold, agent.free_at = (kind, self.clock + ms) if ms else (None, None)

    def lose(self, token: str, reason: str) -> Call:
        call, agent = self.close(token)
        if reason == "gone":
            agent.present = False
        elif reason in ("miss", "expired"):
            agent.misses += 1
            if agent.misses < 2 or agent.pause is not None:
                self.rest(agent, "cooldown", self.times["cooldown_ms"])
            else:
                agent.misses, agent.hold, agent.free_at = 0, None, None
                agent.pause, agent.back, agent.short = "missed", self.clock + self.times["missed_pause_ms"], False
        else:
            self.rest(agent, "cooldown", self.times["cooldown_ms"])
        agent.idle = None
        self.enter(call, call.step)
        return call

    # -- what is remembered

    def keep(self, key: tuple[str, str]) -> None:
        known = self.known[key]
        known.fails = [at for at in known.fails if at + DAY > self.clock]
        last = known.fails[-1] + DAY if known.fails else None
        known.fails = known.fails[-2:]
        if known.owner and known.owned + WEEK <= self.clock:
            known.owner = None
        if known.owner:
            last = max(last or 0, known.owned + WEEK)
        known.due = last
        if last is None:
            del self.known[key]

    def owe(self, agent: Agent, owes: bool) -> None:
        _, topic, caller = agent.done or ("", "", None)
        if not caller:
            return
        key = (caller, topic)
        known = self.known.get(key, Known())
        if owes:
            known.owner, known.owned = agent.id, self.clock
        elif known.owner:
            known.owner = None
        else:
            return  # what else is remembered ends at its own time
        self.known[key] = known
        self.keep(key)

    def conclude(self, agent: Agent) -> None:
        if agent.uncoded:
            agent.uncoded = False
            self.unresolved.append(agent.id)
            self.owe(agent, owes=True)

    # -- what comes due

    def deadlines(self) -> dict[str, int]:
        due = {f"offer:{offer.token}": offer.deadline for offer in self.offers.values() if not offer.accepted}
        due |= {f"agent:{agent.id}": agent.due for agent in self.agents.values() if agent.due is not None}
        for call in filter(lambda call: call.playing, self.calls.values()):
            widen_at = self.widen_at(call)
            due |= {f"call:{call.id}": widen_at} if widen_at is not None else {}
            due |= {f"guard:{call.id}": call.guard_at} if call.guard_at is not None else {}
        due |= {f"empty:{topic}": at for topic, at in self.empty.items()}
        due |= {f"node:{node}": lease.gone_at for node, lease in self.leases.items() if lease.watched}
        return due | {f"known:{ref}|{topic}": k.due for (ref, topic), k in self.known.items() if k.due is not None}
