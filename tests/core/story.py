"""A call under test, and how it comes to the points where its stories begin."""

from __future__ import annotations

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.plan import AgentId, Plan
from ivr.core.schedule import ALWAYS_OPEN, Calendar
from ivr.core.state import Call
from tests.plans import small_plan

PLAN = small_plan()
NOW = 1_700_000_000_000


def caller(klass: str = "normal") -> Caller:
    return Caller(CallerRef("r"), "+33639980001", "open", "relay" if klass == "relay" else "normal")


def new_call(klass: str = "normal") -> Call:
    return Call(CallId("a-1.1"), caller(klass), "0536490000", PLAN.version, NOW)


class Story:
    """A call under test: what was said to it and what it asked for."""

    def __init__(self, call: Call | None = None, plan: Plan = PLAN, calendar: Calendar = ALWAYS_OPEN) -> None:
        self.call = call or new_call()
        self.plan = plan
        self.calendar = calendar
        self.now = NOW
        self.effects: list[fx.Effect] = []

    def tell(self, *inputs: ev.Input) -> list[fx.Effect]:
        said: list[fx.Effect] = []
        for happened in inputs:
            self.call, effects = step(self.call, happened, self.env)
            said.extend(effects)
        self.effects.extend(said)
        return said

    @property
    def env(self) -> Env:
        return Env(self.now, self.plan, self.calendar)

    def prompt_ends(self) -> list[fx.Effect]:
        return self.tell(ev.PromptDone(getattr(self.call.phase, "play", 0)))

    def time_runs_out(self) -> list[fx.Effect]:
        return self.tell(ev.TimerFired(self.call.timer))


def kinds(effects: list[fx.Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def at_menu() -> Story:
    story = Story()
    story.tell(ev.Started())
    return story


def waiting() -> Story:
    story = at_menu()
    story.tell(ev.Digit("1"), ev.Queued(1, staffed=True))
    return story


def talking() -> Story:
    story = waiting()
    story.tell(ev.OfferMade("e:1", AgentId("alice")), ev.AgentAnswered("e:1"), ev.Accepted("e:1"))
    story.now += 10_000
    return story
