"""What a call does when people do not answer: closed, a crisis, nobody there; languages and typed numbers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.caller import Caller, CallerRef
from ivr.core.plan import AgentId, CallBack, GroupId, HoursId, OtherTopic, Plan, PromptId, TakeMessage, TellOutside
from ivr.core.schedule import Calendar, Crisis, Span, Timeline
from ivr.core.state import Call, Promising, Waiting, decode, encode
from tests.core.drawn import INPUTS, hours, live
from tests.core.story import NOW, Story, kinds, new_call
from tests.plans import ACCUEIL, CRUE, ETAT_CIVIL, METROPOLE, ROOT, rich_plan

pytestmark = pytest.mark.unit

PLAN = rich_plan()
SAID = PLAN.announcements
HOUR = 3_600_000
CLOSED = Calendar(
    Timeline(
        (
            Span(NOW - HOUR, NOW + HOUR, open=False, layer="weekly"),
            Span(NOW + HOUR, NOW + 3 * HOUR, open=True, layer="weekly"),
            Span(NOW + 3 * HOUR, NOW + 9 * HOUR, open=False, layer="weekly"),
        )
    )
)
DESK = GroupId("accueil")
HIDDEN = replace(new_call(), caller=Caller(CallerRef("r"), None, "hidden", "normal"))


def of_topic(own: Timeline) -> Calendar:
    """The site is open, etat-civil has hours of its own."""
    return Calendar(topics={ETAT_CIVIL: HoursId("own")}, hours={HoursId("own"): own})


def plays(effects: list[fx.Effect]) -> list[tuple[PromptId, ...]]:
    return [effect.prompts for effect in effects if isinstance(effect, fx.Play)]


def promises(story: Story) -> list[fx.Promise]:
    return [effect for effect in story.effects if isinstance(effect, fx.Promise)]


def joins(story: Story) -> list[str]:
    return [effect.topic for effect in story.effects if isinstance(effect, fx.JoinQueue)]


def begun(calendar: Calendar, plan: Plan = PLAN) -> Story:
    story = Story(plan=plan, calendar=calendar)
    story.tell(ev.Started())
    return story


def phase(story: Story) -> str:
    return type(story.call.phase).__name__


def waits(calendar: Calendar) -> Story:
    story = begun(calendar)
    story.tell(ev.Digit("1"), ev.Queued(1, staffed=True))
    return story


# Closed


def test_closed_is_said_before_the_menu_and_is_an_answer_once_it_was_heard() -> None:
    story = begun(CLOSED)
    assert plays(story.effects) == [(SAID.closed,)]
    assert story.tell(ev.HungUp())[-1] == fx.Finish("left")
    story = begun(CLOSED)
    assert plays(story.prompt_ends()) == [(PLAN.menus[ROOT].prompt,)]
    assert story.tell(ev.HungUp())[-1] == fx.Finish("informed")


def test_closed_the_answers_of_the_menu_are_there_at_once() -> None:
    story = begun(CLOSED)
    assert plays(story.tell(ev.Digit("3"))) == [(PromptId("horaires"),)]
    assert phase(story) == "Informing"


def test_closed_a_topic_leads_down_its_chain_and_no_queue_is_asked() -> None:
    story = begun(CLOSED)
    story.prompt_ends()
    assert plays(story.tell(ev.Digit("1"))) == [(PromptId("metropole"),)]
    story.prompt_ends()
    assert promises(story) == [fx.Promise("callback", ETAT_CIVIL, 0, DESK)]
    assert plays(story.tell(ev.Promised())) == [(SAID.callback_kept,)]
    assert joins(story) == []
    assert "LeaveQueue" not in kinds(story.effects)


def test_closed_a_hidden_number_leaves_a_message_instead_of_being_called_back() -> None:
    story = Story(HIDDEN, PLAN, CLOSED)
    story.tell(ev.Started(), ev.Digit("1"))
    assert plays(story.prompt_ends()) == [(SAID.leave_message, PromptId("bip"))]
    assert isinstance(story.prompt_ends()[0], fx.Record)
    story.tell(ev.RecordingDone(story.call.serial - 1, kept=True))
    assert [(each.kind, each.owner) for each in promises(story)] == [("message", DESK)]


def test_a_relay_call_hears_that_it_is_closed_and_leaves_a_message() -> None:
    """The relay's number is not the caller's: nobody is called back at it."""
    story = Story(new_call("relay"), PLAN, CLOSED)
    assert plays(story.tell(ev.Started())) == [(SAID.closed, SAID.leave_message, PromptId("bip"))]
    chain = (CallBack(DESK),)
    plan = replace(PLAN, topics={**PLAN.topics, ACCUEIL: replace(PLAN.topics[ACCUEIL], continuity=chain)})
    story = Story(new_call("relay"), plan, CLOSED)
    story.tell(ev.Started())
    assert phase(story) == "Apologising"


def test_the_span_has_its_own_sentence_if_the_plan_has_it() -> None:
    def closed(prompt: str) -> Calendar:
        (first, *rest) = CLOSED.site.spans
        return Calendar(Timeline((replace(first, prompt=PromptId(prompt)), *rest)))

    assert plays(begun(closed("crue")).effects) == [(PromptId("crue"),)]
    assert plays(begun(closed("of-another-version")).effects) == [(SAID.closed,)]


def test_silence_out_of_hours_ends_in_a_promise() -> None:
    story = begun(CLOSED)
    for _ in range(3):
        story.prompt_ends()
        story.time_runs_out()
    assert phase(story) == "Apologising"
    assert joins(story) == []
    assert SAID.to_human not in [prompt for each in plays(story.effects) for prompt in each]


def test_a_topic_that_is_closed_by_its_own_hours_goes_to_one_that_is_open() -> None:
    story = begun(of_topic(CLOSED.site))
    assert phase(story) == "InMenu"
    story.tell(ev.Digit("1"))
    assert joins(story) == [ACCUEIL]
    story.tell(ev.Queued(1, staffed=False, topic=ACCUEIL))
    assert phase(story) == "Telling"


# Crises


def test_a_crisis_is_told_before_its_own_menu_and_overrides_the_root() -> None:
    story = begun(Calendar(crisis=Crisis(CRUE, NOW + 1)))
    assert plays(story.effects) == [(SAID.greeting, PromptId("crue"))]
    assert plays(story.prompt_ends()) == [(PromptId("menu-crue"),)]
    assert story.tell(ev.HungUp())[-1] == fx.Finish("informed")


def test_a_crisis_that_is_over_or_unknown_to_the_plan_is_none() -> None:
    assert phase(begun(Calendar(crisis=Crisis(CRUE, NOW)))) == "InMenu"
    unknown = replace(PLAN, crises={})
    assert phase(begun(Calendar(crisis=Crisis(CRUE, NOW + 1)), unknown)) == "InMenu"


def test_a_relay_call_hears_the_crisis_while_it_waits() -> None:
    story = Story(new_call("relay"), PLAN, Calendar(crisis=Crisis(CRUE, NOW + 1)))
    story.tell(ev.Started())
    assert plays(story.effects) == [(PromptId("crue"),)]
    assert joins(story) == [ACCUEIL]


def test_who_asks_for_people_after_an_answer_and_gives_up_has_left() -> None:
    story = begun(Calendar(crisis=Crisis(CRUE, NOW + 1)))
    story.prompt_ends()
    story.tell(ev.Digit("0"), ev.Queued(1, staffed=True))
    assert story.tell(ev.HungUp())[-1] == fx.Finish("left")


# Chains


def test_the_chain_is_taken_step_by_step_to_its_end() -> None:
    story = begun(Calendar())
    story.tell(ev.Digit("1"), ev.Queued(1, staffed=False, topic=ETAT_CIVIL))
    assert joins(story) == [ETAT_CIVIL, ACCUEIL]
    assert story.tell(ev.Queued(1, staffed=False, topic=ETAT_CIVIL)) == []
    did = story.tell(ev.Queued(1, staffed=False, topic=ACCUEIL))
    assert plays(did) == [(PromptId("metropole"),)]
    assert fx.LeaveQueue("outside") in did
    story.prompt_ends()
    assert promises(story) == [fx.Promise("callback", ETAT_CIVIL, 0, DESK)]
    assert plays(story.tell(ev.Promised())) == [(SAID.unstaffed, SAID.callback_kept)]
    story.prompt_ends()
    assert story.tell(ev.HungUp()) == [fx.Finish("promised")]


def test_who_hangs_up_after_the_outside_body_was_named_is_informed_and_owed_nothing() -> None:
    story = Story(HIDDEN, PLAN)
    story.tell(ev.Started(), ev.Digit("1"), ev.Queued(1, staffed=False), ev.Queued(1, staffed=False))
    story.prompt_ends()
    assert phase(story) == "Apologising"
    assert story.tell(ev.HungUp()) == [fx.Finish("informed")]


def test_a_talk_that_was_none_goes_on_where_the_chain_was() -> None:
    story = begun(Calendar())
    story.tell(ev.Digit("1"), ev.Queued(1, staffed=False), ev.Queued(1, staffed=True, topic=ACCUEIL))
    story.tell(ev.OfferMade("e:1", AgentId("chloe")), ev.AgentAnswered("e:1"), ev.Accepted("e:1"), ev.AgentLeft("e:1"))
    assert isinstance(story.call.phase, Waiting)
    assert (story.call.phase.asked, story.call.phase.topic, story.call.phase.step) == (ETAT_CIVIL, ACCUEIL, 1)
    story.tell(ev.Unstaffed())
    assert phase(story) == "Telling"


STEPS = st.sampled_from(
    [OtherTopic(ACCUEIL), OtherTopic(ETAT_CIVIL), TellOutside(METROPOLE), CallBack(DESK), TakeMessage(DESK)]
)


@given(st.lists(STEPS, max_size=6).map(tuple), st.booleans(), st.booleans())
def test_every_chain_ends_in_a_promise_when_nobody_is_there(chain: tuple, hidden: bool, closed: bool) -> None:  # type: ignore[type-arg]
    plan = replace(PLAN, topics={id_: replace(topic, continuity=chain) for id_, topic in PLAN.topics.items()})
    story = Story(HIDDEN if hidden else None, plan, CLOSED if closed else Calendar())
    story.tell(ev.Started(), ev.Digit("1"))
    for _ in range(len(chain) + 8):
        match story.call.phase:
            case Waiting(topic=topic):
                story.tell(ev.Queued(1, staffed=False, topic=topic))
            case Promising():
                story.tell(ev.Promised())
            case _:
                story.tell(ev.PromptDone(getattr(story.call.phase, "play", 0)))
                story.tell(ev.RecordingDone(getattr(story.call.phase, "recording", -1), kept=True))
    assert len(promises(story)) == 1
    assert story.tell(ev.HungUp()) == [fx.Finish("promised")]


# Closing time


def test_who_waits_when_the_hours_end_keeps_the_place_and_is_due_at_the_next_opening() -> None:
    # It closes in 50 s, and opens an hour later for ten minutes.
    story = waits(Calendar(hours([7_250, 3_600, 600, 9_000])))
    story.prompt_ends()
    story.time_runs_out()
    armed = [effect.ms for effect in story.effects if isinstance(effect, fx.StartTimer)]
    assert armed[-1] == 50_100
    story.now += 50_100
    did = story.time_runs_out()
    assert fx.LeaveQueue("closing") in did
    opens = NOW + 50_000 + 3_600_000
    assert promises(story) == [fx.Promise("callback", ETAT_CIVIL, 0, DESK, kept=True, due=opens + 600_000)]
    assert plays(story.tell(ev.Promised())) == [(SAID.closing, SAID.callback_kept)]


def test_nobody_is_cut_off_at_closing_time_while_a_phone_rings_or_in_a_talk() -> None:
    story = waits(Calendar(hours([7_260, 3_600])))
    story.tell(ev.OfferMade("e:1", AgentId("alice")))
    story.now += 120_000
    assert story.tell(ev.HoursChanged()) == []
    assert kinds(story.time_runs_out()) == ["StartTimer"]
    story.tell(ev.AgentAnswered("e:1"), ev.Accepted("e:1"))
    assert kinds(story.time_runs_out()) == ["StartTimer"]
    assert story.tell(ev.HoursChanged()) == []


def test_a_state_that_closes_at_once_keeps_who_waits_as_well() -> None:
    story = waits(Calendar())
    story.calendar = CLOSED
    story.tell(ev.HoursChanged())
    (promise,) = promises(story)
    assert (promise.kept, promise.due) == (True, NOW + 3 * HOUR)


def test_when_only_the_topic_closes_who_waits_goes_to_the_next_topic_at_the_same_place() -> None:
    story = waits(of_topic(hours([7_260, 3_600])))
    story.now += 60_100
    story.prompt_ends()
    assert fx.JoinQueue(ACCUEIL, NOW) in story.time_runs_out()
    story.tell(ev.Queued(1, staffed=False, topic=ACCUEIL))
    (promise,) = promises(story)
    assert promise.kept


@pytest.mark.parametrize("call", [HIDDEN, new_call("relay")], ids=["hidden", "relay"])
def test_who_cannot_be_called_back_is_promised_nothing_at_closing_time_before_the_message(call: Call) -> None:
    story = Story(call, PLAN, Calendar(hours([7_260, 3_600])))
    story.tell(ev.Started(), ev.Digit("1"), ev.Queued(1, staffed=True))
    story.now += 60_100
    assert plays(story.tell(ev.HoursChanged())) == [(SAID.closed, SAID.leave_message, PromptId("bip"))]


def test_a_hidden_number_is_promised_nothing_either_when_only_the_topic_closes() -> None:
    story = Story(HIDDEN, PLAN, of_topic(hours([7_260, 3_600])))
    story.tell(ev.Started(), ev.Digit("1"), ev.Queued(1, staffed=True))
    story.now += 60_100
    story.tell(ev.HoursChanged())
    did = story.tell(ev.Queued(1, staffed=False, topic=ACCUEIL))
    assert plays(did) == [(SAID.unstaffed, SAID.leave_message, PromptId("bip"))]


def test_a_hidden_number_at_closing_time_leaves_a_message_at_its_place() -> None:
    story = Story(HIDDEN, PLAN, Calendar(hours([7_260, 3_600])))
    story.tell(ev.Started(), ev.Digit("1"), ev.Queued(1, staffed=True))
    story.now += 60_100
    story.tell(ev.HoursChanged())
    story.prompt_ends()
    story.now += 5_000
    story.tell(ev.HungUp())
    assert [(each.kind, each.kept) for each in promises(story)] == [("message", True)]


# Languages, typed numbers


def test_a_language_holds_for_all_that_follows_and_plays_the_menu_again() -> None:
    story = begun(Calendar())
    (play,) = (effect for effect in story.tell(ev.Digit("5")) if isinstance(effect, fx.Play))
    assert play == fx.Play(play.serial, (PLAN.menus[ROOT].prompt,), "en")
    story.tell(ev.Digit("1"), ev.Queued(1, staffed=True))
    assert {effect.language for effect in story.effects[-3:] if isinstance(effect, fx.Play)} == {"en"}
    assert decode(encode(story.call)).language == "en"


@pytest.mark.parametrize(("keys", "kept"), [("123", "123"), ("12#", "12"), ("#", ""), ("9*12#", "12")])
def test_a_typed_number_ends_with_its_length_or_hash_and_stands_in_no_history(keys: str, kept: str) -> None:
    story = begun(Calendar())
    story.tell(ev.Digit("6"), *map(ev.Digit, keys))
    assert joins(story) == [ETAT_CIVIL]
    assert (story.call.typed, story.call.keys) == (kept, "6")
    assert "123" not in str(story.effects)


def test_a_pause_ends_a_typed_number_and_silence_leads_to_people_all_the_same() -> None:
    story = begun(Calendar())
    story.tell(ev.Digit("6"), ev.Digit("0"))
    assert phase(story) == "Typing"
    story.time_runs_out()
    assert story.call.typed == "0"
    silent = begun(Calendar())
    silent.tell(ev.Digit("6"))
    silent.prompt_ends()
    silent.time_runs_out()
    assert joins(silent) == [ETAT_CIVIL]


# Adoption


def test_adoption_goes_on_in_the_chain() -> None:
    """A sentence that was cut off is not begun anew: a worker that is killed again and again must not hold a caller."""
    story = begun(Calendar())
    story.tell(ev.Digit("1"), ev.Queued(1, staffed=False))
    heir = Story(decode(encode(story.call)), PLAN)
    heir.tell(ev.Adopted(), ev.Queued(1, staffed=False, topic=ACCUEIL))
    assert phase(heir) == "Telling"
    again = Story(decode(encode(heir.call)), PLAN)
    again.tell(ev.Adopted())
    assert [each.owner for each in promises(again)] == [DESK]
    assert not again.call.informed


def test_adoption_asks_for_the_message_in_the_same_words_and_for_the_number_by_the_menu() -> None:
    story = Story(HIDDEN, PLAN, Calendar(hours([7_260, 3_600])))
    story.tell(ev.Started(), ev.Digit("1"), ev.Queued(1, staffed=True))
    story.now += 60_100
    story.tell(ev.HoursChanged())
    heir = Story(decode(encode(story.call)), PLAN, story.calendar)
    heir.now = story.now
    assert plays(heir.tell(ev.Adopted())) == [(SAID.closed, SAID.leave_message, PromptId("bip"))]
    typing = begun(Calendar())
    typing.tell(ev.Digit("6"), ev.Digit("1"))
    heir = Story(decode(encode(typing.call)), PLAN)
    assert plays(heir.tell(ev.Adopted())) == [(PLAN.menus[ROOT].prompt,)]


def test_a_full_line_of_the_snapshot_before_is_still_told_so() -> None:
    kept = replace(new_call(), phase=Promising(ACCUEIL, message=False, recording=0))
    fields = json.loads(encode(kept))
    fields["schema"] = 3
    fields["phase"] = {"kind": "Promising", "topic": "accueil", "message": False, "recording": 0, "full": True}
    for later in ("language", "typed", "closed"):
        del fields[later]
    heir = Story(decode(json.dumps(fields)), PLAN)
    heir.tell(ev.Adopted())
    assert plays(heir.tell(ev.Promised())) == [(SAID.full_callback,)]


# What a step can see


@given(
    st.lists(st.integers(1, 8_000), max_size=8),
    st.lists(st.tuples(st.sampled_from(["prompt", "timer", "input"]), INPUTS, st.integers(0, 2_000_000)), max_size=30),
)
def test_what_is_recorded_of_the_calendar_leads_to_the_same(
    changes: list[int], steps: list[tuple[str, ev.Input, int]]
) -> None:
    whole = Story(plan=PLAN, calendar=of_topic(hours(changes)))
    part = Story(plan=PLAN)
    for which, happened, later in [("input", ev.Started(), 0), *steps]:
        whole.now += later
        part.now = whole.now
        part.calendar = whole.calendar.near(whole.now)
        happens = live(whole, which, happened)
        assert part.tell(happens) == whole.tell(happens)
        assert part.call == whole.call
