"""What a key means in a menu. A key that names an option acts at once: no second digit is awaited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ivr.core import effects as fx
from ivr.core.digits import KEYS, pressed
from ivr.core.people import to_people
from ivr.core.pilot import piloted
from ivr.core.plan import (
    BACK,
    HUMAN,
    REPEAT,
    Information,
    MenuId,
    PromptId,
    ToLanguage,
    ToMenu,
    ToOutside,
    TopicId,
    ToTopic,
    Typed,
)
from ivr.core.promises import full, leave_for_message
from ivr.core.state import Arriving, Informing, InMenu, Typing, Waiting
from ivr.core.turn import PROMPT_GUARD_MS

if TYPE_CHECKING:
    from ivr.core.plan import Menu, Plan
    from ivr.core.turn import Turn


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
class GoLanguage:
    """The same menu in another language."""

    language: str


@dataclass(frozen=True, slots=True)
class GoTyping:
    """A number is asked for."""

    what: Typed


@dataclass(frozen=True, slots=True)
class NotAnOption:
    """The key means nothing here."""


Meaning = GoTopic | GoMenu | GoInformation | GoLanguage | GoTyping | NotAnOption


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
        case ToOutside(outside):
            return GoInformation(plan.outsides[outside].prompt)
        case ToLanguage(language):
            return GoLanguage(language)
        case Typed() as what:
            return GoTyping(what)
        case None:
            return NotAnOption()


LEAVE_MESSAGE: Final = "2"
BETWEEN_DIGITS_MS: Final = 5_000


def started(turn: Turn, *, crowded: bool = False) -> None:
    """A new call: answer and greet; a relay service goes straight to people. `crowded`: no line is free."""
    if not isinstance(turn.call.phase, Arriving):
        return
    turn.do(fx.Answer())
    if turn.relay:
        to_people(turn, turn.plan.general)
    elif crowded:
        full(turn)
    else:
        sentences, menu = welcome(turn)
        turn.enter(InMenu(menu.id, turn.play(*sentences, menu.prompt)))
        turn.timer(PROMPT_GUARD_MS)


def welcome(turn: Turn) -> tuple[tuple[PromptId, ...], Menu]:
    """Return what a caller hears first, and the first menu: in a crisis its own, out of hours that it is closed."""
    plan, now, calendar = turn.plan, turn.env.now, turn.env.calendar
    said, root = plan.announcements, plan.menus[plan.root]
    crisis = calendar.crisis_at(now)
    if crisis is not None and (profile := plan.crises.get(crisis.id)) is not None:
        return (said.greeting, profile.message), plan.menus[profile.menu] if profile.menu is not None else root
    span = calendar.site.at(now)
    if not span.open and (closed := span.prompt or said.closed) is not None:
        return (closed,), root
    return (said.greeting,), root


def digit(turn: Turn, key: str) -> None:
    """A key, whatever plays: in a menu, an answer or an invitation it acts at once, elsewhere it is only kept."""
    if key not in KEYS:
        return
    turn.call = replace(turn.call, keys=pressed(turn.call.keys, key))
    phase = turn.call.phase
    if isinstance(phase, Waiting) and phase.invited and key == LEAVE_MESSAGE:
        if not any(offer.answered for offer in phase.offers):
            leave_for_message(turn, phase, turn.plan.announcements.leave_message)
        return
    if isinstance(phase, Typing):
        typing(turn, phase, key)
        return
    if not isinstance(phase, InMenu | Informing):
        return
    menu = turn.plan.menus[phase.menu]
    turn.hush()
    match meaning(turn.plan, menu, key):
        case GoTopic(topic):
            option, ref = menu.options.get(key), turn.call.caller.ref
            to_people(turn, piloted(option, topic, ref, turn.env.calendar, turn.env.now))
        case GoMenu(target):
            to_menu(turn, target)
        case GoInformation(prompt):
            turn.enter(Informing(menu.id, turn.play(prompt)))
            turn.timer(PROMPT_GUARD_MS)
        case GoLanguage(language):
            turn.call = replace(turn.call, language=language)
            to_menu(turn, menu.id)
        case GoTyping(what):
            turn.enter(Typing(menu.id, what.topic, what.length, turn.play(what.prompt)))
            turn.timer(PROMPT_GUARD_MS)
        case NotAnOption():
            counts = phase if isinstance(phase, InMenu) else InMenu(menu.id)
            again = replace(counts, play=0, invalid=counts.invalid + 1)
            if again.invalid >= menu.max_invalid:
                to_people(turn, turn.plan.general, turn.plan.announcements.to_human)
            else:
                ask_again(turn, again, turn.plan.announcements.invalid)


def typing(turn: Turn, phase: Typing, key: str) -> None:
    """One more digit of a number; # ends it, * begins it anew."""
    turn.hush()
    if key == BACK:
        typed(turn, phase)
        return
    digits = "" if key == REPEAT else phase.digits + key
    again = replace(phase, play=0, digits=digits)
    if len(digits) >= phase.length:
        typed(turn, again)
    else:
        turn.enter(again)
        turn.timer(BETWEEN_DIGITS_MS)


def typed(turn: Turn, phase: Typing) -> None:
    """The number is whole, or nothing more comes: its topic's people have it."""
    turn.call = replace(turn.call, typed=phase.digits)
    to_people(turn, phase.topic)


def to_menu(turn: Turn, target: MenuId) -> None:
    """Play a menu from its beginning."""
    turn.enter(InMenu(target, turn.play(turn.plan.menus[target].prompt)))
    turn.timer(PROMPT_GUARD_MS)


def ask_again(turn: Turn, phase: InMenu, sentence: PromptId) -> None:
    """Say what was wrong, then the shorter prompt."""
    short = turn.plan.menus[phase.menu].short_prompt
    turn.enter(replace(phase, play=turn.play(sentence, short)))
    turn.timer(PROMPT_GUARD_MS)


def no_input(turn: Turn, phase: InMenu) -> None:
    """The caller chose nothing: ask once more, then people."""
    menu = turn.plan.menus[phase.menu]
    again = replace(phase, no_input=phase.no_input + 1)
    if again.no_input >= menu.max_no_input:
        to_people(turn, turn.plan.general, turn.plan.announcements.to_human)
    else:
        ask_again(turn, again, turn.plan.announcements.no_input)
