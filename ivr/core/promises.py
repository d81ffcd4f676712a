"""When nobody can answer: the caller is told, leaves a message, and a file is owed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.plan import BEEP
from ivr.core.state import Apologising, Parting, Promising, Recording, Waiting
from ivr.core.turn import PROMPT_GUARD_MS

if TYPE_CHECKING:
    from ivr.core.plan import PromptId, TopicId
    from ivr.core.turn import Turn

PROMISE_GUARD_MS: Final = 10_000
HANGUP_GUARD_MS: Final = 5_000
RECORD_MARGIN_MS: Final = 10_000
LEAST_MESSAGE_MS: Final = 1_000
"""Who hangs up sooner has said nothing: the recording may not even have begun."""


def apologise(turn: Turn, phase: Waiting) -> None:
    """Nobody can answer: say so and ask for a message; the place in line is given up."""
    said = turn.plan.announcements
    leave_for_message(turn, phase, said.unstaffed, said.leave_message)


def leave_for_message(turn: Turn, phase: Waiting, *sentences: PromptId, in_line: bool = True) -> None:
    """Out of the line, and to the message after these sentences."""
    turn.hush()
    turn.drop_legs(phase.offers)
    turn.enter(Apologising(phase.asked, turn.play(*sentences, BEEP)))
    if in_line:
        turn.do(fx.LeaveQueue())
    turn.timer(PROMPT_GUARD_MS)


def full(turn: Turn) -> None:
    """No line is free: one sentence and a promise, never busy. A number is called back; without one, a message."""
    said, general = turn.plan.announcements, turn.plan.general
    if turn.call.caller.number is not None:
        promise(turn, Promising(general, message=False, recording=0, full=True))
    else:
        turn.enter(Apologising(general, turn.play(said.full_message, BEEP)))
        turn.timer(PROMPT_GUARD_MS)


def record(turn: Turn, topic: TopicId) -> None:
    """Begin the recording of the message."""
    serial = turn.serial()
    turn.enter(Recording(topic, serial, turn.env.now))
    turn.do(fx.Record(serial, turn.plan.message_max_ms))
    turn.timer(turn.plan.message_max_ms + RECORD_MARGIN_MS)


def recording_done(turn: Turn, done: ev.RecordingDone) -> None:
    """The message is there, or will not be: promise an answer."""
    phase = turn.call.phase
    if isinstance(phase, Recording) and phase.recording == done.serial:
        promise(turn, Promising(phase.topic, done.kept, phase.recording))


def promise(turn: Turn, phase: Promising) -> None:
    """Commit the promise; what the caller is told comes after."""
    turn.enter(phase)
    kind: fx.PromiseKind = "message" if phase.message else "dropped" if phase.gone else "callback"
    turn.do(fx.Promise(kind, phase.topic, phase.recording))
    turn.timer(PROMISE_GUARD_MS)


def promised(turn: Turn) -> None:
    """The promise is in the ledger: tell the caller."""
    phase = turn.call.phase
    if isinstance(phase, Promising) and phase.gone:
        part(turn, "promised")
    elif isinstance(phase, Promising):
        said = turn.plan.announcements
        sentences: tuple[PromptId, ...] = (said.message_kept, said.goodbye)
        if phase.full:
            sentences = (said.full_callback,)
        elif phase.said is not None:
            sentences = (*phase.said, said.callback_kept or said.goodbye)
        turn.enter(Parting("promised", turn.play(*sentences)))
        turn.timer(PROMPT_GUARD_MS)


def part(turn: Turn, outcome: fx.Outcome) -> None:
    """End the line; the outcome is known."""
    turn.enter(Parting(outcome))
    turn.do(fx.Hangup())
    turn.timer(HANGUP_GUARD_MS)
