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
from ivr.core.promises import apologise, closed_sentence, full
from ivr.core.state import Arriving, Informing, InMenu, Typing, Waiting
from ivr.core.turn import PROMPT_GUARD_MS

if TYPE_CHECKING:
    from ivr.core.plan import CrisisProfile, Menu, Plan
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
    """A new call: answer and greet; a relay service goes straight to people. `crowded`: no line is free.

    Closed, or in a crisis, the news of it comes before the menu, and is an answer by itself: who hangs up after it
    is informed. The menu then is the usual one: its answers are for every hour, and its topics lead down their
    chains to a promise with the right owner, where one question for all would have to ask what it is about.
    """
    if not isinstance(turn.call.phase, Arriving):
        return
    turn.do(fx.Answer())
    crisis = crisis_now(turn)
    if crisis is not None:
        turn.do(fx.Note("crisis", crisis.label))
    message = (crisis.message,) if crisis is not None else ()
    if turn.relay:
        to_people(turn, turn.plan.general, *message)
    elif crowded:
        full(turn)
    else:
        menu = turn.plan.menus[(crisis.menu if crisis is not None else None) or turn.plan.root]
        greet(turn, menu, message)
        turn.timer(PROMPT_GUARD_MS)


def greet(turn: Turn, menu: Menu, message: tuple[PromptId, ...]) -> None:
    """Say what is special now, then the menu; usually, the greeting and the menu in one."""
    span, greeting = turn.hours(None), turn.plan.announcements.greeting
    closed = closed_sentence(turn, None)
    if closed is not None:
        turn.do(fx.Note("closed", span.reason or turn.plan.name))
        turn.call = replace(turn.call, closed=True)
    elif span.prompt in turn.plan.prompts:
        message = (*message, span.prompt)
    if closed is not None or message:
        turn.enter(Informing(menu.id, turn.play(closed or greeting, *message)))
    else:
        turn.enter(InMenu(menu.id, turn.play(greeting, menu.prompt)))


def crisis_now(turn: Turn) -> CrisisProfile | None:
    """Return the profile of the crisis that is on, if the call's plan knows it."""
    crisis = turn.env.calendar.crisis_at(turn.env.now)
    return turn.plan.crises.get(crisis.id) if crisis is not None else None


def digit(turn: Turn, key: str) -> None:
    """A key, whatever plays: in a menu, an answer or an invitation it acts at once, elsewhere it is only kept."""
    if key not in KEYS:
        return
    phase = turn.call.phase
    if isinstance(phase, Typing):  # a number is in no history of keys
        typing(turn, phase, key)
        return
    turn.call = replace(turn.call, keys=pressed(turn.call.keys, key))
    if isinstance(phase, Waiting) and phase.invited and key == LEAVE_MESSAGE:
        if not any(offer.answered for offer in phase.offers):
            apologise(turn, phase, "asked")
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
            turn.do(fx.Note("language", language))
            turn.call = replace(turn.call, language="" if language == turn.plan.language else language)
            to_menu(turn, menu.id)
        case GoTyping(what):
            to_typing(turn, Typing(menu.id, what.topic, what.length, what.prompt))
        case NotAnOption():
            counts = phase if isinstance(phase, InMenu) else InMenu(menu.id)
            again = replace(counts, play=0, invalid=counts.invalid + 1)
            if again.invalid >= menu.max_invalid:
                to_people(turn, turn.plan.general, turn.plan.announcements.to_human)
            else:
                ask_again(turn, again, turn.plan.announcements.invalid)


def to_typing(turn: Turn, phase: Typing) -> None:
    """Ask for a number, from its first digit."""
    turn.enter(replace(phase, play=turn.play(phase.prompt), digits=""))
    turn.timer(PROMPT_GUARD_MS)


def typing(turn: Turn, phase: Typing, key: str) -> None:
    """One more digit of a number; # ends it, * asks for it anew."""
    turn.hush()
    again = replace(phase, play=0, digits=phase.digits + key)
    if key == REPEAT:
        to_typing(turn, phase)
    elif key == BACK:
        typed(turn, phase)
    elif len(again.digits) >= phase.length:
        typed(turn, again)
    else:
        turn.enter(again)
        turn.timer(BETWEEN_DIGITS_MS)


def typed(turn: Turn, phase: Typing) -> None:
    """The number is whole, or nothing more comes: its topic's people have it."""
    turn.do(fx.Note("typed", str(len(phase.digits))))
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
