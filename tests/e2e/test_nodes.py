"""A caller at one Asterisk node and an agent at another, whatever dies: real Asterisk, one Redis, two workers.

A phone that says nothing for 3 s is taken for dead, a node after 6 s (40 s and 60 s in production).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from ivr.lab.nodes import met, two_nodes
from ivr.lab.phones import PhoneBank
from ivr.lab.scenes import SOON_S, two_way, until, within
from ivr.stack.root import ensure_root
from tests.e2e.test_hangups import later
from tests.e2e.trial import Trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.lab.phones import Phone, PhoneCall

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

SILENCES: Final = {"40": 3, "60": 6}
NOTICED_S: Final = 18.0
OTHERS: Final = 35
ELSEWHERE: Final = "127.0.0.6"


@dataclass(frozen=True, slots=True)
class Nodes:
    """The two houses of one site."""

    a: Trial
    b: Trial


def _impatient(etc: Path) -> None:
    path = etc / "pjsip.conf"
    text = path.read_text()
    for seconds, fewer in SILENCES.items():
        text, changed = re.subn(rf"^rtp_timeout = {seconds}$", f"rtp_timeout = {fewer}", text, flags=re.MULTILINE)
        assert changed
    path.write_text(text)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(quick_plan: tuple[Plan, Path], tones: tuple[Path, dict[str, int]]) -> AsyncIterator[Nodes]:
    await asyncio.to_thread(ensure_root)
    plan, folder = quick_plan
    async with (
        two_nodes(plan, folder, tones[0], {"IVR_WRAP_MS": "0"}, amend=_impatient) as (a, b),
        Trial(a, tones[1]) as at_a,
        Trial(b, tones[1], first=OTHERS) as at_b,
    ):
        yield Nodes(at_a, at_b)


@pytest_asyncio.fixture(loop_scope="session")
async def nodes(both: Nodes) -> AsyncIterator[Nodes]:
    """Both houses, with nobody in them; after the test nothing of it may be left in either."""
    yield both
    for trial in (both.a, both.b):
        await trial.everybody_leaves()
    for trial in (both.a, both.b):
        await trial.nothing_left()


async def free(trial: Trial, phone: Phone, seconds: float = SOON_S) -> None:
    """Returns once the agent is idle, with nothing left of the call."""

    async def idle() -> bool:
        agent = (await trial.state()).agents[trial._id(phone)]
        return agent.state == "idle" and not agent.busy

    await until(seconds, f"{phone.user} is free", idle)


@pytest.mark.parametrize("way", ["a to b", "b to a"])
async def test_a_caller_of_one_node_is_answered_at_the_other(nodes: Nodes, way: str) -> None:
    here, there = (nodes.a, nodes.b) if way == "a to b" else (nodes.b, nodes.a)
    agent = await there.agent()
    call = await here.talk_to_menu()
    await call.digits("1")
    ringing = await there.rings(agent)
    assert ringing.peer is not None
    assert call.phone.user in ringing.peer
    await ringing.answer()
    await here.talking()
    await two_way(call, ringing)
    record = (await here.state()).agents[there._id(agent)]
    assert (record.state, record.node) == ("talking", there.house.env["IVR_NODE"])
    assert sum("agent-" in name for name in await there.house.channels()) == 1
    assert not any("agent-" in name for name in await here.house.channels())
    await call.hangup()
    await within(SOON_S, "the agent's line ends", ringing.closed)
    await free(here, agent)


async def test_the_agent_ends_a_talk_between_nodes(nodes: Nodes) -> None:
    agent = await nodes.b.agent()
    call, ringing = await joined(nodes, agent)
    await later(1_600)  # a shorter talk is taken for none
    await ringing.hangup()
    await within(SOON_S, "the caller's line ends", call.closed)
    await free(nodes.a, agent)


async def test_a_hidden_number_stays_hidden_between_nodes(nodes: Nodes) -> None:
    agent = await nodes.b.agent()
    call = await nodes.a.call("+33639981077", private=True)
    await within(SOON_S, "the call is answered", call.established)
    await call.digits("1")
    ringing = await nodes.b.rings(agent)
    assert "639981077" not in (ringing.peer or "")
    await call.hangup()
    await within(SOON_S, "it stops", ringing.closed)


async def test_an_agent_of_another_node_who_does_not_answer_sends_the_caller_to_the_next(nodes: Nodes) -> None:
    far, near = await nodes.b.agent(), await nodes.a.agent()
    call = await nodes.a.talk_to_menu()
    await call.digits("1")
    missed = await nodes.b.rings(far)
    ringing = await nodes.a.rings(near, 5 + SOON_S)
    await within(SOON_S, "the first phone stops ringing", missed.closed)
    record = (await nodes.a.state()).agents[nodes.b._id(far)]
    assert (record.state, record.misses) == ("cooldown", 1)
    await ringing.answer()
    await nodes.a.talking()
    await two_way(call, ringing)
    await call.hangup()


@pytest.mark.parametrize(("status", "reason"), [(486, "busy"), (480, "miss"), (603, "failed")])
async def test_a_refusal_says_the_same_from_another_node(nodes: Nodes, status: int, reason: str) -> None:
    for trial in (nodes.a, nodes.b):
        agent = await trial.agent()
        await agent.behave(reject=status)
        call = await nodes.a.talk_to_menu()
        await call.digits("1")
        await trial.rings(agent)

        async def rests(agent: Phone = agent) -> bool:
            return await nodes.a.state_of(agent) == "cooldown"

        await until(SOON_S, "the agent rests", rests)
        ends = [fields["reason"] for kind, fields in await nodes.a.told_of(agent) if kind == "withdrawn"]
        assert ends[-1:] == [reason], trial.house.env["IVR_NODE"]
        await call.hangup()
        await nodes.a.everybody_leaves()


async def test_a_caller_who_hangs_up_stops_the_phone_at_the_other_node(nodes: Nodes) -> None:
    agent = await nodes.b.agent()
    call = await nodes.a.talk_to_menu()
    await call.digits("1")
    ringing = await nodes.b.rings(agent)
    await call.hangup()
    await within(SOON_S, "the agent's phone stops ringing", ringing.closed)
    await free(nodes.a, agent)


async def test_a_phone_of_another_node_that_dies_in_a_talk_has_ended_no_talk(nodes: Nodes) -> None:
    async with PhoneBank(ELSEWHERE) as bank:
        agent, other = await nodes.b.agent(bank=bank), await nodes.a.agent()
        await nodes.a.pause(other)
        call, _ = await joined(nodes, agent)
        await later(2_000)
        await bank.kill()
        await nodes.a.resume(other)
        ringing = await nodes.a.rings(other, NOTICED_S)
        assert not call.closed.happened
        await ringing.answer()
        await nodes.a.talking()
        await call.hangup()
        await nodes.a.nothing_left()
        await nodes.b.withdraw(agent)


async def test_the_agents_worker_dies_in_the_talk_which_goes_on(nodes: Nodes) -> None:
    agent = await nodes.b.agent()
    call, ringing = await joined(nodes, agent)
    await nodes.b.house.worker.kill()
    try:
        await two_way(call, ringing)
        await call.hangup()
        await within(SOON_S, "the agent's line ends", ringing.closed)

        async def released() -> bool:
            return await nodes.a.state_of(agent) != "talking"

        await until(SOON_S, "the talk is released", released)
    finally:
        await back(nodes.b)
    await free(nodes.a, agent)


async def test_the_callers_worker_dies_in_the_talk_which_its_next_one_adopts(nodes: Nodes) -> None:
    agent = await nodes.b.agent()
    call, ringing = await joined(nodes, agent)
    await nodes.a.house.worker.kill()
    try:
        await two_way(call, ringing)
    finally:
        await back(nodes.a)
    assert await nodes.a.state_of(agent) == "talking"
    await two_way(call, ringing)
    await call.hangup()
    await within(SOON_S, "the agent's line ends", ringing.closed)
    await free(nodes.a, agent)


async def test_the_callers_worker_dies_while_the_other_nodes_phone_rings(nodes: Nodes) -> None:
    agent = await nodes.b.agent()
    call = await nodes.a.talk_to_menu()
    await call.digits("1")
    ringing = await nodes.b.rings(agent)
    await nodes.a.house.worker.kill()
    await nodes.a.house.worker.start()
    await nodes.a.house.worker.ready()
    await ringing.answer()
    await nodes.a.talking()
    await two_way(call, ringing)
    await call.hangup()
    await free(nodes.a, agent)


async def test_the_agents_asterisk_dies_while_the_phone_rings(nodes: Nodes) -> None:
    """The offer is settled by its time at the latest, and another agent has the caller."""
    far, near = await nodes.b.agent(), await nodes.a.agent()
    call = await nodes.a.talk_to_menu()
    await call.digits("1")
    await nodes.b.rings(far)
    await nodes.b.house.stack.kill_asterisk()
    try:
        ringing = await nodes.a.rings(near, 5 + SOON_S)
        await ringing.answer()
        await nodes.a.talking()
        await two_way(call, ringing)
        held = await nodes.a.state()
        assert not held.offers
        assert len(held.talks) == 1
        await call.hangup()
    finally:
        await nodes.b.house.stack.start_asterisk()
        await back(nodes.b, start=False)


async def test_the_agents_asterisk_dies_in_the_talk(nodes: Nodes) -> None:
    """The caller, who hears nothing any more, is offered to another agent."""
    far, near = await nodes.b.agent(), await nodes.a.agent()
    await nodes.a.pause(near)
    call, _ = await joined(nodes, far)
    await later(2_000)
    await nodes.b.house.stack.kill_asterisk()
    try:
        await nodes.a.resume(near)
        ringing = await nodes.a.rings(near, NOTICED_S)
        assert not call.closed.happened
        await ringing.answer()
        await nodes.a.talking()
        await call.hangup()
    finally:
        await nodes.b.house.stack.start_asterisk()
        await back(nodes.b, start=False)


async def test_the_callers_asterisk_dies_in_the_talk(nodes: Nodes) -> None:
    """Its worker closes the call; the agent's phone ends for want of sound, and they are free."""
    agent = await nodes.b.agent()
    _, ringing = await joined(nodes, agent)
    await nodes.a.house.stack.kill_asterisk()
    try:
        await within(NOTICED_S, "the agent's line ends", ringing.closed)
    finally:
        await nodes.a.house.stack.start_asterisk()
        await back(nodes.a, start=False)
    await free(nodes.a, agent, 15.0)


# -- steps


async def joined(nodes: Nodes, agent: Phone) -> tuple[PhoneCall, PhoneCall]:
    """A caller of node a and an agent of node b who talk."""
    return await nodes.a.joined(agent)


async def back(trial: Trial, *, start: bool = True) -> None:
    """The node's worker serves again, and both nodes reach each other."""
    if start:
        await trial.house.worker.start()
    await trial.house.worker.ready()

    async def connected() -> bool:
        return (await trial.metrics())["ivr_ari_up"] == 1

    await until(20.0, "the worker is connected", connected)
    node = trial.house.env["IVR_NODE"]
    await met(trial.house, "b" if node == "a" else "a")
