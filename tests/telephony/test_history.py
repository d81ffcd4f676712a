"""A worker's own calls reach the ledger, by the lines that its queue really writes; side tasks live as it does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ivr.core.plan import AgentId
from ivr.ledger.history import History
from ivr.ledger.names import Names
from ivr.ledger.projector import Projector
from ivr.ledger.timeline import tell
from ivr.telephony import worker
from ivr.telephony.projection import Projection

if TYPE_CHECKING:
    from tests.telephony.conftest import Hall

pytestmark = pytest.mark.redis


async def copied(hall: Hall) -> Projection:
    """Everything that is in the stream, in the ledger."""
    redis: Any = hall.redis
    projection = Projection(redis, hall.queue, Projector(hall.ledger, hall.plan.site, hall.plan.message_due_days))
    await hall.queue.found(hall.worker._queue.epoch or pytest.fail("no epoch"))
    while await projection.step():
        pass
    return projection


async def test_a_call_that_was_answered_is_history(hall: Hall) -> None:
    await hall.agent()
    call, _leg = await hall.talks()
    hall.switch.ends(call)
    await hall.nothing_left()
    await copied(hall)
    row = await History(hall.ledger, hall.plan.site).call(call)
    assert row is not None
    assert (row.topic, row.agent, row.outcome, row.node) == ("etat-civil", "alice", "answered", "a")
    assert row.answered_ms is not None
    assert row.ended_ms is not None
    assert row.arrival_ms <= row.answered_ms <= row.ended_ms
    assert row.wait_ms == row.answered_ms - row.arrival_ms
    history = History(hall.ledger, hall.plan.site)
    lines = await history.lines_of(call) + await history.crowd(hall.plan.agents, row.arrival_ms, row.ended_ms)
    told = [moment.text for moment in tell(call, lines, (), Names(hall.plan))]
    assert told[0].startswith("Appel reçu")
    assert any(text.startswith("Proposé à Alice") for text in told)
    assert any(text.startswith("Alice répond") for text in told)
    assert "Fin de l'appel : une personne a répondu." in told[-1]


async def test_who_was_answered_can_be_called_back_when_the_agent_says_so_and_after_a_restart(hall: Hall) -> None:
    await hall.agent()
    call, _leg = await hall.talks()
    await hall.stop()  # what is on its way is kept at the end
    ((ref, number),) = (await hall.ledger.numbers()).items()
    assert number == "+33612345678"
    assert await hall.ledger.erase(ref)
    other = hall.again()
    other.start()
    await other.until(lambda: other.phase(call) == "Talking", "the talk is adopted")
    other.switch.ends(call)
    await other.nothing_left()
    await other.queue.outcome(AgentId("alice"), "rappel", follow_up=True)
    await copied(other)
    await other.stop()
    (file,) = await other.ledger.files()
    assert (file.kind, file.caller_ref) == ("follow_up", ref)
    assert await other.ledger.numbers() == {ref: number}


async def test_a_hidden_number_is_remembered_by_no_answer(hall: Hall) -> None:
    await hall.agent()
    call = await hall.in_menu(number="", presentation="prohib_not_screened")
    hall.switch.presses(call, "1")
    leg = await hall.rings(call)
    hall.switch.answers(leg)
    await hall.until(lambda: hall.switch.talks(call), "they talk")
    await hall.stop()
    assert await hall.ledger.numbers() == {}


async def test_a_message_is_told_with_its_file(hall: Hall) -> None:
    call, name = await hall.speaks()
    hall.switch.recorded(name)
    await hall.nothing_left()
    await copied(hall)
    history = History(hall.ledger, hall.plan.site)
    row = await history.call(call)
    assert row is not None
    (file,) = await history.files(call)
    assert (row.outcome, file.recording, file.owner) == ("promised", name, "group:etat-civil")


async def test_side_tasks_begin_with_the_node_and_end_with_the_worker(hall: Hall) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def aside() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await hall.stop()
    other = hall.again()
    other.worker._aside = {"aside": aside}
    other.start()
    await begun.wait()
    assert {"aside"} <= {task.get_name() for task in asyncio.all_tasks()}
    await other.stop()
    assert ended.is_set()


async def test_a_side_task_that_breaks_begins_again_and_no_call_notices(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ASIDE_AGAIN_S", 0.05)
    begun: asyncio.Queue[int] = asyncio.Queue()

    async def breaks() -> None:
        begun.put_nowait(1)
        raise KeyError("a line that nobody foresaw")

    await hall.stop()
    other = hall.again()
    other.worker._aside = {"breaks": breaks}
    other.start()
    await other.until(lambda: other.worker.connected, "connected")
    for _ in range(3):
        await begun.get()
    await other.in_menu()
    await other.stop()
