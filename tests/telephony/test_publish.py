"""Another version while calls are in progress: they finish on theirs, nobody is lost, new calls meet the new one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ivr.core.plan import Agent, AgentId, GroupId, PromptId
from tests.plans import ACCUEIL, ETAT_CIVIL, ROOT

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis


def _thinks(hall: Hall, call: str) -> bool:
    return hall.phase(call) == "InMenu" and not hall.play(call)


def other(plan: Plan, version: str = "2") -> Plan:
    """The same plan with another first menu."""
    menu = replace(plan.menus[ROOT], prompt=PromptId("menu-suite"), options=plan.menus[ROOT].options)
    return replace(plan, version=version, menus={**plan.menus, ROOT: menu})


async def test_calls_in_progress_finish_on_their_version(hall: Hall) -> None:
    await hall.agent()
    call = await hall.in_menu()
    talking, _ = await hall.talks()
    await hall.worker.switch(other(hall.plan), {})
    late = hall.switch.calls()
    await hall.until(lambda: "menu-suite" in hall.switch.said(late), "the new menu is heard")
    hall.switch.presses(call, "*")
    await hall.until(lambda: hall.switch.said(call).count("menu-principal") == 2, "the old menu again")
    assert "menu-suite" not in hall.switch.said(call)
    assert hall.switch.talks(talking)
    assert (await hall.agent_record()).call == talking
    assert len(hall.worker.calls.plans) == 2
    for each in (call, talking, late):
        hall.switch.ends(each)
    await hall.nothing_left()
    await hall.worker.switch(other(hall.plan, "3"), {})
    assert len(hall.worker.calls.plans) == 1


async def test_who_is_new_is_found_and_rung_for_a_caller_of_before(hall: Hall) -> None:
    waiting_for = await hall.in_menu()
    hall.switch.registers("nadia")
    nadia = Agent(AgentId("nadia"), "Nadia", (GroupId("etat-civil"),))
    groups = {**hall.plan.groups}
    groups[GroupId("etat-civil")] = replace(
        groups[GroupId("etat-civil")], agents=(*groups[GroupId("etat-civil")].agents, nadia.id)
    )
    await hall.worker.switch(replace(other(hall.plan), agents={**hall.plan.agents, nadia.id: nadia}, groups=groups), {})
    await hall.until(lambda: hall._present("nadia"), "nadia is present")
    hall.switch.presses(waiting_for, "1")
    leg = await hall.rings(waiting_for)
    assert hall.switch.asked("POST", f"channels/{leg}")[0].query["endpoint"] == "PJSIP/agent-nadia"
    hall.switch.answers(leg)
    await hall.until(lambda: hall.switch.talks(waiting_for), "they talk")


async def test_who_is_gone_talks_on_and_gets_no_more_calls(hall: Hall) -> None:
    await hall.agent("alice")
    talking, _ = await hall.talks()
    agents = {name: agent for name, agent in hall.plan.agents.items() if name != "alice"}
    await hall.worker.switch(replace(other(hall.plan), agents=agents), {})
    assert hall.switch.talks(talking)
    assert not (await hall.agent_record()).present
    assert (await hall.agent_record()).call == talking
    hall.switch.ends(talking)
    await hall.nothing_left()
    late = await hall.in_menu()
    hall.switch.presses(late, "1")
    await hall.until(lambda: hall.phase(late) != "InMenu", "nobody is there for it")
    assert not hall.switch.legs(late)


async def test_the_others_are_not_touched(hall: Hall) -> None:
    await hall.agent("alice")
    await hall.agent("bob")
    await hall.queue.pause(AgentId("bob"), "dejeuner", None)
    before = (await hall.dump()).agents
    sent = hall.queue.sent["presence"]
    await hall.worker.switch(other(hall.plan), {})
    assert (await hall.dump()).agents == before
    assert hall.queue.sent["presence"] == sent


async def test_callers_of_a_topic_that_is_gone_are_answered_by_its_heirs(hall: Hall) -> None:
    await hall.agent("bob")
    speaking, _ = await hall.talks()
    waiting = await hall.waits("1")
    arrival = (await hall.dump()).calls[waiting].arrival  # type: ignore[index]
    late = await hall.in_menu()
    plan = other(hall.plan)
    menu = plan.menus[ROOT]
    without = replace(
        plan,
        topics={ACCUEIL: plan.topics[ACCUEIL]},
        menus={**plan.menus, ROOT: replace(menu, options={key: menu.options[key] for key in ("2", "3")})},
    )
    await hall.worker.switch(without, {ETAT_CIVIL: ACCUEIL})
    assert (await hall.dump()).calls[waiting].arrival == arrival  # type: ignore[index]
    await hall.agent("chloe")
    leg = await hall.rings(waiting)
    assert hall.switch.asked("POST", f"channels/{leg}")[0].query["endpoint"] == "PJSIP/agent-chloe"
    hall.switch.answers(leg)
    await hall.until(lambda: hall.switch.talks(waiting), "they talk")
    hall.switch.presses(late, "1")  # the old menu still has the topic
    await hall.until(lambda: hall.phase(late) == "Waiting", "who came before waits there")
    hall.switch.ends(waiting)
    await hall.rings(late)
    assert hall.switch.talks(speaking)


async def test_a_call_is_adopted_with_the_version_that_it_began_with(hall: Hall) -> None:
    await hall.agent()
    call = await hall.in_menu()
    await hall.stop()
    second = hall.again()
    asked: list[str] = []

    async def find(version: str) -> Plan | None:
        asked.append(version)
        return hall.plan if version == hall.plan.version else None

    second.worker.calls.plans = type(second.worker.calls.plans)(other(hall.plan), find)
    second.start()
    await second.until(lambda: second.phase(call) == "InMenu", "adopted")
    assert asked == [hall.plan.version]
    hall.switch.presses(call, "*")
    await second.until(lambda: hall.switch.said(call)[-1] == "menu-principal", "its own menu")
    late = hall.switch.calls()
    await second.until(lambda: "menu-suite" in hall.switch.said(late), "the new menu")
    await second.stop()


async def test_a_switch_that_redis_refused_is_done_at_the_next_try(hall: Hall) -> None:
    from ivr.queueing.errors import QueueError  # noqa: PLC0415

    await hall.agent()
    agents = {name: agent for name, agent in hall.plan.agents.items() if name != "alice"}
    new = replace(other(hall.plan), agents=agents)
    hall.redis.away = True
    with pytest.raises(QueueError):
        await hall.worker.switch(new, {})
    hall.redis.away = False
    await hall.worker.switch(new, {})
    assert not (await hall.agent_record()).present


async def test_versions_that_come_and_go_lose_nobody_under_load(hall: Hall) -> None:
    await hall.agent("alice")
    await hall.agent("bob")
    await hall.queue.pause(AgentId("chloe"), "dejeuner", None, create=True)
    plans = [other(hall.plan, "2"), replace(hall.plan, version="3"), other(hall.plan, "4"), hall.plan]
    first_talk, _ = await hall.talks()
    calls = [first_talk]
    for plan in plans * 3:
        arriving = [hall.switch.calls() for _ in range(4)]
        await hall.worker.switch(plan, {})
        late = hall.switch.calls()
        for call in (*arriving, late):
            await hall.until(partial(_thinks, hall, call), "the menu was heard")
            hall.switch.presses(call, "1")
        menu = str(plan.menus[ROOT].prompt)
        assert menu in hall.switch.said(late)
        calls += [*arriving, late]
    await hall.until(lambda: all(hall.phase(call) in {"Waiting", "Talking"} for call in calls), "all wait or talk")
    held = (await hall.dump()).calls
    assert {str(call) for call in held} == set(calls)
    assert hall.switch.talks(first_talk)
    assert (await hall.agent_record("chloe")).pause == "dejeuner"
    assert min(held.values(), key=lambda call: call.arrival).call == first_talk
    for call in calls:
        hall.switch.ends(call)
    await hall.nothing_left()
    await hall.worker.switch(hall.plan, {})
    assert len(hall.worker.calls.plans) == 1
