"""A site's folder as a plan, or every reason why it is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ivr.plan.check import check, has_errors
from ivr.plan.compile import compile_plan, texts_of
from ivr.plan.draft import RECORDED, read_draft
from ivr.plan.faults import Place, PlanError, Severity, fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from ivr.core.plan import Plan, PromptId
    from ivr.plan.cases import CaseEntry
    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault
    from ivr.plan.source import Source

MAX_FAULTS: Final = 200
LIMITS: Final = frozenset({"prompt-too-long", "too-many-levels"})
"""What could be served, and is not published: a limit that a later version of the product drew."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder gave: a plan when no fault is an error.

    `texts` are the prompts' texts by language, `places` where each prompt is written. `cases` are its
    own tests, which `ivr.plan.rehearsal` plays; `sources` the files as they were read.
    """

    folder: Path
    plan: Plan | None
    faults: tuple[Fault, ...]
    texts: Mapping[PromptId, Mapping[str, str]]
    places: Mapping[PromptId, Place]
    language: str = "fr"
    cases: tuple[CaseEntry, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def recorded_dir(self) -> Path:
        """Return where the site keeps its recordings: `<language>/<prompt>.wav`."""
        return self.folder / RECORDED

    @property
    def sentences(self) -> dict[str, str]:
        """Return what each prompt says in the site's own language; its name where that is not written."""
        return {prompt: said.get(self.language, "") or prompt for prompt, said in self.texts.items()}


def load(folder: Path, *, now: datetime | None = None, published: bool = False) -> Loaded:
    """Return the plan of a site's folder and all its faults; never raises for what the files hold.

    What is planned (absences) is checked from `now` on where it is given, as before a publish. Where it is not, time
    makes no fault: a plan that was good enough to be served stays so. Nor does a limit of what was `published`.
    """
    draft, faults = read_draft(folder, now)
    if draft is None:
        return Loaded(folder, None, tuple(faults), {}, {})
    found = faults + check(draft)
    if published:
        found = [replace(each, severity=Severity.WARNING) if each.code in LIMITS else each for each in found]
    faults = _sorted(found, draft)
    source = draft.sources.get("prompts.yaml")
    texts = texts_of(draft)
    return Loaded(
        folder=folder,
        plan=None if has_errors(faults) else compile_plan(draft),
        faults=tuple(faults),
        texts=texts,
        places={name: source.key(("prompts", name)) for name in texts} if source is not None else {},
        language=draft.site.language if draft.site is not None else "fr",
        cases=draft.tests.tests if draft.tests is not None else (),
        sources=draft.sources,
    )


def load_or_raise(folder: Path, *, now: datetime | None = None, published: bool = False) -> tuple[Plan, Loaded]:
    """Return the plan and what came with it; PlanError with every fault if there is none."""
    loaded = load(folder, now=now, published=published)
    if loaded.plan is None:
        raise PlanError(loaded.faults)
    return loaded.plan, loaded


def _sorted(faults: list[Fault], draft: Draft) -> list[Fault]:
    """Return the faults by file and line, the files in the order of a plan, capped."""
    order = {source.file: index for index, source in enumerate(draft.sources.values())}
    unique = list(dict.fromkeys(faults))
    unique.sort(key=lambda found: (order.get(found.file, -1), found.file, found.line, found.column))
    if len(unique) <= MAX_FAULTS:
        return unique
    # The errors first: what is not shown must not make a broken plan look sound.
    unique.sort(key=lambda found: found.severity)
    last = unique[MAX_FAULTS - 1]
    more = fault("too-many", Place(last.file, last.line, last.column), count=len(unique) - MAX_FAULTS)
    return [*unique[:MAX_FAULTS], more]
