"""The wait for people, the offers of agents, and the talk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core import inputs as ev
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


def to_people(turn: Turn, topic: TopicId, *sentence: PromptId) -> None:
    """Queue the call at once; the sentence, if any, plays meanwhile."""
    play = turn.play(*sentence) if sentence else 0
    turn.enter(Waiting(topic, topic, turn.env.now, play=play))
    turn.do(fx.JoinQueue(topic, turn.relay))
    turn.timer(turn.plan.first_patience_ms)


def queued(turn: Turn, reply: ev.Queued) -> None:
    """The queue told how the call stands: nobody there, or a place to wait at."""
    phase = turn.call.phase
    if not isinstance(phase, Waiting):
        return
    if not reply.staffed and phase.offer is None:
        nobody(turn, phase)
        return
    if phase.queued:
        return
    if not phase.play:
        phase = replace(phase, play=turn.play(turn.plan.announcements.queued))
    turn.enter(replace(phase, queued=True))


def nobody(turn: Turn, phase: Waiting) -> None:
    """Nobody of the topic is there: the general desk, then a message with an owner."""
    if phase.topic != turn.plan.general:
        turn.enter(replace(phase, topic=turn.plan.general, queued=False))
        turn.do(fx.JoinQueue(turn.plan.general, turn.relay))
    else:
        apologise(turn, phase)


def waited(turn: Turn, phase: Waiting) -> None:
    """Tell the caller that the line lives, and ask the queue how it stands."""
    if phase.offer is not None and phase.offer.answered:
        requeue(turn, phase)
        return
    if turn.env.now - phase.since >= turn.plan.max_wait_ms and phase.offer is None:
        apologise(turn, phase)
        return
    if not phase.play:
        phase = replace(phase, play=turn.play(turn.plan.announcements.patience))
    turn.enter(phase)
    turn.do(fx.JoinQueue(phase.topic, turn.relay))
    turn.timer(turn.plan.patience_every_ms)


def queue_lost(turn: Turn) -> None:
    """No queue: the dialplan rings the general desk."""
    if isinstance(turn.call.phase, Waiting):
        turn.hush()
        turn.do(fx.HandBack())


def offer_made(turn: Turn, made: ev.OfferMade) -> None:
    """An agent is reserved: ring them, while the caller hears on."""
    phase = turn.call.phase
    if not isinstance(phase, Waiting):
        turn.do(fx.Decline(made.token, "failed"))
        return
    if phase.offer is not None:
        if phase.offer.token != made.token:
            turn.do(fx.DropLeg(phase.offer.token))
        else:
            return
    turn.enter(replace(phase, offer=Offer(made.token, made.agent)))
    turn.do(fx.DialAgent(made.token, made.agent))


def offered(turn: Turn, token: str) -> Waiting | None:
    """Return the present wait if that offer is its own."""
    phase = turn.call.phase
    if isinstance(phase, Waiting) and phase.offer is not None and phase.offer.token == token:
        return phase
    return None


def offer_withdrawn(turn: Turn, token: str) -> None:
    """The agent is no longer reserved; the place is kept."""
    if phase := offered(turn, token):
        turn.do(fx.DropLeg(token))
        turn.enter(replace(phase, offer=None))


def agent_answered(turn: Turn, token: str) -> None:
    """The leg is up: ask the queue whether the offer still holds."""
    phase = offered(turn, token)
    if phase is None or phase.offer is None:
        if not (isinstance(turn.call.phase, Talking) and turn.call.phase.offer.token == token):
            turn.do(fx.DropLeg(token))
        return
    if phase.offer.answered:
        return
    turn.enter(replace(phase, offer=replace(phase.offer, answered=True)))
    turn.do(fx.Accept(token))
    turn.timer(ANSWER_GUARD_MS)


def agent_failed(turn: Turn, token: str, reason: ev.AgentFailure) -> None:
    """The agent did not take the call: the queue offers the next one."""
    if phase := offered(turn, token):
        turn.enter(replace(phase, offer=None))
        turn.do(fx.Decline(token, reason))


def accepted(turn: Turn, token: str) -> None:
    """Both are there: nothing plays any more, join them."""
    phase = offered(turn, token)
    if phase is None or phase.offer is None:
        return
    if phase.play:
        turn.do(fx.StopPlay(phase.play))
    else:
        turn.do(fx.StopHold())
    turn.do(fx.Bridge(token))
    turn.enter(Talking(phase.topic, phase.offer, turn.env.now))
    turn.timer(TALK_CHECK_MS)


def accept_refused(turn: Turn, token: str) -> None:
    """The offer was over when the agent answered."""
    if phase := offered(turn, token):
        requeue(turn, phase)


def bridge_failed(turn: Turn, token: str) -> None:
    """Asterisk would not join them."""
    phase = turn.call.phase
    if isinstance(phase, Talking) and phase.offer.token == token:
        requeue(turn, phase)


def agent_left(turn: Turn, token: str) -> None:
    """The agent hung up: the talk is over, unless it never began."""
    if phase := offered(turn, token):
        requeue(turn, phase)
        return
    phase_now = turn.call.phase
    if not (isinstance(phase_now, Talking) and phase_now.offer.token == token):
        return
    if turn.env.now - phase_now.since < FALSE_START_MS:
        requeue(turn, phase_now)
    else:
        turn.do(fx.DropLeg(token), fx.Release(token))
        part(turn, "answered")


def requeue(turn: Turn, phase: Waiting | Talking) -> None:
    """The agent is lost to this call: the caller waits on, at the place of the first arrival."""
    since = phase.since if isinstance(phase, Waiting) else turn.env.now
    play = phase.play if isinstance(phase, Waiting) else 0
    if phase.offer is not None:
        turn.do(fx.DropLeg(phase.offer.token), fx.Release(phase.offer.token))
    asked = phase.asked if isinstance(phase, Waiting) else phase.topic
    turn.enter(Waiting(phase.topic, asked, since, queued=True, play=play))
    if not play:
        turn.do(fx.Hold())
    turn.do(fx.JoinQueue(phase.topic, turn.relay))
    turn.timer(turn.plan.first_patience_ms)
