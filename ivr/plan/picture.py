"""The graph of a call plan as an SVG picture, left to right: who calls, what they choose, who answers, what if nobody.

A tidy tree: every box has a band of the height for itself and all that follows it, so that no line crosses a box or
another line. What a second key leads to is not drawn twice: a small box names it. Lengths are in pixels. Text is
measured by guess, on the wide side, since whoever looks at the picture has fonts of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from ivr.core.plan import HUMAN
from ivr.plan.graph import CAPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ivr.plan.graph import Edge, Graph, Kind, Node

FONT: Final = "Verdana, 'DejaVu Sans', Arial, sans-serif"
CAPTION, TITLE, LINE, HEADING = 12, 14, 13, 16
"""Sizes of text."""
SPACING: Final = 1.38
PAD: Final = 12
MAX_TEXT: Final = 290
GUTTER: Final = 48
KEYS_GUTTER: Final = 96
"""As GUTTER, between two columns, behind one with menus."""
GAP: Final = 16
MARGIN: Final = 28
TOP: Final = 108
BADGE: Final = 11
KEY_STEP: Final = 30
INK, GREY, LINK = "#111827", "#4b5563", "#475569"


@dataclass(frozen=True, slots=True)
class Colours:
    """Of a kind of box: its ground, and its border, which its caption has too."""

    fill: str
    line: str


COLOURS: Final[Mapping[Kind, Colours]] = {
    "entry": Colours("#e0ecff", "#1e3a8a"),
    "relay": Colours("#e0ecff", "#1e3a8a"),
    "crisis": Colours("#fee9e7", "#b42318"),
    "menu": Colours("#eef4ff", "#1d4ed8"),
    "pilot": Colours("#fdf2fa", "#9d174d"),
    "typed": Colours("#eef4ff", "#1d4ed8"),
    "topic": Colours("#e9f9ef", "#166534"),
    "information": Colours("#fff6e5", "#92400e"),
    "outside": Colours("#fff6e5", "#92400e"),
    "language": Colours("#fff6e5", "#92400e"),
    "other": Colours("#ffffff", "#166534"),
    "promise": Colours("#f3effe", "#5b21b6"),
}
_FOLLOWED: Final = frozenset({"entry", "relay", "crisis", "menu", "pilot", "typed"})
"""The kinds that lead on by what the caller does; all others stand in the column of the answers."""


@dataclass(slots=True)
class _Box:
    """A node where it stands, or the mention (`again`) of one that stands elsewhere."""

    node: Node
    again: bool = False
    children: list[tuple[Edge, _Box]] = field(default_factory=list)
    column: int = 0
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    band: float = 0
    gutter: float = GUTTER

    @property
    def texts(self) -> list[tuple[str, str, int]]:
        """Every line of text: its class, what it says, its size."""
        caption = "Voir" if self.again else CAPTIONS[self.node.kind]
        title = [("t", part, TITLE) for part in wrapped(self.node.title, TITLE * 1.12, MAX_TEXT)]
        if self.again:
            return [("c", caption, CAPTION), *title]
        lines = [("l", part, LINE) for line in self.node.lines for part in wrapped(line, LINE, MAX_TEXT)]
        return [("c", caption, CAPTION), *title, *lines]

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def svg(graph: Graph) -> str:
    """Return the picture as an SVG document that stands alone."""
    roots = _forest(graph)
    boxes = [box for root in roots for box in _all(root)]
    answers = _columns(roots, boxes)
    right = _place(roots, boxes)
    legend = _legend(graph)
    bottom = max(box.y + box.height for box in boxes) + MARGIN
    height = bottom + len(legend) * LINE * SPACING + MARGIN / 2
    width = max(right + MARGIN, *(measured(line, LINE) + 2 * MARGIN for line in legend))
    parts = [*_head(graph, width, height), *_headings(boxes, answers)]
    for box in boxes:
        parts += _links(box)
    for box in boxes:
        parts += _drawn(box)
    for index, line in enumerate(legend):
        parts.append(_text("n", MARGIN, bottom + (index + 0.6) * LINE * SPACING, line))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _forest(graph: Graph) -> list[_Box]:
    """Return the trees: from the public number first, then whatever else a call can begin with, then the rest."""
    following: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        # Key 0 does the same everywhere: the first menu shows it, the legend says it.
        if edge.key != HUMAN or edge.source == graph.root:
            following.setdefault(edge.source, []).append(edge)
    seen: set[str] = set()

    def grown(name: str) -> _Box:
        box = _Box(graph.nodes[name], again=name in seen)
        if not box.again:
            seen.add(name)
            box.children = [(edge, grown(edge.target)) for edge in following.get(name, ())]
        return box

    first = ("entry", "relay", "crisis")
    order = sorted(graph.nodes.values(), key=lambda node: first.index(node.kind) if node.kind in first else len(first))
    return [grown(node.id) for node in order if node.id not in seen]


def _all(box: _Box) -> Iterator[_Box]:
    yield box
    for _, child in box.children:
        yield from _all(child)


def _columns(roots: list[_Box], boxes: list[_Box]) -> int:
    """Give every box its column; return that of the answers, behind all that leads to them."""

    def leading(box: _Box, column: int) -> None:
        box.column = column
        for _, child in box.children:
            leading(child, column + 1)

    for root in roots:
        leading(root, 0 if root.node.kind in {"entry", "relay", "crisis"} else 1)
    answers = 1 + max(box.column for box in boxes if box.node.kind in _FOLLOWED and not box.again)

    def answering(box: _Box, column: int) -> None:
        box.column = column
        for _, child in box.children:
            answering(child, column + 1)

    def settle(box: _Box) -> None:
        if box.node.kind not in _FOLLOWED:
            answering(box, answers)
            return
        for _, child in box.children:
            settle(child)

    for root in roots:
        settle(root)
    return answers


def _place(roots: list[_Box], boxes: list[_Box]) -> float:
    """Give every box its place and size; return where the last column ends."""
    for box in boxes:
        box.width = max(measured(text, size * (1.12 if look == "t" else 1)) for look, text, size in box.texts)
        box.width += 2 * PAD + (2 * BADGE if _keys(box) else 0)
        text_height = sum(size * SPACING for _, _, size in box.texts) + 2 * PAD
        box.height = round(max(text_height, len(_keys(box)) * KEY_STEP + PAD), 1)
    x = float(MARGIN)
    for column in range(1 + max(box.column for box in boxes)):
        inside = [box for box in boxes if box.column == column]
        width = max((box.width for box in inside), default=0)
        gutter = KEYS_GUTTER if any(map(_keys, inside)) else GUTTER
        for box in inside:
            box.x, box.width, box.gutter = round(x, 1), round(width, 1), gutter
        x += width + gutter
    y = float(TOP)
    for root in roots:
        _stack(root, y, _band(root))
        y += root.band + GAP * 1.5
    return x - GUTTER


def _band(box: _Box) -> float:
    inside = sum(_band(child) + GAP for _, child in box.children) - GAP
    box.band = max(box.height, inside)
    return box.band


def _stack(box: _Box, y: float, band: float) -> None:
    box.y = round(y + (band - box.height) / 2, 1)
    inside = sum(child.band + GAP for _, child in box.children) - GAP
    here = y + (band - inside) / 2
    for _, child in box.children:
        _stack(child, here, child.band)
        here += child.band + GAP


def _keys(box: _Box) -> list[str]:
    return [edge.key for edge, _ in box.children if edge.key]


def _port(box: _Box, index: int) -> float:
    """Return how high the line to a child leaves: at its key, else at the middle."""
    if not box.children[index][0].key:
        return box.middle
    return box.middle + (index - (len(box.children) - 1) / 2) * KEY_STEP


def _head(graph: Graph, width: float, height: float) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}">'
    )
    yield f'<title id="title">{escape(graph.title)}</title>'
    yield f'<desc id="desc">{escape(graph.description)}</desc>'
    rules = [
        f"text{{fill:{INK}}}",
        ".h{font-size:22px;font-weight:bold}",
        f".g{{font-size:{HEADING}px;font-weight:bold;fill:{GREY}}}",
        f".c{{font-size:{CAPTION}px}}",
        f".t{{font-size:{TITLE}px;font-weight:bold}}",
        f".l,.n{{font-size:{LINE}px}}",
        ".k{font-size:14px;font-weight:bold;fill:#fff;text-anchor:middle}",
        f".e{{fill:none;stroke:{LINK};stroke-width:1.6}}",
        ".d{stroke-dasharray:5 4}",
    ]
    yield f"<style>{''.join(rules)}</style>"
    arrow = f'<path d="M0 0 8 4 0 8z" fill="{LINK}"/>'
    yield (
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto">{arrow}</marker></defs>'
    )
    yield f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>'
    yield _text("h", MARGIN, 44, graph.title)


def _headings(boxes: list[_Box], answers: int) -> Iterator[str]:
    words = {0: "Qui appelle", 1: "Ce qu'il choisit", answers: "Qui répond", answers + 1: "Si personne ne répond"}
    for column, said in words.items():
        x = next((box.x for box in boxes if box.column == column), None)
        if x is not None:
            yield _text("g", x, 86, said)


def _links(box: _Box) -> Iterator[str]:
    x = box.x + box.width
    for index, (edge, child) in enumerate(box.children):
        y, to = _port(box, index), child.middle
        half, end = x + box.gutter / 2, x + box.gutter - 10
        bend = f"C{half:.1f} {y:.1f} {half:.1f} {to:.1f} {end:.1f} {to:.1f}"
        dashes = " d" if edge.fallback else ""
        yield f'<path class="e{dashes}" marker-end="url(#a)" d="M{x:.1f} {y:.1f}{bend}H{child.x - 1:.1f}"/>'


def _drawn(box: _Box) -> Iterator[str]:
    colours = COLOURS[box.node.kind]
    dashes = ' stroke-dasharray="5 4"' if box.again or box.node.kind == "other" else ""
    yield (
        f'<rect class="box" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="10" '
        f'fill="{"#ffffff" if box.again else colours.fill}" stroke="{colours.line}" stroke-width="1.6"{dashes}/>'
    )
    y = box.middle - sum(size * SPACING for _, _, size in box.texts) / 2
    for look, text, size in box.texts:
        yield _text(look, box.x + PAD, y + size, text, colours.line if look == "c" else "")
        y += size * SPACING
    for index, key in enumerate(_keys(box)):
        x, y = box.x + box.width, _port(box, index)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{BADGE}" fill="{colours.line}"/>'
        yield _text("k", x, y + 5, key)


def _text(look: str, x: float, y: float, said: str, colour: str = "") -> str:
    # A style, not an attribute: an attribute yields to the sheet.
    own = f' style="fill:{colour}"' if colour else ""
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}"{own}>{escape(said)}</text>'


def _legend(graph: Graph) -> list[str]:
    desk = graph.nodes[graph.general].title
    everywhere = f"Dans chaque menu : 0, le silence et les erreurs répétées mènent à « {desk} »"
    return [
        f"{everywhere} ; * répète le menu ; # revient au menu précédent.",
        "Trait plein : ce que fait l'appelant. Tirets : seulement si personne ne peut répondre, ou hors des horaires.",
    ]


_NARROW: Final = frozenset("iIjlft.,;:'’|!()[]/ \u00a0")
_WIDE: Final = frozenset("mwMWœæ@%ŒÆ…—")


def measured(text: str, size: float) -> float:
    """Return how wide a text is at most, in a usual font without serifs."""
    ems = (0.42 if char in _NARROW else 1.0 if char in _WIDE else 0.74 if char.isupper() else 0.64 for char in text)
    return sum(ems) * size


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Return a text in lines of at most `width`, parted between words; one long word is parted where it must."""
    lines = [""]
    for word in _words(text, size, width):
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and measured(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _words(text: str, size: float, width: float) -> Iterable[str]:
    tied = re.sub(r"(?<=[\d«]) (?=\S)| (?=[:»;])", "\u00a0", text)
    for word in tied.split(" "):
        rest = word
        while measured(rest, size) > width:
            fits = next(n for n in range(len(rest) - 1, 0, -1) if n == 1 or measured(rest[:n], size) <= width)
            yield rest[:fits]
            rest = rest[fits:]
        yield rest
