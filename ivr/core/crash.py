"""Asterisk crashed, and every call in it is cut off: who was to be answered is called back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ivr.core import effects as fx
from ivr.core.promises import part, promise
from ivr.core.state import (
    Apologising,
    Arriving,
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

if TYPE_CHECKING:
    from ivr.core.turn import Turn


def dropped(turn: Turn) -> None:
    """Agents are free at once; then the promise is committed, and only then the call ends.

    Who had chosen a topic is called back for it, whoever has only a number by the general desk. Nothing is owed
    to a caller who was taking leave, or who cannot be called and had asked for nothing yet.
    """
    phase = turn.call.phase
    match phase:
        case Waiting(asked=topic, offers=offers):
            turn.drop_legs(offers)
            # The queue may have taken the answer for a talk, whose news were still under way.
            turn.do(*(fx.Release(offer.token, void=True) for offer in offers if offer.answered))
            turn.do(fx.LeaveQueue("crash"))
        case Talking(topic=topic, offer=offer):
            topic = phase.asked or topic
            turn.do(fx.DropLeg(offer.token), fx.Release(offer.token, void=True))
        case Apologising() | Recording():
            kept = Promising(phase.topic, message=False, recording=0, gone=True, owner=phase.owner, why=phase.why)
            promise(turn, kept)
            return
        case Telling(asked=topic) | Typing(topic=topic):
            pass
        case Promising():
            promise(turn, replace(phase, gone=True))
            return
        case Parting(outcome=outcome):
            part(turn, outcome)
            return
        case Arriving() | InMenu() | Informing() if turn.call.caller.number is not None:
            topic = turn.plan.general
        case _:
            part(turn, "informed" if turn.call.informed else "left")
            return
    promise(turn, Promising(topic, message=False, recording=0, gone=True))
