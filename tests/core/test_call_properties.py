"""What holds in every call, whatever happens in whatever order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.call import step
from ivr.core.plan import AgentId
from ivr.core.schedule import ALWAYS_OPEN
from ivr.core.state import Ended, Informing, InMenu, Talking, Typing, Waiting, decode, encode
from tests.core.drawn import CALENDARS, PLANS, STEPS, live
from tests.core.story import PLAN, Story, kinds

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.core.schedule import Calendar

pytestmark = pytest.mark.long


@given(STEPS, PLANS, CALENDARS)
def test_whatever_happens_hanging_up_ends_it_once_and_for_good(
    steps: list[tuple[str, ev.Input, int]], plan: Plan, calendar: Calendar
) -> None:
    story = Story(plan=plan, calendar=calendar)
    story.tell(ev.Started())
    for which, happened, later in steps:
        story.now += later
        story.tell(live(story, which, happened))
        assert "Finish" not in kinds(story.effects)
        assert decode(encode(story.call)) == story.call
    assert kinds(story.tell(ev.HungUp()))[-1] == "Finish"
    assert isinstance(story.call.phase, Ended)
    for which, happened, _ in steps:
        assert story.tell(live(story, which, happened)) == []
    assert story.tell(ev.HungUp()) == []


@given(STEPS, PLANS, CALENDARS)
def test_a_living_call_always_has_a_timer_or_was_handed_over(
    steps: list[tuple[str, ev.Input, int]], plan: Plan, calendar: Calendar
) -> None:
    story = Story(plan=plan, calendar=calendar)
    story.tell(ev.Started())
    for which, happened, later in steps:
        story.now += later
        before = story.call.phase
        effects = story.tell(live(story, which, happened))
        if type(story.call.phase) is not type(before):
            assert "StartTimer" in kinds(effects), (before, happened)
        if which == "timer":
            assert "StartTimer" in kinds(effects) or "HandBack" in kinds(effects), (before, happened)


@given(STEPS, PLANS, CALENDARS)
def test_old_serials_change_nothing(steps: list[tuple[str, ev.Input, int]], plan: Plan, calendar: Calendar) -> None:
    story = Story(plan=plan, calendar=calendar)
    story.tell(ev.Started())
    for which, happened, later in steps:
        story.now += later
        story.tell(live(story, which, happened))
        playing = getattr(story.call.phase, "play", 0)
        for serial in range(story.call.serial):
            if serial != playing:
                assert step(story.call, ev.PromptDone(serial), story.env) == (story.call, ())
            if serial != story.call.timer:
                assert step(story.call, ev.TimerFired(serial), story.env) == (story.call, ())


@given(STEPS, PLANS, CALENDARS)
def test_every_leg_that_was_dialled_is_bridged_declined_or_dropped(
    steps: list[tuple[str, ev.Input, int]], plan: Plan, calendar: Calendar
) -> None:
    story = Story(plan=plan, calendar=calendar)
    story.tell(ev.Started())
    dialled: set[str] = set()
    for which, happened, later in steps:
        story.now += later
        told = live(story, which, happened)
        if isinstance(told, ev.Adopted):
            # Of one that is not there the queue tells again.
            dialled = {token for token in dialled if told.leg(token) != "none"}
        for effect in story.tell(told):
            match effect:
                case fx.DialAgent(token):
                    dialled.add(token)
                case fx.DropLeg(token) | fx.Decline(token):
                    dialled.discard(token)
                case _:
                    pass
        phase = story.call.phase
        offers = phase.offers if isinstance(phase, Waiting) else ()
        held = {phase.offer.token} if isinstance(phase, Talking) else {offer.token for offer in offers}
        assert dialled <= held
    for effect in story.tell(ev.HungUp()):
        if isinstance(effect, fx.DropLeg):
            dialled.discard(effect.token)
    assert not dialled


OFFERED: Final = ("input", ev.OfferMade("e:1", AgentId("alice"), ""), 0)


@given(STEPS, PLANS, CALENDARS)
@example([OFFERED, ("input", ev.Accepted("e:1"), 0), OFFERED], PLAN, ALWAYS_OPEN)
def test_every_caller_who_was_put_in_a_line_leaves_it_once(
    steps: list[tuple[str, ev.Input, int]], plan: Plan, calendar: Calendar
) -> None:
    story = Story(plan=plan, calendar=calendar)
    held = False
    begins: list[tuple[str, ev.Input, int]] = [("input", ev.Started(), 0), ("input", ev.Digit("0"), 0)]
    for which, happened, later in [*begins, *steps, ("input", ev.HungUp(), 0)]:
        story.now += later
        talked = isinstance(story.call.phase, Talking)
        for effect in story.tell(live(story, which, happened)):
            match effect:
                case fx.JoinQueue():
                    held = True
                case fx.LeaveQueue("astray") if talked:
                    pass  # an offer that comes too late: whoever talks is taken out of the line, not out of the talk
                case fx.LeaveQueue() | fx.Release() | fx.Finish():
                    held = False
                case fx.HandBack():  # which gives up all that the call holds
                    return
                case _:
                    pass
        assert held == isinstance(story.call.phase, Waiting | Talking)


@given(st.lists(st.sampled_from("0123456789*#"), max_size=8), PLANS)
def test_keys_that_are_typed_ahead_do_what_they_do_one_by_one(keys: list[str], plan: Plan) -> None:
    ahead, patient = Story(plan=plan), Story(plan=plan)
    for story in (ahead, patient):
        story.tell(ev.Started())
    for key in keys:
        patient.prompt_ends()
        if not isinstance(patient.call.phase, InMenu | Informing | Typing):
            break
        for story in (ahead, patient):
            story.tell(ev.Digit(key))
        assert where(ahead) == where(patient)


def where(story: Story) -> tuple[str, ...]:
    """In which phase, and in which menu or for which topic."""
    phase = story.call.phase
    return (type(phase).__name__, *(str(getattr(phase, name, "")) for name in ("menu", "topic", "digits")))
