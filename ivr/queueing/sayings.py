"""What agents say about themselves and their calls, told to the queue: done, or refused with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from ivr.core.codes import Longer, Pause, Ready, Say
from ivr.queueing.errors import QueueFault
from ivr.queueing.model import Moves, Refused

if TYPE_CHECKING:
    from ivr.core.codes import Code
    from ivr.core.plan import AgentId
    from ivr.queueing.model import Changed
    from ivr.queueing.queue import Queue


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it; `moves` are to be routed. `refused` says why nothing changed, None when it holds."""

    moves: Moves
    refused: str | None = None


async def tell(queue: Queue, agent: AgentId, said: Code) -> Answer:
    """Tell the queue what an agent said; raises QueueError when it cannot be reached."""
    try:
        match said:
            case Ready():
                return Answer(await queue.resume(agent))
            case Pause(reason):
                return Answer(await queue.pause(agent, reason.id, queue.clock() + reason.length_ms))
            case Say(outcome, to):
                return _answer(await queue.outcome(agent, outcome.id, follow_up=outcome.follow_up, to=to))
            case Longer():
                return _answer(await queue.extend(agent))
            case _:
                assert_never(said)
    except QueueFault as fault:  # an agent whom the queue has never seen
        return Answer(Moves(), fault.reason)


def _answer(reply: Changed | Refused) -> Answer:
    return Answer(reply, reply.reason if isinstance(reply, Refused) else None)
