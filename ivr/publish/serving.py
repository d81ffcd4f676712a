"""What this machine serves: the version that was published or taken here last, else the draft.

Sounds and Asterisk's files are made from this, so that callers never hear a draft that nobody published.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.plan import PlanError, load
from ivr.publish.shelf import Shelf
from ivr.publish.version import Files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.core.plan import Plan
    from ivr.plan import Loaded
    from ivr.publish.version import Published

SHELF: Final = "plans"
"""Below the state folder."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served. `published` is None where the draft is: nothing was published here yet.

    `note`: where the draft is another, one line that says so, and what to type.
    """

    plan: Plan
    loaded: Loaded
    published: Published | None
    draft: Path
    note: str = ""

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Return a folder of it that holds its recordings too, as far as the draft's folder still has them."""
        if self.published is None:
            yield self.draft
            return
        with laid_out(self.published.files, self.draft) as folder:
            yield folder


def serving(state_dir: Path, draft: Path) -> Serving:
    """Return what this machine serves; raises PlanError where that is the draft, and it is broken."""
    loaded = load(draft)
    found = published(state_dir, loaded)
    if found is not None:
        served = Shelf(state_dir / SHELF).lay(found)
        if served.plan is not None:
            return Serving(served.plan, served, found, draft, _note(found, loaded))
    if loaded.plan is None:
        raise PlanError(loaded.faults)
    return Serving(loaded.plan, loaded, None, draft)


def published(state_dir: Path, draft: Loaded) -> Published | None:
    """Return the version that this machine serves of the draft's site, or of any where the draft is broken."""
    last = Shelf(state_dir / SHELF).last()
    mine = last is not None and (draft.plan is None or draft.plan.site == last.version.site)
    return last if mine else None


def differs(found: Published, draft: Path) -> bool:
    """Tell whether a draft is other than a version, by any byte."""
    return Files.of(draft).digest != found.version.digest


@contextlib.contextmanager
def laid_out(files: Files, heard: Path) -> Iterator[Path]:
    """Return a folder of a version's files, gone after; the recordings that `heard` still has are whole there."""
    folder = Path(tempfile.mkdtemp(prefix="ivr-plan-"))
    try:
        files.lay(folder, heard)
        yield folder
    finally:
        shutil.rmtree(folder)


def _note(found: Published, draft: Loaded) -> str:
    if not differs(found, draft.folder):
        return ""
    state = "is not published" if draft.plan is not None else "is broken (ivr check)"
    return f"{draft.folder} {state}, version {found.version.number} is served: ivr plan publish"
