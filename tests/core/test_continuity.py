"""Hours, crises, continuity chains, languages and typed numbers, as a caller lives through them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.call import Env, step
from ivr.core.caller import Caller, CallerRef, CallId
from ivr.core.continuity import chain_of, owner
from ivr.core.plan import (
    CallBack,
    ChainStep,
    CrisisId,
    CrisisProfile,
    GroupId,
    HoursId,
    Option,
    OtherTopic,
    Outside,
    OutsideId,
    Plan,
    PromptId,
    TakeMessage,
    TellOutside,
    ToLanguage,
    ToOutside,
    TopicId,
    Typed,
)
from ivr.core.schedule import ALWAYS_OPEN, Calendar, Crisis, Span, Timeline
from ivr.core.state import (
    Apologising,
    Call,
    Ended,
    Informing,
    InMenu,
    Parting,
    Promising,
    Telling,
    Typing,
    Waiting,
    decode,
    durable,
    encode,
)
from tests.plans import MORE, small_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.unit

NOW = 1_700_000_000_000
HOUR = 3_600_000
DESK, CIVIL = TopicId("accueil"), TopicId("etat-civil")
METRO = OutsideId("metropole")
SAID = PromptId("metropole-numero")
ROOM = HoursId("guichet")


def plan(**overrides: object) -> Plan:
    outsides = {METRO: Outside(METRO, "Métropole", "+33536492000", SAID)}
    return small_plan(outsides=outsides, **overrides)


def with_chain(*steps: ChainStep, of: TopicId = CIVIL) -> Plan:
    made = plan()
    topics = {**made.topics, of: replace(made.topics[of], continuity=steps)}
    return replace(made, topics=topics)


def closed(at: int = NOW - HOUR, until: int = NOW + HOUR, prompt: PromptId | None = None) -> Timeline:
    """Open before and after."""
    return Timeline(
        (
            Span(at - HOUR, at, open=True, layer="weekly"),
            Span(at, until, open=False, layer="weekly", prompt=prompt),
            Span(until, until + HOUR, open=True, layer="weekly"),
        )
    )


NIGHT = Calendar(site=closed())


class Story:
    """A call under test, at an hour."""

    def __init__(self, made: Plan, calendar: Calendar = ALWAYS_OPEN, number: str | None = "+33639980001") -> None:
        caller = Caller(CallerRef("r"), number, "open" if number else "hidden", "normal")
        self.call = Call(CallId("a-1.1"), caller, "0536490000", made.version, NOW)
        self.plan, self.calendar, self.now = made, calendar, NOW

    def tell(self, *inputs: ev.Input) -> list[fx.Effect]:
        said: list[fx.Effect] = []
        for happened in inputs:
            self.call, effects = step(self.call, happened, Env(self.now, self.plan, self.calendar))
            said.extend(effects)
        return said

    def heard(self) -> list[fx.Effect]:
        return self.tell(ev.PromptDone(getattr(self.call.phase, "play", 0)))

    def later(self, ms: int) -> list[fx.Effect]:
        self.now += ms
        return self.tell(ev.TimerFired(self.call.timer))


def played(effects: Sequence[fx.Effect]) -> list[PromptId]:
    return [prompt for effect in effects if isinstance(effect, fx.Play) for prompt in effect.prompts]


def joined(effects: Sequence[fx.Effect]) -> list[TopicId]:
    return [effect.topic for effect in effects if isinstance(effect, fx.JoinQueue)]


def waits(story: Story, key: str = "1") -> Story:
    story.tell(ev.Started(), ev.Digit(key), ev.Queued(1, staffed=True))
    return story


def test_who_calls_a_closed_site_hears_so_and_crosses_the_menu() -> None:
    story = Story(plan(), NIGHT)
    said = story.plan.announcements
    assert played(story.tell(ev.Started())) == [said.closed]
    assert played(story.heard()) == [story.plan.menus[story.plan.root].prompt]
    assert played(story.tell(ev.Digit("3"))), "an information is an answer at night too"
    assert isinstance(story.call.phase, Informing)


def test_a_day_with_a_sentence_of_its_own_has_it_said() -> None:
    own = PromptId("travaux")
    made = plan()
    story = Story(replace(made, prompts=made.prompts | {own}), Calendar(site=closed(prompt=own)))
    assert played(story.tell(ev.Started()))[0] == own


def test_who_wants_people_at_night_leaves_a_message_for_the_topics_owner_and_never_queues() -> None:
    story = Story(plan(), NIGHT)
    effects = story.tell(ev.Started(), ev.Digit("1"))
    assert joined(effects) == []
    assert isinstance(story.call.phase, Apologising)
    assert story.call.phase.topic == CIVIL
    assert story.plan.announcements.unstaffed not in played(effects), "that it is closed was said already"
    assert not any(isinstance(effect, fx.LeaveQueue) for effect in effects)
    assert any(isinstance(effect, fx.Record) for effect in story.heard())


def test_a_topic_with_hours_of_its_own_answers_when_the_site_does_not_and_the_reverse() -> None:
    hours = {ROOM: Timeline()}
    story = Story(plan(), Calendar(site=closed(), topics={CIVIL: ROOM}, hours=hours))
    assert joined(story.tell(ev.Started(), ev.Digit("1"))) == [CIVIL]
    story = Story(plan(), Calendar(topics={CIVIL: ROOM}, hours={ROOM: closed()}))
    effects = story.tell(ev.Started(), ev.Digit("1"))
    assert joined(effects) == [DESK], "the general desk is open"
    assert story.call.phase == Waiting(DESK, CIVIL, NOW, step=1)


def test_a_chain_is_gone_down_step_by_step_to_the_promise() -> None:
    story = Story(with_chain(OtherTopic(DESK), TellOutside(METRO), CallBack(GroupId("accueil"))))
    story.tell(ev.Started(), ev.Digit("1"))
    assert joined(story.tell(ev.Queued(0, staffed=False))) == [DESK]
    effects = story.tell(ev.Queued(0, staffed=False))
    assert played(effects) == [SAID]
    assert fx.LeaveQueue("outside") in effects
    assert type(story.call.phase) is Telling
    effects = story.heard()
    assert [effect.kind for effect in effects if isinstance(effect, fx.Promise)] == ["callback"]
    effects = story.tell(ev.Promised())
    said = story.plan.announcements
    assert played(effects) == [said.unstaffed, said.callback_kept]
    assert any(isinstance(effect, fx.Hangup) for effect in story.heard())
    assert owner(story.plan, CIVIL) == "accueil"


def test_a_hidden_number_is_asked_for_a_message_where_others_are_called_back() -> None:
    story = Story(with_chain(CallBack(GroupId("accueil"))), number=None)
    story.tell(ev.Started(), ev.Digit("1"), ev.Queued(0, staffed=False))
    assert isinstance(story.call.phase, Apologising)


def test_who_was_told_whom_to_call_and_hangs_up_is_informed() -> None:
    story = Story(with_chain(TellOutside(METRO), TakeMessage(GroupId("etat-civil"))))
    story.tell(ev.Started(), ev.Digit("1"), ev.Queued(0, staffed=False))
    story.heard()
    assert isinstance(story.call.phase, Apologising)
    story = Story(plan())
    story.tell(ev.Started())
    assert story.call.phase == InMenu(story.plan.root, 1)


def test_a_topic_without_a_chain_has_the_general_desk_then_a_message() -> None:
    made = plan()
    assert chain_of(made, CIVIL) == (OtherTopic(DESK), TakeMessage(made.topics[CIVIL].groups[0]))
    assert chain_of(made, DESK) == (TakeMessage(made.topics[DESK].groups[0]),)


def test_a_step_to_a_topic_that_is_closed_is_left_out() -> None:
    made = with_chain(OtherTopic(DESK), TakeMessage(GroupId("etat-civil")))
    story = Story(made, Calendar(topics={DESK: ROOM}, hours={ROOM: closed()}))
    story.tell(ev.Started(), ev.Digit("1"))
    assert joined(story.tell(ev.Queued(0, staffed=False))) == []
    assert isinstance(story.call.phase, Apologising)


def closing_in(ms: int) -> Calendar:
    return Calendar(site=closed(at=NOW + ms, until=NOW + ms + HOUR))


def test_who_waits_when_it_closes_is_kept_and_called_back() -> None:
    story = waits(Story(plan(), closing_in(7_000)))
    effects = story.later(7_100)
    assert fx.LeaveQueue("closing") in effects
    (promise,) = [effect for effect in effects if isinstance(effect, fx.Promise)]
    assert (promise.kind, promise.topic) == ("callback", CIVIL)
    said = story.plan.announcements
    assert played(story.tell(ev.Promised())) == [said.closing, said.callback_kept]


def test_the_timer_of_a_wait_runs_out_when_it_closes() -> None:
    story = Story(plan(), closing_in(7_000))
    effects = story.tell(ev.Started(), ev.Digit("1"))
    assert [effect.ms for effect in effects if isinstance(effect, fx.StartTimer)][-1] == 7_100


def test_at_closing_who_is_ringing_is_still_answered() -> None:
    story = waits(Story(plan(), closing_in(7_000)))
    alice = next(iter(story.plan.agents))
    story.tell(ev.OfferMade("e:1", alice))
    effects = story.later(7_000)
    assert not any(isinstance(effect, fx.DropLeg | fx.LeaveQueue | fx.Promise) for effect in effects)
    story.tell(ev.AgentAnswered("e:1"))
    assert any(isinstance(effect, fx.Bridge) for effect in story.tell(ev.Accepted("e:1")))


def test_at_closing_people_who_are_still_open_answer() -> None:
    story = Story(plan(), Calendar(topics={CIVIL: ROOM}, hours={ROOM: closing_in(7_000).site}))
    waits(story)
    assert joined(story.later(7_000)) == [DESK]
    assert isinstance(story.call.phase, Waiting)


def test_a_crisis_has_its_message_its_menu_and_its_right_of_way() -> None:
    flood = CrisisId("inondation")
    message = PromptId("crue")
    profile = CrisisProfile(flood, "Inondation", message, menu=MORE)
    story = Story(plan(crises={flood: profile}), Calendar(crisis=Crisis(flood, NOW + HOUR)))
    assert played(story.tell(ev.Started()))[1:] == [message]
    assert played(story.heard()) == [story.plan.menus[MORE].prompt]
    assert isinstance(story.call.phase, InMenu)
    assert story.call.phase.menu == MORE
    (join,) = [effect for effect in story.tell(ev.Digit("1")) if isinstance(effect, fx.JoinQueue)]
    assert join.reason == "crisis"
    after = Story(story.plan, story.calendar)
    after.now += HOUR
    assert message not in played(after.tell(ev.Started())), "it ends by itself"


def with_option(option: Option) -> Plan:
    made = plan()
    root = made.menus[made.root]
    menus = {**made.menus, made.root: replace(root, options={**root.options, "7": option})}
    return replace(made, menus=menus)


def test_a_language_is_that_of_all_that_follows() -> None:
    story = Story(with_option(ToLanguage("en")))
    story.tell(ev.Started())
    (play,) = [effect for effect in story.tell(ev.Digit("7")) if isinstance(effect, fx.Play)]
    assert (play.language, play.prompts) == ("en", (story.plan.menus[story.plan.root].prompt,))
    assert decode(encode(story.call)).language == "en"
    wait = [effect for effect in story.tell(ev.Digit("1"), ev.Queued(1, staffed=True)) if isinstance(effect, fx.Play)]
    assert [effect.language for effect in wait] == ["en"]


def test_an_outside_body_is_an_answer() -> None:
    story = Story(with_option(ToOutside(METRO)))
    story.tell(ev.Started())
    assert played(story.tell(ev.Digit("7"))) == [SAID]
    story.heard()
    assert story.tell(ev.HungUp()) == [fx.Finish("informed")]


@pytest.mark.parametrize(
    ("keys", "typed"), [("1234", "1234"), ("12#", "12"), ("99*1234", "1234"), ("0000", "0000"), ("#", "")]
)
def test_a_number_is_typed_then_people_have_it(keys: str, typed: str) -> None:
    story = Story(with_option(Typed(PromptId("numero"), 4, DESK)))
    story.tell(ev.Started(), ev.Digit("7"))
    assert isinstance(story.call.phase, Typing)
    effects = [effect for key in keys for effect in story.tell(ev.Digit(key))]
    assert joined(effects) == [DESK]
    assert story.call.typed == typed


def test_a_number_that_stops_halfway_is_taken_as_it_is() -> None:
    story = Story(with_option(Typed(PromptId("numero"), 4, DESK)))
    story.tell(ev.Started(), ev.Digit("7"), ev.Digit("4"), ev.Digit("2"))
    assert joined(story.later(5_000)) == [DESK]
    assert story.call.typed == "42"


def test_who_is_told_whom_to_call_goes_on_after_an_adoption_and_after_a_crash_is_called_back() -> None:
    made = with_chain(TellOutside(METRO), TakeMessage(GroupId("etat-civil")))
    for happened, phase in ((ev.Adopted(), Apologising), (ev.Dropped(), Promising)):
        story = Story(made)
        story.tell(ev.Started(), ev.Digit("1"), ev.Queued(0, staffed=False))
        kept = durable(story.call)
        assert kept is not None
        story.call = decode(encode(kept))
        assert isinstance(story.call.phase, Telling)
        story.tell(happened)
        assert isinstance(story.call.phase, phase)


ANY_STEP = st.sampled_from(
    [
        OtherTopic(DESK),
        OtherTopic(CIVIL),
        TellOutside(METRO),
        CallBack(GroupId("accueil")),
        TakeMessage(GroupId("accueil")),
    ]
)
ANY_CALENDAR = st.sampled_from(
    [
        ALWAYS_OPEN,
        NIGHT,
        closing_in(1),
        closing_in(30_000),
        Calendar(topics={CIVIL: ROOM}, hours={ROOM: closed()}),
        Calendar(topics={DESK: ROOM}, hours={ROOM: closed()}),
    ]
)


@given(st.lists(ANY_STEP, max_size=5), ANY_CALENDAR, st.booleans())
def test_any_chain_at_any_hour_ends_in_a_promise_when_nobody_is_there(
    steps: list[ChainStep], calendar: Calendar, known: bool
) -> None:
    story = Story(with_chain(*steps), calendar, "+33639980001" if known else None)
    effects = story.tell(ev.Started(), ev.Digit("1"))
    for _ in range(2 * len(steps) + 12):
        phase = story.call.phase
        if isinstance(phase, Parting | Ended):
            break
        if isinstance(phase, Waiting):
            effects += story.tell(ev.Queued(0, staffed=False))
        elif isinstance(phase, Promising):
            effects += story.tell(ev.Promised())
        elif any(isinstance(effect, fx.Record) for effect in effects):
            effects += story.tell(ev.RecordingDone(getattr(phase, "recording", 0), kept=True))
        else:
            effects += story.heard()
    assert isinstance(story.call.phase, Parting), story.call.phase
    assert sum(isinstance(effect, fx.Promise) for effect in effects) == 1
    assert len(joined(effects)) <= len(steps) + 2
