"""Rules of who answers when, and of what agents say about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.plan.faults import fault, warning
from ivr.plan.fields import spoken_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault, Place
    from ivr.plan.models import OutcomeEntry, OutcomesFile, PauseEntry, SiteFile, TopicEntry
    from ivr.plan.source import Source


def references(draft: Draft) -> Iterator[tuple[str, str, Place]]:
    """Yield every id that widenings and codes name: the file that must hold it, the id, where it is named."""
    yield from for_agents(draft)
    if draft.topics is not None:
        source = draft.sources["topics.yaml"]
        for name, topic in draft.topics.topics.items():
            for step, widening in enumerate(topic.widen):
                for index, group in enumerate(widening.groups or ()):
                    yield "groups.yaml", group, source.value(("topics", name, "widen", step, "groups", index))


def for_agents(draft: Draft) -> Iterator[tuple[str, str, Place]]:
    """Yield the prompts that agents hear, as `references` does."""
    if draft.site is not None:
        for name, prompt in draft.site.agent_sentences or ():
            yield "prompts.yaml", prompt, draft.sources["site.yaml"].value(("agent_sentences", name))
    if draft.outcomes is not None:
        for key, pause in draft.outcomes.pauses.items():
            yield "prompts.yaml", pause.prompt, draft.sources["outcomes.yaml"].value(("pauses", key, "prompt"))


def widenings(draft: Draft) -> Iterator[Fault]:
    """A topic's widenings come one after the other, before the wait ends, and each brings somebody."""
    if draft.topics is None:
        return
    source, whole = draft.sources["topics.yaml"], "topics.yaml" in draft.whole
    longest = draft.site.waiting.longest if draft.site is not None else None
    for name, topic in draft.topics.topics.items():
        yield from _widenings(name, topic, source)
        if whole and topic.ring_at_once is not None and topic.strategy != "ring-many":
            yield warning("ring-at-once-unused", source.key(("topics", name, "ring_at_once")))
        if longest is None:
            continue
        late: list[tuple[str | int, ...]] = [
            ("widen", index, "after") for index, step in enumerate(topic.widen) if step.after >= longest
        ]
        if topic.overflow is not None and (topic.overflow.wait or 0) >= longest:
            late.append(("overflow", "wait"))
        for loc in late:
            at = source.value(("topics", name, *loc))
            yield warning("never-reached", at, key=loc[-1], longest=spoken_duration(longest))


def _widenings(name: str, topic: TopicEntry, source: Source) -> Iterator[Fault]:
    there, everyone, before = set(topic.groups), False, 0
    for index, step in enumerate(topic.widen):
        loc = ("topics", name, "widen", index)
        if step.after <= before:
            after, earlier = spoken_duration(step.after), spoken_duration(before)
            yield fault("widen-order", source.value((*loc, "after")), after=after, before=earlier)
        before = max(before, step.after)
        if everyone:
            yield warning("widen-after-everyone", source.value(loc), topic=name)
        everyone = everyone or step.everyone is True
        for at, group in enumerate(step.groups or ()):
            if group in there and not everyone:
                yield warning("widen-already", source.value((*loc, "groups", at)), group=group, topic=name)
            there.add(group)


def codes(draft: Draft) -> Iterator[Fault]:
    """Codes have sentences that confirm them, identifiers of their own, and time to be dialled."""
    said, site = draft.outcomes, draft.site
    if said is None or "outcomes.yaml" not in draft.sources:
        return
    source = draft.sources["outcomes.yaml"]
    yield from _own_ids("outcomes", said.outcomes, source)
    yield from _own_ids("pauses", said.pauses, source)
    if site is not None and "site.yaml" in draft.whole:
        yield from _fit(site, said, draft)


def _own_ids(section: str, entries: Mapping[str, OutcomeEntry | PauseEntry], source: Source) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for key, entry in entries.items():
        if entry.id in seen:
            yield fault("code-id-twice", source.value((section, key, "id")), id=entry.id, key=seen[entry.id])
        seen.setdefault(entry.id, key)


def _fit(site: SiteFile, said: OutcomesFile, draft: Draft) -> Iterator[Fault]:
    at = draft.sources["site.yaml"]
    if site.agent_sentences is None and (said.outcomes or said.pauses):
        yield fault("no-agent-sentences", at.key(("agent_sentences",)))
    if said.outcomes and not site.wrap:
        yield warning("no-time-for-outcome", at.value(("wrap",)))
