"""What a key means in a menu. A key that names an option acts at once: no second digit is awaited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivr.core.plan import BACK, HUMAN, REPEAT, Information, MenuId, PromptId, TopicId, ToMenu, ToTopic

if TYPE_CHECKING:
    from ivr.core.plan import Menu, Plan


@dataclass(frozen=True, slots=True)
class GoTopic:
    """To the people who answer the topic."""

    topic: TopicId


@dataclass(frozen=True, slots=True)
class GoMenu:
    """To a menu, its whole prompt."""

    menu: MenuId


@dataclass(frozen=True, slots=True)
class GoInformation:
    """To an answer."""

    prompt: PromptId


@dataclass(frozen=True, slots=True)
class NotAnOption:
    """The key means nothing here."""


Meaning = GoTopic | GoMenu | GoInformation | NotAnOption


def meaning(plan: Plan, menu: Menu, key: str) -> Meaning:
    """Return what `key` does in `menu`: 0 people, * again, # back (again at the root), else its option."""
    if key == HUMAN:
        return GoTopic(plan.general)
    if key == REPEAT:
        return GoMenu(menu.id)
    if key == BACK:
        return GoMenu(menu.parent or menu.id)
    match menu.options.get(key):
        case ToTopic(topic):
            return GoTopic(topic)
        case ToMenu(target):
            return GoMenu(target)
        case Information(prompt):
            return GoInformation(prompt)
        case None:
            return NotAnOption()
