"""The words that a difference is told with, in French."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from ivr.core.plan import (
    EVERYONE,
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

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivr.core.plan import ChainStep, GroupId, Menu, Option, Plan, TopicId

_LANGUAGES = {"fr": "français", "en": "anglais"}


def listed(names: Iterable[str]) -> str:
    """Return names as one says them: a, b et c; "personne" for none."""
    *first, last = names = tuple(names) or ("personne",)
    return f"{', '.join(first)} et {last}" if len(names) > 1 else last


def group(plan: Plan, name: GroupId) -> str:
    """Return a group by its label."""
    if name == EVERYONE:
        return "tous les agents"
    return plan.groups[name].label if name in plan.groups else name


def groups(plan: Plan, names: Iterable[GroupId]) -> str:
    """Return groups by their labels."""
    return listed(group(plan, name) for name in names)


def topic(plan: Plan, name: TopicId) -> str:
    """Return a topic by its label."""
    return f"« {plan.topics[name].label} »" if name in plan.topics else f"« {name} »"


def menu(plan: Plan, name: Menu) -> str:
    """Return a menu, of which the first has no name that anybody knows."""
    return "menu principal" if name.id == plan.root else f"menu « {name.id} »"


def target(plan: Plan, option: Option) -> str:
    """Return where a key leads."""
    match option:
        case ToTopic(to, pilot):
            if pilot is None:
                return f"au motif {topic(plan, to)}"
            when = f" pendant « {pilot.hours} »" if pilot.hours is not None else ""
            other = topic(plan, pilot.otherwise)
            return f"pour {pilot.share * 100:g} % des appelants{when} au motif {topic(plan, to)}, sinon à {other}"
        case ToMenu(to):
            return f"au {menu(plan, plan.menus[to])}"
        case Information(prompt):
            return f"au message « {prompt} »"
        case ToOutside(outside):
            return f"à l'organisme « {plan.outsides[outside].label} »"
        case ToLanguage(language):
            return f"à la langue {_LANGUAGES.get(language, language)}"
        case Typed(_, length, to):
            return f"à la saisie d'un numéro de {length} chiffres au plus, puis au motif {topic(plan, to)}"
        case _:
            assert_never(option)


def step(plan: Plan, one: ChainStep) -> str:
    """Return a step of a continuity chain."""
    match one:
        case OtherTopic(to):
            return f"motif {topic(plan, to)}"
        case TellOutside(outside):
            return f"indication de « {plan.outsides[outside].label} »"
        case CallBack(owner):
            return f"rappel par {group(plan, owner)}"
        case TakeMessage(owner):
            return f"message pour {group(plan, owner)}"
        case _:
            assert_never(one)
