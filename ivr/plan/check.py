"""The rules that no single file can keep: what leads where, who answers, what is said.

Each rule takes a draft and yields faults; a rule looks only at what could be read, so
that one fault is told once. Errors keep a plan from being served; warnings do not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ivr.plan.chains import continuity, crises, named, outsides
from ivr.plan.compile import leading_to, parents, spoken
from ivr.plan.draft import RECORDED
from ivr.plan.faults import Severity, fault, warning
from ivr.plan.fields import is_premium, slug_of
from ivr.plan.handover import named_by_handover, successors
from ivr.plan.heard import CHARACTERS_PER_S, texts
from ivr.plan.leave import absences, substitutes
from ivr.plan.modeline import modelines
from ivr.plan.opening import named_by_hours, relay, schedules, sentences
from ivr.plan.people import codes, for_agents, references, widenings
from ivr.plan.shape import hints
from ivr.plan.speech import languages, lengths, promises, untranslated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault, Place
    from ivr.plan.models import MenuFile

_HINTED: Final = 1_000
"""How many names that do not exist are compared with those that do: no more are shown."""
MAX_OPTIONS: Final = 5
EASY_LEVELS: Final = 2
MAX_LEVELS: Final = 3
MAX_LISTENING_S: Final = 40
BUILT_IN: Final = re.compile(r"^(?:nombre-\d+(?:-f)?|minutes?)$")
"""Prompts that the product brings; a site may word them anew."""

_SPOKEN_KEY: Final = re.compile(r"\b(?:tape[zr]|press) (?:sur )?(?:la touche )?(?:le )?([0-9])\b", re.IGNORECASE)
_UNSPEAKABLE: Final = re.compile(r"[<>{}\[\]|\\^`~_#*@=]")
_HASH_KEY: Final = re.compile(r"^\s*#\s*:\s*\S")
_KINDS: Final = {
    "menu.yaml": ("Le menu", "menu"),
    "topics.yaml": ("Le motif", "topic"),
    "groups.yaml": ("L'équipe", "group"),
    "prompts.yaml": ("Le message", "prompt"),
    "outsides.yaml": ("L'organisme", "outside body"),
    "agents.yaml": ("L'agent", "agent"),
    "hours.yaml": ("L'horaire", "schedule"),
}


def check(draft: Draft) -> list[Fault]:
    """Return what every rule finds in a draft."""
    return [found for rule in RULES for found in rule(draft)]


def dangling(draft: Draft) -> Iterator[Fault]:
    """Every id that is named exists."""
    told = 0
    for file, value, place in _references(draft):
        known = _known(draft, file)
        if known is None or value in known:
            continue
        told += 1
        kind_fr, kind_en = _KINDS[file]
        near = hints(value, known if told <= _HINTED else ())
        yield fault("unknown-reference", place, kind_fr=kind_fr, kind_en=kind_en, value=value, file=file, **near)


def _known(draft: Draft, file: str) -> frozenset[str] | None:
    """Return the ids of a file, and those that its ill-formed ids are told to become."""
    declared = draft.declared(file)
    return None if declared is None else declared | frozenset(map(slug_of, declared))


def _trusted(draft: Draft, file: str) -> bool:
    """Tell whether what is not named can be called unused: nothing else is at fault about these ids."""
    known = _known(draft, file)
    return known is not None and all(value in known for other, value, _ in _references(draft) if other == file)


def _references(draft: Draft) -> Iterator[tuple[str, str, Place]]:
    yield from _of_site(draft)
    if draft.menu is not None:
        source = draft.sources["menu.yaml"]
        yield "menu.yaml", draft.menu.root, source.value(("root",))
        for name, entry in draft.menu.menus.items():
            for field in ("prompt", "short_prompt"):
                if prompt := getattr(entry, field):
                    yield "prompts.yaml", prompt, source.value(("menus", name, field))
            if entry.parent:
                yield "menu.yaml", entry.parent, source.value(("menus", name, "parent"))
            for key, option in entry.options.items():
                for field, file in _OPTION_FILES.items():
                    if target := getattr(option, field):
                        yield file, target, source.value(("menus", name, "options", key, field))
    for file, entries in _grouped(draft):
        source = draft.sources[file]
        section = file.removesuffix(".yaml")
        for name, groups in entries:
            for index, group in enumerate(groups):
                yield "groups.yaml", group, source.value((section, name, "groups", index))
    yield from references(draft)
    yield from named(draft)
    yield from named_by_hours(draft)
    yield from named_by_handover(draft)


def _of_site(draft: Draft) -> Iterator[tuple[str, str, Place]]:
    if draft.site is not None:
        source = draft.sources["site.yaml"]
        yield "topics.yaml", draft.site.general, source.value(("general",))
        for name, prompt in draft.site.announcements:
            if prompt is not None:
                yield "prompts.yaml", prompt, source.value(("announcements", name))


_OPTION_FILES: Final = {
    "topic": "topics.yaml",
    "menu": "menu.yaml",
    "information": "prompts.yaml",
    "outside": "outsides.yaml",
}


def _grouped(draft: Draft) -> Iterator[tuple[str, list[tuple[str, tuple[str, ...]]]]]:
    if draft.topics is not None:
        yield "topics.yaml", [(name, entry.groups) for name, entry in draft.topics.topics.items()]
    if draft.agents is not None:
        yield "agents.yaml", [(name, entry.groups) for name, entry in draft.agents.agents.items()]


def listed_twice(draft: Draft) -> Iterator[Fault]:
    """A group is named once in a list; a number stands once in the site."""
    for file, entries in _grouped(draft):
        for name, groups in entries:
            listed: set[str] = set()
            for index, group in enumerate(groups):
                if group in listed:
                    place = draft.sources[file].value((file.removesuffix(".yaml"), name, "groups", index))
                    yield warning("listed-twice", place, value=group)
                listed.add(group)
    seen: set[str] = set()
    for number, place in _numbers(draft):
        if number in seen:
            yield fault("number-twice", place, number=number)
        seen.add(number)


def _numbers(draft: Draft) -> Iterator[tuple[str, Place]]:
    if draft.site is None:
        return
    for field in ("numbers", "relays"):
        for index, number in enumerate(getattr(draft.site, field)):
            yield number, draft.sources["site.yaml"].value((field, index))


def numbers(draft: Draft) -> Iterator[Fault]:
    """No caller pays a premium; deaf callers' relays are known."""
    for number, place in _numbers(draft):
        if is_premium(number):
            yield warning("premium-number", place, number=number)
    if draft.site is not None and not draft.site.relays and "site.yaml" in draft.whole:
        yield warning("no-relay", draft.sources["site.yaml"].key(("relays",)))


def tree(draft: Draft) -> Iterator[Fault]:
    """Every menu is reached, has options and leads back to the first."""
    menu = draft.menu
    if menu is None or menu.root not in menu.menus:
        return
    source = draft.sources["menu.yaml"]
    depths, above, leading = _depths(menu, _crisis_menus(draft)), parents(menu), leading_to(menu)
    whole = "menu.yaml" in draft.whole and _trusted(draft, "menu.yaml") and draft.crisis is not None
    tops = {menu.root, *_crisis_menus(draft)}
    if menu.menus[menu.root].parent:
        yield fault("root-parent", source.key(("menus", menu.root, "parent")))
    for name, entry in menu.menus.items():
        at = source.key(("menus", name))
        if name not in depths:
            if whole:
                yield fault("unreachable-menu", at, menu=name)
        elif name not in tops and not above.get(name):
            lead = leading.get(name, [])
            if lead:
                yield fault("parent-unclear", at, menu=name, menus=", ".join(lead), first=lead[0])
        elif name not in tops and not _climbs(name, above, tops):
            yield fault("parent-loop", source.value(("menus", name, "parent")), menu=name, root=menu.root)
        if not entry.options and whole:
            yield fault("no-options", source.key(("menus", name, "options")), menu=name)


def _climbs(name: str, above: Mapping[str, str], tops: set[str]) -> bool:
    """Tell whether parent after parent leads from a menu to the root, or to the menu of a crisis."""
    seen: set[str] = set()
    while name not in tops:
        if name in seen or name not in above:
            return name not in seen  # a parent that does not exist is told elsewhere
        seen.add(name)
        name = above[name]
    return True


def _crisis_menus(draft: Draft) -> tuple[str, ...]:
    """Return the menus that a crisis puts in place of the first one."""
    known = draft.menu.menus if draft.menu is not None else {}
    profiles = draft.crisis.profiles.values() if draft.crisis is not None else ()
    return tuple(profile.menu for profile in profiles if profile.menu in known)


def _depths(menu: MenuFile, others: Iterable[str] = ()) -> dict[str, int]:
    """Return the level of every menu that callers can reach, the root and the `others` being 1."""
    depths = {menu.root: 1, **dict.fromkeys(others, 1)}
    line = list(depths)
    for name in line:
        for option in menu.menus[name].options.values():
            if option.menu and option.menu in menu.menus and option.menu not in depths:
                depths[option.menu] = depths[name] + 1
                line.append(option.menu)
    return depths


def limits(draft: Draft) -> Iterator[Fault]:
    """Menus stay short enough to be remembered: options, levels, seconds before a person."""
    menu = draft.menu
    if menu is None or menu.root not in menu.menus:
        return
    source = draft.sources["menu.yaml"]
    depths = _depths(menu, _crisis_menus(draft))
    for name, entry in menu.menus.items():
        at = source.key(("menus", name))
        count = sum(option.language is None for option in entry.options.values())  # a language is no choice of topic
        if count > MAX_OPTIONS:
            yield warning("too-many-options", at, menu=name, count=count)
        if (depth := depths.get(name, 0)) > MAX_LEVELS:
            yield fault("too-many-levels", at, menu=name, depth=depth)
        elif depth > EASY_LEVELS:
            yield warning("many-levels", at, menu=name)
    yield from _listening(draft, menu)


def _listening(draft: Draft, menu: MenuFile) -> Iterator[Fault]:
    said = texts(draft)
    greeting = draft.site.announcements.greeting if draft.site is not None else ""
    heard = {menu.root: len(said.get(greeting, ""))}
    line = [menu.root]
    for name in line:
        heard[name] += len(said.get(menu.menus[name].prompt, ""))
        for key, option in menu.menus[name].options.items():
            if option.menu and option.menu in menu.menus and option.menu not in heard:
                heard[option.menu] = heard[name]
                line.append(option.menu)
            seconds = heard[name] // CHARACTERS_PER_S
            if option.topic and seconds > MAX_LISTENING_S:
                place = draft.sources["menu.yaml"].key(("menus", name, "options", key))
                yield warning("too-long-before-human", place, topic=option.topic, seconds=seconds)


def spoken_keys(draft: Draft) -> Iterator[Fault]:
    """What a French menu says and what its keys do agree."""
    if draft.menu is None or draft.prompts is None or "menu.yaml" not in draft.whole:
        return
    if draft.site is None or draft.site.language != "fr":
        return
    texts_by_prompt, prompts = texts(draft), draft.sources["prompts.yaml"]
    for name, entry in draft.menu.menus.items():
        text = texts_by_prompt.get(entry.prompt)
        if text is None:
            continue
        said = set(_SPOKEN_KEY.findall(text))
        for key in sorted(said - set(entry.options) - {"0"}):
            yield warning("spoken-key-missing", prompts.key(("prompts", entry.prompt)), key=key, menu=name)
        for key in sorted(set(entry.options) - said):
            place = draft.sources["menu.yaml"].key(("menus", name, "options", key))
            yield warning("key-not-spoken", place, key=key, menu=name, prompt=entry.prompt)


def people(draft: Draft) -> Iterator[Fault]:
    """Every group has agents and a use; every topic is asked for by some option."""
    whole = draft.whole if _trusted(draft, "groups.yaml") else frozenset[str]()
    if draft.groups is not None and draft.agents is not None and "agents.yaml" in whole:
        staffed = {group for agent in draft.agents.agents.values() for group in agent.groups}
        for name in draft.groups.groups:
            if name not in staffed:
                yield fault("group-without-agents", draft.sources["groups.yaml"].key(("groups", name)), group=name)
    if draft.groups is not None and draft.topics is not None and "topics.yaml" in whole:
        used = {
            group
            for topic in draft.topics.topics.values()
            for groups in (topic.groups, *(step.groups or () for step in topic.widen))
            for group in groups
        }
        for name in draft.groups.groups:
            if name not in used:
                place = draft.sources["groups.yaml"].key(("groups", name))
                yield warning("group-without-topic", place, group=name)
    whole = draft.whole if _trusted(draft, "topics.yaml") else frozenset[str]()
    if draft.topics is not None and draft.menu is not None and {"menu.yaml", "site.yaml"} <= whole:
        asked = {target for file, target, _ in _references(draft) if file == "topics.yaml"}
        general = draft.site.general if draft.site is not None else None
        for name in draft.topics.topics:
            if name not in asked and name != general:
                place = draft.sources["topics.yaml"].key(("topics", name))
                yield warning("topic-without-option", place, topic=name)


def prompts(draft: Draft) -> Iterator[Fault]:
    """Every prompt can be spoken and is used."""
    if draft.prompts is None or draft.site is None:
        return
    source, language = draft.sources["prompts.yaml"], draft.site.language
    used = {value for file, value, _ in _references(draft) if file == "prompts.yaml"}
    needed = {"menu.yaml", "site.yaml"}
    naming = needed | ({"outcomes.yaml", "outsides.yaml", "crisis.yaml", "hours.yaml"} & set(draft.sources))
    all_known = naming <= draft.whole and _trusted(draft, "prompts.yaml")
    for name, entry in draft.prompts.prompts.items():
        at = source.key(("prompts", name))
        if entry.text is not None and getattr(entry, language) is not None:
            yield fault("text-twice", at, language=language)
        by_language = spoken(entry, language)
        if language not in by_language and (language, name) not in draft.recordings:
            recording = f"{RECORDED}/{language}/{name}.wav"
            yield fault("no-prompt-text", at, prompt=name, language=language, recording=recording)
        for text in by_language.values():
            if found := _UNSPEAKABLE.search(text):
                yield warning("unspeakable", source.value(("prompts", name)), prompt=name, char=found.group())
        if all_known and name not in used and not BUILT_IN.match(name):
            yield warning("unused-prompt", at, prompt=name)


def translations(draft: Draft) -> Iterator[Fault]:
    """Everything that callers can hear exists in every language that they can choose."""
    agents_alone = [place for _, _, place in for_agents(draft)]
    yield from untranslated(
        draft,
        {
            prompt: place
            for file, prompt, place in _references(draft)
            if file == "prompts.yaml" and place not in agents_alone
        },
    )


def comments(draft: Draft) -> Iterator[Fault]:
    """A key # that was not quoted is a comment: the admin meant an option."""
    source = draft.sources.get("menu.yaml")
    for index, line in enumerate(source.lines if source is not None else ()):
        if source is not None and _HASH_KEY.match(line):
            column = len(line) - len(line.lstrip())
            yield warning("hash-comment", source.place(index, column))


RULES: Final[tuple[Callable[[Draft], Iterable[Fault]], ...]] = (
    dangling,
    listed_twice,
    numbers,
    tree,
    limits,
    spoken_keys,
    people,
    prompts,
    comments,
    widenings,
    codes,
    continuity,
    outsides,
    crises,
    languages,
    translations,
    lengths,
    promises,
    substitutes,
    absences,
    schedules,
    sentences,
    relay,
    successors,
    modelines,
)


def has_errors(faults: Iterable[Fault]) -> bool:
    """Tell whether a plan with these faults must not be served."""
    return any(found.severity is Severity.ERROR for found in faults)
