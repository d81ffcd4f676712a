"""One call, from ringing to its end, as a pure state machine.

`step(call, input, env) -> (call, effects)`: never awaits, never raises on a well-typed
input. HungUp ends every state; nothing follows Finish. An input that does not belong to
the present state, or whose serial or token is old, changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from ivr.core import continuity, people
from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.adoption import adopted
from ivr.core.crash import dropped
from ivr.core.menu import digit, no_input, started, to_menu, typed
from ivr.core.promises import LEAST_MESSAGE_MS, owe, owe_again, part, promise, promised, record, recording_done
from ivr.core.state import (
    Apologising,
    Arriving,
    Call,
    Ended,
    Informing,
    InMenu,
    Parting,
    Promising,
    Recording,
    Talking,
    Telling,
    Typing,
    Waiting,
)
from ivr.core.turn import FAILED_PROMPT_MS, Env, Turn

__all__ = ["Env", "step"]


def step(call: Call, happened: ev.Input, env: Env) -> tuple[Call, tuple[fx.Effect, ...]]:
    """Return the call after an input, and what it asks of the world."""
    turn = Turn(call, env)
    take(turn, happened)
    return turn.call, tuple(turn.effects)


def take(turn: Turn, happened: ev.Input) -> None:  # noqa: C901, PLR0912, PLR0915 - a table, one arm per input
    """Apply one input to the turn."""
    if isinstance(turn.call.phase, Ended):
        return
    match happened:
        case ev.Started(full):
            started(turn, crowded=full)
        case ev.Adopted():
            adopted(turn, happened)
        case ev.Digit(key):
            digit(turn, key)
        case ev.PromptDone(serial, played):
            if serial and serial == getattr(turn.call.phase, "play", 0):
                prompt_done(turn) if played else prompt_failed(turn)
        case ev.TimerFired(serial):
            if serial == turn.call.timer:
                timer_fired(turn)
        case ev.Queued():
            people.queued(turn, happened)
        case ev.QueueLost():
            people.queue_lost(turn)
        case ev.Unstaffed():
            people.unstaffed(turn)
        case ev.Overflowed():
            people.overflowed(turn)
        case ev.HoursChanged():
            people.hours_changed(turn)
        case ev.OfferMade():
            people.offer_made(turn, happened)
        case ev.OfferWithdrawn(token):
            people.offer_withdrawn(turn, token)
        case ev.AgentAnswered(token):
            people.agent_answered(turn, token)
        case ev.AgentFailed(token, reason):
            people.agent_failed(turn, token, reason)
        case ev.AgentLeft(token, lost):
            people.agent_left(turn, token, lost=lost)
        case ev.Accepted(token):
            people.accepted(turn, token)
        case ev.AcceptRefused(token):
            people.accept_refused(turn, token)
        case ev.BridgeFailed(token):
            people.bridge_failed(turn, token)
        case ev.RecordingDone():
            recording_done(turn, happened)
        case ev.Promised():
            promised(turn)
        case ev.PromiseFailed():
            # Who is gone cannot be handed to anybody: the timer promises again.
            if isinstance(turn.call.phase, Promising) and not turn.call.phase.gone:
                turn.do(fx.HandBack())
        case ev.HungUp():
            hung_up(turn)
        case ev.Dropped():
            dropped(turn)
        case _:
            assert_never(happened)


def prompt_done(turn: Turn) -> None:
    """What played came to its end."""
    phase = turn.call.phase
    match phase:
        case InMenu():
            turn.enter(replace(phase, play=0))
            turn.timer(turn.plan.menus[phase.menu].input_timeout_ms)
        case Informing():
            turn.call = replace(turn.call, informed=True)
            to_menu(turn, phase.menu)
        case Typing():
            turn.enter(replace(phase, play=0))
            turn.timer(turn.plan.menus[phase.menu].input_timeout_ms)
        case Telling():
            continuity.told(turn, phase, heard=True)
        case Waiting():
            turn.enter(replace(phase, play=0))
            turn.do(fx.Hold())
        case Apologising():
            record(turn, phase)
        case Parting():
            part(turn, phase.outcome)
        case Arriving() | Talking() | Recording() | Promising() | Ended():
            pass
        case _:
            assert_never(phase)


def prompt_failed(turn: Turn) -> None:
    """The caller is hanging up, and then HungUp comes; or it cannot be played, and the call goes on without it.

    Who did not hear a menu is not left to wait for it to be answered: people come next, as after the last silence.
    """
    phase = turn.call.phase
    if isinstance(phase, InMenu):
        turn.enter(replace(phase, play=0, no_input=turn.plan.menus[phase.menu].max_no_input))
        turn.timer(FAILED_PROMPT_MS)
    elif isinstance(phase, Informing | Typing | Telling | Apologising):
        turn.timer(FAILED_PROMPT_MS)
    else:
        prompt_done(turn)


def timer_fired(turn: Turn) -> None:
    """The call's timer ran out."""
    phase = turn.call.phase
    match phase:
        case InMenu(play=0):
            no_input(turn, phase)
        case Informing():
            turn.hush()
            to_menu(turn, phase.menu)
        case Typing(play=0):
            typed(turn, phase)
        case Telling():
            turn.hush()
            continuity.told(turn, phase, heard=False)
        case InMenu() | Typing() | Apologising():
            turn.hush()
            prompt_done(turn)
        case Parting():
            part(turn, phase.outcome)
        case Waiting():
            people.waited(turn, phase)
        case Talking():
            turn.timer(people.TALK_CHECK_MS)
        case Recording():
            recording_done(turn, ev.RecordingDone(phase.recording, kept=True))
        case Promising(gone=True):
            promise(turn, phase)
        case Promising():
            turn.do(fx.HandBack())
        case Arriving() | Ended():
            pass
        case _:
            assert_never(phase)


def hung_up(turn: Turn) -> None:
    """The caller is gone: whatever was held is let go."""
    phase = turn.call.phase
    outcome: fx.Outcome = "informed" if turn.call.informed else "left"
    match phase:
        case Waiting(offers=offers):
            turn.drop_legs(offers)
        case Talking(offer=offer):
            turn.do(fx.DropLeg(offer.token))
            outcome = "answered"
        case Recording(recording=recording, since=since) if turn.env.now - since >= LEAST_MESSAGE_MS:
            owe(turn, "message", phase, recording)
            outcome = "promised"
        case Apologising(told=True):
            pass
        case Apologising() | Recording():
            if turn.call.caller.number is not None:
                owe(turn, "callback", phase)
                outcome = "promised"
        case Promising():
            # Once more: who takes over a call whose caller is gone knows not whether it was committed.
            owe_again(turn, phase)
            outcome = "promised"
        case Parting():
            outcome = phase.outcome
        case _:
            pass
    turn.enter(Ended(outcome))
    turn.do(fx.Finish(outcome))
