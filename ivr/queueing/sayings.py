"""What agents say about themselves and their calls, told to the queue: done, or refused with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, assert_never

from ivr.core.codes import Longer, Pause, Ready, Say
from ivr.queueing.errors import QueueFault
from ivr.queueing.model import Moves

if TYPE_CHECKING:
    from ivr.core.codes import Code
    from ivr.core.plan import AgentId
    from ivr.queueing.queue import Queue

NOT_YET: Final = "the queue keeps no outcomes"


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
            case Say(outcome):
                return await _ask(queue, "outcome", agent, outcome.id, follow_up=outcome.follow_up)
            case Longer():
                return await _ask(queue, "extend", agent)
            case _:
                assert_never(said)
    except QueueFault as fault:  # an agent whom the queue has never seen
        return Answer(Moves(), fault.reason)


async def _ask(queue: Queue, name: str, *args: Any, **named: Any) -> Answer:
    """Send a command that may be answered by a refusal, and that a queue may lack."""
    command = getattr(queue, name, None)
    if command is None:
        return Answer(Moves(), NOT_YET)
    reply: Moves = await command(*args, **named)
    return Answer(reply, getattr(reply, "reason", None))
