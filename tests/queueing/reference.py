"""The queue's meaning in the plainest Python: full scans, no sets, no Redis.

`Reference.apply` takes the same command objects that the script gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.queueing.commands import Command

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
        if self.pause is not None:
            return self.back if self.short or self.pause == "missed" else None
        return self.free_at if self.hold else None


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
class Reference:
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

    def apply(self, command: Command[Any], now: int) -> Any:
        self.clock = max(self.clock, now)
        self.made, self.withdrawn, self.told, self.unresolved, self.preferred = [], [], [], [], {}
        args = {key: value for key, value in command.args.items() if value is not None}
        self.roster()
        crews = {line: self.crew(*line) for line in self.lines()}
        result = getattr(self, f"do_{command.name}")(args, command.snapshot)
        self.settle()
        if command.name != "configure":
            self.follow(crews)
        self.dispatch()
        return result

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

    def keep_snapshot(self, call: Call, snapshot: str | None) -> None:
        call.snapshot = call.snapshot if snapshot is None else snapshot

    def do_configure(self, args: dict[str, Any], _: str | None) -> None:
        routing = args["routing"]
        used = {c.topic for c in self.calls.values() if c.topic}
        kept = {
            topic: known for topic, known in self.topics.items() if topic in used and topic not in routing["topics"]
        }
        before = (self.topics, self.times, self.ranks, self.coded, self.leave, self.stands_in)
        self.topics = {**kept, **routing["topics"]}
        self.times = {name: value for name, value in routing.items() if name.endswith("_ms")}
        self.ranks, self.coded = routing["ranks"], routing["coded"]
        self.leave, self.stands_in = routing["leave"], routing["stands_in"]
        if (self.topics, self.times, self.ranks, self.coded, self.leave, self.stands_in) == before:
            return
        self.roster()
        for call in self.calls.values():
            if call.playing:
                call.step = 0
                self.widen(call)
                self.guard(call)
        for name in self.topics:
            self.watch(name)

    def do_save(self, args: dict[str, Any], snapshot: str | None) -> None:
        call, news = self.subject(args, creates=True)
        if call and news:
            call.node = args["node"]
            self.keep_snapshot(call, snapshot)

    def do_join(self, args: dict[str, Any], snapshot: str | None) -> str:
        call, news = self.subject(args, creates=True)
        if call is None:
            return "ended"
        if not news:
            return "joined"
        call.node = args["node"]
        call.caller = args.get("caller", call.caller)
        self.keep_snapshot(call, snapshot)
        asked = (args["topic"], args.get("reason"))
        if call.state == "talking" or (call.playing and (call.topic, call.asked) == asked):
            return "joined"
        for token in [*call.ringing]:
            self.close(token)
        self.hold(call, "held")
        (call.topic, call.asked), call.reason = asked, args.get("reason")
        call.since = args.get("since", call.since if call.since is not None else self.clock)
        if call.caller:
            known = self.known.get((call.caller, call.topic or ""), Known())
            if not call.reason and sum(at + DAY > self.clock for at in known.fails) >= 2:
                call.reason = "repeat"
            if known.owner and known.owned + WEEK > self.clock:
                self.preferred[call.id] = known.owner
        self.enter(call, 0)
        return "joined"

    def step_out(self, call: Call) -> bool:
        if not call.playing:
            return False
        for token in [*call.ringing]:
            self.close(token)
        self.hold(call, "held")
        return True

    def hang_up(self, call: Call, *, void: bool = False) -> None:
        if call.state == "talking" and call.token:
            _, agent = self.close(call.token)
            agent.extended = 0
            if not void:
                agent.done = (call.id, call.topic or "", call.caller)
                agent.code, agent.uncoded = None, self.coded
            self.rest(agent, "wrap", self.times["wrap_ms"])
            if not agent.hold:
                self.conclude(agent)
            call.state = "held"

    def do_leave(self, args: dict[str, Any], snapshot: str | None) -> None:
        call, news = self.subject(args, creates=False)
        if call and news:
            self.keep_snapshot(call, snapshot)
            self.step_out(call)

    def do_release(self, args: dict[str, Any], snapshot: str | None) -> None:
        call, news = self.subject(args, creates=False)
        if call and news:
            self.keep_snapshot(call, snapshot)
            self.hang_up(call, void=args.get("void", False))

    def do_end(self, args: dict[str, Any], _: str | None) -> None:
        self.ended.add(args["call"])
        call = self.calls.get(args["call"])
        if call is None:
            return
        if not self.step_out(call):
            self.hang_up(call)
        if call.caller and call.topic:
            key = (call.caller, call.topic)
            if args["outcome"] in ("left", "promised"):
                self.known.setdefault(key, Known()).fails.append(self.clock)
                self.keep(key)
            elif args["outcome"] == "answered" and key in self.known and self.known[key].fails:
                self.known[key].fails = []
                self.keep(key)
        del self.calls[call.id]

    def do_accept(self, args: dict[str, Any], snapshot: str | None) -> str:
        offer = self.offers.get(args["token"])
        if offer is None:
            return "stale"
        call, agent = self.calls[offer.call], self.agents[offer.agent]
        if "rev" not in args or args["rev"] > call.rev:
            call.rev = args.get("rev", call.rev)
            self.keep_snapshot(call, snapshot)
        if not offer.accepted:
            offer.accepted = True
            call.ringing.remove(offer.token)
            for token in [*call.ringing]:
                self.close(token)
            self.hold(call, "talking")
            call.token, call.agent = offer.token, agent.id
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
            self.keep_snapshot(call, snapshot)
        return "declined"

    def do_restore(self, args: dict[str, Any], snapshot: str | None) -> str:
        call, news = self.subject(args, creates=True)
        if call is None or not news or call.state == "talking":
            return "no news"
        agent = self.agents.setdefault(args["agent"], Agent(args["agent"]))
        if agent.token:
            if agent.answered:
                return "agent engaged"
            self.unring(agent)
        self.step_out(call)
        agent.node = agent.node or args["agent_node"]
        call.node, call.topic, call.asked = args["node"], args["topic"], args.get("reason")
        call.reason = call.asked
        call.state, call.token, call.agent = "talking", args["token"], agent.id
        self.keep_snapshot(call, snapshot)
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
                if agent.pause == "missed":
                    agent.pause = agent.back = None
            agent.busy = args.get("busy", agent.busy and agent.node == args["node"])
            agent.present, agent.groups, agent.node = True, groups, args["node"]
            self.free_of_gone(agent)
        elif agent and agent.present and agent.node == args["node"]:
            agent.present = False
            self.unring(agent)

    def unring(self, agent: Agent) -> None:
        if agent.token and not agent.answered:
            call, _ = self.close(agent.token)
            self.enter(call, call.step)

    def do_pause(self, args: dict[str, Any], _: str | None) -> None:
        agent, back = self.agents[args["agent"]], args.get("back")
        if (agent.pause, agent.back) == (args["reason"], back):
            return
        agent.pause, agent.back, agent.misses = args["reason"], back, 0
        agent.short = back is not None and 0 < back - self.clock <= self.times["short_pause_ms"]
        self.unring(agent)

    def do_resume(self, args: dict[str, Any], _: str | None) -> None:
        agent = self.agents[args["agent"]]
        if agent.pause is not None or agent.hold:
            if agent.hold == "wrap":
                self.conclude(agent)
            agent.pause = agent.back = agent.hold = agent.free_at = None
            agent.short, agent.misses = False, 0

    def do_busy(self, args: dict[str, Any], _: str | None) -> None:
        agent = self.agents[args["agent"]]
        if agent.busy != args["busy"]:
            agent.busy = args["busy"]
            self.free_of_gone(agent)

    def do_outcome(self, args: dict[str, Any], _: str | None) -> str:
        agent = self.agents.get(args["agent"])
        if agent is None or agent.done is None:
            return "no call"
        if agent.code == args["code"]:
            return "said"
        agent.code, agent.uncoded = args["code"], False
        self.owe(agent, owes=args["follow_up"])
        if agent.hold == "wrap":
            agent.hold = agent.free_at = None
        if agent.pause == "missed":
            agent.pause = agent.back = None
        return "kept"

    def do_extend(self, args: dict[str, Any], _: str | None) -> str:
        agent = self.agents.get(args["agent"])
        if agent is None or agent.nonce == args["nonce"] or agent.hold != "wrap" or agent.extended >= 2:
            return "refused"
        agent.nonce, agent.extended = args["nonce"], agent.extended + 1
        agent.free_at = (agent.free_at or 0) + self.times["wrap_ms"]
        return "extended"

    def do_forget(self, args: dict[str, Any], _: str | None) -> None:
        self.known = {key: known for key, known in self.known.items() if key[0] != args["caller"]}

    # -- nodes

    def do_lease(self, args: dict[str, Any], _: str | None) -> None:
        lease = self.leases.setdefault(args["node"], Lease())
        if args["worker"] == lease.worker or lease.until <= self.clock:
            until = self.clock + args["ttl"]
            self.leases[args["node"]] = Lease(args["worker"], until, until + NODE_GONE, watched=True)

    def do_unlease(self, args: dict[str, Any], _: str | None) -> None:
        lease = self.leases.get(args["node"], Lease())
        if args["worker"] == lease.worker:
            self.leases[args["node"]] = Lease("", 0, self.clock + NODE_GONE, watched=True)

    def gone(self, node: str) -> bool:
        return node in self.leases and self.leases[node].gone_at <= self.clock

    def free_of_gone(self, agent: Agent) -> None:
        if agent.answered and not agent.busy and self.calls[agent.call or ""].node != agent.node:
            call = self.calls[agent.call or ""]
            if self.gone(call.node):
                self.hang_up(call)

    def reap_node(self, node: str) -> None:
        if not self.gone(node):
            return
        self.leases[node].watched = False
        lost = [agent for agent in self.agents.values() if agent.node == node and agent.present]
        for agent in lost:
            agent.present = agent.busy = False
        for agent in lost:
            self.unring(agent)
        for agent in self.agents.values():
            if agent.node != node:
                self.free_of_gone(agent)

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

    def do_reap(self, _: dict[str, Any], __: str | None) -> None:
        due = sorted((at, member) for member, at in self.deadlines().items() if at <= self.clock)
        for _at, member in due:
            kind, _colon, name = member.partition(":")
            getattr(self, f"reap_{kind}")(name)
            self.settle()

    def reap_offer(self, token: str) -> None:
        if token in self.offers:
            self.lose(token, "expired")

    def reap_agent(self, name: str) -> None:
        agent = self.agents[name]
        at = agent.due
        if at is None or at > self.clock:
            return
        if agent.pause == "missed":
            agent.pause = agent.back = None
        elif agent.pause is not None:
            agent.short = False
        else:
            if agent.hold == "wrap":
                self.conclude(agent)
            agent.hold = agent.free_at = None
        if agent.state == "idle":
            agent.idle = at

    def reap_call(self, name: str) -> None:
        call = self.calls[name]
        at = self.widen_at(call) if call.playing else None
        if at is not None and at <= self.clock:
            self.widen(call)

    def reap_guard(self, name: str) -> None:
        call = self.calls[name]
        if call.guard_at is None or call.guard_at > self.clock:
            return
        topic = self.topics[call.topic or ""]
        waiting = sum(other.state == "waiting" and other.topic == call.topic for other in self.calls.values())
        crowded = "ratio" in topic and waiting > topic["ratio"] * self.crew(call.topic or "", call.step)
        long = "wait" in topic and self.clock - (call.since or 0) >= topic["wait"]
        if (crowded or long) and call.state == "waiting":
            call.told, call.guard_at = True, None
            self.told.append((call.id, "overflow"))
        else:
            call.guard_at = self.next_guard()

    def reap_empty(self, topic: str) -> None:
        del self.empty[topic]
        if topic in self.topics and not self.staffed(topic):
            waiting = [call.id for call in self.calls.values() if call.state == "waiting" and call.topic == topic]
            self.told += [(call, "unstaffed") for call in waiting]

    def reap_known(self, name: str) -> None:
        ref, _, topic = name.partition("|")
        self.keep((ref, topic))
