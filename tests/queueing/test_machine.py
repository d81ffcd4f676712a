"""Any order of commands, doubled, late, stale, over two nodes, with time that jumps and state that
is lost: the script does what the plain reference does, and the invariants hold after each step.

IVR_QUEUE_STEPS sets the number of commands (about; 5,000 unless told); IVR_QUEUE_SEED or `--hypothesis-seed`, with
the same number, repeats the run that told its seed as it failed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from redis import Redis

from ivr.core.plan import AgentId, GroupId, SiteId, TopicId
from ivr.queueing import commands as c
from ivr.queueing.errors import QueueFault, StateLost
from ivr.queueing.model import CallId, Dump, Epoch, Moves, NodeId, Routing, Step, Talk, Token, TopicRouting, WorkerId
from ivr.queueing.replies import text
from ivr.queueing.sync import SyncQueue
from tests.queueing.invariants import as_the_reference, the_invariants_hold
from tests.queueing.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.queueing.commands import Command

pytestmark = pytest.mark.redis

STEPS = int(os.environ.get("IVR_QUEUE_STEPS", "5000"))
PER_RUN = 25
COMMANDS_PER_RUN = 45
SITE = SiteId("machine")
START = 1_790_000_000_000
NODES = ("a", "b")
AGENTS = ("ann", "bob", "cid", "dee")
GROUPS = ("desk", "civil", "urban")


def _topic(*steps: str, **how: Any) -> TopicRouting:
    """Steps as "civil desk" or "30 desk *": seconds first, then groups."""
    made = []
    for text_ in steps:
        words = text_.split()
        after = int(words.pop(0)) * 1_000 if words[0].isdigit() else 0
        made.append(Step(after, tuple(map(GroupId, words))))
    return TopicRouting(tuple(made), **how)


ROUTINGS = (
    Routing(
        {
            TopicId("any"): _topic("desk civil urban", at_once=3),
            TopicId("papers"): _topic("civil", "30 desk", "60 *", overflow_wait_ms=40_000),
            TopicId("roads"): _topic("urban desk", overflow_ratio=1.5),
        },
        wrap_ms=3_000,
        coded=True,
    ),
    Routing(
        {
            TopicId("any"): _topic("desk", "5 *", at_once=2),
            TopicId("papers"): _topic("civil desk", ordered=True),
        },
        cooldown_ms=5_000,
        missed_pause_ms=20_000,
        boost_ms=10_000,
        ranks={GroupId("civil"): {AgentId("bob"): 0, AgentId("ann"): 1}, GroupId("desk"): {AgentId("ann"): 0}},
    ),
    Routing(
        {
            TopicId("papers"): _topic("urban", "10 civil"),
            TopicId("roads"): _topic("urban", at_once=2),
            TopicId("school"): _topic("desk civil", "30 *", overflow_wait_ms=15_000, overflow_ratio=2.0),
        },
        wrap_ms=45_000,
        cooldown_ms=0,
        empty_grace_ms=5_000,
        coded=True,
        leave=frozenset({AgentId("bob")}),
        stands_in={AgentId("ann"): (GroupId("urban"),)},
    ),
)

WEIGHTS = {
    "time": 20, "new": 25, "join": 5, "leave": 6, "release": 14, "end": 12, "accept": 25, "decline": 10,
    "present": 5, "pause": 2, "resume": 6, "busy": 4, "reap": 12, "stale": 2, "late": 4, "configure": 4,
    "outcome": 5, "extend": 2, "disown": 2, "forget": 1, "lease": 3, "unlease": 1,
}  # fmt: skip
UNANSWERED = WEIGHTS | {"accept": 1, "decline": 0, "time": 35, "reap": 20}
"""Phones ring in vain: offers come due by themselves, with whatever else is due by then."""

agents = st.sampled_from(AGENTS)
nodes = st.sampled_from(NODES)
groups = st.lists(st.sampled_from(GROUPS), max_size=3, unique=True)
picks = st.integers(0, 10_000)
reasons = st.sampled_from([None, None, None, "relay", "crisis"])
REFS = (None, "r1", "r2")
refs = st.sampled_from(REFS)
doubled = st.booleans()
wrongly = st.sampled_from([None, None, TopicId("roads")])


class QueueMachine(RuleBasedStateMachine):
    """One site, two workers, one reference."""

    def __init__(self) -> None:
        super().__init__()
        self.redis = Redis.from_url(self.url)
        self.now = START
        self.epochs = 0
        self.serial = 0
        self.rev = 0
        self.past: list[tuple[Command[Any], str, Epoch]] = []
        self.known: list[str] = []
        self.tokens: list[str] = []
        self.reference = Reference("none")

    url = ""

    def teardown(self) -> None:
        self.redis.delete(*self.redis.keys(f"{{{SITE}}}:*") or ["none"])
        self.redis.close()

    # -- driving

    def queue(self, node: str) -> SyncQueue:
        queue = SyncQueue(self.redis, SITE, [], NodeId(node))
        queue.epoch = Epoch(self.reference.epoch)
        return queue

    def dump(self) -> Dump:
        return self.queue("a").run(c.dump(), self.now)

    def frozen(self) -> tuple[Any, ...]:
        """All that a command without effect must leave as it was."""
        dump = self.dump()
        site = {
            key: json.loads(value) if key.startswith("lease:") else value
            for key, value in dump.site.items()
            if key != "clock"
        }
        return (dump.calls, dump.agents, dump.offers, dump.talks, dump.deadlines, dump.idle, dump.waiting,
                dump.known, site, self.redis.xlen(f"{{{SITE}}}:events"))  # fmt: skip

    def do(self, command: Command[Any], node: str = "a", *, twice: bool = False) -> Any:
        expected = self.reference.apply(command, self.now)
        try:
            reply = self.queue(node).run(command, self.now)
        except QueueFault:
            if expected != "agent engaged":
                raise
            return None
        self.past.append((command, node, Epoch(self.reference.epoch)))
        self.tokens += [offer.token for offer in self.reference.made]
        if isinstance(reply, Moves):
            made = [(offer.token, offer.call, offer.agent) for offer in reply.offers]
            fresh = [(offer.token, offer.call, offer.agent) for offer in self.reference.made]
            assert [offer for offer in made if offer in fresh] == fresh
            assert sorted(offer.token for offer in reply.withdrawn) == sorted(self.reference.withdrawn)
            assert sorted((news.call, news.kind) for news in reply.news) == sorted(self.reference.told)
        if twice:
            before = self.frozen()
            self.queue(node).run(command, self.now)
            assert self.frozen() == before
        return reply

    def next_rev(self) -> int:
        self.rev += 1
        return self.rev

    def call(self, pick: int) -> CallId:
        pool = [*self.reference.calls, *self.known[-2:]]
        return CallId(pool[pick % len(pool)])

    # -- rules

    @initialize(which=st.sampled_from(ROUTINGS))
    def begin(self, which: Routing) -> None:
        self.enter(which)
        for agent, group in zip(AGENTS, (GROUPS, GROUPS[:2], GROUPS[1:], GROUPS[2:]), strict=True):
            self.do(c.presence(AgentId(agent), [GroupId(name) for name in group], NodeId("a"), present=True))

    def enter(self, routing: Routing) -> None:
        self.epochs += 1
        epoch = Epoch(f"e{self.epochs}")
        self.reference = Reference(epoch, clock=self.now)
        queue = self.queue("a")
        assert queue.found(epoch, self.now) == epoch
        self.reference.clock = int(queue.run(c.dump(), self.now).site["clock"])
        self.do(c.configure(routing))

    @rule(ms=st.one_of(st.integers(0, 50), st.integers(0, 45_000), st.integers(-5_000, 0)))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(which=st.sampled_from(ROUTINGS), twice=doubled)
    def configure(self, which: Routing, twice: bool) -> None:
        self.do(c.configure(which), twice=twice)

    @rule(node=nodes, topic=picks, reason=reasons, ref=refs, ago=st.integers(0, 60_000), twice=doubled)
    def new_call(self, node: str, topic: int, reason: Any, ref: str | None, ago: int, twice: bool) -> None:
        self.serial += 1
        call = CallId(f"{node}-{self.serial % 7}.{self.serial}")
        self.known.append(call)
        topics = sorted(self.reference.topics)
        self.do(
            c.join(call, NodeId(node), TopicId(topics[topic % len(topics)]), self.now - ago, reason=reason,
                   caller=ref, snapshot=f"new\n{self.serial}", rev=self.next_rev()),
            node, twice=twice,
        )  # fmt: skip

    @rule(node=nodes, twice=doubled)
    def call_in_menu(self, node: str, twice: bool) -> None:
        self.serial += 1
        call = CallId(f"{node}-{self.serial % 7}.{self.serial}")
        self.known.append(call)
        self.do(c.save(call, NodeId(node), "menu", self.now, self.next_rev()), node, twice=twice)

    @precondition(lambda self: self.known)
    @rule(pick=picks, node=nodes, topic=picks, reason=reasons, twice=doubled)
    def join_again(self, pick: int, node: str, topic: int, reason: Any, twice: bool) -> None:
        topics = sorted(self.reference.topics)
        self.do(
            c.join(self.call(pick), NodeId(node), TopicId(topics[topic % len(topics)]), self.now, reason=reason,
                   rev=self.next_rev()),
            node, twice=twice,
        )  # fmt: skip

    @precondition(lambda self: self.known)
    @rule(pick=picks, node=nodes, twice=doubled)
    def save(self, pick: int, node: str, twice: bool) -> None:
        rev = self.next_rev()
        self.do(c.save(self.call(pick), NodeId(node), f"s{rev}", self.now, rev), node, twice=twice)

    @precondition(lambda self: self.known)
    @rule(pick=picks, twice=doubled)
    def leave(self, pick: int, twice: bool) -> None:
        self.do(c.leave(self.call(pick), "hungup", "left", self.next_rev()), twice=twice)

    @precondition(lambda self: self.known)
    @rule(pick=picks, twice=doubled)
    def release(self, pick: int, twice: bool) -> None:
        self.do(c.release(self.call(pick), "released", self.next_rev(), void=pick % 4 == 0), twice=twice)

    @precondition(lambda self: self.known)
    @rule(pick=picks, twice=doubled)
    def end(self, pick: int, twice: bool) -> None:
        self.do(c.end(self.call(pick), ("answered", "left", "promised")[pick % 3]), twice=twice)

    @precondition(lambda self: self.reference.offers)
    @rule(pick=picks, twice=doubled, snapshot=st.sampled_from([None, "talk"]))
    def accept(self, pick: int, twice: bool, snapshot: str | None) -> None:
        live = sorted(self.reference.offers)
        self.do(c.accept(Token(live[pick % len(live)]), snapshot, self.next_rev()), twice=twice)

    @precondition(lambda self: self.reference.offers)
    @rule(pick=picks, reason=st.sampled_from(["miss", "busy", "gone", "failed"]), node=nodes, twice=doubled)
    def decline(self, pick: int, reason: Any, node: str, twice: bool) -> None:
        live = sorted(self.reference.offers)
        self.do(c.decline(Token(live[pick % len(live)]), reason, "again", self.next_rev()), node, twice=twice)

    @precondition(lambda self: self.tokens)
    @rule(pick=picks, accept=st.booleans())
    def stale_token(self, pick: int, accept: bool) -> None:
        token = self.tokens[pick % len(self.tokens)]
        if token not in self.reference.offers:
            before = self.frozen()
            late = Token(token)
            self.do(c.accept(late, "late") if accept else c.decline(late, "miss", "late"))
            assert self.frozen() == before

    @rule(
        agent=agents,
        which=groups,
        node=nodes,
        present=st.sampled_from([True, True, True, False]),
        busy=st.sampled_from([None, None, True, False]),
        twice=doubled,
    )
    def presence(self, agent: str, which: list[str], node: str, present: bool, busy: bool | None, twice: bool) -> None:
        names = [GroupId(group) for group in which or GROUPS[:2]]
        self.do(c.presence(AgentId(agent), names, NodeId(node), present=present, busy=busy), node, twice=twice)

    @rule(node=nodes, worker=st.sampled_from("vw"), ttl=st.sampled_from([1, 5_000]), twice=doubled)
    def lease(self, node: str, worker: str, ttl: int, twice: bool) -> None:
        self.do(c.lease(NodeId(node), WorkerId(worker), ttl), node, twice=twice)

    @rule(node=nodes, worker=st.sampled_from("vw"), twice=doubled)
    def unlease(self, node: str, worker: str, twice: bool) -> None:
        self.do(c.unlease(NodeId(node), WorkerId(worker)), node, twice=twice)

    @rule(agent=agents, back=st.sampled_from([None, 0, 10_000, 299_000, 3_600_000]), twice=doubled)
    def pause(self, agent: str, back: int | None, twice: bool) -> None:
        if agent in self.reference.agents:
            self.do(c.pause(AgentId(agent), "coffee", None if back is None else self.now + back), twice=twice)

    @rule(agent=agents, twice=doubled)
    def resume(self, agent: str, twice: bool) -> None:
        if agent in self.reference.agents:
            self.do(c.resume(AgentId(agent)), twice=twice)

    @rule(agent=agents, busy=st.booleans(), twice=doubled)
    def busy(self, agent: str, busy: bool, twice: bool) -> None:
        if agent in self.reference.agents:
            self.do(c.busy(AgentId(agent), busy=busy), twice=twice)

    @rule(agent=agents, code=st.sampled_from("123"), follow_up=st.booleans(), to=wrongly, twice=doubled)
    def outcome(self, agent: str, code: str, follow_up: bool, to: TopicId | None, twice: bool) -> None:
        if agent in self.reference.agents:
            self.do(c.outcome(AgentId(agent), code, follow_up=follow_up, to=to), twice=twice)

    @rule(agent=agents, nonce=st.sampled_from("abcd"), twice=doubled)
    def extend(self, agent: str, nonce: str, twice: bool) -> None:
        if agent in self.reference.agents:
            self.do(c.extend(AgentId(agent), nonce), twice=twice)

    @rule(pick=picks, agent=agents, twice=doubled)
    def disown(self, pick: int, agent: str, twice: bool) -> None:
        """Mostly of one who owes an answer, now and then of another."""
        owed = sorted((key, known.owner) for key, known in self.reference.known.items() if known.owner)
        (ref, topic), owner = owed[pick % len(owed)] if owed else (("r1", "papers"), agent)
        self.do(c.disown(ref, TopicId(topic), AgentId(agent if pick % 4 == 0 else owner)), twice=twice)

    @rule(ref=st.sampled_from(REFS[1:]), twice=doubled)
    def forget(self, ref: str | None, twice: bool) -> None:
        self.do(c.forget(ref or ""), twice=twice)

    @rule(node=nodes, twice=doubled)
    def reap(self, node: str, twice: bool) -> None:
        reply = self.do(c.reap(), node, twice=twice)
        assert {offer.token for offer in reply.live} == {
            offer.token for offer in self.reference.offers.values() if not offer.accepted
        }

    @precondition(lambda self: self.past)
    @rule(pick=picks)
    def late_copy(self, pick: int) -> None:
        """A call's command of the past arrives once more: nothing changes."""
        recent = self.past[-250:]
        command, node, epoch = recent[pick % len(recent)]
        if "rev" not in command.args and command.name != "end":
            return
        before = self.frozen()
        queue = self.queue(node)
        queue.epoch = epoch
        if epoch != self.reference.epoch:
            with pytest.raises(StateLost):
                queue.run(command, self.now)
        else:
            self.reference.clock = max(self.reference.clock, self.now)
            queue.run(command, self.now)
        assert self.frozen() == before

    @rule(which=st.sampled_from(ROUTINGS), keep_events=st.booleans(), order=st.randoms(use_true_random=False))
    def state_lost(self, which: Routing, keep_events: bool, order: Any) -> None:
        """Redis comes back empty: all is refused, then rebuilt from what workers and Asterisk know."""
        old = self.reference
        events = f"{{{SITE}}}:events"
        keys = [key for key in self.redis.keys(f"{{{SITE}}}:*") if not (keep_events and text(key) == events)]
        self.redis.delete(*keys)
        left = set(self.redis.keys(f"{{{SITE}}}:*"))
        with pytest.raises(StateLost) as lost:
            self.queue("b").run(c.reap(), self.now)
        assert (lost.value.site, lost.value.found) == (SITE, None)
        assert set(self.redis.keys(f"{{{SITE}}}:*")) == left
        self.enter(which)
        self.known = sorted(old.calls)
        for agent in old.agents.values():
            if agent.present:
                names = [GroupId(group) for group in agent.groups]
                self.do(c.presence(AgentId(agent.id), names, NodeId(agent.node), present=True))
        calls = list(old.calls.values())
        order.shuffle(calls)
        for call in calls:
            self.rebuild(call)
        talks = {call.id: call.agent for call in old.calls.values() if call.state == "talking"}
        dump = self.dump()
        assert {o.call: o.agent for o in dump.talks.values()} == talks
        assert {call.call: call.arrival for call in dump.calls.values()} == {
            call.id: call.arrival for call in old.calls.values()
        }

    def rebuild(self, call: Any) -> None:
        node, topic = NodeId(call.node), TopicId(call.topic or "")
        if call.state == "talking":
            agent, token = AgentId(call.agent), Token(call.token)
            talk = Talk(CallId(call.id), node, topic, call.arrival, agent, node, token, call.reason)
            self.do(c.restore(talk, call.snapshot, self.next_rev()), call.node)
        elif call.state in ("waiting", "offered") and topic in self.reference.topics:
            self.do(
                c.join(
                    CallId(call.id),
                    node,
                    topic,
                    call.arrival,
                    reason=call.reason,
                    since=call.since,
                    snapshot=call.snapshot,
                    rev=self.next_rev(),
                ),
                call.node,
            )
        else:
            self.do(c.save(CallId(call.id), node, call.snapshot, call.arrival, self.next_rev()), call.node)

    # -- a stretch of ordinary life, so that lines grow and talks happen

    @rule(
        seed=st.integers(0, 2**32),
        length=st.sampled_from([1, 10, 40, 80]),
        weights=st.sampled_from((WEIGHTS, UNANSWERED)),
    )
    def some_while(self, seed: int, length: int, weights: dict[str, int]) -> None:
        chance = random.Random(seed)
        for _ in range(length):
            self.live(chance, weights)
            self.holds()

    def live(self, chance: random.Random, weights: dict[str, int]) -> None:  # noqa: C901, PLR0912 - a table of what may happen
        pick, node, twice = chance.randrange(10_000), chance.choice(NODES), chance.random() < 0.2
        agent = chance.choice(AGENTS)
        what = chance.choices(tuple(weights), tuple(weights.values()))[0]
        match what:
            case "time":
                self.time_passes(
                    ms=chance.choice(
                        (0, 1, 500, 5_000, 25_000, 35_000, -2_000, 90_000_000 if chance.random() < 0.02 else 0)
                    )
                )
            case "new":
                reason = "relay" if chance.random() < 0.1 else None
                self.new_call(node, pick, reason, chance.choice(REFS), chance.randrange(60_000), twice)
            case "join" if self.known:
                self.join_again(pick, node, chance.randrange(100), "crisis" if chance.random() < 0.2 else None, twice)
            case "leave" | "release" | "end" if self.known:
                getattr(self, what)(pick, twice)
            case "accept" if self.reference.offers:
                self.accept(pick, twice, "talk")
            case "decline" if self.reference.offers:
                self.decline(pick, chance.choice(("miss", "miss", "busy", "gone")), node, twice)
            case "present":
                names = chance.sample(GROUPS, chance.randint(1, 3))
                self.presence(
                    agent, names, node, chance.random() < 0.8, chance.choice((None, None, True, False)), twice
                )
            case "pause":
                self.pause(agent, chance.choice((None, 10_000, 299_000)), twice)
            case "resume":
                self.resume(agent, twice)
            case "busy":
                self.busy(agent, chance.random() < 0.3, twice)
            case "reap":
                self.reap(node, twice)
            case "outcome":
                to = chance.choice((None, None, TopicId("roads")))
                self.outcome(agent, chance.choice("123"), chance.random() < 0.4, to, twice)
            case "extend":
                self.extend(agent, chance.choice("abcd"), twice)
            case "disown":
                self.disown(pick, agent, twice)
            case "forget":
                self.forget(chance.choice(REFS[1:]), twice)
            case "lease":
                self.lease(node, chance.choice("vw"), chance.choice((1, 5_000)), twice)
            case "unlease":
                self.unlease(node, chance.choice("vw"), twice)
            case "stale" if self.tokens:
                self.stale_token(pick, chance.random() < 0.5)
            case "late" if self.past:
                self.late_copy(pick)
            case "configure" if chance.random() < 0.2:
                self.configure(chance.choice(ROUTINGS), twice)

    # -- what holds after each step

    @invariant()
    def holds(self) -> None:
        if self.epochs:
            dump = self.dump()
            as_the_reference(dump, self.reference)
            the_invariants_hold(dump, self.reference)


@contextlib.contextmanager
def repeatable(chosen: int) -> Iterator[None]:
    """Whatever fails inside says how the same commands come again."""
    try:
        yield
    except BaseException as failure:
        failure.add_note(f"again: IVR_QUEUE_SEED={chosen} IVR_QUEUE_STEPS={STEPS} pytest {__file__}")
        raise


def test_a_failure_says_how_to_run_it_again() -> None:
    with pytest.raises(AssertionError) as failed, repeatable(41):
        raise AssertionError
    (note,) = failed.value.__notes__
    assert note.startswith(f"again: IVR_QUEUE_SEED=41 IVR_QUEUE_STEPS={STEPS} pytest ")


@pytest.mark.timeout(0 if STEPS > 10_000 else 120)
def test_any_history_of_commands(redis_url: str, request: pytest.FixtureRequest) -> None:
    QueueMachine.url = redis_url
    asked = os.environ.get("IVR_QUEUE_SEED") or request.config.getoption("--hypothesis-seed")
    chosen = int(asked or secrets.randbits(32))
    seed(chosen)(QueueMachine)
    sys.stdout.write(f"seed {chosen}\n")  # for a run that is killed
    case = QueueMachine.TestCase
    case.settings = settings(
        max_examples=max(1, STEPS // COMMANDS_PER_RUN),
        stateful_step_count=PER_RUN,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    with repeatable(chosen):
        case().runTest()
