"""A fault is one thing to mend in a plan, with its place, its sentence and its cure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ivr.errors import IvrError
from ivr.plan.messages import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """An error keeps a plan from being served; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Place:
    """A point of a source file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to mend; the sentences are whole and need no context."""

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    message_fr: str
    message_en: str
    cure_fr: str
    cure_en: str
    source_line: str

    def message(self, language: str) -> str:
        """Return the sentence in `language` ("fr", else English)."""
        return self.message_fr if language == "fr" else self.message_en

    def cure(self, language: str) -> str:
        """Return what to do in `language` ("fr", else English)."""
        return self.cure_fr if language == "fr" else self.cure_en


class PlanError(IvrError):
    """The plan cannot be served; `faults` are the reasons, all of them."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        errors = [fault for fault in self.faults if fault.severity is Severity.ERROR]
        first = errors[0] if errors else None
        if first is None:
            return "the plan cannot be served"
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return f"{first.file}:{first.line}:{first.column}: {first.message_en}{more}"


def fault(code: str, place: Place, **data: object) -> Fault:
    """Return the error `code` at `place`, its sentences filled in with `data`."""
    return _made(code, place, Severity.ERROR, data)


def warning(code: str, place: Place, **data: object) -> Fault:
    """Return the warning `code` at `place`, its sentences filled in with `data`."""
    return _made(code, place, Severity.WARNING, data)


def _made(code: str, place: Place, severity: Severity, data: dict[str, object]) -> Fault:
    words = MESSAGES[code]
    return Fault(
        file=place.file,
        line=place.line,
        column=place.column,
        severity=severity,
        code=code,
        message_fr=words.fr.format(**data),
        message_en=words.en.format(**data),
        cure_fr=words.cure_fr.format(**data),
        cure_en=words.cure_en.format(**data),
        source_line=place.source_line,
    )
