"""One YAML file as plain data, every key and value with its place.

Scalars stay the text that the admin typed (`1`, `0536490000`, `08:30` are never turned
into numbers); only an empty value is None. What YAML allows and a plan does not need
(aliases, tags, several documents) is refused, which also makes YAML bombs harmless.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ivr.errors import IvrError
from ivr.plan.faults import Place, fault
from ivr.plan.syntax import explain

if TYPE_CHECKING:
    from pathlib import Path

    from ruamel.yaml.error import StringMark

    from ivr.plan.faults import Fault

Loc = tuple[str | int, ...]
Data = dict[str, "Data"] | list["Data"] | str | None

MAX_BYTES: Final = 128 * 1024
MAX_NODES: Final = 10_000
MAX_DEPTH: Final = 12
MAX_OPENED: Final = 64
_OPENED: Final = re.compile(r"[\[{]|[\]}]|^[ ]*(?:- ){64}|^[ ]{256}", re.MULTILINE)
_PLAIN_TAG: Final = re.compile(r"^(?:tag:yaml\.org,2002:[a-z]+)?$")
_FOLD: Final = "\a"
"""The parser's mark of each line break that it folded (`>`); the bytes of a file never hold it."""
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(slots=True)
class Source:
    """A file's data; `keys` and `values` hold the places of each location in it."""

    file: str
    lines: tuple[str, ...] = ()
    data: Data = None
    keys: dict[Loc, Place] = field(default_factory=dict)
    values: dict[Loc, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def place(self, line: int, column: int) -> Place:
        """Return the place of a line and a column that count from 0."""
        last = max(0, len(self.lines) - 1)
        line = min(line, last)
        text = self.lines[line] if self.lines else ""
        return Place(self.file, line + 1, min(column, len(text)) + 1, text)

    def key(self, loc: Loc) -> Place:
        """Return the place of the key at `loc`, or of the nearest thing around it."""
        return self._nearest(loc, self.keys)

    def value(self, loc: Loc) -> Place:
        """Return the place of the value at `loc`, or of the nearest thing around it."""
        return self._nearest(loc, self.values)

    def _nearest(self, loc: Loc, first: dict[Loc, Place]) -> Place:
        for size in range(len(loc), -1, -1):
            part = loc[:size]
            found = first.get(part) or self.keys.get(part) or self.values.get(part)
            if found is not None:
                return found
        return self.place(0, 0)


def read(path: Path, name: str) -> Source:
    """Return the file's data with every place, or with the faults that keep it from being read."""
    source = Source(name)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        size = path.stat().st_size
    except OSError as error:
        source.faults.append(fault("unreadable", Place(name), reason=error.strerror or type(error).__name__))
        return source
    if len(raw) > MAX_BYTES:
        source.faults.append(fault("too-large", Place(name), size=size // 1024, limit=MAX_BYTES // 1024))
        return source
    return parse(raw, name)


def parse(raw: bytes, name: str) -> Source:
    """Return the data of YAML bytes; never raises."""
    source = Source(name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace").splitlines() or [""]
        source.lines = tuple(raw.decode("utf-8", "replace").splitlines())
        source.faults.append(fault("not-utf8", source.place(len(before) - 1, len(before[-1]))))
        return source
    source.lines = tuple(text.splitlines())
    if (start := _too_deep(text)) is not None:
        before = text[:start].split("\n")
        source.faults.append(fault("too-deep", source.place(len(before) - 1, len(before[-1]))))
        return source
    try:
        reader = YAML(typ="rt")
        reader.Composer = _Bounded
        root = reader.compose(text)
    except _TooManyNodes as error:
        source.faults.append(fault("too-many-nodes", source.place(error.line, error.column), limit=MAX_NODES))
    except YAMLError as error:
        source.faults.append(explain(error, text, source.place))
    except RecursionError:
        source.faults.append(fault("too-deep", source.place(0, 0)))
    except (ValueError, AttributeError, TypeError, LookupError, AssertionError) as error:
        # the parser's own slips on malformed directives and escapes
        source.faults.append(fault("syntax", source.place(0, 0), problem=type(error).__name__))
    else:
        if root is not None:
            _Converter(source).convert(root, ())
    return source


def _too_deep(text: str) -> int | None:
    """Return where the nesting passes all sense: the parser's time is quadratic in it."""
    opened = 0
    for found in _OPENED.finditer(text):
        match found.group():
            case "[" | "{":
                opened += 1
            case "]" | "}":
                opened = max(0, opened - 1)
            case _:
                return found.start()
        if opened > MAX_OPENED:
            return found.start()
    return None


class _TooManyNodes(IvrError):
    """The file holds more than a plan can; `line` and `column` count from 0."""

    def __init__(self, line: int, column: int) -> None:
        self.line, self.column = line, column
        super().__init__(line, column)


class _Bounded(Composer):
    """Stops at what no plan holds: the time to read a file is that of its nodes, not of its bytes."""

    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node, counted."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            mark = self.parser.peek_event().start_mark
            raise _TooManyNodes(mark.line, mark.column)
        return super().compose_node(parent, index)


class _Converter:
    """Walks the node graph once; what a plan may not hold becomes a fault."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def convert(self, root: Node, loc: Loc) -> None:
        self.source.data = self._node(root, loc)

    def _at(self, mark: StringMark) -> Place:
        return self.source.place(mark.line, mark.column)

    def _fault(self, code: str, node: Node, **data: object) -> None:
        self.source.faults.append(fault(code, self._at(node.start_mark), **data))

    def _node(self, node: Node, loc: Loc) -> Data:
        self.source.values[loc] = self._at(node.start_mark)
        if node.anchor is not None:
            self._fault("alias", node)
            return None
        tag = str(node.tag) if node.tag is not None else ""
        if not _PLAIN_TAG.match(tag):
            self._fault("tag", node, tag=tag)
            return None
        if len(loc) > MAX_DEPTH:
            self._fault("too-deep", node)
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, SequenceNode):
            return [self._node(item, (*loc, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: MappingNode, loc: Loc) -> Data:
        found: dict[str, Data] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._fault("complex-key", key_node)
                continue
            key = str(key_node.value)
            place = (*loc, key)
            if key in found:
                self._fault("duplicate-key", key_node, key=key, line=self.source.keys[place].line)
                continue
            self.source.keys[place] = self._at(key_node.start_mark)
            found[key] = self._node(value_node, place)
        return found


def _scalar(node: Node) -> str | None:
    plain = isinstance(node, ScalarNode) and node.style in (None, "")
    text = str(node.value).replace(_FOLD, "")
    return None if plain and text in _NULLS else text
