"""A draft on its way to be published: what it changes, what it moves, and why it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.ledger.store import of_agent, of_group
from ivr.plan import Severity, format_faults
from ivr.plan.rehearsal import rehearse_all
from ivr.publish.diff import Side, diff
from ivr.publish.errors import PublishError
from ivr.publish.version import Files, Published, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ivr.core.plan import Plan
    from ivr.ledger.store import File
    from ivr.plan import Loaded
    from ivr.publish.diff import Change


def faults(loaded: Loaded) -> Sequence[str]:
    """Return every error of a folder."""
    return [format_faults([found]) for found in loaded.faults if found.severity is Severity.ERROR]


def cases(loaded: Loaded) -> list[str]:
    """Return the plan's own tests that fail."""
    return [format_faults([found]) for found in rehearse_all(loaded)]


CHECKS: Final[tuple[Callable[[Loaded], Sequence[str]], ...]] = (faults, cases)
"""What a draft must pass to be published, in this order; each returns why it does not. A new one is proven besides."""


class Refused(PublishError):
    """The draft cannot be published; every reason, one a line."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("publication refusée.\n" + "\n".join(self.reasons))


@dataclass(frozen=True, slots=True)
class Publication:
    """A version that is ready to be published. `moved`: owners of open files, and who owns them then."""

    published: Published
    plan: Plan
    changes: tuple[Change, ...]
    moved: Mapping[str, str]


def prepare(
    draft: Loaded,
    files: Files,
    current: tuple[Published, Loaded] | None,
    *,
    author: str,
    note: str,
    now: int,
    waiting: Mapping[str, int],
    owed: Sequence[File],
) -> Publication:
    """Return the draft as the version after the current one; raises Refused with every reason.

    `waiting`: callers who wait, by topic; `owed`: the open files.
    """
    for check in CHECKS:
        if reasons := check(draft):
            raise Refused(reasons)
    plan = draft.plan
    if plan is None:
        raise Refused(["le dossier n'est pas un plan."])
    if current is None or current[1].plan is None:
        version = Version(plan.site, 1, plan.version, files.digest, author, now, note)
        return Publication(Published(version, files), plan, (), {})
    before, loaded = current
    old = current[1].plan
    if plan.site != before.version.site:
        raise Refused([f"site.yaml : le site publié est « {before.version.site} », celui-ci est « {plan.site} »."])
    changes = differences(draft, files, before, loaded)
    if reasons := list(_left_behind(old, plan, waiting, owed)):
        raise Refused(reasons)
    version = Version(
        site=plan.site,
        number=before.version.number + 1,
        content=plan.version,
        digest=files.digest,
        author=author,
        at=now,
        note=note,
        parent=before.version.number,
        diff=tuple(change.sentence for change in changes),
        retired=retired(before.version, old, plan),
    )
    return Publication(Published(version, files), plan, changes, _moved(plan, owed))


def differences(draft: Loaded, files: Files, before: Published, loaded: Loaded) -> tuple[Change, ...]:
    """Return what the draft changes of a published version."""
    if draft.plan is None or loaded.plan is None:
        return ()
    old = Side(loaded.plan, loaded.texts, before.files.texts, before.files.sounds)
    return diff(old, Side(draft.plan, draft.texts, files.texts, files.sounds))


def retired(version: Version, old: Plan, new: Plan) -> dict[str, str]:
    """Return the topics that were and are no more, each with the one that takes its callers: named, else the desk."""
    gone = {str(topic) for topic in old.topics} | version.retired.keys()
    heirs = {str(topic): str(heir) for topic, heir in new.successors.topics.items()}
    found: dict[str, str] = {}
    for topic in sorted(gone - new.topics.keys()):
        heir = heirs.get(topic, version.retired.get(topic, ""))
        found[topic] = heir if heir in new.topics else str(new.general)
    return found


def _left_behind(old: Plan, new: Plan, waiting: Mapping[str, int], owed: Sequence[File]) -> Iterator[str]:
    """Tell who would be left without anybody: callers of a topic, files of a group or an agent, that are gone."""
    how = "nommez son successeur dans site.yaml (« successors: »), ou attendez"
    for topic in old.topics.keys() - new.topics.keys() - new.successors.topics.keys():
        if count := waiting.get(topic, 0):
            yield f"motif « {old.topics[topic].label} » retiré : {count} appelants y attendent ; {how}."
    for group in old.groups.keys() - new.groups.keys() - new.successors.groups.keys():
        if count := sum(file.owner == of_group(group) for file in owed):
            yield f"équipe {old.groups[group].label} retirée : {count} dossiers ouverts sont à elle ; {how}."
    for agent in old.agents.keys() - new.agents.keys() - new.successors.agents.keys():
        if count := sum(file.owner == of_agent(agent) for file in owed):
            yield f"{old.agents[agent].name} n'est plus là : {count} dossiers ouverts sont à son nom ; {how}."


def _moved(new: Plan, owed: Sequence[File]) -> dict[str, str]:
    """Return the owners whose files go to another."""
    heirs = {of_group(gone): of_group(heir) for gone, heir in new.successors.groups.items()}
    heirs |= {of_agent(gone): of_agent(heir) for gone, heir in new.successors.agents.items()}
    return {file.owner: heirs[file.owner] for file in owed if file.owner in heirs}
