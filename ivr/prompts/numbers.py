"""Numbers and minutes as prompts, in the site's own voice: positions, waits, times.

French agrees: « une minute », « vingt et une minutes », but « un », « vingt et un ».
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.core.plan import PromptId
from ivr.plan.check import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping

HIGHEST: Final = 60
MINUTE: Final = PromptId("minute")
MINUTES: Final = PromptId("minutes")
_FR_SMALL: Final = (
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze",
    "treize", "quatorze", "quinze", "seize",
)  # fmt: skip
_FR_TENS: Final = {2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante"}
_EN_SMALL: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_EN_TENS: Final = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty", 6: "sixty"}


def in_words(number: int, language: str = "fr") -> str:
    """Return 0 to 60 in words."""
    if not 0 <= number <= HIGHEST:
        raise ValueError(number)
    tens, unit = divmod(number, 10)
    if language != "fr":
        if number < len(_EN_SMALL):
            return _EN_SMALL[number]
        return _EN_TENS[tens] + (f"-{_EN_SMALL[unit]}" if unit else "")
    if number < len(_FR_SMALL):
        return _FR_SMALL[number]
    if tens == 1:
        return f"dix-{_FR_SMALL[unit]}"
    if unit == 0:
        return _FR_TENS[tens]
    return f"{_FR_TENS[tens]} et un" if unit == 1 else f"{_FR_TENS[tens]}-{_FR_SMALL[unit]}"


def number_prompt(number: int, *, feminine: bool = False) -> PromptId:
    """Return the prompt that says a number from 0 to 60."""
    if not 0 <= number <= HIGHEST:
        raise ValueError(number)
    one = feminine and number % 10 == 1 and number != 11  # noqa: PLR2004 - onze has no gender
    return PromptId(f"nombre-{number}-f" if one else f"nombre-{number}")


def is_number(prompt: str) -> bool:
    """Tell whether a prompt is one of those that are played one after the other."""
    return BUILT_IN.match(prompt) is not None


def minutes_prompts(minutes: int) -> tuple[PromptId, ...]:
    """Return the prompts that say « une minute », « douze minutes »."""
    return number_prompt(minutes, feminine=True), MINUTE if minutes <= 1 else MINUTES


def number_texts(language: str = "fr") -> Mapping[PromptId, str]:
    """Return the text of every number and of the minutes."""
    found: dict[PromptId, str] = {}
    for number in range(HIGHEST + 1):
        words = in_words(number, language)
        found[number_prompt(number)] = words
        other = number_prompt(number, feminine=True)
        if other not in found:
            found[other] = f"{words}e" if language == "fr" else words
    found[MINUTE], found[MINUTES] = PromptId("minute"), PromptId("minutes")
    return found
