"""The wait for people, the offers of agents, and the talk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.continuity import closing, descend
from ivr.core.promises import apologise, part
from ivr.core.state import Offer, Talking, Waiting

if TYPE_CHECKING:
    from ivr.core.plan import PromptId, TopicId
    from ivr.core.turn import Turn

ANSWER_GUARD_MS: Final = 5_000
"""Time for the queue and Asterisk to join an agent who answered."""
TALK_CHECK_MS: Final = 3_600_000
FALSE_START_MS: Final = 1_500
"""A talk that the agent's side ends sooner was none: the caller is offered again."""
RINGS_ON_MS: Final = 5_000
"""Between two looks at a phone that rings after the hours have ended: it is not cut off."""


def to_people(turn: Turn, topic: TopicId, *sentence: PromptId) -> None:
    """Queue the call at once, and the sentence, if any, plays meanwhile; a topic that is closed has its chain."""
    wait = Waiting(topic, topic, turn.env.now)
    if not turn.hours(topic).open:
        turn.do(fx.Note("closed", turn.plan.topics[topic].label))
        descend(turn, wait, joined=False)
        return
    play = turn.play(*sentence) if sentence else 0
    turn.enter(replace(wait, play=play))
    turn.join(topic, turn.env.now)
    turn.patience(topic, turn.plan.first_patience_ms)


def queued(turn: Turn, reply: ev.Queued) -> None:
    """The queue told how the call stands: nobody there, or a place to wait at."""
    phase = turn.call.phase
    if not isinstance(phase, Waiting) or reply.topic not in ("", phase.topic):
        return
    if not reply.staffed and not phase.offers:
        descend(turn, phase)
        return
    if phase.queued:
        return
    if not phase.play:
        phase = replace(phase, play=turn.play(turn.plan.announcements.queued))
    turn.enter(replace(phase, queued=True))


def unstaffed(turn: Turn) -> None:
    """Nobody is left of those who could answer."""
    phase = turn.call.phase
    if isinstance(phase, Waiting) and not phase.offers:
        descend(turn, phase)


def hours_changed(turn: Turn) -> None:
    """Who waits where it is closed by now is kept; who is being rung, or talks, is not touched."""
    phase = turn.call.phase
    if isinstance(phase, Waiting) and not phase.offers and not turn.hours(phase.topic).open:
        closing(turn, phase)


def overflowed(turn: Turn) -> None:
    """The wait is long: say so, and that the key 2 leaves a message; the place is kept."""
    phase = turn.call.phase
    if isinstance(phase, Waiting) and not phase.offers and not phase.invited:
        turn.hush()
        turn.enter(replace(phase, invited=True, play=turn.play(turn.plan.announcements.overflow)))


def waited(turn: Turn, phase: Waiting) -> None:
    """Tell the caller that the line lives, and ask the queue how it stands."""
    if answered := next((offer for offer in phase.offers if offer.answered), None):
        requeue(turn, phase, answered)
        return
    if not turn.hours(phase.topic).open:
        if phase.offers:  # who is about to be answered is
            turn.timer(RINGS_ON_MS)
        else:
            closing(turn, phase)
        return
    if turn.env.now - phase.since >= turn.plan.max_wait_ms and not phase.offers:
        apologise(turn, phase)
        return
    if not phase.play:
        phase = replace(phase, play=turn.play(turn.plan.announcements.patience))
    turn.enter(phase)
    turn.join(phase.topic, phase.since)
    turn.patience(phase.topic, turn.plan.patience_every_ms)


def queue_lost(turn: Turn) -> None:
    """No queue: the dialplan rings the general desk."""
    if isinstance(turn.call.phase, Waiting):
        turn.hush()
        turn.do(fx.HandBack())


def offer_made(turn: Turn, made: ev.OfferMade) -> None:
    """An agent is reserved: ring them, while the caller hears on. Who does not wait leaves the line: no agent rests."""
    phase = turn.call.phase
    if not isinstance(phase, Waiting):
        turn.do(fx.LeaveQueue("astray"))
        return
    if offered(phase, made.token):
        return
    others = phase.offers
    if not made.beside:  # the news of the other's end were lost
        turn.drop_legs(others)
        others = ()
    turn.enter(replace(phase, offers=(*others, Offer(made.token, made.agent))))
    turn.do(fx.DialAgent(made.token, made.agent, made.node))


def offered(phase: Waiting, token: str) -> Offer | None:
    """Return the offer of that token, if its phone rings for the call."""
    return next((offer for offer in phase.offers if offer.token == token), None)


def without(phase: Waiting, token: str) -> Waiting:
    """Return the wait without that offer."""
    return replace(phase, offers=tuple(offer for offer in phase.offers if offer.token != token))


def offer_withdrawn(turn: Turn, token: str) -> None:
    """The agent is no longer reserved; the place is kept."""
    phase = turn.call.phase
    if isinstance(phase, Waiting) and offered(phase, token):
        turn.do(fx.DropLeg(token))
        turn.enter(without(phase, token))


def agent_answered(turn: Turn, token: str) -> None:
    """The leg is up: ask the queue whether the offer still holds."""
    phase = turn.call.phase
    offer = offered(phase, token) if isinstance(phase, Waiting) else None
    if not isinstance(phase, Waiting) or offer is None:
        if not (isinstance(phase, Talking) and phase.offer.token == token):
            turn.do(fx.DropLeg(token))
        return
    if offer.answered:
        return
    answered = replace(offer, answered=True)
    turn.enter(replace(phase, offers=tuple(answered if each is offer else each for each in phase.offers)))
    turn.do(fx.Accept(token))
    turn.timer(ANSWER_GUARD_MS)


def agent_failed(turn: Turn, token: str, reason: ev.AgentFailure) -> None:
    """The agent did not take the call: the queue offers the next one."""
    phase = turn.call.phase
    if isinstance(phase, Waiting) and offered(phase, token):
        turn.enter(without(phase, token))
        turn.do(fx.Decline(token, reason))


def accepted(turn: Turn, token: str) -> None:
    """Both are there: nothing plays and no other phone rings any more, join them."""
    phase = turn.call.phase
    offer = offered(phase, token) if isinstance(phase, Waiting) else None
    if not isinstance(phase, Waiting) or offer is None:
        return
    turn.drop_legs(phase.offers, but=token)
    if phase.play:
        turn.do(fx.StopPlay(phase.play))
    else:
        turn.do(fx.StopHold())
    turn.do(fx.Bridge(token))
    turn.enter(Talking(phase.topic, offer, turn.env.now, phase.asked, phase.step))
    turn.timer(TALK_CHECK_MS)


def accept_refused(turn: Turn, token: str) -> None:
    """The offer was over when the agent answered; other phones may ring on."""
    phase = turn.call.phase
    offer = offered(phase, token) if isinstance(phase, Waiting) else None
    if not isinstance(phase, Waiting) or offer is None:
        return
    rest = without(phase, token)
    if rest.offers:
        turn.do(fx.DropLeg(token))
        turn.enter(rest)
        turn.patience(rest.topic, turn.plan.first_patience_ms)
    else:
        requeue(turn, phase, offer)


def bridge_failed(turn: Turn, token: str) -> None:
    """Asterisk would not join them."""
    phase = turn.call.phase
    if isinstance(phase, Talking) and phase.offer.token == token:
        requeue(turn, phase, phase.offer)


def agent_left(turn: Turn, token: str, *, lost: bool) -> None:
    """The agent hung up: the talk is over, unless it never began; a phone that died has ended no talk."""
    phase = turn.call.phase
    if isinstance(phase, Waiting):
        if offer := offered(phase, token):
            requeue(turn, phase, offer)
    elif isinstance(phase, Talking) and phase.offer.token == token:
        if lost or turn.env.now - phase.since < FALSE_START_MS:
            requeue(turn, phase, phase.offer)
        else:
            turn.do(fx.DropLeg(token), fx.Release(token))
            part(turn, "answered")


def requeue(turn: Turn, phase: Waiting | Talking, lost: Offer) -> None:
    """That agent is lost to this call: the caller waits on, at the place of the first arrival; other phones ring on."""
    turn.do(fx.DropLeg(lost.token))
    if isinstance(phase, Talking):
        again = Waiting(phase.topic, phase.asked or phase.topic, turn.env.now, step=phase.step)
    else:
        again = without(phase, lost.token)
    turn.enter(again)
    if any(offer.answered for offer in again.offers):  # the queue may know a talk with that one already
        turn.timer(ANSWER_GUARD_MS)
        return
    turn.do(fx.Release(lost.token, void=True))
    if not again.play:
        turn.do(fx.Hold())
    turn.join(again.topic, again.since)
    turn.patience(again.topic, turn.plan.first_patience_ms)
