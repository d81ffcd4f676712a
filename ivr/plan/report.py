"""Faults for whoever reads them: a terminal, an editor's problem list, a machine, a code host."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from ivr.plan.faults import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ivr.core.plan import Plan
    from ivr.plan.faults import Fault

_WIDTH: Final = 100
_WORDS: Final = {
    "fr": {Severity.ERROR: "erreur", Severity.WARNING: "avertissement"},
    "en": {Severity.ERROR: "error", Severity.WARNING: "warning"},
}
_STYLES: Final = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report, and how a terminal may show it."""

    text: str
    style: str = ""


def format_faults(faults: Iterable[Fault], language: str = "fr") -> str:
    """Return every fault as `file:line:column: error: …`, its line with a caret, its cure."""
    return "\n".join(line.text for line in lines(faults, language))


def lines(faults: Iterable[Fault], language: str = "fr") -> Iterator[Line]:
    """Yield the same line by line; the first of each is what editors read."""
    for fault in faults:
        yield from _lines(fault, language)


def _lines(fault: Fault, language: str) -> Iterator[Line]:
    word = _WORDS.get(language, _WORDS["en"])[fault.severity]
    head = f"{fault.file}:{fault.line}:{fault.column}: {word}: {fault.message(language)} [{fault.code}]"
    yield Line(head, _STYLES[fault.severity])
    if fault.source_line.strip():
        text, column = _clip(fault.source_line, fault.column)
        gutter = f"{fault.line:>5} | "
        indent = "".join("\t" if char == "\t" else " " for char in text[: column - 1])
        yield Line(f"{gutter}{text}")
        yield Line(f"{' ' * (len(gutter) - 2)}| {indent}^", _STYLES[fault.severity])
    yield Line(f"      → {fault.cure(language)}", "green")


def _clip(line: str, column: int) -> tuple[str, int]:
    """Return the part of a long line that holds `column`, and the column in it."""
    line = line.rstrip()
    if len(line) <= _WIDTH:
        return line, column
    start = max(0, min(column - 1 - _WIDTH // 2, len(line) - _WIDTH))
    before, after = "…" if start else "", "…" if start + _WIDTH < len(line) else ""
    return f"{before}{line[start : start + _WIDTH]}{after}", column - start + len(before)


def summary(faults: Sequence[Fault], plan: Plan | None, language: str, *, ok: bool) -> str:
    """Return the last line: how many of each, or what a sound plan holds."""
    errors = sum(fault.severity is Severity.ERROR for fault in faults)
    counts = ((errors, Severity.ERROR), (len(faults) - errors, Severity.WARNING))
    words = _WORDS.get(language, _WORDS["en"])
    told = ", ".join(f"{count} {words[kind]}{'s' if count > 1 else ''}" for count, kind in counts if count)
    if plan is None or not ok:
        return told
    holds = (
        f"{plan.name}: {len(plan.menus)} menus, {len(plan.topics)} topics, {len(plan.groups)} groups, "
        f"{len(plan.agents)} agents, {len(plan.prompts)} prompts, {len(plan.outcomes)} outcomes, "
        f"{len(plan.pauses)} pauses: ok"
    )
    return f"{told}\n{holds}" if told else holds


def as_json(faults: Sequence[Fault], *, ok: bool) -> str:
    """Return one JSON object: `ok`, and the faults with both languages."""
    return json.dumps({"ok": ok, "faults": [asdict(fault) for fault in faults]}, ensure_ascii=False, indent=2)


def as_github(faults: Iterable[Fault], language: str) -> Iterator[str]:
    """Yield workflow commands, which GitHub shows as annotations of the lines."""
    for fault in faults:
        text = f"{fault.message(language)}\n{fault.cure(language)}"
        told = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        file = fault.file.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
        yield f"::{fault.severity} file={file},line={fault.line},col={fault.column},title={fault.code}::{told}"


def as_gitlab(faults: Iterable[Fault], language: str) -> str:
    """Return a code quality report, as GitLab shows it in a merge request."""
    return json.dumps(
        [
            {
                "description": f"{fault.message(language)} {fault.cure(language)}",
                "check_name": fault.code,
                "fingerprint": hashlib.sha256(
                    f"{fault.file}:{fault.code}:{fault.source_line}:{fault.column}".encode()
                ).hexdigest(),
                "severity": "major" if fault.severity is Severity.ERROR else "minor",
                "location": {"path": fault.file, "lines": {"begin": fault.line}},
            }
            for fault in faults
        ],
        ensure_ascii=False,
        indent=2,
    )
