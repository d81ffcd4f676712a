"""The machine of one call: the stories that a caller lives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.core import effects as fx
from ivr.core import inputs as ev
from ivr.core.adoption import may_play
from ivr.core.caller import Caller, CallerRef
from ivr.core.plan import AgentId, GroupId, TopicId
from ivr.core.state import Apologising, InMenu, Parting, Talking, Waiting, decode, durable, encode
from tests.core.story import NOW, PLAN, Story, at_menu, kinds, new_call, talking, waiting

pytestmark = pytest.mark.unit

UP: tuple[str, ev.LegState] = ("e:1", "up")


def asked_for(story: Story) -> str:
    assert isinstance(story.call.phase, Apologising)
    return story.call.phase.topic


def asked_for_after(story: Story, happened: ev.Input) -> str:
    story.tell(happened)
    return asked_for(story)


def test_the_call_is_answered_and_the_menu_is_heard() -> None:
    story = Story()
    assert kinds(story.tell(ev.Started())) == ["Answer", "Play", "StartTimer"]


def test_a_digit_acts_at_once_and_stops_the_prompt() -> None:
    story = at_menu()
    assert kinds(story.tell(ev.Digit("1")))[:2] == ["StopPlay", "JoinQueue"]


def test_digits_typed_ahead_cross_menus_in_their_order() -> None:
    story = at_menu()
    story.tell(ev.Digit("2"), ev.Digit("#"), ev.Digit("1"))
    assert isinstance(story.call.phase, Waiting)
    assert story.call.phase.topic == "etat-civil"
    assert story.call.keys == "2#1"


def test_time_to_choose_counts_from_the_end_of_the_prompt() -> None:
    story = at_menu()
    armed = [effect for effect in story.effects if isinstance(effect, fx.StartTimer)]
    assert armed[-1].ms > 60_000
    assert story.prompt_ends() == [fx.StartTimer(story.call.timer, 5_000)]


def test_silence_twice_leads_to_people_and_never_hangs_up() -> None:
    story = at_menu()
    story.prompt_ends()
    again = story.time_runs_out()
    assert isinstance(again[0], fx.Play)
    assert again[0].prompts == (PLAN.announcements.no_input, PLAN.menus[PLAN.root].short_prompt)
    story.prompt_ends()
    story.time_runs_out()
    assert isinstance(story.call.phase, Waiting)
    assert story.call.phase.topic == PLAN.general
    assert "Hangup" not in kinds(story.effects)


def test_two_wrong_keys_lead_to_people() -> None:
    story = at_menu()
    story.tell(ev.Digit("9"), ev.Digit("8"))
    assert isinstance(story.call.phase, Waiting)
    assert story.call.phase.topic == PLAN.general


def test_zero_reaches_people_and_star_repeats() -> None:
    story = at_menu()
    assert isinstance(story.tell(ev.Digit("*"))[1], fx.Play)
    story.tell(ev.Digit("0"))
    assert isinstance(story.call.phase, Waiting)


def test_an_answer_heard_to_its_end_counts_as_informed() -> None:
    story = at_menu()
    story.tell(ev.Digit("3"))
    story.prompt_ends()
    assert isinstance(story.call.phase, InMenu)
    assert story.tell(ev.HungUp())[-1] == fx.Finish("informed")


def prompt_fails(story: Story) -> list[fx.Effect]:
    return story.tell(ev.PromptDone(getattr(story.call.phase, "play", 0), played=False))


def test_an_answer_that_a_hang_up_cuts_off_was_not_heard() -> None:
    story = at_menu()
    story.tell(ev.Digit("3"))
    prompt_fails(story)
    assert story.tell(ev.HungUp())[-1] == fx.Finish("left")


def test_who_hangs_up_before_the_beep_left_no_message() -> None:
    story = at_menu()
    story.tell(ev.Digit("0"), ev.Queued(1, staffed=False))
    prompt_fails(story)
    assert kinds(story.tell(ev.HungUp())) == ["Promise", "Finish"]
    (promise,) = (effect for effect in story.effects if isinstance(effect, fx.Promise))
    assert promise.kind == "callback"


@pytest.mark.parametrize(("ms", "kind"), [(0, "callback"), (999, "callback"), (1_000, "message"), (60_000, "message")])
def test_a_message_takes_a_moment_to_be_one(ms: int, kind: str) -> None:
    story = at_menu()
    story.tell(ev.Digit("0"), ev.Queued(1, staffed=False))
    story.prompt_ends()
    story.now += ms
    (promise, _) = story.tell(ev.HungUp())
    assert isinstance(promise, fx.Promise)
    assert promise.kind == kind


def test_a_menu_that_cannot_be_played_leads_to_people_and_its_keys_still_count() -> None:
    story = at_menu()
    prompt_fails(story)
    effects = story.time_runs_out()
    assert isinstance(story.call.phase, Waiting)
    assert fx.JoinQueue(PLAN.general, NOW) in effects
    other = at_menu()
    prompt_fails(other)
    assert fx.JoinQueue(TopicId("etat-civil"), NOW) in other.tell(ev.Digit("1"))


@pytest.mark.parametrize("keys", ["", "3", "0"])
def test_a_sentence_that_cannot_be_played_holds_nobody_up(keys: str) -> None:
    story = at_menu()
    for key in keys:
        story.tell(ev.Digit(key), ev.Queued(1, staffed=False))
    (armed,) = prompt_fails(story)
    assert isinstance(armed, fx.StartTimer)
    assert armed.ms <= 1_000
    assert {"StartTimer", "Play", "Record"} & set(kinds(story.time_runs_out()))


def test_a_relay_call_goes_straight_to_people() -> None:
    story = Story(new_call("relay"))
    effects = story.tell(ev.Started())
    assert kinds(effects)[:2] == ["Answer", "JoinQueue"]
    assert fx.JoinQueue(PLAN.general, NOW, "relay") in effects


def test_music_comes_back_after_each_sentence_of_the_wait() -> None:
    story = waiting()
    assert story.prompt_ends() == [fx.Hold()]
    assert kinds(story.time_runs_out()) == ["Play", "JoinQueue", "StartTimer"]
    assert story.prompt_ends() == [fx.Hold()]


def test_what_plays_stops_before_the_bridge() -> None:
    story = waiting()
    effects = story.tell(ev.OfferMade("e:1", AgentId("alice")), ev.AgentAnswered("e:1"), ev.Accepted("e:1"))
    names = kinds(effects)
    assert names.index("StopPlay") < names.index("Bridge")
    assert isinstance(story.call.phase, Talking)


def test_an_agent_who_does_not_answer_costs_no_place() -> None:
    story = waiting()
    story.tell(ev.OfferMade("e:1", AgentId("alice")))
    assert story.tell(ev.AgentFailed("e:1", "miss")) == [fx.Decline("e:1", "miss")]
    assert fx.DialAgent("e:2", AgentId("bob")) in story.tell(ev.OfferMade("e:2", AgentId("bob")))


def test_a_stale_answer_only_drops_its_leg() -> None:
    story = waiting()
    assert story.tell(ev.AgentAnswered("e:7")) == [fx.DropLeg("e:7")]


def test_nobody_there_tries_the_general_desk_then_takes_a_message() -> None:
    story = at_menu()
    story.tell(ev.Digit("1"))
    assert fx.JoinQueue(PLAN.general, NOW) in story.tell(ev.Queued(1, staffed=False))
    assert "LeaveQueue" in kinds(story.tell(ev.Queued(1, staffed=False)))
    assert asked_for(story) == "etat-civil"
    assert isinstance(story.prompt_ends()[0], fx.Record)
    story.tell(ev.RecordingDone(story.call.serial - 1, kept=True))
    story.tell(ev.Promised())
    assert isinstance(story.call.phase, Parting)
    assert "Hangup" in kinds(story.prompt_ends())
    assert story.tell(ev.HungUp()) == [fx.Finish("promised")]


def test_an_agent_who_drops_at_once_was_no_answer() -> None:
    story = talking()
    story.now -= 10_000
    story.tell(ev.AgentLeft("e:1"))
    assert isinstance(story.call.phase, Waiting)


def test_a_phone_that_dies_in_a_talk_has_not_served_the_caller() -> None:
    story = talking()
    effects = story.tell(ev.AgentLeft("e:1", lost=True))
    assert kinds(effects)[:2] == ["DropLeg", "Release"]
    assert fx.JoinQueue(TopicId("etat-civil"), story.now) in effects
    assert isinstance(story.tell(ev.Queued(1, staffed=True))[0], fx.Play)


def test_the_end_of_a_talk_ends_the_call_as_answered() -> None:
    story = talking()
    assert kinds(story.tell(ev.AgentLeft("e:1")))[:3] == ["DropLeg", "Release", "Hangup"]
    assert story.tell(ev.HungUp()) == [fx.Finish("answered")]


def test_a_caller_whose_answer_was_lost_with_a_connection_is_answered_at_adoption() -> None:
    for story in (at_menu(), waiting()):
        assert "Answer" not in kinds(story.tell(ev.Adopted()))
        assert kinds(story.tell(ev.Adopted(answered=False))).count("Answer") == 1


def test_adoption_continues_each_phase() -> None:
    menu = at_menu()
    assert [kind for kind in kinds(menu.tell(ev.Adopted())) if kind != "StopPlay"] == ["Play", "StartTimer"]
    menu.call = decode(encode(durable(menu.call) or menu.call))
    assert "JoinQueue" in kinds(menu.tell(ev.Adopted())), "who hears the menu cut off twice is put through to people"
    wait = waiting()
    did = kinds(wait.tell(ev.Adopted()))
    assert [kind for kind in did if kind != "StopPlay"] == ["Hold", "StartTimer", "JoinQueue"]
    placed = waiting()
    assert [kind for kind in kinds(placed.tell(ev.Adopted(placed=True))) if kind != "StopPlay"] == [
        "Hold",
        "StartTimer",
    ]
    talk = talking()
    assert kinds(talk.tell(ev.Adopted((("e:1", "up"),), "e:1"))) == ["StartTimer"]


def test_adoption_leaves_a_phone_that_nobody_dialled_to_the_queue_and_lets_go_of_one_that_answered_and_left() -> None:
    story = waiting()
    story.tell(ev.OfferMade("e:1", AgentId("alice"), "b"))
    effects = story.tell(ev.Adopted((("e:1", "none"),)))
    assert not [effect for effect in effects if isinstance(effect, fx.DialAgent | fx.Decline | fx.JoinQueue)]
    assert fx.DialAgent("e:1", AgentId("alice"), "b") in story.tell(ev.OfferMade("e:1", AgentId("alice"), "b"))
    story.tell(ev.AgentAnswered("e:1"))
    assert fx.Decline("e:1", "failed") in story.tell(ev.Adopted((("e:1", "none"),)))


def offer(token: str, agent: str) -> ev.OfferMade:
    """One of several at once: the queue's routing says so, which is of a later plan than the call's maybe."""
    return ev.OfferMade(token, AgentId(agent), beside=True)


def test_several_phones_ring_and_the_first_who_answers_has_the_call() -> None:
    story = waiting()
    alice, bob = offer("e:1", "alice"), offer("e:2", "bob")
    assert kinds(story.tell(alice, bob, alice)) == ["DialAgent", "DialAgent"]
    assert fx.Accept("e:2") in story.tell(ev.AgentAnswered("e:2"))
    assert fx.Accept("e:1") in story.tell(ev.AgentAnswered("e:1"))
    effects = story.tell(ev.Accepted("e:2"))
    assert [effect for effect in effects if isinstance(effect, fx.DropLeg)] == [fx.DropLeg("e:1")]
    assert fx.Bridge("e:2") in effects
    assert story.tell(ev.OfferWithdrawn("e:1"), ev.AcceptRefused("e:1"), ev.AgentLeft("e:1")) == []
    assert isinstance(story.call.phase, Talking)


def test_who_answered_too_late_is_let_go_while_the_other_rings_on() -> None:
    story = waiting()
    story.tell(offer("e:1", "alice"), offer("e:2", "bob"), ev.AgentAnswered("e:1"))
    assert kinds(story.tell(ev.AcceptRefused("e:1"))) == ["DropLeg", "StartTimer"]
    assert isinstance(story.call.phase, Waiting)
    assert [offer.token for offer in story.call.phase.offers] == ["e:2"]


def test_nobody_left_is_told_while_waiting_but_not_while_a_phone_rings() -> None:
    story = waiting()
    story.tell(ev.OfferMade("e:1", AgentId("alice")))
    assert story.tell(ev.Unstaffed()) == []
    story.tell(ev.AgentFailed("e:1", "miss"))
    assert fx.JoinQueue(PLAN.general, NOW) in story.tell(ev.Unstaffed())
    assert asked_for_after(story, ev.Unstaffed()) == "etat-civil"


def test_a_long_wait_offers_a_message_and_puts_nobody_out() -> None:
    story = waiting()
    assert story.tell(ev.Digit("2")) == []
    (stop, play) = story.tell(ev.Overflowed())
    assert isinstance(stop, fx.StopPlay)
    assert play == fx.Play(story.call.serial, (PLAN.announcements.overflow,))
    assert story.tell(ev.Overflowed()) == []
    assert story.prompt_ends() == [fx.Hold()]
    assert kinds(story.tell(ev.Digit("2"))) == ["Play", "LeaveQueue", "StartTimer"]
    assert asked_for(story) == "etat-civil"


def test_when_no_line_is_free_a_number_is_called_back_and_the_promise_comes_first() -> None:
    story = Story()
    assert kinds(story.tell(ev.Started(full=True))) == ["Answer", "Promise", "StartTimer"]
    effects = story.tell(ev.Promised())
    assert isinstance(effects[0], fx.Play)
    assert effects[0].prompts == (PLAN.announcements.full_callback,)
    assert story.tell(ev.HungUp()) == [fx.Finish("promised")]


def test_when_no_line_is_free_a_hidden_number_leaves_a_message_and_a_relay_goes_on() -> None:
    hidden = replace(new_call(), caller=Caller(CallerRef("r"), None, "hidden", "normal"))
    story = Story(hidden)
    assert kinds(story.tell(ev.Started(full=True))) == ["Answer", "Play", "StartTimer"]
    assert isinstance(story.prompt_ends()[0], fx.Record)
    assert "JoinQueue" in kinds(Story(new_call("relay")).tell(ev.Started(full=True)))


def test_what_a_dead_worker_began_to_play_is_stopped_before_anything_else() -> None:
    story = at_menu()
    kept = decode(encode(story.call))
    story.prompt_ends()
    story.time_runs_out()
    playing = getattr(story.call.phase, "play", 0)
    heir = Story(kept)
    did = heir.tell(ev.Adopted(playing=may_play(kept)))
    ours = next(effect.serial for effect in did if isinstance(effect, fx.Play))
    stopped = {effect.serial for effect in did if isinstance(effect, fx.StopPlay)}
    assert {getattr(kept.phase, "play", 0), playing} <= stopped
    assert ours not in stopped
    assert kinds(did).index("Play") > len(stopped) - 1


def test_the_snapshot_of_a_wait_tells_nearly_what_plays() -> None:
    story = at_menu()
    story.tell(ev.Digit("1"))
    kept = decode(encode(story.call))
    story.tell(ev.Queued(1, staffed=True))
    playing = getattr(story.call.phase, "play", 0)
    assert playing in may_play(kept)
    assert len(may_play(kept)) <= 4
    story.prompt_ends()
    story.time_runs_out()  # the wait was looked at again, and written again
    assert may_play(story.call) == (getattr(story.call.phase, "play", 0),)
    story.prompt_ends()
    assert may_play(story.call) == ()


def test_a_talk_that_never_began_silences_the_wait_before_it_begins() -> None:
    talk = talking()
    assert kinds(talk.tell(ev.Adopted((UP,), None, playing=(3,)))) == ["StopPlay", "Bridge", "StartTimer"]
    assert kinds(talk.tell(ev.Adopted((UP,), "e:1", playing=(3,)))) == ["StartTimer"]


# Asterisk crashes


def test_who_waited_or_talked_when_asterisk_crashed_is_called_back_for_the_topic() -> None:
    wait = waiting()
    wait.tell(ev.OfferMade("e:1", AgentId("alice")))
    did = wait.tell(ev.Dropped())
    topic = TopicId("etat-civil")
    assert did[:3] == [
        fx.DropLeg("e:1"),
        fx.LeaveQueue("crash"),
        fx.Promise("dropped", topic, 0, GroupId("etat-civil")),
    ]
    did = talking().tell(ev.Dropped())
    assert did[:3] == [
        fx.DropLeg("e:1"),
        fx.Release("e:1", void=True),
        fx.Promise("dropped", topic, 0, GroupId("etat-civil")),
    ]


def test_the_record_is_closed_only_when_the_promise_is_kept() -> None:
    story = waiting()
    story.tell(ev.Dropped())
    assert story.tell(ev.PromiseFailed()) == []
    assert kinds(story.time_runs_out()) == ["Promise", "StartTimer"]
    assert kinds(story.tell(ev.Promised())) == ["Hangup", "StartTimer"]
    assert story.tell(ev.HungUp()) == [fx.Finish("promised")]


def test_cut_off_in_a_menu_a_number_is_called_back_by_the_general_desk_and_nothing_is_owed_without_one() -> None:
    assert fx.Promise("dropped", PLAN.general, 0, GroupId("accueil")) in at_menu().tell(ev.Dropped())
    hidden = Story(replace(new_call(), caller=Caller(CallerRef("r"), None, "hidden", "normal")))
    hidden.tell(ev.Started())
    assert kinds(hidden.tell(ev.Dropped())) == ["Hangup", "StartTimer"]
    assert hidden.tell(ev.HungUp()) == [fx.Finish("left")]


def test_a_crash_takes_no_promise_back_and_no_answer_away() -> None:
    story = Story()
    story.tell(ev.Started(full=True))
    assert kinds(story.tell(ev.Dropped())) == ["Promise", "StartTimer"]
    assert kinds(story.tell(ev.Promised())) == ["Hangup", "StartTimer"]
    talk = talking()
    talk.tell(ev.AgentLeft("e:1"))
    talk.tell(ev.Dropped())
    assert talk.tell(ev.HungUp()) == [fx.Finish("answered")]
