"""What becomes of a caller whose topic nobody answers: the steps of its continuity chain, down to one that cannot fail.

A step is taken once at most: `Waiting.step` and `Telling.step` name the next one. A topic without a chain of its own
has the general desk, then a message. Why the chain is gone down decides what is said at its end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from ivr.core import effects as fx
from ivr.core.plan import CallBack, OtherTopic, TakeMessage, TellOutside
from ivr.core.promises import leave_for_message, promise
from ivr.core.state import Promising, Telling, Waiting
from ivr.core.turn import PROMPT_GUARD_MS

if TYPE_CHECKING:
    from ivr.core.plan import ChainStep, GroupId, Plan, PromptId, TopicId
    from ivr.core.turn import Turn

Why = Literal["unstaffed", "closed", "closing"]
"""Nobody of the topic is there; it was closed when the caller asked for it; it closed while the caller waited."""
STILL_RINGING_MS: Final = 5_000
"""After a closing that found phones ringing."""


def chain_of(plan: Plan, topic: TopicId) -> tuple[ChainStep, ...]:
    """Return a topic's steps; the last one is a promise."""
    known = plan.topics[topic]
    if known.continuity:
        return known.continuity
    usual = () if topic == plan.general else (OtherTopic(plan.general),)
    return (*usual, TakeMessage(known.groups[0]))


def owner(plan: Plan, topic: TopicId) -> GroupId:
    """Return who owes an answer to a topic's callers whom nobody answered."""
    match chain_of(plan, topic)[-1]:
        case CallBack(group) | TakeMessage(group):
            return group
        case _:
            return plan.topics[topic].groups[0]


def is_open(turn: Turn, topic: TopicId) -> bool:
    """Whether the topic's people answer at this hour."""
    return turn.env.calendar.of(topic).at(turn.env.now).open


def wait_timer(turn: Turn, topic: TopicId, ms: int) -> None:
    """Arm the wait's timer: `ms`, or sooner when the topic closes before."""
    closes = turn.env.calendar.of(topic).closes(turn.env.now)
    turn.timer(ms if closes is None else max(1, min(ms, closes - turn.env.now)))


def go_on(turn: Turn, wait: Waiting, why: Why, *, in_line: bool) -> None:
    """Take the next step for a caller who waits, or would (`in_line`: a place is held that is given up at the end)."""
    chain = chain_of(turn.plan, wait.asked)
    for index, step in enumerate(chain[wait.step :], wait.step + 1):
        match step:
            case OtherTopic(topic):
                if topic != wait.topic and is_open(turn, topic):
                    turn.enter(replace(wait, topic=topic, step=index, queued=False))
                    turn.join(topic, wait.since)
                    if not in_line:
                        wait_timer(turn, topic, turn.plan.first_patience_ms)
                    return
            case TellOutside(outside):
                _leave(turn, wait, in_line=in_line)
                play = turn.play(turn.plan.outsides[outside].prompt)
                turn.enter(Telling(wait.asked, wait.since, index, play, why))
                turn.timer(PROMPT_GUARD_MS)
                return
            case CallBack():
                _end(turn, wait, why, in_line=in_line, called_back=True)
                return
            case TakeMessage():
                _end(turn, wait, why, in_line=in_line, called_back=False)
                return
    _end(turn, wait, why, in_line=in_line, called_back=False)


def told(turn: Turn, phase: Telling) -> None:
    """The caller heard whom to call, and stays: the next step."""
    turn.call = replace(turn.call, informed=True)
    wait = Waiting(phase.asked, phase.asked, phase.since, step=phase.step)
    go_on(turn, wait, phase.why, in_line=False)


def closing(turn: Turn, phase: Waiting) -> None:
    """The topic has closed under a caller who waits: kept, by whoever is still open or by a promise of that place."""
    go_on(turn, phase, "closing", in_line=True)


def _leave(turn: Turn, wait: Waiting, *, in_line: bool) -> None:
    turn.hush()
    turn.drop_legs(wait.offers)
    if in_line:
        turn.do(fx.LeaveQueue())


def _end(turn: Turn, wait: Waiting, why: Why, *, in_line: bool, called_back: bool) -> None:
    """Promise: a call back of a known number where the chain says so, or at closing; else the answer to a message."""
    sentence = _sentence(turn, why)
    if (called_back or why == "closing") and turn.call.caller.number is not None:
        _leave(turn, wait, in_line=in_line)
        promise(turn, Promising(wait.asked, message=False, recording=0, said=sentence))
        return
    leave_for_message(turn, wait, *sentence, turn.plan.announcements.leave_message, in_line=in_line)


def _sentence(turn: Turn, why: Why) -> tuple[PromptId, ...]:
    said = turn.plan.announcements
    match why:
        case "closing":
            return (said.closing or said.unstaffed,)
        case "closed" if not turn.env.calendar.site.at(turn.env.now).open:
            return ()  # who called a closed site was told so at once
        case _:
            return (said.unstaffed,)
