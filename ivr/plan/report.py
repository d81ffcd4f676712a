"""Faults as text for a terminal: place, sentence, the line with a caret, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.plan.faults import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivr.plan.faults import Fault

_WIDTH: Final = 100
_WORDS: Final = {
    "fr": {Severity.ERROR: "erreur", Severity.WARNING: "avertissement"},
    "en": {Severity.ERROR: "error", Severity.WARNING: "warning"},
}


def format_faults(faults: Iterable[Fault], language: str = "fr") -> str:
    """Return every fault as `file:line:column: error: …`, its line with a caret, its cure."""
    return "\n".join(_format(fault, language) for fault in faults)


def _format(fault: Fault, language: str) -> str:
    word = _WORDS.get(language, _WORDS["en"])[fault.severity]
    head = f"{fault.file}:{fault.line}:{fault.column}: {word}: {fault.message(language)} [{fault.code}]"
    parts = [head]
    if fault.source_line.strip():
        text, column = _clip(fault.source_line, fault.column)
        gutter = f"{fault.line:>5} | "
        indent = "".join("\t" if char == "\t" else " " for char in text[: column - 1])
        parts += [f"{gutter}{text}", f"{' ' * (len(gutter) - 2)}| {indent}^"]
    parts.append(f"      → {fault.cure(language)}")
    return "\n".join(parts)


def _clip(line: str, column: int) -> tuple[str, int]:
    """Return the part of a long line that holds `column`, and the column in it."""
    line = line.rstrip()
    if len(line) <= _WIDTH:
        return line, column
    start = max(0, min(column - 1 - _WIDTH // 2, len(line) - _WIDTH))
    before, after = "…" if start else "", "…" if start + _WIDTH < len(line) else ""
    return f"{before}{line[start : start + _WIDTH]}{after}", column - start + len(before)
