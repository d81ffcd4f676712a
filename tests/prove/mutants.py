"""Faults seeded into the core and into the plan: the proof must find every one of them.

A mutant of the core replaces a piece of one function's source; the names of that function are then those of the
mutant wherever the core imported it.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ivr.core import adoption, call, continuity, crash, menu, people, promises
from ivr.core.plan import (
    CallBack,
    CrisisId,
    CrisisProfile,
    GroupId,
    HoursId,
    Information,
    MenuId,
    OtherTopic,
    Outside,
    OutsideId,
    Overflow,
    PromptId,
    TakeMessage,
    TellOutside,
    ToMenu,
    TopicId,
    ToTopic,
    Typed,
)
from tests.plans import ACCUEIL, ETAT_CIVIL, ROOT, small_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FunctionType

    from ivr.core.plan import Plan


@dataclass(frozen=True, slots=True)
class CoreMutant:
    """`old` becomes `new` in the source of a function; `says` is in what the proof answers."""

    name: str
    function: Callable[..., Any]
    old: str
    new: str
    says: str
    plan: Literal["short", "whole", "many", "chains"] = "short"
    """Where it shows: with one line, with two, where several phones ring at once, with chains, hours and a crisis."""


CORE = (
    CoreMutant("nobody is told how long a message may be asked for", promises.ask_for_message,
               "    turn.timer(PROMPT_GUARD_MS)\n", "", "minuterie"),
    CoreMutant("the place in line is kept by who leaves a message", promises.ask_for_message,
               '        turn.do(fx.LeaveQueue("closing" if phase.why == "closing" else "told"))\n', "        pass\n",
               "garde une place"),
    CoreMutant("the phones ring on for who leaves a message", promises.leave_for_message,
               "    turn.drop_legs(phase.offers)\n", "", "poste d'un agent"),
    CoreMutant("what played goes on under the apology", promises.leave_for_message,
               "    turn.hush()\n", "", "derrière une autre"),
    CoreMutant("the next step of the chain is the same topic", continuity.other,
               "turn.join(phase.topic, phase.since)", "turn.join(phase.asked, phase.since)", "pas dans la file",
               plan="whole"),
    CoreMutant("a step of the chain is taken again and again", continuity.descend,
               "outside_body(turn, replace(phase, step=n)", "outside_body(turn, replace(phase, step=n - 1)",
               "sans fin", plan="chains"),
    CoreMutant("the end of the chain is left out", continuity.end,
               "leave_for_message(turn, phase, group, why(turn, phase), joined=joined, told=told)", "pass",
               "silence"),
    CoreMutant("who is told whom to call instead is left there", continuity.told,
               "    descend(turn,", "    Waiting if heard else descend(turn,", "attend encore", plan="chains"),
    CoreMutant("a call back is announced and not owed", promises.call_back,
               "    promise(turn, Promising(", "    turn.enter(Promising(", "", plan="chains"),
    CoreMutant("the longest wait is none", people.waited,
               ">= turn.plan.max_wait_ms", ">= 10 ** 12", "sans fin"),
    CoreMutant("the wait is looked at once", people.waited,
               "    turn.patience(phase.topic, turn.plan.patience_every_ms)\n", "", "minuterie"),
    CoreMutant("the message is lost with who hangs up after it", call.hung_up,
               'owe(turn, "message", phase, recording)', 'owe(turn, "callback", phase)', "message est perdu"),
    CoreMutant("no promise to who hangs up while told that nobody answers", call.hung_up,
               'owe(turn, "callback", phase)', "pass", "aucun rappel"),
    CoreMutant("a phone rings on after its caller is gone", call.hung_up,
               "turn.drop_legs(offers)", "pass", "poste d'un agent"),
    CoreMutant("the record stays open", call.hung_up,
               "    turn.do(fx.Finish(outcome))\n", "", "reste ouvert"),
    CoreMutant("an old serial is obeyed", call.take,
               "if serial == turn.call.timer:", "if serial:", "périmée"),
    CoreMutant("a lost sentence is waited for without end", call.timer_fired,
               "            turn.hush()\n            prompt_done(turn)\n", "            pass\n", "minuterie"),
    CoreMutant("the end of the last sentence hangs nobody up", promises.part,
               "    turn.do(fx.Hangup())\n", "", "n'en attend pas la fin"),
    CoreMutant("music plays on under a talk", people.accepted,
               "        turn.do(fx.StopHold())\n", "        pass\n", "musique"),
    CoreMutant("the other phones ring on in a talk", people.accepted,
               "    turn.drop_legs(phase.offers, but=token)\n", "", "poste d'un agent", plan="many"),
    CoreMutant("silence is not counted", menu.no_input,
               "phase.no_input + 1", "phase.no_input", "sans fin"),
    CoreMutant("wrong keys are not counted", menu.digit,
               "invalid=counts.invalid + 1", "invalid=counts.invalid", "sans fin"),
    CoreMutant("a recording that is adopted has no end", adoption.adopted,
               "                turn.timer(turn.plan.message_max_ms + RECORD_MARGIN_MS)\n", "                pass\n",
               "minuterie"),
    CoreMutant("a wait that is adopted is silent", adoption.adopted_waiting,
               "        turn.do(fx.Hold())\n", "        pass\n", "silence"),
    CoreMutant("a crash leaves the caller in line", crash.dropped,
               '            turn.do(fx.LeaveQueue("crash"))\n', "", "garde une place"),
    CoreMutant("a refusal is not told to the queue", people.agent_failed,
               "        turn.do(fx.Decline(token, reason))\n", "", "réservé"),
    CoreMutant("an agent who is gone at once leaves the caller alone", people.agent_left,
               "            requeue(turn, phase, phase.offer)\n        else:", "            pass\n        else:", ""),
)  # fmt: skip


@contextmanager
def mutated(mutant: CoreMutant) -> Iterator[None]:
    """The core with one fault in it."""
    original = mutant.function
    source = textwrap.dedent(inspect.getsource(original))
    assert source.count(mutant.old) >= 1, f"{mutant.name}: the core has changed, and the mutant with it"
    module = sys.modules[original.__module__]
    scope: dict[str, Any] = {}
    text = "from __future__ import annotations\n" + source.replace(mutant.old, mutant.new)
    exec(compile(text, "mutant", "exec"), vars(module), scope)
    made: FunctionType = scope[original.__name__]
    places = [
        (each, name)
        for each in list(sys.modules.values())
        if getattr(each, "__name__", "").startswith("ivr.core")
        for name, value in list(vars(each).items())
        if value is original
    ]
    try:
        for each, name in places:
            setattr(each, name, made)
        yield
    finally:
        for each, name in places:
            setattr(each, name, original)


def with_menu(plan: Plan, **changes: Any) -> Plan:
    return replace(plan, menus={**plan.menus, ROOT: replace(plan.menus[ROOT], **changes)})


WAITS = Overflow(wait_ms=300_000)
WHOLE = small_plan(topics={id_: replace(topic, overflow=WAITS) for id_, topic in small_plan().topics.items()})
PLAN = replace(WHOLE, relays=frozenset())
SHORT = with_menu(PLAN, options={"1": ToTopic(PLAN.general), "2": Information(PromptId("horaires"))})
"""Of one line only."""
PLANS: dict[str, Plan] = {
    "silence leads nowhere": with_menu(PLAN, max_no_input=10**6),
    "errors lead nowhere": with_menu(PLAN, max_invalid=10**6),
    "a sentence is missing": replace(PLAN, prompts=PLAN.prompts - {PromptId("unstaffed")}),
    "the menu's own sentence is missing": replace(PLAN, prompts=PLAN.prompts - {PromptId("menu-suite")}),
    "the fallback of the wait is missing": replace(PLAN, prompts=PLAN.prompts - {PromptId("patience")}),
    "an option leads to no menu": with_menu(PLAN, options={"1": ToMenu(MenuId("nulle-part"))}),
    "an option leads to no topic": with_menu(PLAN, options={"1": ToTopic(TopicId("nul"))}),
    "the general desk is no topic": replace(PLAN, general=TopicId("nul")),
    "the wait lasts a day": replace(PLAN, message_max_ms=86_400_000),
    "no time to choose": with_menu(PLAN, input_timeout_ms=0),
    "the root is no menu": replace(PLAN, root=MenuId("nulle-part")),
}
RINGS_MANY = replace(
    SHORT, topics={id_: replace(topic, overflow=None, strategy="ring-many") for id_, topic in PLAN.topics.items()}
)
SYNDICAT = Outside(OutsideId("syndicat"), "Syndicat des eaux", "+33536490100", PromptId("horaires"))
FLOOD = CrisisProfile(CrisisId("crue"), "Crue", PromptId("horaires"))
CHAINS = replace(
    with_menu(PLAN, options={"1": ToTopic(ETAT_CIVIL), "2": Typed(PromptId("horaires"), 2, ETAT_CIVIL)}),
    hours=HoursId("mairie"),
    outsides={SYNDICAT.id: SYNDICAT},
    crises={FLOOD.id: FLOOD},
    topics={
        ETAT_CIVIL: replace(
            small_plan().topics[ETAT_CIVIL],
            continuity=(OtherTopic(ACCUEIL), TellOutside(SYNDICAT.id), CallBack(GroupId("etat-civil"))),
        ),
        ACCUEIL: replace(
            small_plan().topics[ACCUEIL], hours=HoursId("guichet"), continuity=(TakeMessage(GroupId("accueil")),)
        ),
    },
)
"""Hours of the site and of one topic, a crisis, a number that is typed, and a chain with every kind of step."""


def cut(plan: Plan, topic: TopicId) -> Plan:
    """The plan with the last step of a topic's chain cut off."""
    known = plan.topics[topic]
    return replace(plan, topics={**plan.topics, topic: replace(known, continuity=known.continuity[:-1])})


PLANS |= {f"the chain of {topic} is cut": cut(CHAINS, topic) for topic in CHAINS.topics}
PLANS["an outside body has no sentence"] = replace(
    CHAINS, outsides={SYNDICAT.id: replace(SYNDICAT, prompt=PromptId("nulle-part"))}
)
PLANS["a chain leads to no topic"] = replace(
    CHAINS,
    topics={
        **CHAINS.topics,
        ETAT_CIVIL: replace(
            CHAINS.topics[ETAT_CIVIL],
            continuity=(OtherTopic(TopicId("nul")), *CHAINS.topics[ETAT_CIVIL].continuity[1:]),
        ),
    },
)
PLANS["a crisis has no sentence"] = replace(CHAINS, crises={FLOOD.id: replace(FLOOD, message=PromptId("nulle-part"))})
PLANS["nobody is told that it is closed"] = replace(CHAINS, prompts=CHAINS.prompts - {PromptId("closed")})
