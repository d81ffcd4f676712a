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

from ivr.core import adoption, call, crash, menu, people, promises
from ivr.core.plan import Information, MenuId, Overflow, PromptId, ToMenu, TopicId, ToTopic
from tests.plans import ROOT, small_plan

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
    plan: Literal["short", "whole", "many"] = "short"
    """Where it shows: with one line, with a chain of them, where several phones ring at once."""


CORE = (
    CoreMutant("nobody is told how long a message may be asked for", promises.leave_for_message,
               "    turn.timer(PROMPT_GUARD_MS)\n", "", "minuterie"),
    CoreMutant("the place in line is kept by who leaves a message", promises.leave_for_message,
               "    turn.do(fx.LeaveQueue())\n", "", "garde une place"),
    CoreMutant("the phones ring on for who leaves a message", promises.leave_for_message,
               "    turn.drop_legs(phase.offers)\n", "", "poste d'un agent"),
    CoreMutant("what played goes on under the apology", promises.leave_for_message,
               "    turn.hush()\n", "", "derrière une autre"),
    CoreMutant("the chain begins again at the same topic", people.nobody,
               "turn.join(turn.plan.general, phase.since)", "turn.join(phase.topic, phase.since)", "pas dans la file",
               plan="whole"),
    CoreMutant("nobody is there, and the general desk is asked for ever", people.nobody,
               "apologise(turn, phase)", "turn.join(phase.topic, phase.since)", "sans fin"),
    CoreMutant("the longest wait is none", people.waited,
               ">= turn.plan.max_wait_ms", ">= 10 ** 12", "sans fin"),
    CoreMutant("the wait is looked at once", people.waited,
               "    turn.timer(turn.plan.patience_every_ms)\n", "", "minuterie"),
    CoreMutant("the message is lost with who hangs up after it", call.hung_up,
               'fx.Promise("message", topic, recording)', 'fx.Promise("callback", topic, 0)', "message est perdu"),
    CoreMutant("no promise to who hangs up while told that nobody answers", call.hung_up,
               'turn.do(fx.Promise("callback", topic, 0))', "pass", "aucun rappel"),
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
    "a timer without length": replace(PLAN, first_patience_ms=0),
    "the root is no menu": replace(PLAN, root=MenuId("nulle-part")),
}
RINGS_MANY = replace(PLAN, topics={id_: replace(topic, strategy="ring-many") for id_, topic in PLAN.topics.items()})
