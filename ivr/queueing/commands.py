"""The queue's commands as data: a name, arguments and how the answer reads.

Both drivers (asyncio in the product, synchronous in the simulator) send these. All are safe to
send twice; the answer to the second tells the state as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ivr.queueing import replies
from ivr.queueing.keys import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ivr.core.plan import AgentId, GroupId, TopicId
    from ivr.queueing import model as m

R = TypeVar("R")

DURATIONS: Final = (
    "ring_ms",
    "grace_ms",
    "cooldown_ms",
    "wrap_ms",
    "short_pause_ms",
    "missed_pause_ms",
    "empty_grace_ms",
    "guard_ms",
    "boost_ms",
)


@dataclass(frozen=True, slots=True)
class Command(Generic[R]):
    """One command. `snapshot` travels beside the arguments, byte for byte.

    `refusals` are the reasons that are answers rather than faults.
    """

    name: str
    args: Mapping[str, Any]
    read: Callable[[replies.Answer], R]
    snapshot: str | None = None
    refused: Callable[[str], R] | None = None
    lines: tuple[str, ...] = ()


def found(node: m.NodeId | None = None, worker: m.WorkerId | None = None, ttl_ms: int = 0) -> Command[m.Founded]:
    """Establish the epoch that the command is sent with, unless another is in force.

    A worker that is named, and whose epoch it is, has the lease of its node with it.
    """
    held = {"node": node, "worker": worker, "ttl": ttl_ms} if node is not None and worker is not None else {}
    return Command("found", held, replies.founded)


def configure(routing: m.Routing) -> Command[m.Changed]:
    """Put a routing in force. A topic that is gone lives on while a call of it does."""
    topics: dict[str, dict[str, Any]] = {}
    serves: dict[str, list[str]] = {}
    for topic, known in routing.topics.items():
        groups: list[str] = []
        steps: list[dict[str, Any]] = []
        for step in known.steps:
            groups += [checked(group, "group") for group in step.groups if group not in groups]
            for group in groups:
                serves.setdefault(group, []).append(f"{checked(topic, 'topic')}~{len(steps)}")
            steps.append({"after": step.after_ms, "groups": list(groups)})
        topics[topic] = {"steps": steps, "ordered": known.ordered, "at_once": known.at_once}
        if known.overflow_wait_ms is not None:
            topics[topic]["wait"] = known.overflow_wait_ms
        if known.overflow_ratio is not None:
            topics[topic]["ratio"] = known.overflow_ratio
    body = {"topics": topics, "groups": serves, "ranks": routing.ranks, "coded": routing.coded}
    body |= {name: getattr(routing, name) for name in DURATIONS}
    # As objects even when empty: Lua has no other way to look one up.
    body["leave"] = dict.fromkeys(sorted(routing.leave), True)
    body["stands_in"] = {
        agent: "|".join(checked(group, "group") for group in groups)
        for agent, groups in sorted(routing.stands_in.items())
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return Command("configure", {"routing": body, "json": text}, replies.changed, lines=routing.lines)


def save(
    call: m.CallId,
    node: m.NodeId,
    snapshot: str,
    arrival: int,
    rev: int | None = None,
    *,
    again: bool = False,
    trail: str | None = None,
) -> Command[m.Changed]:
    """Keep the snapshot of a call, known or new; its place does not change.

    `again`: the caller may have been here before and come back, so that an earlier end is no news.
    """
    args = {"call": call, "node": node, "arrival": arrival, "rev": rev, "again": again or None, "trail": trail}
    return Command("save", args, replies.changed, snapshot)


def join(  # noqa: PLR0913 - the facts of a wait, by name
    call: m.CallId,
    node: m.NodeId,
    topic: TopicId,
    arrival: int,
    *,
    reason: m.Reason | None = None,
    since: int | None = None,
    caller: str | None = None,
    snapshot: str | None = None,
    rev: int | None = None,
    trail: str | None = None,
) -> Command[m.Joined]:
    """Put a call in a topic's line. A known call keeps its arrival; a talk goes on.

    `since`: when the wait began, if not now. `caller`: the ref by which the agent who owes an answer, and calls in
    vain, are remembered. `trail`: see `ivr.queueing.stream`; any command of a call may carry it.
    """
    args = {"call": call, "node": node, "topic": topic, "arrival": arrival, "reason": reason, "since": since}
    return Command("join", {**args, "caller": caller, "rev": rev, "trail": trail}, replies.joined, snapshot)


def leave(
    call: m.CallId, reason: str, snapshot: str | None = None, rev: int | None = None, *, trail: str | None = None
) -> Command[m.Changed]:
    """Take a call out of its line and withdraw its offers; a talk goes on."""
    return Command("leave", {"call": call, "reason": reason, "rev": rev, "trail": trail}, replies.changed, snapshot)


def accept(token: m.Token, snapshot: str | None = None, rev: int | None = None) -> Command[m.Accepted | m.Refused]:
    """The agent answered, the first of all whose phones ring for the call."""
    return Command("accept", {"token": token, "rev": rev}, replies.accepted, snapshot, replies.refused)


def decline(
    token: m.Token, reason: m.DeclineReason, snapshot: str | None = None, rev: int | None = None
) -> Command[m.Changed | m.Refused]:
    """The agent did not answer: the caller is offered to the next at once, arrival kept."""
    args = {"token": token, "reason": reason, "rev": rev}
    return Command("decline", args, replies.changed, snapshot, replies.refused)


def release(
    call: m.CallId, snapshot: str | None = None, rev: int | None = None, *, void: bool = False
) -> Command[m.Changed]:
    """The talk is over; the agent wraps up, the call goes on outside of any line.

    `void`: it was none (a phone that died, a call dropped at once), and nothing is to be said about it.
    """
    return Command("release", {"call": call, "rev": rev, "void": void or None}, replies.changed, snapshot)


def end(call: m.CallId, outcome: str, *, facts: str | None = None, trail: str | None = None) -> Command[m.Changed]:
    """The call is over, whatever it was at; its record goes. `facts`: JSON of what its worker knows."""
    return Command("end", {"call": call, "outcome": outcome, "facts": facts, "trail": trail}, replies.changed)


def restore(talk: m.Talk, snapshot: str | None = None, rev: int | None = None) -> Command[m.Changed]:
    """Make a talk known again after the state was lost; its agent is taken for engaged."""
    args = {
        "call": talk.call,
        "node": talk.node,
        "topic": talk.topic,
        "arrival": talk.arrival,
        "reason": talk.reason,
        "agent": checked(talk.agent, "agent"),
        "agent_node": talk.agent_node,
        "token": talk.token,
        "rev": rev,
    }
    return Command("restore", args, replies.changed, snapshot)


def repair(call: m.CallId, kind: str, node: m.NodeId, nonce: str) -> Command[m.Changed]:
    """Tell in the stream that something of a call, known or not, was mended. A `nonce` counts once."""
    return Command("repair", {"call": call, "kind": kind, "node": node, "nonce": nonce}, replies.changed)


def presence(
    agent: AgentId, groups: Iterable[GroupId], node: m.NodeId, *, present: bool, busy: bool | None = None
) -> Command[m.Changed]:
    """A phone came or went at a node. Repeat it freely: only news count.

    `busy`: whether one that is there has a call outside of us; None: as was told, unless the node is another.
    """
    names = "|".join(checked(group, "group") for group in groups)
    args = {"agent": checked(agent, "agent"), "groups": names, "node": node, "present": present, "busy": busy}
    return Command("presence", args, replies.changed)


def pause(agent: AgentId, reason: str, until: int | None, *, create: bool = False) -> Command[m.Changed]:
    """The agent takes no calls; `until` is the expected return, which only `resume` makes.

    `create`: also one of whom nothing is known yet.
    """
    args = {"agent": agent, "reason": reason, "back": until, "create": create or None}
    return Command("pause", args, replies.changed)


def resume(agent: AgentId) -> Command[m.Changed]:
    """The agent is ready: ends a pause, a cool-down and a wrap."""
    return Command("resume", {"agent": agent}, replies.changed)


def outcome(
    agent: AgentId, code: str, *, follow_up: bool = False, to: TopicId | None = None
) -> Command[m.Changed | m.Refused]:
    """How the agent's last talk went: ends its wrap. `follow_up`: they owe its caller something more.

    `to` is the topic that the caller should have had; said again without one, an outcome keeps the one that it had.
    """
    args = {"agent": agent, "code": code, "follow_up": follow_up, "to": to}
    return Command("outcome", args, replies.changed, refused=replies.refused)


def extend(agent: AgentId, nonce: str) -> Command[m.Changed | m.Refused]:
    """The wrap lasts as long again, twice at most. A `nonce` (any text, a new one each time) counts once."""
    return Command("extend", {"agent": agent, "nonce": nonce}, replies.changed, refused=replies.refused)


def disown(caller: str, topic: TopicId, agent: AgentId) -> Command[m.Changed]:
    """The agent owes a caller, by ref, no answer about a topic any more; another who does so still does."""
    return Command("disown", {"caller": caller, "topic": topic, "agent": agent}, replies.changed)


def forget(caller: str) -> Command[m.Changed]:
    """Nothing is remembered of a caller, by ref, any more."""
    return Command("forget", {"caller": caller}, replies.changed)


def busy(agent: AgentId, *, busy: bool) -> Command[m.Changed]:
    """The agent has, or no longer has, a call outside of ours. An offer that rings goes on."""
    return Command("busy", {"agent": agent, "busy": busy}, replies.changed)


def reap() -> Command[m.Reaped]:
    """Everything whose time has come; also tells every live offer."""
    return Command("reap", {}, replies.reaped)


def lease(node: m.NodeId, worker: m.WorkerId, ttl_ms: int) -> Command[m.Leased]:
    """Take or keep a node for a worker."""
    args = {"node": node, "worker": worker, "ttl": ttl_ms}
    return Command("lease", args, lambda answer: replies.leased(answer, worker))


def unlease(node: m.NodeId, worker: m.WorkerId) -> Command[m.Changed]:
    """Give a node back."""
    return Command("unlease", {"node": node, "worker": worker}, replies.changed)


def status(call: m.CallId) -> Command[m.CallStatus]:
    """Read one call."""
    return Command("status", {"call": call}, replies.status)


def calls_of(node: m.NodeId) -> Command[m.Records]:
    """Read the calls of a node, snapshots included."""
    return Command("calls_of", {"node": node}, replies.records)


def people() -> Command[tuple[m.AgentRecord, ...]]:
    """Read the agents."""
    return Command("people", {}, replies.people)


def dump() -> Command[m.Dump]:
    """Read everything."""
    return Command("dump", {}, replies.dump)
