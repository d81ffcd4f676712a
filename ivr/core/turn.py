"""One step of a call under way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core.schedule import ALWAYS_OPEN

if TYPE_CHECKING:
    from ivr.core.plan import Plan, PromptId, TopicId
    from ivr.core.schedule import Calendar, Span
    from ivr.core.state import Call, Offer, Phase

PROMPT_GUARD_MS: Final = 120_000
"""No prompt lasts longer: after it a lost PromptDone is presumed."""
FAILED_PROMPT_MS: Final = 500
"""Time for the news of a hang-up, which ends a prompt before it ends the call."""
CLOSED_BY_NOW_MS: Final = 100
"""After the end of the hours: a timer may be early by as much as two clocks differ."""
LEAST_PATIENCE_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Env:
    """What a step may know: the instant, the call's own version of the plan, and when people answer."""

    now: int
    plan: Plan
    calendar: Calendar = ALWAYS_OPEN


class Turn:
    """The call so far and the effects so far, within one step; never outlives it.

    What nearly every step changes, the phase and the serials, is put into the call when the call is asked for.
    """

    _call: Call
    _late: bool
    _phase: Phase
    _serial: int
    _timer: int
    __slots__ = ("_call", "_late", "_phase", "_serial", "_timer", "effects", "env", "plan")

    def __init__(self, call: Call, env: Env) -> None:
        self.call = call
        self.env = env
        self.plan = env.plan
        self.effects: list[fx.Effect] = []

    @property
    def call(self) -> Call:
        """Return the call as it is by now."""
        if self._late:
            self._call = replace(self._call, phase=self._phase, serial=self._serial, timer=self._timer)
            self._late = False
        return self._call

    @call.setter
    def call(self, call: Call) -> None:
        self._call, self._late = call, False
        self._phase, self._serial, self._timer = call.phase, call.serial, call.timer

    def do(self, *effects: fx.Effect) -> None:
        """Ask something of the world."""
        self.effects.extend(effects)

    def enter(self, phase: Phase) -> None:
        """Put the call into a phase."""
        self._phase, self._late = phase, True

    def serial(self) -> int:
        """Return a serial never given before."""
        self._serial, self._late = self._serial + 1, True
        return self._serial

    def play(self, *prompts: PromptId) -> int:
        """Play prompts; return the serial."""
        serial = self.serial()
        self.do(fx.Play(serial, prompts, self._call.language))
        return serial

    def timer(self, ms: int) -> None:
        """Arm the call's one timer."""
        self._timer = self.serial()
        self.do(fx.StartTimer(self._timer, ms))

    def patience(self, topic: TopicId, ms: int) -> None:
        """Arm the timer of a wait for `topic`: so long, or until just after its hours end."""
        closes = self.env.calendar.of(topic).closes(self.env.now)
        left = ms if closes is None else closes - self.env.now + CLOSED_BY_NOW_MS
        self.timer(max(LEAST_PATIENCE_MS, min(ms, left)))

    def hours(self, topic: TopicId | None) -> Span:
        """Return what the hours of a topic, or the site's (None), say now."""
        return self.env.calendar.of(topic).at(self.env.now)

    @property
    def reachable(self) -> bool:
        """Whether the caller can be called back: the number is known, and not that of a relay service."""
        return self._call.caller.number is not None and not self.relay

    def hush(self) -> None:
        """Stop whatever plays."""
        if playing := getattr(self._phase, "play", 0):
            self.do(fx.StopPlay(playing))

    @property
    def relay(self) -> bool:
        """Whether a relay service for deaf callers speaks."""
        return self._call.caller.klass == "relay"

    def join(self, topic: TopicId, since: int) -> None:
        """Take or keep a place in line; a relay call has the right of way, and in a crisis everybody.

        Who waits for people has not heard the answer that they came for.
        """
        if self._call.informed:
            self.call = replace(self.call, informed=False)
        crisis = self.env.calendar.crisis_at(self.env.now)
        self.do(fx.JoinQueue(topic, since, "relay" if self.relay else "crisis" if crisis is not None else None))

    def drop_legs(self, offers: tuple[Offer, ...], *, but: str = "") -> None:
        """Let every phone that rings for the call be silent, except one."""
        self.do(*(fx.DropLeg(offer.token) for offer in offers if offer.token != but))
