"""When nobody can answer: the caller is told, leaves a message, and a file is owed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.plan import BEEP, CallBack, TakeMessage
from ivr.core.state import Apologising, Parting, Promising, Recording, Waiting
from ivr.core.turn import PROMPT_GUARD_MS

if TYPE_CHECKING:
    from ivr.core.plan import GroupId, Plan, PromptId, TopicId
    from ivr.core.state import Why
    from ivr.core.turn import Turn

PROMISE_GUARD_MS: Final = 10_000
HANGUP_GUARD_MS: Final = 5_000
RECORD_MARGIN_MS: Final = 10_000
LEAST_MESSAGE_MS: Final = 1_000
"""Who hangs up sooner has said nothing: the recording may not even have begun."""


def owner(plan: Plan, topic: TopicId) -> GroupId:
    """Return who owes an answer to a topic's callers whom nobody answered: the end of its chain, or its first group."""
    match plan.topics[topic].continuity[-1:]:
        case (CallBack(owner) | TakeMessage(owner),):
            return owner
        case _:
            return plan.topics[topic].groups[0]


def excuse(turn: Turn, topic: TopicId, why: Why) -> tuple[PromptId, ...]:
    """Return what is said of why no person answers."""
    said = turn.plan.announcements
    match why:
        case "unstaffed":
            return (said.unstaffed,)
        case "closing" if turn.reachable:
            return (said.closing or said.unstaffed,)
        case "closing":
            # That the call is kept would be a promise: without a number, only a message makes it one.
            return (closed_sentence(turn, topic) or said.unstaffed,)
        case "closed" if not turn.call.closed:
            return (closed_sentence(turn, topic) or said.unstaffed,)
        case _:
            return ()


def closed_sentence(turn: Turn, topic: TopicId | None) -> PromptId | None:
    """Return what is said of hours that are over: of this span, else of the site's when the site itself is closed."""
    span = turn.hours(topic)
    if not span.open and span.prompt in turn.plan.prompts:
        return span.prompt
    return None if turn.hours(None).open else turn.plan.announcements.closed


def apologise(turn: Turn, phase: Waiting, why: Why = "unstaffed") -> None:
    """Nobody can answer, or the caller asked for it: a message; the place in line is given up."""
    leave_for_message(turn, phase, owner(turn.plan, phase.asked), why)


def leave_for_message(
    turn: Turn, phase: Waiting, group: GroupId, why: Why, *, joined: bool = True, told: bool = False
) -> None:
    """Out of the line, and to the message after a sentence; `told`: whom to call instead was heard before."""
    turn.hush()
    turn.drop_legs(phase.offers)
    ask_for_message(turn, Apologising(phase.asked, 0, group, why, told), leave=joined)


def ask_for_message(turn: Turn, phase: Apologising, *, leave: bool = False) -> None:
    """Say why nobody answers and ask for a message."""
    said = turn.plan.announcements
    words = (said.full_message,) if phase.why == "full" else (*excuse(turn, phase.topic, phase.why), said.leave_message)
    turn.enter(replace(phase, play=turn.play(*words, BEEP)))
    if leave:
        turn.do(fx.LeaveQueue("closing" if phase.why == "closing" else "told"))
    turn.timer(PROMPT_GUARD_MS)


def call_back(turn: Turn, phase: Waiting, group: GroupId, why: Why, *, joined: bool = True) -> None:
    """Out of the line with a promise and no message: the number is known."""
    turn.hush()
    turn.drop_legs(phase.offers)
    if joined:
        turn.do(fx.LeaveQueue("closing" if why == "closing" else "told"))
    promise(turn, Promising(phase.asked, message=False, recording=0, owner=group, why=why))


def full(turn: Turn) -> None:
    """No line is free: one sentence and a promise, never busy. A number is called back; without one, a message."""
    general = turn.plan.general
    if turn.call.caller.number is not None:
        promise(turn, Promising(general, message=False, recording=0, owner=owner(turn.plan, general), why="full"))
    else:
        ask_for_message(turn, Apologising(general, 0, owner(turn.plan, general), "full"))


def record(turn: Turn, phase: Apologising) -> None:
    """Begin the recording of the message."""
    serial = turn.serial()
    turn.enter(Recording(phase.topic, serial, turn.env.now, phase.owner, phase.why))
    turn.do(fx.Record(serial, turn.plan.message_max_ms))
    turn.timer(turn.plan.message_max_ms + RECORD_MARGIN_MS)


def recording_done(turn: Turn, done: ev.RecordingDone) -> None:
    """The message is there, or will not be: promise an answer."""
    phase = turn.call.phase
    if isinstance(phase, Recording) and phase.recording == done.serial:
        promise(turn, Promising(phase.topic, done.kept, phase.recording, owner=phase.owner, why=phase.why))


def owe(turn: Turn, kind: fx.PromiseKind, phase: Apologising | Recording | Promising, recording: int = 0) -> None:
    """Commit a promise. Who waited until the hours ended keeps the place: they are the first of the next opening."""
    group = phase.owner or owner(turn.plan, phase.topic)
    kept, due = phase.why == "closing", None
    if kept:
        hours = turn.env.calendar.of(phase.topic)
        opens = hours.opens(turn.env.now)
        due = hours.closes(opens) if opens is not None else None
    turn.do(fx.Promise(kind, phase.topic, recording, group, kept, due))


def promise(turn: Turn, phase: Promising) -> None:
    """Commit the promise; what the caller is told comes after."""
    turn.enter(phase)
    owe_again(turn, phase)
    turn.timer(PROMISE_GUARD_MS)


def owe_again(turn: Turn, phase: Promising) -> None:
    """Commit the promise that a call waits for; twice, it is one."""
    owe(turn, "message" if phase.message else "dropped" if phase.gone else "callback", phase, phase.recording)


def promised(turn: Turn) -> None:
    """The promise is in the ledger: tell the caller."""
    phase = turn.call.phase
    if isinstance(phase, Promising) and phase.gone:
        part(turn, "promised")
    elif isinstance(phase, Promising):
        turn.enter(Parting("promised", turn.play(*kept_words(turn, phase))))
        turn.timer(PROMPT_GUARD_MS)


def kept_words(turn: Turn, phase: Promising) -> tuple[PromptId, ...]:
    """Return what a caller is told whose promise is kept."""
    said = turn.plan.announcements
    if phase.recording or phase.message:
        return (said.message_kept, said.goodbye)
    if phase.why == "full":
        return (said.full_callback,)
    # Without a sentence of its own, the one that tells of a call back too; what is said at closing time does already.
    last = said.callback_kept or (said.goodbye if phase.why == "closing" else said.full_callback)
    return (*excuse(turn, phase.topic, phase.why), last)


def part(turn: Turn, outcome: fx.Outcome) -> None:
    """End the line; the outcome is known."""
    turn.enter(Parting(outcome))
    turn.do(fx.Hangup())
    turn.timer(HANGUP_GUARD_MS)
