"""The queue's meaning in the plainest Python, beside which the script is held.

`Reference.apply` takes the same command objects that the script gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.queueing.reference_state import DAY, NODE_GONE, WEEK, Agent, Call, Known, Lease, Offer, State

if TYPE_CHECKING:
    from ivr.queueing.commands import Command


class Reference(State):
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
                agent.code, agent.to, agent.uncoded = None, None, self.coded
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
            busy = args.get("busy", agent.busy and agent.node == args["node"])
            if agent.present and (agent.groups, agent.node, agent.busy) == (groups, args["node"], busy):
                return  # no news: what came due meanwhile is the reap's
            if not agent.present:
                agent.misses = 0
                if agent.hold == "cooldown":
                    agent.hold = agent.free_at = None
                if agent.pause == "missed":
                    agent.pause = agent.back = None
            agent.busy = busy
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
        if agent.code == args["code"] and args.get("to") in (None, agent.to):
            return "said"
        agent.code, agent.to, agent.uncoded = args["code"], args.get("to"), False
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

    def do_disown(self, args: dict[str, Any], _: str | None) -> None:
        key = (args["caller"], args["topic"])
        if key in self.known and self.known[key].owner == args["agent"]:
            self.known[key].owner = None
            self.keep(key)

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
        while (at := agent.due) is not None and at <= self.clock:
            if agent.hold and agent.free_at == at:
                if agent.hold == "wrap":
                    self.conclude(agent)
                agent.hold = agent.free_at = None
            elif agent.pause == "missed":
                agent.pause = agent.back = None
            else:
                agent.short = False
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
            here = [call for call in self.calls.values() if call.topic == topic and self.room(call)]
            self.told += [(call.id, "unstaffed") for call in here if call.state == "waiting"]
            if any(call.state == "offered" for call in here):
                self.empty[topic] = self.clock + self.times["empty_grace_ms"]

    def reap_known(self, name: str) -> None:
        ref, _, topic = name.partition("|")
        self.keep((ref, topic))
