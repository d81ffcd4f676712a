"""Who calls: from what the trunk said to a number, a ref and a privacy."""

from __future__ import annotations

import pytest

from ivr.core.caller import CallId
from ivr.telephony.callers import e164, identify
from tests.plans import RELAY, small_plan

pytestmark = pytest.mark.unit

NUMBER = "+33639980001"
OPEN = "allowed_not_screened"
PLAN = small_plan()


@pytest.mark.parametrize("said", ["0639980001", "+33639980001", "0033639980001", "06 39 98 00 01", "06.39.98.00.01"])
def test_every_way_of_writing_is_one_number(said: str) -> None:
    assert e164(said) == NUMBER


@pytest.mark.parametrize("said", ["15", "112", "17", "118218", "3639"])
def test_short_numbers_are_nobody_to_call_back(said: str) -> None:
    assert e164(said) is None


@pytest.mark.parametrize(
    "said", ["", "anonymous", "agent-alice", "0639980001x", "sip:0639980001@10.0.0.1", "tel:0639980001", "+", "0" * 60]
)
def test_what_is_no_number_is_none(said: str) -> None:
    assert e164(said) is None


def test_a_caller_is_known_by_a_key_of_the_number_and_not_by_the_number() -> None:
    one = identify(CallId("a-1.1"), "0639980001", OPEN, PLAN, b"k")
    again = identify(CallId("a-1.2"), "+33639980001", OPEN, PLAN, b"k")
    elsewhere = identify(CallId("a-1.1"), "0639980001", OPEN, PLAN, b"other")
    assert (one.number, one.privacy, one.klass) == (NUMBER, "open", "normal")
    assert one.ref == again.ref != elsewhere.ref
    assert len(one.ref) == 16


@pytest.mark.parametrize("presentation", ["prohib", "prohib_passed_screen", "prohib_not_screened"])
def test_who_hides_the_number_has_none_here(presentation: str) -> None:
    one = identify(CallId("a-1.1"), "0639980001", presentation, PLAN, b"k")
    other = identify(CallId("a-1.2"), "0639980001", presentation, PLAN, b"k")
    assert (one.number, one.privacy) == (None, "hidden")
    assert one.ref != other.ref


def test_a_number_that_is_unavailable_is_none_and_not_hidden() -> None:
    caller = identify(CallId("a-1.1"), "", "unavailable", PLAN, b"k")
    assert (caller.number, caller.privacy) == (None, "open")


def test_a_relay_service_is_known_by_its_number_only_if_it_shows_it() -> None:
    assert identify(CallId("a-1.1"), RELAY, OPEN, PLAN, b"k").klass == "relay"
    assert identify(CallId("a-1.1"), RELAY, "prohib", PLAN, b"k").klass == "normal"
