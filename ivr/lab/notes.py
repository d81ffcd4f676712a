"""What the phones noted of their calls, and the judgement: who was answered, promised, lost, rung twice.

Pure. The notes are SIPp's own, of callers and of agents (`ivr/lab/scenarios`); nothing of ours is believed
but the promises that stand in the ledger or lie there recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ivr.lab.silence import Gap

End = Literal["", "bye", "left", "failed"]
"""How a caller's call ended: not yet, hung up on, hung up by the caller, or broken."""

REAL_S: Final = 1.0
"""A talk that is shorter is none, and two that overlap for less are one that changes hands."""
CROSSING_S: Final = 0.2
"""A BYE and the next INVITE are of two dialogs: a phone that is busy may take the second first."""
CUT_S: Final = 0.7
"""A talk that ends so much before the agent's phone would end it was cut."""
MUTE_S: Final = 8.0
"""Who heard nothing for so long and then hung up was not served: a menu that waits for a key is silent for less."""
LATE_S: Final = 1.0
"""A phone notes that it hangs up; the capture sees its BYE so much later at most."""
_CALLER: Final = re.compile(r"^(call|up|bye|left) (\S+) (\d+) .*?(\d{9,}\.\d+)\s*$")
_AGENT: Final = re.compile(r"^(ring|talk|free) .*?(\d{9,}\.\d+) (.*) of .*?sip:([^@>]+)@")
_USER: Final = re.compile(r"sips?:([^@>]*)@")
_BROKEN: Final = re.compile(r"bort.*?(\d+)-[0-9a-f]+@")
_WHEN: Final = re.compile(r"(\d{9,}\.\d+)")
_DIGITS: Final = 9


def plain(number: str) -> str:
    """Return a number as it is compared: its last nine digits, however it was written."""
    return re.sub(r"\D", "", number)[-_DIGITS:]


@dataclass(frozen=True, slots=True)
class Life:
    """One caller's call, by their phone; Unix seconds."""

    number: str
    began: float
    up: float | None = None
    ended: float | None = None
    how: End = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """One talk, by the agent's phone; `whole`: it lasted as long as the agent wanted, or goes on."""

    phone: str
    number: str
    began: float
    ended: float | None = None
    whole: bool = True

    @property
    def real(self) -> bool:
        """Whether two people met."""
        return self.ended is None or self.ended - self.began >= REAL_S


@dataclass(frozen=True, slots=True)
class Desks:
    """What a group of agents' phones noted: their talks, and when one rang that was engaged."""

    talks: tuple[Talk, ...] = ()
    doubled: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """A caller who ended with nothing: when (Unix seconds), and how."""

    began: float
    ended: float
    how: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of the callers whose calls ended in a stretch of time. `left`: gave up while they were hearing us."""

    callers: int
    answered: int
    promised: int
    left: int
    lost: tuple[Lost, ...]
    doubled: int


def lives(notes: Iterable[str], errors: Iterable[str] = (), *, over: float | None = None) -> list[Life]:
    """Return the calls of one SIPp of callers; once it is `over`, one that did not end is broken."""
    found: dict[int, Life] = {}
    for note in notes:
        read = _CALLER.match(note)
        if read is None:
            continue
        what, number, call, at = read[1], plain(read[2]), int(read[3]), float(read[4])
        if what == "call":
            found[call] = Life(number, at)
        elif call in found and what == "up":
            found[call] = replace(found[call], up=at)
        elif call in found:
            found[call] = replace(found[call], ended=at, how="bye" if what == "bye" else "left")
    for error in errors:
        broken = _BROKEN.search(error)
        if broken is not None and int(broken[1]) in found:
            life = found[int(broken[1])]
            when = _WHEN.search(error)
            found[int(broken[1])] = replace(life, ended=float(when[1]) if when else over or life.began, how="failed")
    if over is not None:
        found = {n: life if life.how else replace(life, ended=over, how="failed") for n, life in found.items()}
    return list(found.values())


def desks(notes: Iterable[str], talk_s: float, *, died: float | None = None, crashes: Iterable[float] = ()) -> Desks:
    """Return what one SIPp of agents noted, whose phones end a talk after `talk_s`, or died all at once.

    A call is known by its dialog: when Asterisk crashes a phone does not learn that its call is over, rings again,
    as it should, and notes the end of the old call in the middle of the new one.
    Nor is it rung twice where the end of one call and the next one cross on the way (`CROSSING_S`).
    """
    over = sorted(crashes)
    going: dict[str, Talk] = {}
    engaged: dict[str, dict[str, float]] = {}
    rung: dict[str, tuple[str, float]] = {}
    talks: list[Talk] = []
    doubled: list[float] = []
    for note in notes:
        read = _AGENT.match(note)
        if read is None:
            continue
        what, at, dialog, phone = read[1], float(read[2]), read[3], read[4]
        while over and over[0] <= at:
            over.pop(0)
            engaged.clear()
            doubled += [rang for _dialog, rang in rung.values()]
            rung.clear()
        calls = engaged.setdefault(phone, {})
        if what == "ring":
            if any(at - since > CROSSING_S for since in calls.values()):
                if phone in rung:
                    doubled.append(rung[phone][1])
                rung[phone] = dialog, at  # unless the other call's end is on its way
            calls[dialog] = at
        elif what == "talk":
            who = _USER.search(dialog)
            going[dialog] = Talk(phone, plain(who[1]) if who else "", at)
        else:
            calls.pop(dialog, None)
            second, rang = rung.get(phone, ("", at))
            if dialog == second or at - rang > CROSSING_S:
                doubled.append(rung.pop(phone)[1])
            elif calls.keys() == {second}:
                rung.pop(phone)
            talk = going.pop(dialog, None)
            if talk is not None:
                talks.append(replace(talk, ended=at, whole=at - talk.began >= talk_s - CUT_S))
    doubled += [rang for _dialog, rang in rung.values()]
    if died is not None:
        return Desks((*talks, *(replace(talk, ended=died, whole=False) for talk in going.values())), tuple(doubled))
    return Desks((*talks, *going.values()), tuple(doubled))


def two_at_once(talks: Sequence[Talk]) -> list[float]:
    """Return when a caller was in a talk with a second phone while one with another went on."""
    found: list[float] = []
    by_number: dict[str, list[Talk]] = {}
    for talk in sorted(talks, key=lambda each: each.began):
        for other in by_number.get(talk.number, ()):
            ends = min(each.ended if each.ended is not None else float("inf") for each in (talk, other))
            if talk.number and other.phone != talk.phone and ends - talk.began >= REAL_S:
                found.append(talk.began)
        by_number.setdefault(talk.number, []).append(talk)
    return found


def judge(
    callers: Iterable[Life],
    agents: Iterable[Desks],
    promised: Collection[str],
    since: float,
    until: float,
    *,
    but: Collection[str] = (),
    unheard: Collection[str] = (),
) -> Verdict:
    """Return the verdict on the callers whose calls ended in this time, and on what rang in it, `but` some numbers.

    A caller whose talk was cut is answered if another one followed; who left by themselves was not lost, unless
    there was nothing to hear when they did (`unheard`).
    """
    groups = list(agents)
    talks = [talk for group in groups for talk in group.talks]
    met: dict[str, list[Talk]] = {}
    for talk in talks:
        if talk.real:
            met.setdefault(talk.number, []).append(talk)
    counts = {"answered": 0, "promised": 0, "left": 0}
    lost: list[Lost] = []
    ended = [life for life in callers if life.ended is not None and since <= life.ended < until]
    judged = [life for life in ended if life.number not in but]
    for life in judged:
        what = _outcome(life, met.get(life.number, ()), promised, heard=life.number not in unheard)
        if what in counts:
            counts[what] += 1
        else:
            lost.append(Lost(life.began, life.ended or life.began, what))
    twice = [at for group in groups for at in group.doubled] + two_at_once(talks)
    doubled = sum(since <= at < until for at in twice)
    return Verdict(len(judged), counts["answered"], counts["promised"], counts["left"], tuple(lost), doubled)


def _outcome(life: Life, talks: Sequence[Talk], promised: Collection[str], *, heard: bool) -> str:
    """One of answered, promised, left; otherwise how they were lost."""
    left = life.how == "left" and heard
    if any(talk.whole or left for talk in talks):
        return "answered"
    if life.number in promised:
        return "promised"
    if left:
        return "left"
    if life.how == "left":
        return "silence"
    if talks:
        return "cut off in a talk"
    return "hung up on without an answer" if life.how == "bye" else "the call failed"


def heard_by(gaps: Iterable[Gap], callers: Iterable[Life]) -> list[Gap]:
    """Return the gaps while their callers were there, by their phones: after a call that broke nobody says BYE."""
    over = {life.number: life.ended for life in callers if life.ended is not None}
    cut = [replace(gap, ended=min(gap.ended, over.get(plain(gap.caller), gap.ended))) for gap in gaps]
    return [gap for gap in cut if gap.seconds > 0]


def unheard(callers: Iterable[Life], gaps: Iterable[Gap], least_s: float = MUTE_S) -> set[str]:
    """Return the numbers of who hung up after they had heard nothing for so long."""
    left = {life.number: life.ended for life in callers if life.how == "left" and life.ended is not None}
    found: set[str] = set()
    for gap in gaps:
        number = plain(gap.caller)
        if number in left and gap.began + least_s <= left[number] <= gap.ended + LATE_S:
            found.add(number)
    return found


def up(callers: Iterable[Life], at: float, since_s: float) -> set[str]:
    """Return the numbers of who was in a call at that instant that was answered so long before."""
    return {life.number for life in _there(callers, at) if life.up is not None and life.up + since_s <= at}


def there(callers: Iterable[Life], at: float) -> set[str]:
    """Return the numbers of who was calling at that instant, answered or not."""
    return {life.number for life in _there(callers, at)}


def _there(callers: Iterable[Life], at: float) -> list[Life]:
    return [life for life in callers if life.began <= at and (life.ended is None or life.ended > at)]


def steady_after(talks: Iterable[Talk], since: float, until: float, rate: float, stretch_s: float) -> float | None:
    """Return how long after `since` talks began again at half of `rate` (a second) over a whole stretch."""
    begun = sorted(talk.began for talk in talks if talk.began >= since)
    enough = max(1, round(rate * stretch_s / 2))
    for first, at in enumerate((since, *begun)):
        inside = sum(at <= each < at + stretch_s for each in begun[max(0, first - 1) :])
        if inside >= enough and at + stretch_s <= until:
            return round(at - since, 1)
    return None


def failures_by_kind(lost: Iterable[Lost]) -> Mapping[str, int]:
    """Return how many were lost each way."""
    counts: dict[str, int] = {}
    for each in lost:
        counts[each.how] = counts.get(each.how, 0) + 1
    return counts
