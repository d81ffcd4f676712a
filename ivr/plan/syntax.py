"""The words for what the YAML parser refuses: its problem, told as an admin would meet it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from ivr.plan.faults import Place, fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.plan.faults import Fault

_NO_SPACE: Final = re.compile(r"^\s*(?:- )?[\w*#'\"-]+:[^\s/]")
_ODD_INDENT: Final = re.compile(r"[ \t]*[\u00a0\u2007\u202f]")
_NO_COLON: Final = re.compile(r"^(\s*)[\w-]+(?: [^:#]*)?$")
_LONE_KEY: Final = re.compile(r"^\s*[\w-]+$")
_CLOSERS: Final = {"[": "]", "{": "}"}


def explain(  # noqa: C901, PLR0911, PLR0912 - one line per problem: a table
    error: YAMLError, text: str, place: Callable[[int, int], Place]
) -> Fault:
    """Return the fault for a parser's error; `place` takes a line and a column counted from 0."""
    if isinstance(error, ReaderError):
        before = text[: error.position].split("\n")
        name = f"U+{ord(error.character):04X}" if isinstance(error.character, str) else f"U+{error.character:04X}"
        return fault("bad-character", place(len(before) - 1, len(before[-1])), name=name)
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return fault("syntax", place(0, 0), problem=type(error).__name__)
    problem, context = error.problem or "", error.context or ""
    line, column = error.problem_mark.line, error.problem_mark.column
    here = place(line, column)
    char = here.source_line[column : column + 1]
    opened = here
    if error.context_mark is not None:
        opened = place(error.context_mark.line, error.context_mark.column)
    for suspect in (line, line - 1):
        if suspect >= 0 and (match := _ODD_INDENT.match(place(suspect, 0).source_line)):
            return fault("odd-space", place(suspect, match.end() - 1))
    if opened.source_line.lstrip().startswith("*:"):
        return fault("star-unquoted", opened)
    if "alias" in problem or "alias" in context:
        return fault("alias", here)
    if "another document" in problem:
        return fault("documents", here)
    if "quoted scalar" in context and "unexpected" in problem:
        return fault("quote-open", opened)
    if char == "\t" or "'\\t'" in problem:
        return fault("tab", here)
    if "cannot start any token" in problem:
        return fault("quote-needed", here, char=char)
    if "flow" in context:
        bracket = opened.source_line[opened.column - 1 : opened.column]
        return fault("bracket-open", opened, close=_CLOSERS.get(bracket, "] / }"))
    if "could not find expected ':'" in problem:
        if match := _NO_SPACE.match(opened.source_line):
            return fault("space-after-colon", place(opened.line - 1, match.end() - 1))
        return fault("no-colon", opened)
    if "mapping values are not allowed" in problem:
        return _colon(line, column, place)
    if "found '<scalar>'" in problem and here.source_line[:column].rstrip().endswith(("'", '"')):
        return fault("text-after-quote", here)
    if "expected <block end>" in problem:
        return fault("indentation", here)
    return fault("syntax", here, problem=problem)


def _colon(line: int, column: int, place: Callable[[int, int], Place]) -> Fault:
    """Tell `a:1` (seen by the parser one line later) from a text that holds a colon."""
    for suspect in (line, line - 1):
        if suspect >= 0 and (match := _NO_SPACE.match(place(suspect, 0).source_line)):
            return fault("space-after-colon", place(suspect, match.end() - 1))
    here = place(line, column)
    if _LONE_KEY.match(here.source_line[:column]):
        before = place(line - 1, 0) if line else here
        indent = len(here.source_line) - len(here.source_line.lstrip())
        if (match := _NO_COLON.match(before.source_line)) and match.end(1) == indent:
            return fault("no-colon", place(line - 1, indent))
        return fault("indentation", place(line, column - len(here.source_line[:column].lstrip())))
    return fault("colon-in-text", here)
