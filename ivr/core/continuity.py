"""What happens to a topic's callers when nobody of it can answer: its chain, step by step, to one that cannot fail.

The steps are those of the topic that the caller asked for, wherever they led so far: each is taken at most once in
a call, so that no chain is a loop, whatever other chains say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from ivr.core import effects as fx
from ivr.core.plan import CallBack, OtherTopic, TakeMessage, TellOutside
from ivr.core.promises import call_back, leave_for_message
from ivr.core.promises import owner as owner  # noqa: PLC0414 - who asks for the chain asks for its owner too
from ivr.core.state import Telling, Waiting
from ivr.core.turn import PROMPT_GUARD_MS

if TYPE_CHECKING:
    from ivr.core.plan import ChainStep, GroupId, OutsideId, Plan, TopicId
    from ivr.core.state import Why
    from ivr.core.turn import Turn


def chain_of(plan: Plan, topic: TopicId) -> tuple[ChainStep, ...]:
    """Return every step for a topic; without steps of its own: the general desk, then a message."""
    known = plan.topics[topic]
    if known.continuity:
        return known.continuity
    usual = () if topic == plan.general else (OtherTopic(plan.general),)
    return (*usual, TakeMessage(known.groups[0]))


def descend(turn: Turn, phase: Waiting, *, joined: bool = True, told: bool = False) -> None:
    """Take the next step that can be taken. `joined`: a queue holds the call; `told`: an outside body was named."""
    if not joined:
        turn.enter(phase)
    steps = chain_of(turn.plan, phase.asked)
    for n, step in enumerate(steps[phase.step :], phase.step + 1):
        match step:
            case OtherTopic(topic):
                if topic not in (phase.asked, phase.topic) and turn.hours(topic).open:
                    other(turn, replace(phase, topic=topic, queued=False, step=n))
                    return
            case TellOutside(outside):
                # Who waited for us until we closed is owed our own answer.
                if not phase.closing:
                    outside_body(turn, replace(phase, step=n), outside, joined=joined)
                    return
            case CallBack(group) | TakeMessage(group):
                end(turn, phase, group, joined=joined, told=told, message=isinstance(step, TakeMessage))
                return
            case _:
                assert_never(step)
    end(turn, phase, owner(turn.plan, phase.asked), joined=joined, told=told)  # of a chain that names none


def end(turn: Turn, phase: Waiting, group: GroupId, *, joined: bool, told: bool, message: bool = True) -> None:
    """Promise: `message` asks for one, but not of somebody who waited for us until we closed, and can be called."""
    label = turn.plan.groups[group].label
    if turn.reachable and (phase.closing or not message):
        turn.do(fx.Note("callback", label))
        call_back(turn, phase, group, why(turn, phase), joined=joined)
    else:
        turn.do(fx.Note("message", label))
        leave_for_message(turn, phase, group, why(turn, phase), joined=joined, told=told)


def other(turn: Turn, phase: Waiting) -> None:
    """Wait for the people of another topic, at the place of the first arrival."""
    turn.do(fx.Note("topic", turn.plan.topics[phase.topic].label))
    turn.enter(phase)
    turn.join(phase.topic, phase.since)
    turn.patience(phase.topic, turn.plan.first_patience_ms)


def outside_body(turn: Turn, phase: Waiting, outside: OutsideId, *, joined: bool) -> None:
    """Say whom to call instead; who stays on the line goes on down the chain."""
    body = turn.plan.outsides[outside]
    turn.hush()
    turn.drop_legs(phase.offers)
    turn.do(fx.Note("outside", body.label))
    turn.enter(Telling(phase.asked, phase.since, phase.step, turn.play(body.prompt)))
    if joined:
        turn.do(fx.LeaveQueue("outside"))
    turn.timer(PROMPT_GUARD_MS)


def told(turn: Turn, phase: Telling, *, heard: bool) -> None:
    """Go on after whom to call instead, which was an answer if it was heard to its end."""
    if heard:
        turn.call = replace(turn.call, informed=True)
    descend(turn, Waiting(phase.asked, phase.asked, phase.since, step=phase.step), joined=False, told=heard)


def why(turn: Turn, phase: Waiting) -> Why:
    """Return why the caller gets a promise."""
    if phase.closing:
        return "closing"
    return "unstaffed" if turn.hours(phase.asked).open else "closed"


def closing(turn: Turn, phase: Waiting) -> None:
    """The hours ended while the caller waited: another topic of the chain that is open, or their place is kept."""
    turn.do(fx.Note("closing", turn.plan.topics[phase.topic].label))
    descend(turn, replace(phase, closing=True))
