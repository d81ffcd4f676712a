"""A call that another worker began goes on here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.continuity import told
from ivr.core.menu import started, to_menu
from ivr.core.people import ANSWER_GUARD_MS, TALK_CHECK_MS, requeue, to_people
from ivr.core.promises import RECORD_MARGIN_MS, ask_for_message, part, promise
from ivr.core.state import (
    ADOPTION_STRIDE,
    Apologising,
    Arriving,
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
from ivr.core.turn import PROMPT_GUARD_MS

if TYPE_CHECKING:
    from ivr.core.state import Call
    from ivr.core.turn import Turn


PLAYS_IN_MENU: Final = 24
"""Serials given out since a snapshot: those of a menu that was repeated some times."""
PLAYS_IN_WAIT: Final = 2
"""Serials given out between the snapshot of a wait that begins and the queue's answer to it, and some to spare."""


def may_play(call: Call) -> tuple[int, ...]:
    """Return every serial that may be heard in a call known by its snapshot alone.

    In a menu sentences are not written down one by one. A wait is, whenever it is looked at: only the first
    sentence after the queue's answer can be ahead of the snapshot. One that does not play is no harm.
    """
    match call.phase:
        case InMenu() | Informing() | Typing():
            ahead = PLAYS_IN_MENU
        case Waiting(queued=False):
            ahead = PLAYS_IN_WAIT
        case _:
            ahead = 0
    known = {getattr(call.phase, "play", 0)} - {0}
    return tuple(sorted(known.union(range(call.serial + 1, call.serial + 1 + ahead))))


def adopted(turn: Turn, facts: ev.Adopted) -> None:  # noqa: C901 - a table, one arm per phase
    """Take the call where Asterisk shows it to be; nothing that was done is done again.

    What the worker before us began to play ends first: Asterisk would play ours after it, and hold whatever waits
    for the caller's channel, a bridge say, so long; and with it every request of every call.
    """
    if not facts.answered and not isinstance(turn.call.phase, Arriving | Ended):
        turn.do(fx.Answer())
    talks = isinstance(turn.call.phase, Talking) and facts.bridged == turn.call.phase.offer.token
    if not talks and not isinstance(turn.call.phase, Ended):
        turn.do(*(fx.StopPlay(serial) for serial in facts.playing))
    turn.call = replace(turn.call, serial=turn.call.serial + ADOPTION_STRIDE)
    phase = turn.call.phase
    match phase:
        case Arriving():
            started(turn)
        case InMenu():
            adopted_menu(turn, phase)
        case Informing() | Typing():
            to_menu(turn, phase.menu)
        case Telling():
            told(turn, phase, heard=False)
        case Waiting():
            adopted_waiting(turn, replace(phase, play=0, queued=True), facts)
        case Talking():
            adopted_talking(turn, phase, facts)
        case Apologising():
            ask_for_message(turn, phase, leave=True)
        case Recording():
            if facts.recording:
                turn.timer(turn.plan.message_max_ms + RECORD_MARGIN_MS)
            else:
                kept = Promising(phase.topic, message=True, recording=phase.recording, owner=phase.owner, why=phase.why)
                promise(turn, kept)
        case Promising():
            promise(turn, phase)
        case Parting():
            part(turn, phase.outcome)
        case Ended():
            pass
        case _:
            assert_never(phase)


def adopted_menu(turn: Turn, phase: InMenu) -> None:
    """The menu again, whole; one that is cut off again and again leads to people: each time counts as a silence."""
    menu, heard = turn.plan.menus[phase.menu], phase.no_input + 1
    if heard >= menu.max_no_input:
        to_people(turn, turn.plan.general, turn.plan.announcements.to_human)
    else:
        turn.enter(InMenu(menu.id, turn.play(menu.prompt), no_input=heard))
        turn.timer(PROMPT_GUARD_MS)


def adopted_waiting(turn: Turn, phase: Waiting, facts: ev.Adopted) -> None:
    """The place is kept; every offer in flight is settled by what became of its leg.

    A phone that does not ring, of an offer that stands: nobody dialled it, or its refusal was missed. The queue tells
    again of every offer that stands, and where its phone is. Declined, its agent would rest for what is no fault of
    theirs, and the next one after them, until nobody is left.
    """
    up = tuple(replace(offer, answered=True) for offer in phase.offers if facts.leg(offer.token) == "up")
    ringing = tuple(offer for offer in phase.offers if facts.leg(offer.token) == "ringing")
    absent = tuple(offer for offer in phase.offers if facts.leg(offer.token) == "none")
    undialled = () if up else tuple(offer for offer in absent if not offer.answered)
    turn.enter(replace(phase, offers=(*up, *ringing)))
    if facts.bridged is None:
        turn.do(fx.Hold())
    turn.patience(phase.topic, turn.plan.first_patience_ms)
    turn.do(*(fx.Decline(offer.token, "failed") for offer in absent if offer not in undialled))
    if up:
        turn.do(*(fx.Accept(offer.token) for offer in up))
        turn.timer(ANSWER_GUARD_MS)
    elif not ringing and not undialled and not facts.placed:
        turn.join(phase.topic, phase.since)


def adopted_talking(turn: Turn, phase: Talking, facts: ev.Adopted) -> None:
    """A talk that goes on is left alone."""
    if facts.bridged == phase.offer.token:
        turn.timer(TALK_CHECK_MS)
    elif facts.leg(phase.offer.token) == "up":
        turn.do(fx.Bridge(phase.offer.token))
        turn.timer(TALK_CHECK_MS)
    else:
        requeue(turn, phase, phase.offer)
