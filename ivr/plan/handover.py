"""Rules of what comes and goes: a department on trial (`pilot`), and who follows what is gone (`successors`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.core.plan import AgentId, GroupId, HoursId, Pilot, Successors, TopicId
from ivr.plan.faults import fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault, Place
    from ivr.plan.models import OptionEntry, SiteFile

KINDS: Final = {"topics": "topics.yaml", "groups": "groups.yaml", "agents": "agents.yaml"}


def named_by_handover(draft: Draft) -> Iterator[tuple[str, str, Place]]:
    """Yield every id that a pilot or a successor names: its file, the id, where it is named."""
    if draft.menu is not None:
        source = draft.sources["menu.yaml"]
        for name, entry in draft.menu.menus.items():
            for key, option in entry.options.items():
                if option.pilot is not None:
                    here = ("menus", name, "options", key, "pilot")
                    yield "topics.yaml", option.pilot.otherwise, source.value((*here, "else"))
                    if option.pilot.hours is not None:
                        yield "hours.yaml", option.pilot.hours, source.value((*here, "hours"))
    if draft.site is not None:
        source = draft.sources["site.yaml"]
        for kind, file in KINDS.items():
            for gone, heir in getattr(draft.site.successors, kind).items():
                yield file, heir, source.value(("successors", kind, gone))


def successors(draft: Draft) -> Iterator[Fault]:
    """What has a successor is gone."""
    if draft.site is None:
        return
    for kind, file in KINDS.items():
        declared = draft.declared(file) or frozenset()
        for gone in getattr(draft.site.successors, kind):
            if gone in declared:
                place = draft.sources["site.yaml"].key(("successors", kind, gone))
                yield fault("successor-of-living", place, value=gone, file=file)


def pilot_of(option: OptionEntry) -> Pilot | None:
    """Return the trial that an option is on."""
    if option.pilot is None:
        return None
    hours = HoursId(option.pilot.hours) if option.pilot.hours is not None else None
    return Pilot(TopicId(option.pilot.otherwise), option.pilot.share, hours)


def successors_of(site: SiteFile) -> Successors:
    """Return who takes the place of what is gone."""
    named = site.successors
    return Successors(
        {TopicId(gone): TopicId(heir) for gone, heir in named.topics.items()},
        {GroupId(gone): GroupId(heir) for gone, heir in named.groups.items()},
        {AgentId(gone): AgentId(heir) for gone, heir in named.agents.items()},
    )
