"""Rules of what happens when the usual people cannot answer: continuity chains, outside bodies, crises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.plan.continuity import OWN
from ivr.plan.faults import fault, warning
from ivr.plan.fields import is_premium, national
from ivr.plan.heard import seconds, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.plan.continuity import Chain
    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault, Place
    from ivr.plan.source import Loc, Source

STEP_FILES: Final = {
    "topic": "topics.yaml",
    "outside": "outsides.yaml",
    "callback": "groups.yaml",
    "message": "groups.yaml",
}
MAX_CRISIS_S: Final = 20


def chains(draft: Draft) -> Iterator[tuple[Chain, Source, Loc, str | None]]:
    """Yield every chain: its steps, where it is written, and the topic that it is of (None: the site's)."""
    if draft.site is not None and draft.site.continuity is not None:
        yield draft.site.continuity, draft.sources["site.yaml"], ("continuity",), None
    if draft.topics is not None:
        for name, topic in draft.topics.topics.items():
            if topic.continuity is not None:
                yield topic.continuity, draft.sources["topics.yaml"], ("topics", name, "continuity"), name


def named(draft: Draft) -> Iterator[tuple[str, str, Place]]:
    """Yield every id that chains, outside bodies, crises, digits and agents name: its file, the id, the place."""
    for steps, source, loc, _ in chains(draft):
        for index, step in enumerate(steps):
            for field, file in STEP_FILES.items():
                target = getattr(step, field)
                if target is not None and target != OWN:
                    yield file, target, source.value((*loc, index, field))
    yield from _named_by_options(draft)
    if draft.outsides is not None:
        for name, outside in draft.outsides.outsides.items():
            yield "prompts.yaml", outside.prompt, draft.sources["outsides.yaml"].value(("outsides", name, "prompt"))
    if draft.crisis is not None:
        for name, profile in draft.crisis.profiles.items():
            source, at = draft.sources["crisis.yaml"], ("profiles", name)
            yield "prompts.yaml", profile.message, source.value((*at, "message"))
            if profile.menu is not None:
                yield "menu.yaml", profile.menu, source.value((*at, "menu"))
            for index, group in enumerate(profile.groups):
                yield "groups.yaml", group, source.value((*at, "groups", index))
    if draft.agents is not None:
        for name, agent in draft.agents.agents.items():
            for index, who in enumerate(agent.substitutes):
                place = draft.sources["agents.yaml"].value(("agents", name, "substitutes", index))
                yield "agents.yaml", who, place


def _named_by_options(draft: Draft) -> Iterator[tuple[str, str, Place]]:
    if draft.menu is None:
        return
    source = draft.sources["menu.yaml"]
    for name, menu in draft.menu.menus.items():
        for key, option in menu.options.items():
            if option.digits is not None:
                at = ("menus", name, "options", key, "digits")
                yield "prompts.yaml", option.digits.prompt, source.value((*at, "prompt"))
                yield "topics.yaml", option.digits.topic, source.value((*at, "topic"))


def continuity(draft: Draft) -> Iterator[Fault]:
    """Every topic has a chain, and every chain ends in something that cannot fail."""
    for steps, source, loc, topic in chains(draft):
        yield from _chain(steps, source, loc, topic, whole=loc_file(loc) in draft.whole)
    if draft.site is None or draft.topics is None or draft.site.continuity is not None:
        return
    if not {"site.yaml", "topics.yaml"} <= draft.whole:
        return
    for name, entry in draft.topics.topics.items():
        if entry.continuity is None:
            place = draft.sources["topics.yaml"].key(("topics", name))
            yield fault("no-continuity", place, topic=name, general=draft.site.general)


def loc_file(loc: Loc) -> str:
    """Return the file that a chain is written in."""
    return "topics.yaml" if loc[0] == "topics" else "site.yaml"


def _chain(steps: Chain, source: Source, loc: Loc, topic: str | None, *, whole: bool) -> Iterator[Fault]:
    ended = False
    seen: set[tuple[str, str]] = set()
    for index, step in enumerate(steps):
        at = source.value((*loc, index))
        if ended:
            yield fault("step-after-end", at)
        ended = ended or step.ends
        if topic is not None and step.topic == topic:
            yield fault("chain-to-itself", source.value((*loc, index, "topic")), topic=topic)
        for field in ("topic", "outside"):
            target = getattr(step, field)
            if target is not None and (field, target) in seen:
                yield warning("step-twice", source.value((*loc, index, field)), value=target)
            seen.add((field, target or ""))
    if not ended and whole:
        yield fault("chain-without-end", source.value((*loc, len(steps) - 1)))


def outsides(draft: Draft) -> Iterator[Fault]:
    """A body outside is told of somewhere, costs callers nothing more, and its number can be taken down."""
    if draft.outsides is None or "outsides.yaml" not in draft.sources:
        return
    source = draft.sources["outsides.yaml"]
    said = texts(draft)
    told = {step.outside for steps, *_ in chains(draft) for step in steps}
    if draft.menu is not None:
        told |= {option.outside for menu in draft.menu.menus.values() for option in menu.options.values()}
    naming_known = {"menu.yaml", "topics.yaml", "site.yaml"} <= draft.whole
    for name, entry in draft.outsides.outsides.items():
        if is_premium(entry.number):
            yield warning(
                "outside-premium", source.value(("outsides", name, "number")), number=entry.number, outside=name
            )
        if naming_known and name not in told:
            yield warning("unused-outside", source.key(("outsides", name)), outside=name)
        digits = "".join(filter(str.isdigit, said.get(entry.prompt, "")))
        if digits.count(national(entry.number)) == 1:
            place = draft.sources["prompts.yaml"].key(("prompts", entry.prompt))
            yield warning("outside-number-unsaid", place, prompt=entry.prompt, number=entry.number)


def crises(draft: Draft) -> Iterator[Fault]:
    """The message of a crisis is short: it is said to everybody."""
    if draft.crisis is None or draft.prompts is None or "crisis.yaml" not in draft.sources:
        return
    said = texts(draft)
    for profile in draft.crisis.profiles.values():
        length = seconds(said.get(profile.message, ""))
        if length > MAX_CRISIS_S:
            place = draft.sources["prompts.yaml"].key(("prompts", profile.message))
            yield fault("crisis-too-long", place, prompt=profile.message, seconds=length, limit=MAX_CRISIS_S)
