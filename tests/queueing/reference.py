"""The queue's meaning in the plainest Python: full scans, no sets, no Redis.

`Reference.apply` takes the same command objects that the script gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.queueing.commands import Command


@dataclass
class Call:
    id: str
    node: str
    arrival: int
    state: str = "held"
    topic: str | None = None
    klass: int = 0
    token: str | None = None
    agent: str | None = None
    rev: int = 0
    snapshot: str = ""

    @property
    def order(self) -> tuple[int, int, str]:
        return (-self.klass, self.arrival, self.id)


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

    @property
    def state(self) -> str:
        if self.token:
            return "talking" if self.answered else "offered"
        if not self.present:
            return "away"
        if self.pause is not None:
            return "paused"
        return self.hold or ("busy" if self.busy else "idle")

    @property
    def staff(self) -> bool:
        return self.present and (self.pause is None or self.short)

    @property
    def due(self) -> int | None:
        if self.pause is not None:
            return self.back if self.short else None
        return self.free_at if self.hold else None


@dataclass
class Offer:
    token: str
    call: str
    agent: str
    deadline: int
    accepted: bool = False


@dataclass
class Reference:
    epoch: str
    clock: int = 0
    seq: int = 0
    calls: dict[str, Call] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    topics: dict[str, tuple[str, ...]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    made: list[Offer] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)

    def apply(self, command: Command[Any], now: int) -> Any:
        self.clock = max(self.clock, now)
        self.made, self.withdrawn = [], []
        args = {key: value for key, value in command.args.items() if value is not None}
        result = getattr(self, f"do_{command.name}")(args, command.snapshot)
        self.settle()
        self.dispatch()
        return result

    def settle(self) -> None:
        for agent in self.agents.values():
            if agent.state == "idle":
                agent.idle = agent.idle if agent.idle is not None else self.clock
            elif agent.state != "offered":
                agent.idle = None

    # -- who meets whom

    def can(self, agent: Agent, call: Call) -> bool:
        return call.topic is not None and bool(set(self.topics[call.topic]) & set(agent.groups))

    def dispatch(self) -> None:
        while True:
            waiting = sorted((c for c in self.calls.values() if c.state == "waiting"), key=lambda c: c.order)
            idle = sorted((a for a in self.agents.values() if a.state == "idle"), key=lambda a: (a.idle or 0, a.id))
            pair = next(((c, a) for c in waiting for a in idle if self.can(a, c)), None)
            if pair is None:
                return
            self.offer(*pair)

    def offer(self, call: Call, agent: Agent) -> None:
        self.seq = max(self.seq + 1, self.clock)
        token = f"{self.epoch}:{self.seq}"
        deadline = self.clock + self.times["ring_ms"] + self.times["grace_ms"]
        self.offers[token] = Offer(token, call.id, agent.id, deadline)
        self.made.append(self.offers[token])
        call.state, call.token, call.agent = "offered", token, agent.id
        agent.token, agent.call = token, call.id

    def close(self, token: str) -> tuple[Call, Agent]:
        offer = self.offers.pop(token)
        call, agent = self.calls[offer.call], self.agents[offer.agent]
        if not offer.accepted:
            self.withdrawn.append(token)
        call.token = call.agent = None
        call.state = "held"
        agent.token = agent.call = None
        agent.answered = False
        return call, agent

    def rest(self, agent: Agent, kind: str, ms: int) -> None:
        agent.hold, agent.free_at = (kind, self.clock + ms) if ms else (None, None)

    def lose(self, token: str, reason: str) -> Call:
        call, agent = self.close(token)
        if reason == "gone":
            agent.present = False
        else:
            agent.misses += reason in ("miss", "expired")
            self.rest(agent, "cooldown", self.times["cooldown_ms"])
        agent.idle = None
        call.state = "waiting"
        return call

    # -- commands on calls

    def subject(self, args: dict[str, Any], *, creates: bool) -> tuple[Call | None, bool]:
        call = self.calls.get(args["call"])
        if call is None:
            if not creates or args["call"] in self.ended:
                return None, False
            call = self.calls[args["call"]] = Call(args["call"], args["node"], args["arrival"])
        if "rev" in args:
            if args["rev"] <= call.rev:
                return call, False
            call.rev = args["rev"]
        return call, True

    def keep(self, call: Call, snapshot: str | None) -> None:
        call.snapshot = call.snapshot if snapshot is None else snapshot

    def do_configure(self, args: dict[str, Any], _: str | None) -> None:
        routing = args["routing"]
        topics = {topic: tuple(groups) for topic, groups in routing["topics"].items()}
        used = {c.topic for c in self.calls.values() if c.topic}
        kept = {topic: groups for topic, groups in self.topics.items() if topic in used}
        self.topics = {**kept, **topics}
        self.times = {name: value for name, value in routing.items() if name.endswith("_ms")}

    def do_save(self, args: dict[str, Any], snapshot: str | None) -> None:
        call, news = self.subject(args, creates=True)
        if call and news:
            call.node = args["node"]
            self.keep(call, snapshot)

    def do_join(self, args: dict[str, Any], snapshot: str | None) -> str:
        call, news = self.subject(args, creates=True)
        if call is None:
            return "ended"
        if news:
            call.node = args["node"]
            self.keep(call, snapshot)
            same = (call.topic, call.klass) == (args["topic"], args["klass"])
            if call.state != "talking" and not (same and call.state != "held"):
                if call.token:
                    self.close(call.token)
                call.topic, call.klass, call.state = args["topic"], args["klass"], "waiting"
        return "joined"

    def step_out(self, call: Call) -> bool:
        if call.state not in ("waiting", "offered"):
            return False
        if call.token:
            self.close(call.token)
        call.state = "held"
        return True

    def hang_up(self, call: Call) -> None:
        if call.state == "talking" and call.token:
            _, agent = self.close(call.token)
            self.rest(agent, "wrap", self.times["wrap_ms"])

    def do_leave(self, args: dict[str, Any], snapshot: str | None) -> None:
        call, news = self.subject(args, creates=False)
        if call and news:
            self.keep(call, snapshot)
            self.step_out(call)

    def do_release(self, args: dict[str, Any], snapshot: str | None) -> None:
        call, news = self.subject(args, creates=False)
        if call and news:
            self.keep(call, snapshot)
            self.hang_up(call)

    def do_end(self, args: dict[str, Any], _: str | None) -> None:
        self.ended.add(args["call"])
        call = self.calls.get(args["call"])
        if call:
            if not self.step_out(call):
                self.hang_up(call)
            del self.calls[call.id]

    def do_accept(self, args: dict[str, Any], snapshot: str | None) -> str:
        offer = self.offers.get(args["token"])
        if offer is None:
            return "stale"
        call, agent = self.calls[offer.call], self.agents[offer.agent]
        if "rev" not in args or args["rev"] > call.rev:
            call.rev = args.get("rev", call.rev)
            self.keep(call, snapshot)
        if not offer.accepted:
            offer.accepted = True
            call.state = "talking"
            agent.answered, agent.misses, agent.hold, agent.free_at = True, 0, None, None
        return "accepted"

    def do_decline(self, args: dict[str, Any], snapshot: str | None) -> str:
        offer = self.offers.get(args["token"])
        if offer is None:
            return "stale"
        if offer.accepted:
            return "answered"
        call = self.lose(offer.token, args["reason"])
        self.withdrawn.remove(offer.token)
        if "rev" not in args or args["rev"] > call.rev:
            call.rev = args.get("rev", call.rev)
            self.keep(call, snapshot)
        return "declined"

    def do_restore(self, args: dict[str, Any], snapshot: str | None) -> str:
        call, news = self.subject(args, creates=True)
        if call is None or not news or call.state == "talking":
            return "no news"
        agent = self.agents.setdefault(args["agent"], Agent(args["agent"]))
        if agent.token:
            if agent.answered:
                return "agent engaged"
            other, _ = self.close(agent.token)
            other.state = "waiting"
        self.step_out(call)
        agent.node = agent.node or args["agent_node"]
        call.node, call.topic, call.klass = args["node"], args["topic"], args["klass"]
        call.state, call.token, call.agent = "talking", args["token"], agent.id
        self.keep(call, snapshot)
        agent.token, agent.call, agent.answered, agent.hold, agent.free_at = args["token"], call.id, True, None, None
        self.offers[args["token"]] = Offer(args["token"], call.id, agent.id, self.clock, accepted=True)
        return "restored"

    # -- commands on agents

    def do_presence(self, args: dict[str, Any], _: str | None) -> None:
        agent = self.agents.get(args["agent"])
        groups = tuple(group for group in args["groups"].split("|") if group)
        if args["present"]:
            agent = agent or self.agents.setdefault(args["agent"], Agent(args["agent"]))
            if not agent.present:
                agent.misses = 0
                if agent.hold == "cooldown":
                    agent.hold = agent.free_at = None
            agent.present, agent.groups, agent.node = True, groups, args["node"]
        elif agent and agent.present and agent.node == args["node"]:
            agent.present = False
            self.put_back(agent)

    def put_back(self, agent: Agent) -> None:
        if agent.token and not agent.answered:
            call, _ = self.close(agent.token)
            call.state = "waiting"

    def do_pause(self, args: dict[str, Any], _: str | None) -> None:
        agent, back = self.agents[args["agent"]], args.get("back")
        if (agent.pause, agent.back) == (args["reason"], back):
            return
        agent.pause, agent.back = args["reason"], back
        agent.short = back is not None and 0 < back - self.clock <= self.times["short_pause_ms"]
        self.put_back(agent)

    def do_resume(self, args: dict[str, Any], _: str | None) -> None:
        agent = self.agents[args["agent"]]
        if agent.pause is not None or agent.hold:
            agent.pause = agent.back = agent.hold = agent.free_at = None
            agent.short, agent.misses = False, 0

    def do_busy(self, args: dict[str, Any], _: str | None) -> None:
        self.agents[args["agent"]].busy = args["busy"]

    def do_reap(self, _: dict[str, Any], __: str | None) -> None:
        due = sorted((o.deadline, o.token) for o in self.offers.values() if not o.accepted)
        for at, token in due:
            if at <= self.clock:
                self.lose(token, "expired")
        for agent in self.agents.values():
            at_ = agent.due
            if at_ is None or at_ > self.clock:
                continue
            if agent.pause is not None:
                agent.short = False
            else:
                agent.hold = agent.free_at = None
                if agent.state == "idle":
                    agent.idle = at_
