"""A site's folder as read: each file's model, as far as it can be read, and its places."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from ivr.plan.calendars import read_calendars
from ivr.plan.cases import TestsFile
from ivr.plan.continuity import CrisisFile, OutsidesFile
from ivr.plan.faults import Place, fault, warning
from ivr.plan.models import (
    FILES,
    OPTIONAL,
    AgentsFile,
    GroupsFile,
    MenuFile,
    OutcomesFile,
    PromptsFile,
    SiteFile,
    TopicsFile,
)
from ivr.plan.moments import ZONE
from ivr.plan.shape import hints, validate
from ivr.plan.source import Source, read
from ivr.plan.strict import Strict
from ivr.plan.timetable import HoursFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from ivr.core.plan import Absence
    from ivr.plan.faults import Fault

F = TypeVar("F", bound=Strict)

SECTIONS: Final = {
    "menu.yaml": "menus",
    "topics.yaml": "topics",
    "groups.yaml": "groups",
    "agents.yaml": "agents",
    "outsides.yaml": "outsides",
    "crisis.yaml": "profiles",
    "hours.yaml": "schedules",
    "prompts.yaml": "prompts",
}
RECORDED: Final = "recorded"


@dataclass(frozen=True, slots=True)
class Draft:
    """What the files hold; a part is None when it cannot be read at all (a file that may be absent, and is, is empty).

    `whole` names the files without any fault: rules about what is absent or unused
    hold only for these. `recordings` are the (language, prompt) pairs recorded by hand.
    """

    folder: Path
    sources: dict[str, Source]
    site: SiteFile | None
    menu: MenuFile | None
    topics: TopicsFile | None
    groups: GroupsFile | None
    agents: AgentsFile | None
    outcomes: OutcomesFile | None
    outsides: OutsidesFile | None
    crisis: CrisisFile | None
    hours: HoursFile | None
    tests: TestsFile | None
    prompts: PromptsFile | None
    whole: frozenset[str]
    recordings: frozenset[tuple[str, str]]
    now: datetime | None
    """From when on what is planned is checked; None: not at all."""
    calendars: Mapping[str, tuple[Absence, ...]]
    """The busy times of agents whose calendar is a file of the folder."""
    calendar_digests: Mapping[str, str]

    @property
    def today(self) -> date:
        """Return the day on which it was read, at the site."""
        return (self.now or datetime.now(UTC)).astimezone(ZONE).date()

    def declared(self, name: str) -> frozenset[str] | None:
        """Return the ids that a file declares, broken entries too; None if it cannot be read."""
        source = self.sources.get(name)
        if source is None and name in OPTIONAL:
            return frozenset()
        section = source.data.get(SECTIONS[name]) if source and isinstance(source.data, dict) else None
        return frozenset(section) if isinstance(section, dict) else None


def read_draft(folder: Path, now: datetime | None) -> tuple[Draft | None, list[Fault]]:
    """Return the folder's files as far as they can be read, and their faults."""
    everything = ", ".join(FILES)
    if not folder.is_dir():
        return None, [fault("no-folder", Place(str(folder)), folder=folder)]
    faults: list[Fault] = []
    sources: dict[str, Source] = {}
    strangers = sorted(
        path.name for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.name not in FILES
    )
    for name in FILES:
        path = folder / name
        if path.exists():
            sources[name] = read(path, str(path))
        elif name not in OPTIONAL:
            hint = _misnamed(name, strangers)
            faults.append(fault("no-file", Place(str(path)), name=name, all=everything, **hint))
    for name in strangers:
        hint = {key: f" {value.strip()}" for key, value in hints(name, FILES).items()}
        faults.append(warning("unknown-file", Place(str(folder / name)), name=name, all=everything, **hint))

    def part(name: str, model: type[F]) -> F | None:
        source = sources.get(name)
        if source is None and name in OPTIONAL:
            return model()
        readable = source is not None and (source.data is not None or not source.faults)
        return validate(source, model) if source is not None and readable else None

    agents = part("agents.yaml", AgentsFile)
    calendars = read_calendars(folder, agents.agents if agents else {}, sources, now or datetime.now(UTC))
    draft = Draft(
        folder=folder,
        sources=sources,
        site=part("site.yaml", SiteFile),
        menu=part("menu.yaml", MenuFile),
        topics=part("topics.yaml", TopicsFile),
        groups=part("groups.yaml", GroupsFile),
        agents=agents,
        outcomes=part("outcomes.yaml", OutcomesFile),
        outsides=part("outsides.yaml", OutsidesFile),
        crisis=part("crisis.yaml", CrisisFile),
        hours=part("hours.yaml", HoursFile),
        tests=part("tests.yaml", TestsFile),
        prompts=part("prompts.yaml", PromptsFile),
        whole=frozenset(name for name, source in sources.items() if not source.faults),
        recordings=frozenset(
            (path.parent.name, path.stem) for path in (folder / RECORDED).glob("*/*.wav") if path.is_file()
        ),
        now=now,
        calendars={name: calendar.busy for name, calendar in calendars.items()},
        calendar_digests={name: calendar.digest for name, calendar in calendars.items()},
    )
    return draft, faults + [found for source in sources.values() for found in source.faults]


def _misnamed(name: str, strangers: list[str]) -> dict[str, str]:
    """Propose to rename a file whose name is almost right."""
    near = next((other for other in strangers if name in _near(other)), None)
    if near is None:
        return {"hint_fr": "", "hint_en": ""}
    return {"hint_fr": f" Renommez {near} en {name}.", "hint_en": f" Rename {near} to {name}."}


def _near(name: str) -> list[str]:
    stem = name.rsplit(".", 1)[0]
    return [f"{stem}.yaml", f"{stem}s.yaml", f"{stem.removesuffix('s')}.yaml"]
