"""Lines become events, calls, outcomes and files; each once, however often it comes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ivr.core.plan import SiteId
from ivr.ledger.derive import CallRow, file_of
from ivr.ledger.history import History
from ivr.ledger.projector import Position, Projector
from ivr.ledger.store import File, Ledger, LedgerError
from ivr.ledger.workdays import due
from tests.ledger.lines import T0, Script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.ledger.conftest import Look

SITE = SiteId("pessac")


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[Ledger]:
    async with Ledger(url) as ledger:
        yield ledger


@pytest.fixture
def projector(ledger: Ledger) -> Projector:
    return Projector(ledger, SITE, due_days=2)


@pytest.fixture
def script() -> Script:
    return Script()


async def everything(look: Look) -> Any:
    tables = {"calls": "id", "events": "epoch, id", "files": "id", "outcomes": "call", "positions": "site"}
    return {name: await look.rows(f"SELECT * FROM {name} ORDER BY {order}") for name, order in tables.items()}


async def test_a_call_is_a_row_and_its_lines_are_kept(ledger: Ledger, projector: Projector, script: Script) -> None:
    lines = script.call("a-1.1")
    assert await projector.commit(lines) == len(lines) == 7
    assert await History(ledger, SITE).call("a-1.1") == CallRow(
        site="pessac",
        id="a-1.1",
        epoch="e1",
        caller_ref="r1",
        called="+33536490000",
        plan="v1",
        topic="etat-civil",
        outcome="answered",
        agent="alice",
        node="a",
        arrival_ms=T0 + 1_000,
        answered_ms=T0 + 8_000,
        ended_ms=T0 + 68_000,
        wait_ms=7_000,
        talk_ms=60_000,
        keys="1",
    )
    assert await History(ledger, SITE).lines_of("a-1.1") == lines
    assert await projector.position() == Position("e1", lines[-1].id, lines[-1].at)
    assert await ledger.files() == []


async def test_until_workers_tell_facts_a_row_comes_from_what_the_queue_knows(
    ledger: Ledger, projector: Projector
) -> None:
    script = Script(epoch="")
    script("arrived", call="c", node="a", arrival=T0)
    script("joined", call="c", topic="voirie", klass="0", node="a")
    script("accepted", call="c", agent="bob", topic="voirie", token="e:1", wait="3000")
    script("ended", call="c", topic="voirie", outcome="answered", node="a", arrival=T0)
    await projector.commit(script.lines)
    found = await History(ledger, SITE).call("c")
    assert found is not None
    assert (found.topic, found.agent, found.outcome, found.wait_ms) == ("voirie", "bob", "answered", 3_000)
    assert (found.caller_ref, found.called, found.plan, found.keys, found.talk_ms) == ("", "", "", "", None)


async def test_cut_into_batches_of_any_size_it_is_the_same(look: Look, projector: Projector, script: Script) -> None:
    script.call("a-1.1")
    script("outcome", call="a-1.1", agent="alice", topic="etat-civil", code="resolu", follow_up="0", caller="r1")
    script.call("a-1.2", agent="bob")
    script("unresolved", call="a-1.2", agent="bob", topic="etat-civil", caller="r1")
    script("outcome", call="a-1.2", agent="bob", topic="etat-civil", code="a-suivre", follow_up="1", caller="r1")
    await projector.commit(script.lines)
    whole = await everything(look)
    for table in whole:
        await look.rows(f"DELETE FROM {table}")
    for line in script.lines:
        await projector.commit([line])
    assert await everything(look) == whole


async def test_lines_that_come_again_change_nothing(look: Look, projector: Projector, script: Script) -> None:
    lines = script.call("a-1.1")
    await projector.commit(lines)
    before = await everything(look)
    assert await projector.commit(lines) == 0
    assert await projector.commit([*lines, *script.call("a-1.2")]) == 7
    after = await everything(look)
    assert after["calls"][0] == before["calls"][0]
    assert len(after["events"]) == 14


async def test_two_workers_at_once_make_each_line_once(look: Look, url: str, script: Script) -> None:
    for n in range(20):
        script.call(f"a-1.{n}")
        script("outcome", call=f"a-1.{n}", agent="alice", code="resolu", follow_up="1", caller="r1")
    async with Ledger(url) as one, Ledger(url) as other:
        pair = [Projector(ledger, SITE, 2) for ledger in (one, other)]

        async def run(projector: Projector, size: int) -> int:
            batches = [script.lines[start : start + size] for start in range(0, len(script.lines), size)]
            return sum([await projector.commit(batch) for batch in batches])

        assert sum(await asyncio.gather(run(pair[0], 32), run(pair[1], 7))) == len(script.lines) == 160
    calls = await look.rows("SELECT talk_ms, keys FROM calls")
    assert calls == [(60_000, "1")] * 20
    assert await look.rows("SELECT count(*) FROM files") == [(20,)]


async def test_ids_that_begin_anew_under_another_epoch_are_other_lines(
    look: Look, projector: Projector, script: Script
) -> None:
    lines = script.call("a-1.1")
    await projector.commit(lines)
    again = [replace(line, epoch="e2", fields={**line.fields, "call": "a-2.1"}) for line in lines]
    assert await projector.commit(again) == 7
    assert await look.rows("SELECT id, epoch FROM calls ORDER BY id") == [("a-1.1", "e1"), ("a-2.1", "e2")]
    assert await projector.position() == Position("e2", lines[-1].id, lines[-1].at)


async def test_a_call_goes_on_under_another_epoch(ledger: Ledger, projector: Projector, script: Script) -> None:
    lines = script.call("a-1.1")
    await projector.commit(lines[:5])
    next_epoch = Script(epoch="e2", at=script.at)
    next_epoch("founded")
    next_epoch("restored", call="a-1.1", agent="alice", topic="etat-civil", token="e1:1")
    next_epoch("released", call="a-1.1", agent="alice", topic="etat-civil", token="e1:1", talk="90000")
    await projector.commit(next_epoch.lines)
    found = await History(ledger, SITE).call("a-1.1")
    assert found is not None
    assert (found.epoch, found.answered_ms, found.wait_ms, found.talk_ms) == ("e2", T0 + 8_000, 7_000, 90_000)


async def test_a_line_of_an_unknown_type_or_with_odd_fields_is_kept(
    look: Look, ledger: Ledger, projector: Projector, script: Script
) -> None:
    script("sung", call="c", song="«\u2028»")
    script("trail", call="c", trail="not JSON")
    script("trail", call="c", trail=[[1], "x", [T0, "key", 5], [T0, "key", None], [T0, "hum"]])
    script("ended", call="c", outcome="left", node="a", arrival="soon", facts="[]")
    script("lease", node="a", worker="w", term="1")
    assert await projector.commit(script.lines) == 5
    kinds = await look.rows("SELECT type, fields FROM events ORDER BY at")
    assert [kind for kind, _ in kinds] == ["sung", "trail", "trail", "ended", "lease"]
    assert json.loads(kinds[0][1]) == {"call": "c", "song": "«\u2028»"}
    found = await History(ledger, SITE).call("c")
    assert found is not None
    assert (found.outcome, found.keys, found.arrival_ms) == ("left", "5", script.lines[0].at)


# Files


async def test_what_an_agent_did_not_say_is_a_file_of_theirs_until_they_do(
    ledger: Ledger, projector: Projector, script: Script
) -> None:
    script.call("a-1.1")
    opened = script("unresolved", call="a-1.1", agent="alice", topic="etat-civil", caller="r1")
    await projector.commit(script.lines)
    file = File(
        id=file_of("a-1.1", "alice", "unresolved"),
        site="pessac",
        kind="unresolved",
        topic="etat-civil",
        owner="agent:alice",
        caller_ref="r1",
        recording="",
        opened_ms=opened.at,
        due_ms=due(opened.at, 2),
        call="a-1.1",
    )
    assert await ledger.files() == [file]
    said = script("outcome", call="a-1.1", agent="alice", topic="etat-civil", code="resolu", caller="r1")
    await projector.commit([said])
    assert await ledger.files() == [replace(file, closed_ms=said.at, closed_by="agent:alice")]


async def test_a_follow_up_is_a_file_of_its_agent_and_no_longer_an_unsaid_outcome(
    ledger: Ledger, projector: Projector, script: Script, look: Look
) -> None:
    script.call("a-1.1")
    script("unresolved", call="a-1.1", agent="alice", topic="etat-civil", caller="r1")
    said = script("outcome", call="a-1.1", agent="alice", topic="etat-civil", code="suivre", follow_up="1", caller="r1")
    await projector.commit(script.lines)
    files = {file.kind: file for file in await ledger.files()}
    assert files["unresolved"].closed_ms == said.at
    assert (files["follow_up"].owner, files["follow_up"].closed_ms) == ("agent:alice", None)
    assert await look.rows("SELECT * FROM outcomes") == [("pessac", "a-1.1", "alice", said.at, "suivre")]


async def test_a_promise_of_the_same_call_is_left_alone(ledger: Ledger, projector: Projector, script: Script) -> None:
    promise = File("a-1.1", "pessac", "message", "voirie", "group:voirie", "r1", "m/1", 1, 2, call="a-1.1")
    await ledger.promise(promise, None)
    script.call("a-1.1")
    script("outcome", call="a-1.1", agent="alice", code="resolu", caller="r1")
    await projector.commit(script.lines)
    assert await ledger.files() == [promise]


async def test_a_line_that_cannot_be_kept_leaves_nothing_of_its_batch(
    look: Look, projector: Projector, script: Script
) -> None:
    script.call("a-1.1")
    await look.rows("ALTER TABLE calls RENAME TO elsewhere")
    with pytest.raises(LedgerError, match="did not take what happened"):
        await projector.commit(script.lines)
    assert await look.rows("SELECT count(*) FROM events") == [(0,)]
    assert await projector.position() is None
    await look.rows("ALTER TABLE elsewhere RENAME TO calls")
    assert await projector.commit(script.lines) == 7


async def test_the_crowd_is_what_tells_each_agents_state(
    ledger: Ledger, projector: Projector, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.ledger.history.BEFORE", 2)
    script("founded")
    script("agent", agent="zoe", state="idle", reason="present")
    latest = script("founded")
    states = [script("agent", agent="alice", state="idle", reason="present") for _ in range(4)]
    bob = script("agent", agent="bob", state="paused", reason="lunch")
    call = script.call("a-1.1")
    script("agent", agent="alice", state="away", reason="gone")
    await projector.commit(script.lines)
    crowd = await History(ledger, SITE).crowd(("alice", "bob"), call[0].at, call[-1].at)
    assert crowd == [latest, *states[-2:], bob, *(line for line in call if "agent" in line.fields)]


async def test_a_repair_is_a_line_of_its_call_and_makes_none(
    ledger: Ledger, projector: Projector, script: Script
) -> None:
    nobody = script("repair", call="a-9.9", kind="stray_leg", node="a")
    lines = [nobody, script("repair", call="a-1.1", kind="channel_without_call", node="a"), *script.call("a-1.1")]
    lines.append(script("repair", call="a-1.1", kind="stray_leg", node="a"))
    await projector.commit(lines)
    history = History(ledger, SITE)
    assert await history.call("a-9.9") is None
    row = await history.call("a-1.1")
    assert row is not None
    assert row.outcome == "answered"
    assert [line.type for line in await history.lines_of("a-1.1")].count("repair") == 2
