"""A draft without errors as the core's plan: resolved, immutable, its version the hash of its content."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ivr.core.plan import (
    EVERYONE,
    Absence,
    Agent,
    AgentId,
    AgentSentences,
    Announcements,
    CallBack,
    ChainStep,
    CrisisId,
    CrisisProfile,
    Group,
    GroupId,
    HoursId,
    Information,
    Menu,
    MenuId,
    Option,
    OtherTopic,
    OutcomeCode,
    Outside,
    OutsideId,
    Overflow,
    PauseReason,
    Plan,
    PromptId,
    SiteId,
    TakeMessage,
    TellOutside,
    ToLanguage,
    ToMenu,
    ToOutside,
    Topic,
    TopicId,
    ToTopic,
    Typed,
    Widening,
)
from ivr.plan.calendars import is_feed
from ivr.plan.continuity import OWN
from ivr.plan.fields import DAY_MS
from ivr.plan.handover import pilot_of, successors_of
from ivr.plan.moments import milliseconds_of
from ivr.plan.opening import hours_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.plan.continuity import Chain
    from ivr.plan.draft import Draft
    from ivr.plan.models import AgentEntry, MenuFile, OptionEntry, PromptEntry, TopicEntry

VERSION_LENGTH = 16
RING_AT_ONCE = 3


def compile_plan(draft: Draft) -> Plan:
    """Return the plan of a draft in which `ivr.plan.check` found no error."""
    site, menu, topics = draft.site, draft.menu, draft.topics
    groups, agents, prompts, outcomes = draft.groups, draft.agents, draft.prompts, draft.outcomes
    assert site is not None  # noqa: S101 - the caller's promise: no error was found
    assert menu is not None  # noqa: S101
    assert topics is not None  # noqa: S101
    assert groups is not None  # noqa: S101
    assert agents is not None  # noqa: S101
    assert prompts is not None  # noqa: S101
    assert outcomes is not None  # noqa: S101
    assert draft.outsides is not None  # noqa: S101
    assert draft.crisis is not None  # noqa: S101
    assert draft.hours is not None  # noqa: S101
    above = parents(menu)
    said = site.announcements
    return Plan(
        site=SiteId(site.id),
        version=version(draft),
        name=site.name,
        language=site.language,
        numbers=site.numbers,
        relays=frozenset(site.relays),
        root=MenuId(menu.root),
        menus={
            MenuId(name): Menu(
                id=MenuId(name),
                prompt=PromptId(entry.prompt),
                short_prompt=PromptId(entry.short_prompt or entry.prompt),
                options={key: _option(entry.options[key]) for key in sorted(entry.options)},
                parent=above.get(name),
                input_timeout_ms=entry.input_timeout,
                max_no_input=entry.max_no_input,
                max_invalid=entry.max_invalid,
            )
            for name, entry in menu.menus.items()
        },
        topics={TopicId(name): _topic(TopicId(name), entry, site.continuity) for name, entry in topics.topics.items()},
        groups={
            GroupId(name): Group(
                GroupId(name),
                entry.label,
                tuple(AgentId(who) for who, agent in agents.agents.items() if name in agent.groups),
            )
            for name, entry in groups.groups.items()
        },
        agents={
            AgentId(name): agent_of(AgentId(name), entry, draft.calendars.get(name, ()))
            for name, entry in agents.agents.items()
        },
        general=TopicId(site.general),
        announcements=Announcements(**{name: PromptId(value) for name, value in said if value is not None}),
        prompts=frozenset(map(PromptId, prompts.prompts)),
        ring_timeout_ms=site.waiting.ring,
        first_patience_ms=site.waiting.first_patience,
        patience_every_ms=site.waiting.patience_every,
        max_wait_ms=site.waiting.longest,
        message_max_ms=site.message.longest,
        message_due_days=max(1, round(site.message.due / DAY_MS)),
        max_calls=site.max_calls,
        wrap_ms=site.wrap,
        outcomes={
            key: OutcomeCode(key, entry.id, entry.label, entry.follow_up)
            for key, entry in sorted(outcomes.outcomes.items())
        },
        pauses={
            key: PauseReason(key, entry.id, entry.label, entry.length, PromptId(entry.prompt))
            for key, entry in sorted(outcomes.pauses.items())
        },
        agent_sentences=AgentSentences(**{name: PromptId(value) for name, value in site.agent_sentences})
        if site.agent_sentences is not None
        else None,
        successors=successors_of(site),
        languages=tuple(dict.fromkeys(site.languages)),
        outsides={
            OutsideId(name): Outside(OutsideId(name), entry.label, entry.number, PromptId(entry.prompt))
            for name, entry in draft.outsides.outsides.items()
        },
        crises={
            CrisisId(name): CrisisProfile(
                id=CrisisId(name),
                label=entry.label,
                message=PromptId(entry.message),
                menu=MenuId(entry.menu) if entry.menu else None,
                groups=tuple(map(GroupId, entry.groups)),
                length_ms=entry.length,
            )
            for name, entry in draft.crisis.profiles.items()
        },
        hours=HoursId(draft.hours.site) if draft.hours.site else None,
        relay_hours=HoursId(draft.hours.relay) if draft.hours.relay else None,
        schedules={
            HoursId(name): hours_of(name, entry, draft.hours.zone) for name, entry in draft.hours.schedules.items()
        },
    )


def parents(menu: MenuFile) -> Mapping[str, MenuId]:
    """Return each menu's parent: the named one, else the one menu that leads to it."""
    found = {name: MenuId(entry.parent) for name, entry in menu.menus.items() if entry.parent}
    for name, above in leading_to(menu).items():
        if name not in found and name != menu.root and len(above) == 1:
            found[name] = MenuId(above[0])
    return found


def leading_to(menu: MenuFile) -> dict[str, list[str]]:
    """Return for each menu the other menus that have an option to it."""
    found: dict[str, list[str]] = {}
    for name, entry in menu.menus.items():
        for target in dict.fromkeys(option.menu for option in entry.options.values()):
            if target is not None and target != name:
                found.setdefault(target, []).append(name)
    return found


def texts_of(draft: Draft) -> dict[PromptId, dict[str, str]]:
    """Return every prompt's texts by language; empty for one that is only a recording."""
    if draft.prompts is None:
        return {}
    language = draft.site.language if draft.site is not None else "fr"
    return {PromptId(name): spoken(entry, language) for name, entry in draft.prompts.prompts.items()}


def spoken(entry: PromptEntry, language: str) -> dict[str, str]:
    """Return a prompt's texts by language; `text` is in the site's `language`."""
    found = {name: text for name, text in (("fr", entry.fr), ("en", entry.en)) if text is not None}
    if entry.text is not None:
        found.setdefault(language, entry.text)
    return found


def version(draft: Draft) -> str:
    """Return a hash of what the files mean: comments, order and spelling change nothing."""
    parts: dict[str, Any] = {
        name: part.model_dump(mode="json")
        for name, part in (
            ("site", draft.site),
            ("menu", draft.menu),
            ("topics", draft.topics),
            ("groups", draft.groups),
            ("agents", draft.agents),
            ("outcomes", draft.outcomes),
            ("outsides", draft.outsides),
            ("crisis", draft.crisis),
            ("hours", draft.hours),
        )
        if part is not None
    }
    parts["prompts"] = texts_of(draft)
    parts["calendars"] = draft.calendar_digests
    normal = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(normal.encode()).hexdigest()[:VERSION_LENGTH]


def _topic(name: TopicId, entry: TopicEntry, usual: Chain | None) -> Topic:
    widen = tuple(Widening(step.after, tuple(map(GroupId, step.groups or (EVERYONE,)))) for step in entry.widen)
    overflow = Overflow(entry.overflow.wait, entry.overflow.ratio) if entry.overflow is not None else None
    groups, ring = tuple(map(GroupId, entry.groups)), entry.ring_at_once or RING_AT_ONCE
    continuity = chain(entry.continuity or usual or (), name, groups[0])
    hours = HoursId(entry.hours) if entry.hours is not None else None
    return Topic(name, entry.label, groups, widen, entry.strategy, ring, overflow, hours, continuity)


def chain(steps: Chain, topic: TopicId, own: GroupId) -> tuple[ChainStep, ...]:
    """Return a topic's chain; the step of a shared one that leads to the topic itself is none for it."""
    found: list[ChainStep] = []
    for step in steps:
        if step.topic is not None:
            if step.topic != topic:
                found.append(OtherTopic(TopicId(step.topic)))
        elif step.outside is not None:
            found.append(TellOutside(OutsideId(step.outside)))
        elif step.callback is not None:
            found.append(CallBack(own if step.callback == OWN else GroupId(step.callback)))
        elif step.message is not None:
            found.append(TakeMessage(own if step.message == OWN else GroupId(step.message)))
    return tuple(found)


def agent_of(name: AgentId, entry: AgentEntry, busy: tuple[Absence, ...]) -> Agent:
    """Return an agent as the core has them; `busy` is what their calendar's file says."""
    planned = (
        Absence(milliseconds_of(absence.begin), milliseconds_of(absence.end), absence.reason or "")
        for absence in entry.absences
    )
    return Agent(
        id=name,
        name=entry.name,
        groups=tuple(map(GroupId, entry.groups)),
        substitutes=tuple(map(AgentId, entry.substitutes)),
        absences=tuple(sorted((*planned, *busy), key=lambda absence: (absence.start, absence.end))),
        feed=entry.calendar if entry.calendar is not None and is_feed(entry.calendar) else None,
    )


def _option(entry: OptionEntry) -> Option:
    if entry.outside is not None:
        return ToOutside(OutsideId(entry.outside))
    if entry.language is not None:
        return ToLanguage(entry.language)
    if entry.digits is not None:
        return Typed(PromptId(entry.digits.prompt), entry.digits.length, TopicId(entry.digits.topic))
    if entry.topic is not None:
        return ToTopic(TopicId(entry.topic), pilot_of(entry))
    if entry.menu is not None:
        return ToMenu(MenuId(entry.menu))
    return Information(PromptId(entry.information or ""))
