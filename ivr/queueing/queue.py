"""The queue as a worker uses it: one round trip per command, typed replies, typed errors."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from redis import exceptions as of_redis

from ivr.queueing import commands, script
from ivr.queueing.cancelling import heeding
from ivr.queueing.clock import SiteClock
from ivr.queueing.errors import LinesMoved, QueueError, QueueUnavailable, StateLost
from ivr.queueing.keys import Keys
from ivr.queueing.model import NodeId
from ivr.queueing.retry import Retry
from ivr.queueing.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

    from redis.asyncio import Redis

    from ivr.core.plan import AgentId, GroupId, SiteId, TopicId
    from ivr.queueing import model as m
    from ivr.queueing.commands import Command

R = TypeVar("R")

AT_ONCE: Final = 32
"""Commands on their way at a time. Each has a connection to itself, and Redis runs one at a time: hundreds at once, as
when a crowd is adopted, would only be hundreds of connections to be opened, and late for that."""

AWAY = (
    of_redis.ConnectionError,
    of_redis.TimeoutError,
    of_redis.BusyLoadingError,
    of_redis.ReadOnlyError,
    of_redis.OutOfMemoryError,
    of_redis.ClusterDownError,
)
REFUSES_ALL: Final = ("BUSY ", "MISCONF ", "NOREPLICAS ", "MASTERDOWN ")
"""How Redis says that it serves nobody now: a script that runs for long, a full disk, no replica, no primary."""

Home = Literal["shared", "emergency"]
"""Where the site's state is: in the Redis that all workers share, or in this node's own while that is away."""


class RedisRefuses(of_redis.ConnectionError):
    """Redis answers, and serves nobody for now: as good as away."""


@contextlib.contextmanager
def _away_if_it_refuses() -> Iterator[None]:
    try:
        yield
    except of_redis.ResponseError as refusal:
        if str(refusal).startswith(REFUSES_ALL):
            raise RedisRefuses(str(refusal)) from refusal
        raise


class Queue:
    """One site's queues, agents and offers, shared through Redis with every other worker.

    Every method is one command (see `ivr.queueing.commands`) and raises StateLost,
    QueueUnavailable or QueueFault. Offers in a reply may be for calls of other nodes: those are
    also published to their node. Send the commands of one call one after the other, or number
    them by `rev`.

    `emergency`: this node's own Redis, for while the shared one is away. `on_loss` is asked when a home is away or
    has lost its state, with what the command was sent under: True when the state is elsewhere, or another, by now,
    and the command is sent again. `quiet` holds commands back while the state moves.
    """

    def __init__(
        self,
        redis: Redis,
        site: SiteId,
        lines: Sequence[str] = (),
        *,
        node: NodeId | None = None,
        clock: SiteClock | None = None,
        retry: Retry | None = None,
        emergency: Redis | None = None,
    ) -> None:
        self._redis = redis
        self._homes: dict[Home, Redis] = {"shared": redis}
        if emergency is not None:
            self._homes["emergency"] = emergency
        self._wire = Wire(Keys(site, tuple(lines)), node or NodeId(""))
        self._retry = retry or Retry()
        self.clock = clock or SiteClock()
        self.home: Home = "shared"
        self.on_loss: Callable[[Home, m.Epoch | None, QueueError], Awaitable[bool]] | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._open = asyncio.Event()
        self._open.set()
        self._on_their_way = 0
        self._idle = asyncio.Event()
        self.doubtful = False
        """Redis failed to answer since this was last put down: it may have lost what it had acknowledged."""
        self.epoch: m.Epoch | None = None
        self.sent: Counter[str] = Counter()
        """Round trips so far, by command."""

    @property
    def site(self) -> SiteId:
        """Whose queue it is."""
        return self._wire.keys.site

    @property
    def keys(self) -> Keys:
        """The keys in use; they grow when another worker brings new lines."""
        return self._wire.keys

    async def learn_clock(self) -> None:
        """Bring the clock near to Redis'. At each connect, and now and then."""
        sent = self.clock.monotonic_ns()
        try:
            with _away_if_it_refuses():
                seconds, micros = await heeding(self._redis.time())
        except AWAY as error:
            raise QueueUnavailable(self.site, "time", 1) from error
        self.clock.learn(seconds * 1_000_000 + micros, sent, self.clock.monotonic_ns())

    @property
    def sheltered(self) -> bool:
        """Whether there is an emergency Redis at all."""
        return "emergency" in self._homes

    def at(self, home: Home) -> Queue:
        """Return the same queue in one of its homes, by itself: no move and no `quiet` of this one touches it."""
        other = Queue(
            self._homes[home], self.site, self.keys.lines, node=self._wire.node, clock=self.clock, retry=self._retry
        )
        other.home, other.sent = home, self.sent
        other.epoch = self.epoch if home == self.home else None
        return other

    def become(self, other: Queue) -> None:
        """Send every command where `other` sends its own, from now on."""
        self._redis, self._wire, self.home, self.epoch = other._redis, other._wire, other.home, other.epoch
        self.doubtful = False

    async def answers(self, home: Home) -> bool:
        """Return whether that Redis takes writes."""
        redis = self._homes[home]
        try:
            await heeding(redis.set(self.keys.name("probe"), 1))
        except of_redis.RedisError:
            return False
        return True

    async def vacate(self) -> None:
        """Leave nothing but its event stream, which is still to be copied, in the emergency Redis."""
        with contextlib.suppress(*AWAY):
            await heeding(self._homes["emergency"].delete(self.keys.name("site")))

    async def run(self, command: Command[R]) -> R:
        """Send a command until it is answered or the policy gives up, here and where the state is moved to."""
        while True:
            await self._open.wait()
            home, epoch = self.home, self.epoch
            self._on_their_way += 1
            try:
                return await self._persist(command)
            except (QueueUnavailable, StateLost) as error:
                lost: QueueError = error
            finally:
                self._on_their_way -= 1
                if not self._on_their_way:
                    self._idle.set()
            if self.on_loss is None or not await self.on_loss(home, epoch, lost):
                raise lost

    @contextlib.asynccontextmanager
    async def quiet(self, *, patience_s: float = 1.0) -> AsyncIterator[None]:
        """Hold back every command inside; those on their way have been answered, or have had their time."""
        self._open.clear()
        try:
            if self._on_their_way:
                self._idle.clear()
                # Not wait_for: where the wait ends as we are cancelled, Python 3.11's forgets that we were.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience_s):
                        await self._idle.wait()
            yield
        finally:
            self._open.set()

    async def _persist(self, command: Command[R]) -> R:
        failures, began = 0, time.monotonic()
        while True:
            try:
                async with self._turns:
                    return await self._send(command)
            except LinesMoved as moved:
                self._wire = Wire(self._wire.keys.widened(moved.lines), self._wire.node)
            except AWAY as error:
                self.doubtful = True
                failures += 1
                spent_ms = (time.monotonic() - began) * 1000
                if failures >= self._retry.attempts or spent_ms >= self._retry.within_ms:
                    raise QueueUnavailable(self.site, command.name, failures) from error
                await asyncio.sleep(self._retry.pause_s(failures))

    async def _send(self, command: Command[R]) -> R:
        keys, argv = self._wire.encode(command, self.clock(), self.epoch)
        self.sent[command.name] += 1
        with _away_if_it_refuses():
            try:
                raw: Any = await heeding(self._redis.fcall(script.name(), len(keys), *keys, *argv))
            except of_redis.ResponseError as refusal:
                if script.MISSING not in str(refusal):
                    raise
                await heeding(self._redis.function_load(script.source(), replace=True))
                raw = await heeding(self._redis.fcall(script.name(), len(keys), *keys, *argv))
        return self._wire.decode(command, raw)

    async def found(
        self, epoch: m.Epoch, node: NodeId | None = None, worker: m.WorkerId | None = None, ttl_ms: int = 0
    ) -> m.Founded:
        """Establish an epoch, with the lease of a node, or learn the one in force; later commands are sent under it."""
        self.epoch = epoch
        reply = await self.run(commands.found(node, worker, ttl_ms))
        self.epoch = reply.epoch
        self.clock.reached(reply.now)
        return reply

    async def known(self) -> m.Epoch | None:
        """Return the epoch in force, None where there is none; it founds nothing. Raises QueueUnavailable."""
        self.epoch = None  # no site is under it
        try:
            await self._persist(commands.people())
        except StateLost as lost:
            self.epoch = lost.found
        return self.epoch

    async def configure(self, routing: m.Routing) -> m.Changed:
        """Put a routing in force."""
        reply = await self.run(commands.configure(routing))
        self._wire = Wire(self._wire.keys.widened(routing.lines), self._wire.node)
        return reply

    async def save(
        self,
        call: m.CallId,
        node: NodeId,
        snapshot: str,
        arrival: int,
        rev: int | None = None,
        *,
        again: bool = False,
        trail: str | None = None,
    ) -> m.Changed:
        """Keep the snapshot of a call, known or new, or (`again`) one that had ended."""
        return await self.run(commands.save(call, node, snapshot, arrival, rev, again=again, trail=trail))

    async def join(  # noqa: PLR0913 - as the command
        self,
        call: m.CallId,
        node: NodeId,
        topic: TopicId,
        arrival: int,
        *,
        reason: m.Reason | None = None,
        since: int | None = None,
        caller: str | None = None,
        snapshot: str | None = None,
        rev: int | None = None,
        trail: str | None = None,
    ) -> m.Joined:
        """Put a call in a topic's line; its offers, if any, are in the reply."""
        return await self.run(
            commands.join(
                call,
                node,
                topic,
                arrival,
                reason=reason,
                since=since,
                caller=caller,
                snapshot=snapshot,
                rev=rev,
                trail=trail,
            )
        )

    async def leave(
        self, call: m.CallId, reason: str, snapshot: str | None = None, rev: int | None = None, trail: str | None = None
    ) -> m.Changed:
        """Take a call out of its line and withdraw its offers."""
        return await self.run(commands.leave(call, reason, snapshot, rev, trail=trail))

    async def accept(
        self, token: m.Token, snapshot: str | None = None, rev: int | None = None
    ) -> m.Accepted | m.Refused:
        """The agent answered; refused when the offer is no more."""
        return await self.run(commands.accept(token, snapshot, rev))

    async def decline(
        self, token: m.Token, reason: m.DeclineReason, snapshot: str | None = None, rev: int | None = None
    ) -> m.Changed | m.Refused:
        """The agent did not answer; the caller is offered to the next at once."""
        return await self.run(commands.decline(token, reason, snapshot, rev))

    async def release(
        self, call: m.CallId, snapshot: str | None = None, rev: int | None = None, *, void: bool = False
    ) -> m.Changed:
        """The talk is over; the agent wraps up, and owes no word about one that was `void`."""
        return await self.run(commands.release(call, snapshot, rev, void=void))

    async def end(
        self, call: m.CallId, outcome: str, *, facts: str | None = None, trail: str | None = None
    ) -> m.Changed:
        """The call is over, whatever it was at."""
        return await self.run(commands.end(call, outcome, facts=facts, trail=trail))

    async def restore(self, talk: m.Talk, snapshot: str | None = None, rev: int | None = None) -> m.Changed:
        """Make a talk known again after the state was lost."""
        return await self.run(commands.restore(talk, snapshot, rev))

    async def repair(self, call: m.CallId, kind: str, node: NodeId, nonce: str) -> m.Changed:
        """Something of a call was mended; a line of its history."""
        return await self.run(commands.repair(call, kind, node, nonce))

    async def presence(
        self, agent: AgentId, groups: Iterable[GroupId], node: NodeId, *, present: bool, busy: bool | None = None
    ) -> m.Changed:
        """A phone came or went at a node; whether it is busy outside of us."""
        return await self.run(commands.presence(agent, groups, node, present=present, busy=busy))

    async def pause(self, agent: AgentId, reason: str, until: int | None, *, create: bool = False) -> m.Changed:
        """The agent takes no calls, until they resume."""
        return await self.run(commands.pause(agent, reason, until, create=create))

    async def resume(self, agent: AgentId) -> m.Changed:
        """The agent is ready."""
        return await self.run(commands.resume(agent))

    async def outcome(
        self, agent: AgentId, code: str, *, follow_up: bool = False, to: TopicId | None = None
    ) -> m.Changed | m.Refused:
        """How the agent's last talk went; ends its wrap."""
        return await self.run(commands.outcome(agent, code, follow_up=follow_up, to=to))

    async def extend(self, agent: AgentId) -> m.Changed | m.Refused:
        """The agent's wrap lasts as long again."""
        return await self.run(commands.extend(agent, secrets.token_hex(4)))

    async def disown(self, caller: str, topic: TopicId, agent: AgentId) -> m.Changed:
        """The agent owes a caller (a ref) no answer about a topic any more."""
        return await self.run(commands.disown(caller, topic, agent))

    async def forget(self, caller: str) -> m.Changed:
        """Nothing is remembered of a caller (a ref) any more."""
        return await self.run(commands.forget(caller))

    async def busy(self, agent: AgentId, *, busy: bool) -> m.Changed:
        """The agent has, or no longer has, a call outside of ours."""
        return await self.run(commands.busy(agent, busy=busy))

    async def reap(self) -> m.Reaped:
        """Everything whose time has come; every live offer."""
        reply = await self.run(commands.reap())
        self.clock.reached(reply.now)
        return reply

    async def lease(self, node: NodeId, worker: m.WorkerId, ttl_ms: int) -> m.Leased:
        """Take or keep a node for a worker."""
        reply = await self.run(commands.lease(node, worker, ttl_ms))
        self.clock.reached(reply.now)
        return reply

    async def unlease(self, node: NodeId, worker: m.WorkerId) -> m.Changed:
        """Give a node back."""
        return await self.run(commands.unlease(node, worker))

    async def status(self, call: m.CallId) -> m.CallStatus:
        """Read one call."""
        return await self.run(commands.status(call))

    async def calls_of(self, node: NodeId) -> tuple[m.CallRecord, ...]:
        """Read the calls of a node, snapshots included."""
        return (await self.run(commands.calls_of(node))).calls

    async def people(self) -> tuple[m.AgentRecord, ...]:
        """Read the agents."""
        return await self.run(commands.people())

    async def dump(self) -> m.Dump:
        """Read everything; for tests and diagnosis."""
        reply = await self.run(commands.dump())
        self.clock.reached(int(reply.site["clock"]))
        return reply
