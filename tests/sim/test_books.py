"""The books must be able to fail: each wrong event is found, and the right ones are not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import AgentId, Widening
from ivr.queueing.model import Dump
from ivr.queueing.routing import routing_of
from ivr.sim.books import Books
from tests.plans import ACCUEIL, ETAT_CIVIL, small_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.core.plan import Plan

pytestmark = pytest.mark.unit
PLAN = small_plan()
ALICE, BOB = AgentId("alice"), AgentId("bob")  # alice answers both topics, bob etat-civil


def opened(plan: Plan = PLAN) -> Books:
    books = Books(plan, replace(routing_of(plan), wrap_ms=1_000))
    books.at(0)
    for agent in (ALICE, BOB):
        books.here(agent, here=True)
    for n, call in enumerate(("one", "two", "three")):
        books.begins(call, n)
    return books


def talk(books: Books, call: str = "one", agent: AgentId = ALICE, token: str = "t1") -> None:
    books.joins(call, ETAT_CIVIL)
    books.offered(token, call, agent)
    books.rings(agent, token)
    books.accepted(token)
    books.bridged(call, agent, token)


def hang_up(books: Books, call: str = "one", agent: AgentId = ALICE, token: str = "t1") -> None:
    books.parted(call, token)
    books.silent(agent, token)
    books.forgets(call)
    books.ends(call, "answered")


def found(books: Books) -> list[int]:
    return [broken.invariant for broken in books.violations]


def test_a_call_as_it_should_be_breaks_nothing() -> None:
    books = opened()
    talk(books)
    books.at(60_000)
    hang_up(books)
    books.joins("two", ACCUEIL)
    books.at(61_000)  # alice's wrap-up is over
    books.offered("t2", "two", ALICE)
    books.ends_offer("t2", "miss")
    books.forgets("two")
    books.ends("two", "left")
    books.heard("three")
    books.ends("three", "informed")
    books.close(70_000)
    assert (found(books), dict(books.outcomes)) == ([], {"answered": 1, "left": 1, "informed": 1})


def twice_offered(books: Books) -> None:
    talk(books)
    books.joins("two", ETAT_CIVIL)
    books.offered("t2", "two", ALICE)


def offered_while_away(books: Books) -> None:
    books.here(ALICE, here=False)
    books.joins("one", ACCUEIL)
    books.offered("t1", "one", ALICE)


def offered_while_paused(books: Books) -> None:
    books.paused(ALICE)
    books.joins("one", ACCUEIL)
    books.offered("t1", "one", ALICE)


def a_phone_that_rings_twice(books: Books) -> None:
    talk(books)
    books.rings(ALICE, "t2")


def bridged_to_another_agent(books: Books) -> None:
    books.joins("one", ETAT_CIVIL)
    books.offered("t1", "one", ALICE)
    books.rings(ALICE, "t1")
    books.bridged("one", BOB, "t1")


def a_caller_bridged_twice(books: Books) -> None:
    talk(books)
    books.bridged("one", ALICE, "t1")


def a_talking_caller_offered(books: Books) -> None:
    talk(books)
    books.offered("t2", "one", BOB)


def a_call_that_ends_while_bridged(books: Books) -> None:
    talk(books)
    books.ends("one", "answered")


def kept_apart(books: Books) -> None:
    books.joins("one", ETAT_CIVIL)
    books.at(1_001)
    books.leaves("one")


def kept_apart_after_a_wrap(books: Books) -> None:
    talk(books)
    books.at(10_000)
    hang_up(books)
    books.here(BOB, here=False)
    books.joins("two", ETAT_CIVIL)
    books.at(12_500)  # alice is free since 11,000
    books.leaves("two")


def kept_apart_to_the_end(books: Books) -> None:
    books.joins("one", ETAT_CIVIL)
    for call in ("one", "two", "three"):
        books.ends(call, "left")
    books.close(5_000)


def ended_twice(books: Books) -> None:
    books.ends("one", "left")
    books.ends("one", "left")


def answered_by_nobody(books: Books) -> None:
    books.ends("one", "answered")


def promised_without_a_promise(books: Books) -> None:
    books.ends("one", "promised")


def handed_to_nobody(books: Books) -> None:
    books.ends("one", "handed")


def overtaken(books: Books) -> None:
    books.joins("one", ETAT_CIVIL)
    books.joins("two", ETAT_CIVIL)
    books.offered("t1", "two", BOB)


def overtaken_in_another_topic(books: Books) -> None:
    books.joins("one", ACCUEIL)
    books.joins("two", ETAT_CIVIL)
    books.offered("t1", "two", ALICE)


def offered_from_no_line(books: Books) -> None:
    books.offered("t1", "one", ALICE)


@pytest.mark.parametrize(
    ("wrong", "invariant"),
    [
        (twice_offered, 1),
        (offered_while_away, 1),
        (offered_while_paused, 1),
        (a_phone_that_rings_twice, 1),
        (bridged_to_another_agent, 1),
        (a_caller_bridged_twice, 2),
        (a_talking_caller_offered, 2),
        (a_call_that_ends_while_bridged, 2),
        (kept_apart, 4),
        (kept_apart_after_a_wrap, 4),
        (kept_apart_to_the_end, 4),
        (ended_twice, 8),
        (answered_by_nobody, 8),
        (promised_without_a_promise, 8),
        (handed_to_nobody, 8),
        (overtaken, 9),
        (overtaken_in_another_topic, 9),
        (offered_from_no_line, 9),
    ],
)
def test_a_wrong_event_is_found(wrong: Callable[[Books], None], invariant: int) -> None:
    books = opened()
    wrong(books)
    assert set(found(books)) == {invariant}


def test_a_call_that_never_ends_is_found() -> None:
    books = opened()
    books.close(1_000)
    assert found(books) == [8, 8, 8, 8]


def test_a_second_between_the_two_is_allowed() -> None:
    books = opened()
    books.joins("one", ETAT_CIVIL)
    books.at(1_000)
    books.offered("t1", "one", BOB)
    assert found(books) == []


def test_a_named_rule_explains_an_overtaking() -> None:
    books = opened()
    books.joins("one", ETAT_CIVIL)
    books.joins("two", ETAT_CIVIL, reason="relay")
    books.offered("t1", "two", BOB)
    assert (found(books), dict(books.overtakings)) == ([], {"relay": 1})


def test_a_right_of_way_is_worth_two_minutes() -> None:
    books = opened()
    books.begins("late", 120_001)
    books.joins("one", ETAT_CIVIL)
    books.joins("late", ETAT_CIVIL, reason="relay")
    books.offered("t1", "late", BOB)
    assert found(books) == [9]


def test_a_second_phone_rings_only_when_nobody_waits_for_a_first() -> None:
    books = opened()
    books.joins("one", ETAT_CIVIL)
    books.offered("t1", "one", ALICE)
    books.joins("two", ETAT_CIVIL)
    books.offered("t2", "one", BOB)
    assert found(books) == [9]


def test_the_first_of_several_phones_has_the_call() -> None:
    books = opened()
    books.joins("one", ETAT_CIVIL)
    books.offered("t1", "one", ALICE)
    books.offered("t2", "one", BOB)
    books.accepted("t2")
    books.ends_offer("t1", "taken")
    books.joins("two", ACCUEIL)
    books.offered("t3", "two", ALICE)
    assert found(books) == []


def test_two_misses_in_a_row_pause_an_agent() -> None:
    books = opened()
    books.here(BOB, here=False)
    for n, at in enumerate((0, 61_000)):
        books.at(at)
        books.joins("one", ETAT_CIVIL)
        books.offered(f"t{n}", "one", ALICE)
        books.ends_offer(f"t{n}", "miss")
    books.at(200_000)
    assert found(books) == []
    books.offered("t9", "one", ALICE)
    assert found(books) == [1]


WIDE = small_plan(
    topics={
        **PLAN.topics,
        ACCUEIL: replace(PLAN.topics[ACCUEIL], widen=(Widening(60_000, PLAN.topics[ETAT_CIVIL].groups),)),
    }
)


def test_a_wait_that_widens_has_others_from_then_on() -> None:
    books = opened(WIDE)
    books.joins("two", ETAT_CIVIL)
    books.offered("t1", "two", ALICE)
    books.joins("one", ACCUEIL)
    books.at(60_500)
    assert found(books) == []
    books.at(61_001)  # bob has been free for it since 60,000
    books.leaves("one")
    assert found(books) == [4]


def test_a_step_without_anybody_is_over_at_once() -> None:
    books = opened(WIDE)
    books.here(ALICE, here=False)
    books.joins("one", ACCUEIL)
    books.at(1_001)
    books.leaves("one")
    assert found(books) == [4]


def test_who_is_answered_before_an_older_call_that_rings_elsewhere_is_explained() -> None:
    books = opened()
    books.joins("one", ETAT_CIVIL)
    books.offered("t1", "one", ALICE)
    books.joins("two", ETAT_CIVIL)
    books.offered("t2", "two", BOB)
    books.accepted("t2")
    assert (found(books), dict(books.overtakings)) == ([], {"ringing elsewhere": 1})


def test_a_queue_that_says_otherwise_is_found() -> None:
    books = opened()
    books.compare(Dump())
    assert set(found(books)) == {0}
