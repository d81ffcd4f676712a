"""Which agents are there, and which have a call outside of us: Asterisk tells, the queue is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from ivr import log
from ivr.ari.events import ChannelStateChange, ContactStatusChange, PeerStatusChange
from ivr.queueing.errors import QueueError, QueueFault, QueueUnavailable
from ivr.telephony.ids import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from ivr.ari import AnyEvent, AriClient
    from ivr.core.plan import Agent, AgentId, Plan
    from ivr.queueing.model import Moves, NodeId
    from ivr.queueing.queue import Queue
    from ivr.telephony.tasks import Tasks

EVENTS: Final = ("ContactStatusChange", "PeerStatusChange", "ChannelStateChange")
_ONLINE: Final = "online"
_TECHNOLOGY: Final = "PJSIP"
_SOURCES: Final = 100
"""Asterisk takes at most 128 in one request (MAX_VALS in its generated ARI resources)."""

_log = log.get("presence")


class Presence:
    """The agents of one node's Asterisk, as the queue must know them."""

    def __init__(
        self,
        plan: Plan,
        app: str,
        node: NodeId,
        queue: Queue,
        route: Callable[[Moves], None],
        tasks: Tasks,
        sure: Callable[[], bool] = lambda: True,
    ) -> None:
        """`sure` tells whether the node is ours still: what was heard before that is not told to anybody."""
        self._sure = sure
        self._app = app
        self._node = node
        self._queue = queue
        self._route = route
        self._tasks = tasks
        self._agents = {agent.endpoint: agent for agent in plan.agents.values()}
        self._outside: dict[str, AgentId] = {}
        self._untold: set[AgentId] = set()
        self._leaving: set[Agent] = set()
        self._changed: set[str] = set()
        self._turns: defaultdict[AgentId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read(self, ari: AriClient, queue: Queue | None = None) -> None:
        """Ask to hear of every agent's phone, and tell the queue who is there now and who is busy.

        `queue` is another one that is told instead, and what follows from it is nobody's business yet.
        """
        await self._subscribe(ari, self._agents)
        self._outside.clear()
        for endpoint in await ari.endpoints.listByTech(tech=_TECHNOLOGY):
            agent = self._agents.get(endpoint.resource)
            if agent is None:
                continue
            self._outside |= {channel: agent.id for channel in endpoint.channel_ids if parse(channel) is None}
            here = endpoint.state == _ONLINE
            if queue is not None:
                busy = agent.id in self._outside.values()
                await queue.presence(agent.id, agent.groups, self._node, present=here, busy=busy)
            else:
                await self._present(agent, present=here)

    async def switch(self, plan: Plan, ari: AriClient) -> None:
        """Follow another version: who is new is looked for, who is gone gets no more calls.

        Who talks goes on talking, whoever is gone; who is in other groups now is told as such; nobody else is touched.
        Raises QueueError, AriError; called again, it does what was left undone.
        """
        before, self._agents = self._agents, {agent.endpoint: agent for agent in plan.agents.values()}
        self._leaving |= {agent for endpoint, agent in before.items() if endpoint not in self._agents}
        self._changed |= {
            endpoint
            for endpoint, agent in self._agents.items()
            if endpoint not in before or before[endpoint].groups != agent.groups
        }
        for agent in tuple(self._leaving):
            if agent.endpoint not in self._agents:
                await self._present(agent, present=False)
            self._leaving.discard(agent)
        changed = self._changed & self._agents.keys()
        if changed and ari.connected:
            await self._subscribe(ari, changed)
            for endpoint in await ari.endpoints.listByTech(tech=_TECHNOLOGY):
                if endpoint.resource in changed:
                    agent = self._agents[endpoint.resource]
                    if endpoint.resource not in before:
                        self._outside |= {each: agent.id for each in endpoint.channel_ids if parse(each) is None}
                    await self._present(agent, present=endpoint.state == _ONLINE)
        self._changed.clear()

    async def _subscribe(self, ari: AriClient, endpoints: Iterable[str]) -> None:
        sources = [f"endpoint:{_TECHNOLOGY}/{endpoint}" for endpoint in endpoints]
        for first in range(0, len(sources), _SOURCES):
            some = ",".join(sources[first : first + _SOURCES])
            await ari.applications.subscribe(applicationName=self._app, eventSource=some)

    def heard(self, event: AnyEvent) -> None:
        """Take an event about a phone, or about a channel of one that is not ours."""
        match event:
            case ContactStatusChange(endpoint=endpoint) | PeerStatusChange(endpoint=endpoint):
                agent = self._agents.get(endpoint.resource)
                if agent is not None and endpoint.state in {_ONLINE, "offline"}:
                    self._tell(self._present(agent, present=endpoint.state == _ONLINE))
            case ChannelStateChange(channel=channel):
                agent = self._agents.get(channel.name.removeprefix(f"{_TECHNOLOGY}/").rpartition("-")[0])
                if agent is not None and parse(channel.id) is None and channel.id not in self._outside:
                    self._outside[channel.id] = agent.id
                    self._tell(self.busy(agent.id))
            case _:
                pass

    def gone(self, channel: str) -> None:
        """Note that a channel ended; the last one outside of us leaves its agent free."""
        agent = self._outside.pop(channel, None)
        if agent is not None and agent not in self._outside.values():
            self._tell(self.busy(agent))

    def dials(self, channel: str, agent: Agent) -> None:
        """Note that an agent is on a call of their own; its end is told by `gone`. The queue hears of it by `busy`."""
        self._outside[channel] = agent.id

    async def busy(self, agent: AgentId) -> None:
        """Tell the queue how it is when this agent's turn comes: of a quick change the last word is the true one."""
        async with self._turns[agent]:
            try:
                self._route(await self._queue.busy(agent, busy=agent in self._outside.values()))
            except QueueUnavailable:
                self._untold.add(agent)
                raise
            except QueueFault:
                self._untold.discard(agent)  # the queue does not know the agent: nothing is owed
                raise
            self._untold.discard(agent)

    async def pay(self) -> None:
        """Tell the queue of every agent of whom it could not be told; raises QueueError, and then owes on."""
        for agent in tuple(self._untold):
            with contextlib.suppress(QueueFault):
                await self.busy(agent)

    async def _present(self, agent: Agent, *, present: bool) -> None:
        async with self._turns[agent.id]:
            busy = agent.id in self._outside.values()
            told = await self._queue.presence(agent.id, agent.groups, self._node, present=present, busy=busy)
            self._route(told)

    def _tell(self, news: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(self._send(news))

    async def _send(self, news: Coroutine[Any, Any, None]) -> None:
        if not self._sure():
            news.close()
            self._queue.doubtful = True  # should it be ours after all, everybody is read anew
            return
        try:
            await news
        except QueueError as error:
            _log.warning("an agent's presence is not known to the queue", reason=str(error))
