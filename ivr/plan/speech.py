"""Rules of what is said: in which languages, how long, and nothing that promises help in an emergency."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import phonenumbers

from ivr.plan.draft import RECORDED
from ivr.plan.faults import fault, warning
from ivr.plan.fields import REGION, is_premium
from ivr.plan.heard import seconds, texts
from ivr.plan.people import for_agents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault, Place

MAX_PROMPT_S: Final = 45
"""A text's length is estimated. Beyond a minute the watchdog takes the caller to the fallback in mid-sentence: nothing
can be sent to a channel that plays (`ivr.telephony.watchdog`)."""
BEFORE_A_CHOICE: Final = frozenset(
    {"greeting", "fallback", "fallback_message", "fallback_kept", "full_callback", "full_message"}
)
"""Announcements that come before callers can choose a language, or without a menu at all."""

_SENTENCE: Final = re.compile(r"[^.!?]+[.!?]?")
_NUMBERS: Final = "15|17|18|112|114|115|119|116 ?000|116 ?117|191|196|197"
_RESCUE: Final = re.compile(
    r"\b(?:pompiers?|samu|secours|ambulances?|gendarmerie|police(?! municipale| rurale)|urgences? (?:vitale|médicale)s?"
    r"|fire brigade)\b",
    re.IGNORECASE,
)
_URGENT: Final = re.compile(r"\b(?:urgen(?:ce|ces|t|te)|en danger|emergency|in danger)\b", re.IGNORECASE)
_KEY: Final = re.compile(r"\b(?:tape[zr]|press)\b", re.IGNORECASE)
_KEY_OF_RESCUE: Final = re.compile(rf"\b(?:tape[zr]|press) (?:sur )?(?:le )?(?:{_NUMBERS})\b", re.IGNORECASE)
_PROMISE: Final = re.compile(
    r"\b(?:nous (?:intervenons|arrivons|venons|envoyons|prévenons|alertons)"
    r"|(?:agents?|équipes?) (?:interv[a-z]+|arriv[a-z]+|vien(?:t|nent))|secours (?:arriv[a-z]+|sont prévenus)"
    r"|we (?:come|intervene|send|are on our way)|help is on its way)\b",
    re.IGNORECASE,
)
_OWN_CARE: Final = re.compile(r"\b(?:raccroch|compos|hang up|dial)", re.IGNORECASE)


def languages(draft: Draft) -> Iterator[Fault]:
    """Every language that callers can choose has a key, and everything that they can hear in it."""
    if draft.site is None:
        return
    site, source = draft.site, draft.sources["site.yaml"]
    for index, language in enumerate(site.languages):
        if language == site.language:
            yield fault("own-language", source.value(("languages", index)), language=language)
    offered: dict[str, Place] = {}
    if draft.menu is not None:
        for name, menu in draft.menu.menus.items():
            for key, option in menu.options.items():
                if option.language is not None:
                    place = draft.sources["menu.yaml"].value(("menus", name, "options", key, "language"))
                    offered.setdefault(option.language, place)
        known = {site.language, *site.languages}
        if "site.yaml" in draft.whole:
            for chosen, place in offered.items():
                if chosen not in known:
                    yield fault("unknown-language", place, language=chosen)
        if "menu.yaml" in draft.whole:
            for index, language in enumerate(site.languages):
                if language not in offered and language != site.language:
                    yield warning("unused-language", source.value(("languages", index)), language=language)


def untranslated(draft: Draft, heard: dict[str, Place]) -> Iterator[Fault]:
    """Return what callers `heard` cannot hear in a language that they can choose; `heard`: prompts, where named."""
    if draft.site is None or draft.prompts is None:
        return
    early = {prompt for name, prompt in draft.site.announcements if name in BEFORE_A_CHOICE}
    source = draft.sources["prompts.yaml"]
    for language in dict.fromkeys(draft.site.languages):
        if language == draft.site.language:
            continue
        said = texts(draft, language)
        for prompt in draft.prompts.prompts:
            if prompt not in heard or prompt in early or prompt in said or (language, prompt) in draft.recordings:
                continue
            recording = f"{RECORDED}/{language}/{prompt}.wav"
            place = source.key(("prompts", prompt))
            yield fault("untranslated", place, prompt=prompt, language=language, recording=recording)


def lengths(draft: Draft) -> Iterator[Fault]:
    """Nothing is longer than callers listen, and than the watchdog lets it be."""
    for prompt, text in texts(draft).items():
        length = seconds(text)
        if length > MAX_PROMPT_S:
            place = draft.sources["prompts.yaml"].key(("prompts", prompt))
            yield fault("prompt-too-long", place, prompt=prompt, seconds=length, limit=MAX_PROMPT_S)


def promises(draft: Draft) -> Iterator[Fault]:
    """No prompt promises help in an emergency or gives a key for it, nor sends callers to a premium number."""
    if draft.prompts is None:
        return
    own = draft.site.language if draft.site is not None else "fr"
    agents_alone = {prompt for _, prompt, _ in for_agents(draft)}
    for language in dict.fromkeys((own, *(draft.site.languages if draft.site is not None else ()))):
        for prompt, text in texts(draft, language).items():
            if prompt in agents_alone:
                continue
            place = draft.sources["prompts.yaml"].key(("prompts", prompt))
            for match in phonenumbers.PhoneNumberMatcher(text, REGION):
                number = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
                if is_premium(number):
                    yield warning("premium-number", place, number=match.raw_string)
            yield from _emergencies(prompt, text, place)


def _emergencies(prompt: str, text: str, place: Place) -> Iterator[Fault]:
    urgent = False
    for sentence in _SENTENCE.findall(text):
        said = sentence.strip()
        if _KEY_OF_RESCUE.search(said) or (_RESCUE.search(said) and _KEY.search(said)):
            yield fault("emergency-key", place, prompt=prompt, said=said)
        elif _URGENT.search(said) and _KEY.search(said):
            yield warning("emergency-key", place, prompt=prompt, said=said)
        # « C'est urgent ? Nous intervenons. »: the promise may be the next sentence.
        urgent_here = bool(_URGENT.search(said) or _RESCUE.search(said))
        if (urgent or urgent_here) and _PROMISE.search(said) and not _OWN_CARE.search(said):
            yield fault("emergency-promise", place, prompt=prompt, said=said)
        urgent = urgent_here
