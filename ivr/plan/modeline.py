"""The rule of the line by which a file names its schema, so that editors complete and check it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ivr.plan.faults import warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.plan.draft import Draft
    from ivr.plan.faults import Fault
    from ivr.plan.source import Source

_MODELINE: Final = re.compile(r"^\s*#\s+yaml-language-server\s*:.*?\$schema=(\S+)")


def modelines(draft: Draft) -> Iterator[Fault]:
    """Every file names the schema of its own kind; a folder whose files name none does without."""
    named = {name: _schema(source) for name, source in draft.sources.items()}
    if not any(named.values()):
        return
    for name, source in draft.sources.items():
        wanted = f"{name.removesuffix('.yaml')}.schema.json"
        found = named[name]
        if found is None:
            if not source.faults:  # what cannot be read, or is empty, has more to mend than its first line
                yield warning("no-modeline", source.place(0, 0), file=name, schema=wanted)
        elif found[2].rsplit("/", 1)[-1] != wanted:
            line, column, schema = found
            yield warning("modeline-kind", source.place(line, column), file=name, found=schema, schema=wanted)


def _schema(source: Source) -> tuple[int, int, str] | None:
    """Return the schema that a file names and where, line and column counted from 0."""
    for index, line in enumerate(source.lines):
        if match := _MODELINE.match(line):
            return index, match.start(1), match[1]
    return None
