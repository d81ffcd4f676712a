"""Rules of what happens when the usual people cannot answer: continuity chains, outside bodies, crises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.plan.continuity import OWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.plan.continuity import Chain
    from ivr.plan.draft import Draft
    from ivr.plan.faults import Place
    from ivr.plan.source import Loc, Source

STEP_FILES: Final = {
    "topic": "topics.yaml",
    "outside": "outsides.yaml",
    "callback": "groups.yaml",
    "message": "groups.yaml",
}


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
