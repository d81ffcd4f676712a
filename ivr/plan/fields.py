"""The small languages of a plan's values: identifiers, keys, durations, phone numbers.

Each refuses with a code of `ivr.plan.messages` and the data that its sentence needs.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from ivr.core.plan import BACK, HUMAN, REPEAT

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

REGION: Final = "FR"
SLUG: Final = r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$"
SLUG_LENGTH: Final = 40
_SLUG: Final = re.compile(SLUG)
_EMERGENCY: Final = frozenset(["15", "17", "18", "112", "114", "115", "119", "191", "196", "197", "116000", "116117"])
_LETTER: Final = re.compile(r"[^\W\d_]")
_PART: Final = re.compile(r"\s*(\d{1,6})\s*([a-zé]+)\.?\s*")
_UNITS: Final = {
    "ms": 1,
    **dict.fromkeys(("s", "sec", "seconde", "secondes", "second", "seconds"), 1_000),
    **dict.fromkeys(("m", "mn", "min", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "heure", "heures", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("j", "jour", "jours", "d", "day", "days"), 86_400_000),
}
DURATION: Final = r"^\s*\d+\s*[A-Za-zé]+(?:\s*\d+\s*[A-Za-zé]+)*\s*$"
DAY_MS: Final = 86_400_000

_RESERVED: Final = {
    HUMAN: ("elle mène à une personne", "it leads to a person"),
    REPEAT: ("elle répète le menu", "it repeats the menu"),
    BACK: ("elle ramène au menu précédent", "it leads back to the menu before"),
}


def slug_of(text: str) -> str:
    """Return the identifier nearest to any text: « L'État civil » is `l-etat-civil`."""
    folded = unicodedata.normalize("NFKD", text.lower().replace("œ", "oe").replace("æ", "ae"))
    words = re.findall(r"[a-z0-9]+", "".join(char for char in folded if not unicodedata.combining(char)))
    slug = "-".join(words)[:SLUG_LENGTH].strip("-")
    if not slug:
        return "nom"
    return slug if slug[0].isalpha() else f"n{slug}"


def slug_fault(value: str) -> str:
    """Return an identifier as it is; raise what is wrong with one that is none."""
    if len(value) > SLUG_LENGTH or not _SLUG.match(value):
        raise PydanticCustomError("bad-id", "bad id", {"value": value, "suggestion": slug_of(value)})
    return value


def _option_key(value: str) -> str:
    if value in _RESERVED:
        use_fr, use_en = _RESERVED[value]
        raise PydanticCustomError("reserved-key", "reserved", {"value": value, "use_fr": use_fr, "use_en": use_en})
    return _code_key(value)


def _code_key(value: str) -> str:
    if not re.fullmatch(r"[1-9]", value):
        digit = value.strip().lstrip("0")
        single = bool(re.fullmatch(r"[1-9]", digit))
        raise PydanticCustomError("bad-option-key", "bad key", {"value": value, **_one_digit(digit, single=single)})
    return value


def _one_digit(digit: str, *, single: bool) -> dict[str, str]:
    return {
        "hint_fr": f"Écrivez {digit} tout court." if single else "Une touche est un seul chiffre, de 1 à 9.",
        "hint_en": f"Write just {digit}." if single else "A key is one digit, from 1 to 9.",
    }


def milliseconds(text: str) -> int | None:
    """Return the length of `20 s`, `2 min 30 s`, `1 h`, `2 jours`, or None if it is none of these."""
    end, total = 0, 0
    lowered = text.strip().lower()
    while end < len(lowered):
        part = _PART.match(lowered, end)
        if part is None or part[2] not in _UNITS:
            return None
        total += int(part[1]) * _UNITS[part[2]]
        end = part.end()
    return total if lowered else None


def spoken_duration(ms: int) -> str:
    """Return a duration as an admin writes it."""
    for unit, size in (("d", DAY_MS), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if ms >= size and ms % size == 0:
            return f"{ms // size} {unit}"
    return f"{ms} ms" if ms else "0 s"


@dataclass(frozen=True, slots=True)
class Between:
    """A duration in milliseconds, written with its unit, within bounds (milliseconds)."""

    low: int
    high: int

    def __call__(self, value: Any) -> int:
        """Return the milliseconds of the text that an admin typed."""
        if not isinstance(value, str):
            raise PydanticCustomError("bad-duration", "bad duration", {"value": "" if value is None else "…"})
        found = milliseconds(value)
        if found is None:
            raise PydanticCustomError("bad-duration", "bad duration", {"value": value})
        if not self.low <= found <= self.high:
            low, high = spoken_duration(self.low), spoken_duration(self.high)
            raise PydanticCustomError("duration-range", "range", {"value": value, "low": low, "high": high})
        return found

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read the text before anything else looks at it."""
        return core_schema.no_info_before_validator_function(self, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe it to editors as text with a unit."""
        del schema, handler
        return {"type": "string", "pattern": DURATION, "examples": [spoken_duration(self.low)]}


def _e164(value: str) -> str:
    if (dialled := "".join(value.split())) in _EMERGENCY:
        raise PydanticCustomError("emergency-number", "emergency", {"number": dialled})
    try:
        # Letters would be read as the keys that bear them: a mistyped "OO" as 66.
        number = None if _LETTER.search(value) else phonenumbers.parse(value, REGION)
    except phonenumbers.NumberParseException:
        number = None
    # Possible, not valid: the ranges kept for fiction (06 39 98) are valid nowhere.
    if number is None or number.extension or not phonenumbers.is_possible_number(number):
        raise PydanticCustomError("bad-number", "bad number", {"value": value})
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_premium(number: str) -> bool:
    """Tell whether calling this E.164 number costs more than an ordinary call."""
    kind = phonenumbers.number_type(phonenumbers.parse(number))
    return kind in (phonenumbers.PhoneNumberType.PREMIUM_RATE, phonenumbers.PhoneNumberType.SHARED_COST)


def national(number: str) -> str:
    """Return the digits of an E.164 number as people here dial them: 0536490000."""
    kept = phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.NATIONAL)
    return "".join(filter(str.isdigit, kept))


def _words(value: str) -> str:
    text = " ".join(value.split())
    if not text:
        raise PydanticCustomError("empty-value", "empty")
    return text


def _with_point(value: Any) -> Any:
    return value.replace(",", ".") if isinstance(value, str) else value


def _percent(value: Any) -> Any:
    """Read `20 %`, and a part of one."""
    text = str(value).replace(",", ".").strip()
    if not text.endswith("%"):
        return text
    try:
        return float(text.removesuffix("%")) / 100
    except ValueError:
        return text


def _several(value: Any) -> Any:
    if isinstance(value, str) and "," in value:
        raise PydanticCustomError("list-unbracketed", "no brackets", {"value": value})
    return [value] if isinstance(value, str) else value


def _list_schema(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item}]})


_LIST_OR_ONE: Final = BeforeValidator(_several)
_NUMBER_SCHEMA: Final = {"type": ["string", "integer"]}

Slug = Annotated[str, AfterValidator(slug_fault), WithJsonSchema({"type": "string", "pattern": SLUG})]
OptionKey = Annotated[str, AfterValidator(_option_key), WithJsonSchema({"type": "string", "pattern": "^[1-9]$"})]
CodeKey = Annotated[str, AfterValidator(_code_key), WithJsonSchema({"type": "string", "pattern": "^[1-9]$"})]
PhoneNumber = Annotated[str, AfterValidator(_e164), WithJsonSchema(_NUMBER_SCHEMA)]
Words = Annotated[str, AfterValidator(_words)]
Decimal = Annotated[float, BeforeValidator(_with_point), WithJsonSchema({"type": ["number", "string"]})]
Share = Annotated[float, BeforeValidator(_percent), WithJsonSchema({"type": ["number", "string"]})]
Slugs = Annotated[tuple[Slug, ...], _LIST_OR_ONE, _list_schema({"type": "string", "pattern": SLUG})]
PhoneNumbers = Annotated[tuple[PhoneNumber, ...], _LIST_OR_ONE, _list_schema(_NUMBER_SCHEMA)]
