"""What an actor needs of the worker that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ivr.core import effects as fx
    from ivr.core.caller import CallId
    from ivr.core.plan import Agent, AgentId, Plan
    from ivr.core.schedule import Calendar
    from ivr.core.state import Call
    from ivr.queueing.model import Moves, NodeId
    from ivr.queueing.queue import Queue
    from ivr.telephony.actor import CallActor


class Desk(Protocol):
    """What an actor needs of the worker that holds it."""

    @property
    def queue(self) -> Queue:
        """Return the site's queue."""

    def now(self) -> int:
        """Return the site's time, Unix ms."""

    @property
    def node(self) -> NodeId:
        """Return the node whose calls these are."""

    @property
    def calendar(self) -> Calendar:
        """Return when people answer."""

    def route(self, reply: Moves) -> None:
        """Bring every offer of a queue reply to the call that it is for."""

    async def promise(self, call: Call, effect: fx.Promise) -> None:
        """Commit a promise; raises LedgerError."""

    def met(self, call: Call) -> None:
        """Note that an agent answers the caller: a file of the talk must find them."""

    def agent(self, plan: Plan, agent: AgentId) -> Agent:
        """Return an agent, also one who is newer than a call's plan."""

    def owe(self, call: CallId, outcome: str) -> None:
        """Note an end that the queue could not be told: it must still hear of it."""

    def ended(self, actor: CallActor) -> None:
        """Forget a call that is over, or that was given away."""
