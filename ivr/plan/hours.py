"""Hours as people write them, and the same in the opening-hours syntax of OpenStreetMap. Pure.

    lun-ven 8h30-12h, 13h30-17h30; sam 9h-12h   ->   Mo-Fr 08:30-12:00,13:30-17:30; Sa 09:00-12:00

Days in French or English, short or whole; `et`, `à` and `de` may stand where people put them; « tous les jours »,
« 24h/24 », « fermé ». Each day stands once; hours of a day neither overlap nor pass midnight.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from ivr.errors import IvrError

Minutes = tuple[int, int]
"""A range of a day: from and to, in minutes since midnight; to is at most 1,440."""

DAY: Final = 1_440
CLOSED: Final = "off"
ALL_HOURS: Final = "Mo-Su 00:00-24:00"
ENGLISH: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
FRENCH: Final = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_ENGLISH_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS: Final = {
    **{name[:2]: day for day, name in enumerate((*FRENCH,))},
    **{name[:3]: day for day, name in enumerate(FRENCH)},
    **{name: day for day, name in enumerate(FRENCH)},
    **{f"{name}s": day for day, name in enumerate(FRENCH)},
    **{name[:3]: day for day, name in enumerate(_ENGLISH_NAMES)},
    **{name[:2]: day for day, name in enumerate(_ENGLISH_NAMES)},
    **{name: day for day, name in enumerate(_ENGLISH_NAMES)},
}
_ALL_DAYS: Final = frozenset({"tous", "chaque", "quotidien", "toujours"})
_EMPTY_WORDS: Final = frozenset({"de", "du", "le", "les", "jour", "jours", "h", "heures", "from", "every", "day"})
_AND: Final = frozenset({"et", "puis", "and"})
_TO: Final = frozenset({"a", "au", "jusqu", "jusque", "to"})
_CLOSED: Final = frozenset({"ferme", "fermee", "fermes", "closed", "off", "rien"})
_TOKEN: Final = re.compile(
    r"(?P<always>24\s*h?\s*/\s*24\s*h?)|(?P<week>7\s*j?\s*/\s*7\s*j?)"
    r"|(?P<time>\d{1,4}\s*(?:[hH:]\s*\d{0,2})(?:\s*min)?|(?i:midi|minuit))"
    r"|(?P<number>\d+)|(?P<word>[^\W\d_]+\.?)|(?P<dash>[-–—])|(?P<comma>[,/&])|(?P<end>[;\n])|(?P<space>[:'’\s]+)"
    r"|(?P<strange>.)"
)
_TIME: Final = re.compile(r"(\d{1,4})\s*[hH:]\s*(\d{0,2})")


class HoursError(IvrError):
    """The text is no hours: `code` names the sentence, `offset` the character, `data` what the sentence needs."""

    def __init__(self, code: str, offset: int, **data: Any) -> None:
        super().__init__(code, offset, data)
        self.code, self.offset, self.data = code, offset, data


@dataclass(frozen=True, slots=True)
class Week:
    """The ranges of each day, Monday first."""

    days: tuple[tuple[Minutes, ...], ...]

    @property
    def syntax(self) -> str:
        """Return the same in opening-hours syntax, days of equal hours together."""
        rules: list[str] = []
        done: set[int] = set()
        for day, ranges in enumerate(self.days):
            if day in done or not ranges:
                continue
            same = [other for other in range(day, 7) if self.days[other] == ranges]
            done.update(same)
            times = ",".join(f"{_clock(start)}-{_clock(end)}" for start, end in ranges)
            rules.append(f"{_days(same)} {times}")
        return "; ".join(rules) or CLOSED


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def week(text: str) -> Week:
    """Return what the text says of each day; HoursError where it cannot be understood."""
    tokens = _tokens(text)
    found: dict[int, tuple[Minutes, ...]] = {}
    if not tokens:
        raise HoursError("hours-empty", 0)
    for rule in _rules(tokens):
        days, ranges = _rule(rule)
        for day in days:
            if day in found:
                raise HoursError("hours-day-twice", rule[0].at, day_fr=FRENCH[day], day_en=_ENGLISH_NAMES[day])
            found[day] = ranges
    return Week(tuple(found.get(day, ()) for day in range(7)))


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(text):
        kind, said = str(match.lastgroup), match.group()
        if kind == "space":
            continue
        if kind == "strange":
            raise HoursError("hours-unknown", match.start(), value=said)
        if kind == "number":
            raise HoursError("hours-bare-number", match.start(), value=said)
        if kind == "word":
            said = _folded(said)
            if said in _EMPTY_WORDS or (said == "l" and text[match.end() : match.end() + 1] in "'’"):
                continue
            kind = "comma" if said in _AND else "dash" if said in _TO else kind
        if kind == "time" and said.lower() in {"midi", "minuit"}:
            said = "12h" if said.lower() == "midi" else "24h" if found and found[-1].kind == "dash" else "0h"
        found.append(_Token(kind, said, match.start()))
    return found


def _rules(tokens: list[_Token]) -> list[list[_Token]]:
    """Part the tokens where a rule ends: at a semicolon, and before days that follow times."""
    rules: list[list[_Token]] = [[]]
    for token in tokens:
        timed = any(each.kind in {"time", "always"} or each.text in _CLOSED for each in rules[-1])
        if token.kind == "end":
            rules.append([])
            continue
        if token.kind in {"word", "week"} and timed and token.text not in _CLOSED:
            while rules[-1] and rules[-1][-1].kind == "comma":
                rules[-1].pop()
            rules.append([])
        rules[-1].append(token)
    return [rule for rule in rules if rule]


def _rule(tokens: list[_Token]) -> tuple[tuple[int, ...], tuple[Minutes, ...]]:
    split = next(
        (n for n, each in enumerate(tokens) if each.kind in {"time", "always"} or each.text in _CLOSED), len(tokens)
    )
    days, times = tokens[:split], tokens[split:]
    while days and days[-1].kind in {"comma", "dash"}:  # « lundi : 8h », « de lundi à vendredi, de 8h »
        days.pop()
    if not times:
        raise HoursError("hours-no-times", tokens[-1].at, value=tokens[-1].text)
    return _which_days(days), _ranges(times)


def _which_days(tokens: list[_Token]) -> tuple[int, ...]:
    if not tokens or all(each.kind == "week" or each.text in _ALL_DAYS for each in tokens):
        return tuple(range(7))
    found: list[int] = []
    place = 0
    while place < len(tokens):
        first = _day(tokens[place])
        span = [first]
        place += 1
        if place < len(tokens) and tokens[place].kind == "dash":
            if place + 1 >= len(tokens):
                raise HoursError("hours-unknown", tokens[place].at, value=tokens[place].text)
            last = _day(tokens[place + 1])
            span = [(first + n) % 7 for n in range((last - first) % 7 + 1)]
            place += 2
        found += span
        if place < len(tokens):
            if tokens[place].kind != "comma":
                raise HoursError("hours-unknown", tokens[place].at, value=tokens[place].text)
            place += 1
    return tuple(found)


def _day(token: _Token) -> int:
    day = _DAYS.get(token.text)
    if day is None:
        raise HoursError("hours-unknown-day", token.at, value=token.text)
    return day


def _ranges(tokens: list[_Token]) -> tuple[Minutes, ...]:
    if tokens[0].text in _CLOSED and len(tokens) == 1:
        return ()
    found: list[Minutes] = []
    place = 0
    while place < len(tokens):
        start = tokens[place]
        if start.kind == "always":
            found.append((0, DAY))
            place += 1
        else:
            if place + 2 >= len(tokens) or tokens[place + 1].kind != "dash":
                raise HoursError("hours-one-time", start.at, value=start.text)
            end = tokens[place + 2]
            found.append(_range(start, end))
            place += 3
        if len(found) > 1 and found[-1][0] < found[-2][1]:
            code = "hours-overlap" if found[-1][1] > found[-2][0] else "hours-order"
            raise HoursError(code, start.at, first=_spoken(found[-2]), second=_spoken(found[-1]))
        if place < len(tokens):
            if tokens[place].kind != "comma":
                raise HoursError("hours-unknown", tokens[place].at, value=tokens[place].text)
            place += 1
    return tuple(found)


def _range(start: _Token, end: _Token) -> Minutes:
    first, last = _minutes(start), _minutes(end)
    if last <= first:
        code = "hours-empty-range" if last == first else "hours-inverted"
        raise HoursError(code, start.at, start=start.text, end=end.text)
    return first, last


def _minutes(token: _Token) -> int:
    found = _TIME.fullmatch(token.text)
    if token.kind != "time" or found is None:
        raise HoursError("hours-bad-time", token.at, value=token.text)
    hours, minutes = int(found[1]), int(found[2] or 0)
    if minutes > 59 or hours * 60 + minutes > DAY:  # noqa: PLR2004 - minutes of an hour
        raise HoursError("hours-bad-time", token.at, value=token.text)
    return hours * 60 + minutes


def spoken_minutes(minutes: int) -> str:
    """Return a time of day as people write it: 8h30, 12h."""
    return f"{minutes // 60}h{minutes % 60:02d}" if minutes % 60 else f"{minutes // 60}h"


def _spoken(ranged: Minutes) -> str:
    return f"{spoken_minutes(ranged[0])}-{spoken_minutes(ranged[1])}"


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.lower().rstrip("."))
    return "".join(char for char in plain if not unicodedata.combining(char))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _days(days: list[int]) -> str:
    """Return days as ranges: Mo-Fr,Su."""
    parts: list[str] = []
    for day in days:
        if parts and ENGLISH.index(parts[-1][-2:]) == day - 1:
            parts[-1] = f"{parts[-1][:2]}-{ENGLISH[day]}"
        else:
            parts.append(ENGLISH[day])
    return ",".join(parts)
