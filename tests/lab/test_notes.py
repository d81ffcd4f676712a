"""The judgement of made-up notes of phones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ivr.lab.notes import (
    MUTE_S,
    Desks,
    Life,
    Lost,
    Talk,
    desks,
    heard_by,
    judge,
    lives,
    plain,
    steady_after,
    there,
    two_at_once,
    unheard,
    up,
)
from ivr.lab.silence import Gap

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.unit

T = 1_790_000_000.0
NUMBER = "0639980001"
UNEXPECTED = f"now\t{T + 5:.6f}: Aborting call on unexpected message for Call-Id '1-ab12@h'"
NO_REPLY = f"now\t{T + 6:.6f}: Aborting call on UDP retransmission timeout for Call-ID '1-ab12@h'"
MEANT = f"now\t{T + 5:.6f}: Call-Id: 1-ab12@h, receive timeout on message x:7, jumping to label 2"
ONE, TWO = plain(NUMBER), plain("0639980002")


def caller(what: str, at: float, number: str = NUMBER, call: int = 1) -> str:
    return f"{what} {number} {call} 2026-11-25\t03:00:00.000000\t{T + at:.6f}"


def agent(what: str, at: float, call: int = 1, phone: str = "a", number: str = NUMBER) -> str:
    me, you = f"To: <sip:{phone}@127.0.0.10:5060>", f'From: "x" <sip:{number}@127.0.0.1>;tag={call}'
    return f"{what} 2026-11-25\t03:00:00.000000\t{T + at:.6f} {you} of {me} 1234"


def life(how: str, ended: float = 9.0, number: str = ONE) -> Life:
    return Life(number, T, T + 1, T + ended, how)  # type: ignore[arg-type]


def test_numbers_are_the_same_however_written() -> None:
    assert plain("+33639980001") == plain("06 39 98 00 01") == plain("0033639980001") == "639980001"


@pytest.mark.parametrize(
    ("written", "errors", "over", "ends"),
    [
        (("call", "up", "bye"), (), None, (3.0, "bye")),
        (("call", "up", "left"), (), None, (3.0, "left")),
        (("call", "up"), (), None, (None, "")),
        (("call", "up"), (), 8.0, (8.0, "failed")),
        (("call",), (UNEXPECTED,), None, (5, "failed")),
        (
            ("call", "up"),
            (MEANT,),
            None,
            (None, ""),
        ),
        (("call", "up", "left"), (NO_REPLY,), None, (6, "failed")),
    ],
)  # fmt: skip
def test_a_callers_life(
    written: Sequence[str], errors: Sequence[str], over: float | None, ends: tuple[float | None, str]
) -> None:
    notes = [caller(what, at + 1) for at, what in enumerate(written)]
    (found,) = lives(notes, errors, over=None if over is None else T + over)
    assert (found.number, found.began) == (ONE, T + 1)
    assert (None if found.ended is None else found.ended - T, found.how) == ends


def test_an_agents_talks() -> None:
    notes = [
        agent("ring", 0),
        agent("talk", 1),
        agent("free", 11),
        agent("ring", 12, 2),
        agent("talk", 13, 2),
        agent("free", 15, 2),
    ]
    found = desks(notes, 10.0)
    assert found == Desks((Talk("a", ONE, T + 1, T + 11), Talk("a", ONE, T + 13, T + 15, whole=False)))


def test_a_phone_that_rings_while_it_rings_or_talks_is_doubled() -> None:
    ringing = [agent("ring", 0), agent("ring", 1, 2), agent("free", 2), agent("free", 3, 2)]
    assert desks(ringing, 10.0).doubled == (T + 1,)
    talking = [agent("ring", 0), agent("talk", 1), agent("ring", 2, 2), agent("free", 2.1, 2), agent("free", 11)]
    assert desks(talking, 10.0).doubled == (T + 2,)
    thrice = [agent("ring", 0), agent("talk", 1), agent("ring", 2, 2), agent("ring", 3, 3)]
    assert desks(thrice, 10.0).doubled == (T + 2, T + 3)


def test_the_end_of_one_call_and_the_next_may_cross_on_the_way() -> None:
    crossing = [agent("ring", 0), agent("talk", 1), agent("ring", 9, 2), agent("free", 9.1), agent("talk", 9.3, 2)]
    assert desks(crossing, 10.0).doubled == ()
    both_at_once = [agent("ring", 0), agent("ring", 0.03, 2), agent("free", 0.1)]
    assert desks(both_at_once, 10.0).doubled == ()
    too_late = [agent("ring", 0), agent("talk", 1), agent("ring", 9, 2), agent("free", 9.5)]
    assert desks(too_late, 10.0).doubled == (T + 9,)
    again = [*crossing, agent("ring", 12, 3)]
    assert desks(again, 10.0).doubled == (T + 12,)


def test_a_phone_rings_rightly_after_a_crash_that_it_knows_nothing_of() -> None:
    notes = [agent("ring", 0), agent("talk", 1), agent("ring", 5, 2), agent("ring", 6, 3)]
    assert desks(notes, 10.0, crashes=[T + 3]).doubled == (T + 6,)


def test_a_call_that_ends_after_a_crash_cuts_no_other() -> None:
    old = [agent("ring", 0), agent("talk", 1)]
    new = [agent("ring", 5, 2, number="0639980002"), agent("talk", 6, 2, number="0639980002")]
    notes = [*old, *new, agent("free", 11), agent("free", 16, 2, number="0639980002")]
    assert desks(notes, 10.0, crashes=[T + 3]) == Desks((Talk("a", ONE, T + 1, T + 11), Talk("a", TWO, T + 6, T + 16)))


def test_phones_that_died_cut_their_talks() -> None:
    assert desks([agent("ring", 0), agent("talk", 1)], 10.0, died=T + 5).talks == (
        Talk("a", ONE, T + 1, T + 5, whole=False),
    )
    assert desks([agent("ring", 0), agent("talk", 1)], 10.0).talks == (Talk("a", ONE, T + 1),)


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (Talk("b", ONE, T + 5), [T + 5]),
        (Talk("b", TWO, T + 5), []),
        (Talk("a", ONE, T + 5), []),
        (Talk("b", ONE, T + 9.5), []),
        (Talk("b", ONE, T + 12), []),
    ],
)
def test_two_phones_in_a_talk_with_one_caller(second: Talk, found: list[float]) -> None:
    assert two_at_once([Talk("a", ONE, T + 1, T + 10), second]) == found


@pytest.mark.parametrize(
    ("how", "talks", "promised", "outcome"),
    [
        ("bye", [Talk("a", ONE, T + 2, T + 9)], (), "answered"),
        ("failed", [Talk("a", ONE, T + 2, T + 9)], (), "answered"),
        ("bye", [Talk("a", ONE, T + 2, T + 4, whole=False)], (), "cut off in a talk"),
        ("bye", [Talk("a", ONE, T + 2, T + 4, whole=False)], {ONE}, "promised"),
        ("bye", [Talk("a", ONE, T + 2, T + 4, whole=False), Talk("b", ONE, T + 5, T + 9)], (), "answered"),
        ("left", [Talk("a", ONE, T + 2, T + 4, whole=False)], (), "answered"),
        ("bye", [Talk("a", ONE, T + 2, T + 2.3)], (), "hung up on without an answer"),
        ("bye", [], (), "hung up on without an answer"),
        ("bye", [], {ONE}, "promised"),
        ("left", [], (), "left"),
        ("failed", [], (), "the call failed"),
        ("failed", [], {TWO}, "the call failed"),
    ],
)
def test_the_verdict_on_one_caller(how: str, talks: list[Talk], promised: set[str], outcome: str) -> None:
    verdict = judge([life(how)], [Desks(tuple(talks))], promised, T, T + 10)
    counts = {"answered": verdict.answered, "promised": verdict.promised, "left": verdict.left}
    if outcome in counts:
        assert (verdict.callers, counts[outcome], verdict.lost) == (1, 1, ())
    else:
        assert verdict.lost == (Lost(T, T + 9, outcome),)
        assert sum(counts.values()) == 0


def test_only_who_ended_in_the_stretch_is_judged_and_some_are_not() -> None:
    callers = [life("bye"), life("bye", 20.0, TWO), Life(plain("0639980003"), T, T + 1)]
    assert len(judge(callers, [], (), T, T + 10).lost) == 1
    assert len(judge(callers, [], (), T, T + 30).lost) == 2
    assert len(judge(callers, [], (), T, T + 30, but={ONE}).lost) == 1


@pytest.mark.parametrize(
    ("talks", "promised", "outcome"),
    [
        ([], (), "silence"),
        ([], {ONE}, "promised"),
        ([Talk("a", ONE, T + 2, T + 4, whole=False)], (), "silence"),
        ([Talk("a", ONE, T + 2, T + 9)], (), "answered"),
    ],
)
def test_who_hung_up_on_silence_did_not_leave(talks: list[Talk], promised: set[str], outcome: str) -> None:
    verdict = judge([life("left")], [Desks(tuple(talks))], promised, T, T + 10, unheard={ONE})
    assert verdict.left == 0
    assert verdict.lost == ((Lost(T, T + 9, "silence"),) if outcome == "silence" else ())
    assert (verdict.answered, verdict.promised) == (outcome == "answered", outcome == "promised")


@pytest.mark.parametrize(
    ("how", "began", "ended", "found"),
    [
        ("left", 20.0, 40.0, True),
        ("left", 20.0, 40.4, True),
        ("left", 20.0, 39.6, True),
        ("left", 40.0 - MUTE_S + 0.1, 40.0, False),
        ("left", 20.0, 35.0, False),
        ("bye", 20.0, 40.0, False),
    ],
)
def test_who_left_unheard(how: str, began: float, ended: float, found: bool) -> None:
    gaps = [Gap(NUMBER, T + began, T + ended), Gap("0639980002", T, T + 40)]
    assert unheard([life(how, 40.0)], gaps) == ({ONE} if found else set())


def test_a_gap_ends_with_the_callers_phone() -> None:
    gaps = [Gap(NUMBER, T + 5, T + 60), Gap(NUMBER, T + 10, T + 60), Gap("0639980002", T, T + 60)]
    assert heard_by(gaps, [life("failed", 9.0)]) == [Gap(NUMBER, T + 5, T + 9), gaps[2]]


def test_doubled_counts_both_kinds_in_the_stretch() -> None:
    talks = (Talk("a", ONE, T + 1), Talk("b", ONE, T + 4))
    assert judge([], [Desks(talks, (T + 3, T + 30))], (), T, T + 10).doubled == 2


def test_who_is_there() -> None:
    callers = [life("bye", 9.0), Life(TWO, T + 7, T + 8), Life(plain("0639980003"), T)]
    assert up(callers, T + 5, 2.0) == {ONE}
    assert up(callers, T + 10, 2.0) == {TWO}
    assert up(callers, T + 8.5, 2.0) == {ONE}
    assert there(callers, T + 5) == {ONE, plain("0639980003")}
    assert there(callers, T + 9) == {TWO, plain("0639980003")}


@pytest.mark.parametrize(
    ("begun", "until", "after"),
    [
        ((0.5, 1.0, 2.0, 3.0), 20, 0.0),
        ((9.0, 9.5, 10.0), 20, 9.0),
        ((1.0, 9.0, 9.5, 10.0), 20, 9.0),
        ((9.0, 9.5, 10.0), 12, None),
        ((1.0, 9.0), 20, None),
        ((), 20, None),
    ],
)
def test_when_talks_are_as_before(begun: Sequence[float], until: float, after: float | None) -> None:
    talks = [Talk("a", ONE, T + at, T + at + 1) for at in (-1.0, *begun)]
    assert steady_after(talks, T, T + until, 1.0, 5.0) == after
