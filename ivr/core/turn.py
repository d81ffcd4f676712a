"""One step of a call under way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core.schedule import ALWAYS_OPEN

if TYPE_CHECKING:
    from ivr.core.plan import Plan, PromptId, TopicId
    from ivr.core.schedule import Calendar
    from ivr.core.state import Call, Offer, Phase

PROMPT_GUARD_MS: Final = 120_000
"""No prompt lasts longer: after it a lost PromptDone is presumed."""
FAILED_PROMPT_MS: Final = 500
"""Time for the news of a hang-up, which ends a prompt before it ends the call."""


@dataclass(frozen=True, slots=True)
class Env:
    """What a step may know: the instant, the call's own version of the plan, and when people answer."""

    now: int
    plan: Plan
    calendar: Calendar = ALWAYS_OPEN


class Turn:
    """The call so far and the effects so far, within one step; never outlives it."""

    def __init__(self, call: Call, env: Env) -> None:
        self.call = call
        self.env = env
        self.plan = env.plan
        self.effects: list[fx.Effect] = []

    def do(self, *effects: fx.Effect) -> None:
        """Ask something of the world."""
        self.effects.extend(effects)

    def enter(self, phase: Phase) -> None:
        """Put the call into a phase."""
        self.call = replace(self.call, phase=phase)

    def serial(self) -> int:
        """Return a serial never given before."""
        self.call = replace(self.call, serial=self.call.serial + 1)
        return self.call.serial

    def play(self, *prompts: PromptId) -> int:
        """Play prompts; return the serial."""
        serial = self.serial()
        self.do(fx.Play(serial, prompts, self.call.language))
        return serial

    def timer(self, ms: int) -> None:
        """Arm the call's one timer."""
        serial = self.serial()
        self.call = replace(self.call, timer=serial)
        self.do(fx.StartTimer(serial, ms))

    def hush(self) -> None:
        """Stop whatever plays."""
        if playing := getattr(self.call.phase, "play", 0):
            self.do(fx.StopPlay(playing))

    @property
    def relay(self) -> bool:
        """Whether a relay service for deaf callers speaks."""
        return self.call.caller.klass == "relay"

    def join(self, topic: TopicId, since: int) -> None:
        """Take or keep a place in line; a relay call has the right of way, and in a crisis everybody."""
        crisis = self.env.calendar.crisis_at(self.env.now)
        self.do(fx.JoinQueue(topic, since, "relay" if self.relay else "crisis" if crisis is not None else None))

    def drop_legs(self, offers: tuple[Offer, ...], *, but: str = "") -> None:
        """Let every phone that rings for the call be silent, except one."""
        self.do(*(fx.DropLeg(offer.token) for offer in offers if offer.token != but))
