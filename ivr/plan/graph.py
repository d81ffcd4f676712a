"""The call plan as a graph for people, in French: who calls, what each key does, who answers, and what if nobody does.

Pure: from a core Plan to nodes and edges, and these as text for Mermaid and Graphviz. `ivr.plan.picture` draws them.
Menus and topics are one node each, however many keys lead there; an answer (an information, an outside body, a
language) is a node of its key, and each step of a continuity chain one of its topic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, assert_never

from ivr.core.continuity import chain_of
from ivr.core.plan import (
    EVERYONE,
    HUMAN,
    CallBack,
    Information,
    OtherTopic,
    TakeMessage,
    TellOutside,
    ToLanguage,
    ToMenu,
    ToOutside,
    ToTopic,
    Typed,
)
from ivr.plan.french import french_date, opening, spaced, span, week_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ivr.core.plan import ChainStep, CrisisProfile, GroupId, MenuId, Option, Pilot, Plan, PromptId, Topic, TopicId

Kind = Literal[
    "entry",
    "relay",
    "crisis",
    "menu",
    "pilot",
    "typed",
    "topic",
    "information",
    "outside",
    "language",
    "other",
    "promise",
]
CAPTIONS: Final[Mapping[Kind, str]] = {
    "entry": "Numéro public",
    "relay": "Relais pour personnes sourdes",
    "crisis": "En cas de crise",
    "menu": "Menu",
    "pilot": "Essai",
    "typed": "Saisie d'un numéro",
    "topic": "Motif",
    "information": "Information",
    "outside": "Organisme extérieur",
    "language": "Langue",
    "other": "D'abord, un autre motif",
    "promise": "Promesse",
}
MENU_AGAIN: Final = "puis le même menu"
_LANGUAGES: Final = {"fr": "Français", "en": "English"}
_SHOWN: Final = 4
"""So many exceptions of the hours are told one by one."""
_SNIPPET: Final = 70


@dataclass(frozen=True, slots=True)
class Node:
    """A box: what it is (`kind`), its name, and what there is to know of it, one line each. `id` is [a-z0-9_]."""

    id: str
    kind: Kind
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """From a node to another: by a `key` of the telephone, if any. `fallback`: only where nobody answers."""

    source: str
    target: str
    key: str = ""
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """The whole picture: nodes by id and edges, both in the order of the plan; `root` and `general` are node ids."""

    title: str
    description: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    root: str
    general: str


def graph_of(plan: Plan, texts: Mapping[PromptId, str] | None = None) -> Graph:
    """Return the graph of a plan; `texts`, what is said in its language, let informations be told by their words."""
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for found in _parts(plan, texts or {}):
        match found:
            case Node():
                nodes[found.id] = found
            case Edge():
                edges.append(found)
    about = (
        f"{_many(len(plan.menus), 'menu')}, {_many(len(plan.topics), 'motif')}, {_many(len(plan.groups), 'équipe')} : "
        "ce que fait chaque touche, qui répond, et ce qui se passe quand personne ne répond."
    )
    title = f"Plan d'appel : {plan.name}"
    return Graph(title, about, nodes, tuple(edges), _menu(plan.root), _topic(plan.general))


def _parts(plan: Plan, texts: Mapping[PromptId, str]) -> Iterator[Node | Edge]:
    yield Node("appel", "entry", plan.name, tuple(_entry(plan)))
    yield Edge("appel", _menu(plan.root))
    if plan.relays:
        hours = plan.schedules.get(plan.relay_hours) if plan.relay_hours else None
        same = plan.relay_hours == plan.hours
        when = ("aux mêmes heures",) if same else (week_words(hours),) if hours is not None else ()
        numbers = sorted(map(spaced, plan.relays))
        yield Node("relais", "relay", "Sans menu, à une personne", (*numbers, *when))
        yield Edge("relais", _topic(plan.general))
    for profile in plan.crises.values():
        node = _crisis(plan, profile)
        yield node
        yield Edge(node.id, _menu(profile.menu or plan.root))
    for menu in plan.menus.values():
        back = () if menu.parent is None else (f"# : retour à « {menu.parent} »",)
        yield Node(_menu(menu.id), "menu", menu.id, back)
        for key, option in sorted(menu.options.items()):
            yield from _option(plan, texts, menu.id, key, option)
        yield Edge(_menu(menu.id), _topic(plan.general), HUMAN)
    for topic in plan.topics.values():
        yield Node(_topic(topic.id), "topic", topic.label, tuple(_about(plan, topic)))
        before = _topic(topic.id)
        for index, step in enumerate(chain_of(plan, topic.id), 1):
            kind, title, lines = _step(plan, step)
            node = Node(f"suite_{_safe(topic.id)}_{index}", kind, title, lines)
            yield node
            yield Edge(before, node.id, fallback=True)
            before = node.id


def _entry(plan: Plan) -> Iterator[str]:
    yield from map(spaced, plan.numbers)
    hours = plan.schedules.get(plan.hours) if plan.hours is not None else None
    if hours is None:
        yield "toujours ouvert"
        return
    yield week_words(hours)
    yield f"jours fériés : {opening(hours.public_holidays)}"
    if hours.school_holidays is not None:
        yield f"vacances scolaires (zone {hours.zone}) : {opening(hours.school_holidays)}"
    for one in hours.one_offs[:_SHOWN]:
        days = french_date(one.first) if one.first == one.last else f"{french_date(one.first)}-{french_date(one.last)}"
        yield f"{days} : {opening(one.hours)}" + (f" ({one.reason})" if one.reason else "")
    if len(hours.one_offs) > _SHOWN:
        yield f"et {_many(len(hours.one_offs) - _SHOWN, 'autre')} exceptions"
    yield "fermé : une annonce, puis le menu"


def _crisis(plan: Plan, profile: CrisisProfile) -> Node:
    lines = [f"déclarée à la main, {span(profile.length_ms)} au plus"]
    if profile.groups:
        lines.append(f"répondent aussi : {_groups(plan, profile.groups)}")
    if profile.menu is None:
        lines.append("un message, puis le menu habituel")
    return Node(f"crise_{_safe(profile.id)}", "crisis", profile.label, tuple(lines))


def _option(plan: Plan, texts: Mapping[PromptId, str], menu: MenuId, key: str, option: Option) -> Iterator[Node | Edge]:
    here, node = _menu(menu), f"touche_{_safe(menu)}_{key}"
    match option:
        case ToTopic(topic, None):
            yield Edge(here, _topic(topic), key)
            return
        case ToMenu(target):
            yield Edge(here, _menu(target), key)
            return
        case ToTopic(topic, pilot) if pilot is not None:
            yield Node(node, "pilot", plan.topics[topic].label, tuple(_pilot(plan, pilot)))
            yield Edge(node, _topic(topic))
            yield Edge(node, _topic(pilot.otherwise))
        case Information(prompt):
            said = (f"« {_shortened(texts[prompt])} »",) if texts.get(prompt) else ()
            yield Node(node, "information", prompt.replace("-", " ").capitalize(), (*said, MENU_AGAIN))
        case ToOutside(outside):
            body = plan.outsides[outside]
            yield Node(node, "outside", body.label, (f"le {spaced(body.number)}, dit deux fois", MENU_AGAIN))
        case ToLanguage(language):
            yield Node(node, "language", _LANGUAGES.get(language, language), ("pour toute la suite", MENU_AGAIN))
        case Typed(_, length, topic):
            how = "# pour finir, * pour recommencer"
            yield Node(node, "typed", f"{_many(length, 'chiffre')} au plus", (how,))
            yield Edge(node, _topic(topic))
    yield Edge(here, node, key)


def _pilot(plan: Plan, pilot: Pilot) -> Iterator[str]:
    when = f", pendant « {pilot.hours} »" if pilot.hours is not None else ""
    yield f"{pilot.share * 100:g} % des appelants{when}"
    yield f"les autres : {plan.topics[pilot.otherwise].label}"


def _about(plan: Plan, topic: Topic) -> Iterator[str]:
    yield f"répond : {_groups(plan, topic.groups)}"
    for wider in topic.widen:
        more = "" if EVERYONE in wider.groups else "aussi "
        yield f"après {span(wider.after_ms)} : {more}{_groups(plan, wider.groups)}"
    if topic.overflow is not None:
        waited, ratio = topic.overflow.wait_ms, topic.overflow.ratio
        limits = [f"après {span(waited)}"] if waited is not None else []
        limits += [f"si plus de {ratio:g} attendent par agent"] if ratio is not None else []
        yield f"message proposé {' ou '.join(limits)}"
    if topic.hours is not None and topic.hours != plan.hours and topic.hours in plan.schedules:
        yield f"horaires : {week_words(plan.schedules[topic.hours])}"


def _step(plan: Plan, step: ChainStep) -> tuple[Kind, str, tuple[str, ...]]:
    match step:
        case OtherTopic(topic):
            return "other", plan.topics[topic].label, ()
        case TellOutside(outside):
            body = plan.outsides[outside]
            return "outside", body.label, (f"le {spaced(body.number)}, dit deux fois",)
        case CallBack(owner):
            return "promise", "Rappel sans message", (f"par {_group(plan, owner)}, {_due(plan)}",)
        case TakeMessage(owner):
            return "promise", "Message, puis rappel", (f"par {_group(plan, owner)}, {_due(plan)}",)
        case _:
            assert_never(step)


def _due(plan: Plan) -> str:
    return f"sous {_many(plan.message_due_days, 'jour')}"


def _groups(plan: Plan, names: Iterable[GroupId]) -> str:
    return ", ".join(_group(plan, name) for name in names)


def _group(plan: Plan, name: GroupId) -> str:
    return "tous les agents" if name == EVERYONE else plan.groups[name].label


def _menu(menu: MenuId) -> str:
    return f"menu_{_safe(menu)}"


def _topic(topic: TopicId) -> str:
    return f"motif_{_safe(topic)}"


def _safe(name: str) -> str:
    return name.replace("-", "_")


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count > 1 else ''}"


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SNIPPET else f"{text[:_SNIPPET].rsplit(' ', 1)[0]} …"


_MERMAID_SHAPES: Final[Mapping[Kind, tuple[str, str]]] = {
    "entry": ("([", "])"),
    "relay": ("([", "])"),
    "crisis": ("([", "])"),
    "menu": ("{{", "}}"),
    "typed": ("[/", "/]"),
    "promise": ("[[", "]]"),
}
_MERMAID_ESCAPES: Final = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}


def mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart, as code hosts draw it from a Markdown file."""
    lines = ["flowchart LR", f"    accTitle: {_plain(graph.title)}", f"    accDescr: {_plain(graph.description)}"]
    for node in graph.nodes.values():
        left, right = _MERMAID_SHAPES.get(node.kind, ("[", "]"))
        text = "<br/>".join(map(_mermaid_text, (f"{CAPTIONS[node.kind]} : {node.title}", *node.lines)))
        lines.append(f'    {node.id}{left}"{text}"{right}')
    for edge in graph.edges:
        arrow = "-.->" if edge.fallback else "-->"
        label = f'|"{edge.key}"|' if edge.key else '|"si personne"|' if edge.fallback else ""
        lines.append(f"    {edge.source} {arrow}{label} {edge.target}")
    return "\n".join(lines) + "\n"


def _mermaid_text(text: str) -> str:
    return "".join(_MERMAID_ESCAPES.get(char, char) for char in text)


def _plain(text: str) -> str:
    return re.sub(r"[\n\r;#{}]+", " ", text)


_DOT_SHAPES: Final[Mapping[Kind, str]] = {"entry": "oval", "relay": "oval", "crisis": "oval", "menu": "hexagon"}


def dot(graph: Graph) -> str:
    """Return the graph in Graphviz' language, for who has its tools."""
    lines = [
        f"digraph {_quoted('plan')} {{",
        f"    graph [rankdir=LR, label={_quoted(graph.title)}, labelloc=t, fontname=sans]",
        "    node [shape=box, style=rounded, fontname=sans]; edge [fontname=sans]",
    ]
    for node in graph.nodes.values():
        text = "\n".join((f"{CAPTIONS[node.kind]} : {node.title}", *node.lines))
        shape = _DOT_SHAPES.get(node.kind)
        look = f", shape={shape}, style=solid" if shape is not None else ""
        lines.append(f"    {node.id} [label={_quoted(text)}{look}]")
    for edge in graph.edges:
        look = f"label={_quoted(edge.key)}" if edge.key else "style=dashed" if edge.fallback else ""
        lines.append(f"    {edge.source} -> {edge.target}" + (f" [{look}]" if look else ""))
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
