"""The faults as data, their order, and what holds of the book, the relay and the agreement; no line is needed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ivr.core.caller import CallId
from ivr.core.plan import AgentId, TopicId
from ivr.lab.acts import other_half
from ivr.lab.agreement import disagreements, grown, standing
from ivr.lab.chaos import ADOPTION, KILLS_AMONG, Book, judged_whole, the_list
from ivr.lab.chaos_load import FULL, NARROWED, SMALL, Shape, narrowed
from ivr.lab.crowd import LoadFailed
from ivr.lab.faults import BY_NAME, FAULTS, TRIED_IN_TESTS, random_kill
from ivr.lab.notes import MUTE_S
from ivr.lab.relay import HOST, Relay
from ivr.plan import load_or_raise
from ivr.queueing.model import AgentRecord, AgentState, CallRecord, Dump, NodeId, Offer, Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.unit

PLAN = Path(__file__).parents[2] / "dialplan" / "pessac"


def test_every_fault_has_a_name_of_its_own_and_says_what_it_is() -> None:
    assert len(BY_NAME) == len(FAULTS)
    assert all(fault.what and fault.watch_s >= 5 for fault in FAULTS)
    assert [fault.name for fault in FAULTS if fault.ends_calls] == ["asterisk-crash"]
    assert set(TRIED_IN_TESTS) <= set(BY_NAME)


def test_who_hangs_up_in_a_silence_that_no_fault_allows_is_lost() -> None:
    for fault in (*FAULTS, *(random_kill(7, n) for n in range(1, 10))):
        assert MUTE_S <= fault.mute_s <= fault.silence_s
    assert BY_NAME["redis-down"].mute_s == MUTE_S
    assert BY_NAME["ari-cut-60"].mute_s > 60


def test_the_documented_list_is_this_one() -> None:
    documented = (PLAN.parents[1] / "docs" / "chaos.md").read_text(encoding="utf-8")
    bounds = [f"{fault.silence_s:g} s" for fault in FAULTS]
    rows = (f"| `{fault.name}` | {fault.what} | {bound} |\n" for fault, bound in zip(FAULTS, bounds, strict=True))
    assert "".join(rows) in documented


def test_the_whole_list_has_random_kills_among_it_and_ends_with_the_crash() -> None:
    whole = the_list((), 7)
    assert [fault for fault in whole if fault in FAULTS] == list(FAULTS)
    kills = [fault for fault in whole if fault not in FAULTS]
    assert [fault.name for fault in kills] == [f"kill-{n}" for n in range(1, KILLS_AMONG + 1)]
    assert whole[-1].ends_calls


def test_a_fault_that_does_not_exist_is_refused() -> None:
    assert [fault.name for fault in the_list(["ari-cut"], 7)] == ["ari-cut"]
    with pytest.raises(LoadFailed, match="no such fault: flood"):
        the_list(["flood"], 7)


def test_the_same_seed_gives_the_same_kills() -> None:
    def drawn(seed: int) -> list[tuple[str, float]]:
        return [(kill.what, kill.seconds) for kill in (random_kill(seed, n) for n in range(1, 30))]

    assert drawn(7) == drawn(7) != drawn(8)
    assert len({what.split(" ")[1] for what, _ in drawn(7)}) == 3


@pytest.mark.parametrize("shape", [FULL, SMALL])
def test_agents_are_just_quick_enough(shape: Shape) -> None:
    served = shape.agents / (shape.talk_ms + 300) * 1_000
    assert shape.rate * 0.9 < served < shape.rate * 1.05


def test_the_plan_of_the_load_leaves_two_topics_to_people_who_are_not_there(tmp_path: Path) -> None:
    plan = load_or_raise(narrowed(PLAN, tmp_path / "plan"))[0]
    assert {name for name, topic in plan.topics.items() if not topic.widen} == {TopicId(name) for name in NARROWED}


# The book


def test_rows_are_kept_for_the_same_sources_and_load_alone(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"

    def read(digest: str, seed: int) -> Book:
        return Book(path, digest, {"seed": seed, "load": {"rate": 2.0, "variety": (1.0,)}}, ["worker-kill"])

    read("abc", 7).keep("worker-kill", {"ok": True, "lost": 0})
    assert json.loads(path.read_text())["faults"] == [{"name": "worker-kill", "ok": True, "lost": 0, "tries": 1}]
    assert read("abc", 7).rows == {"worker-kill": {"ok": True, "lost": 0, "tries": 1}}
    assert read("abd", 7).rows == read("abc", 8).rows == {}


def test_a_book_is_good_once_every_part_is_there_and_good(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    book = Book(path, "abc", {"seed": 7}, ["one", "two", ADOPTION])

    def good() -> bool:
        return bool(json.loads(path.read_text())["ok"])

    book.keep("one", {"ok": True})
    assert not good()
    book.keep("two", {"ok": True})
    assert not good()
    book.adopt({"ok": True, "adopt_s": 1.5})
    assert good()
    assert json.loads(path.read_text())["adopt_500_s"] == 1.5
    book.keep("two", {"ok": False})
    assert not good()


def test_what_failed_once_is_not_made_good_by_another_try(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"

    def book() -> Book:
        return Book(path, "abc", {"seed": 7}, ["one", ADOPTION])

    book().adopt({"ok": True, "adopt_s": 1.5})
    book().keep("one", {"ok": False, "lost": 1, "why": "1 lost", "silences": []})
    book().keep("one", {"ok": False, "why": "the line broke"})
    book().keep("one", {"ok": True, "lost": 0})
    kept = json.loads(path.read_text())
    assert kept["faults"] == [
        {
            "name": "one",
            "ok": True,
            "lost": 0,
            "tries": 3,
            "failed_before": [{"why": "1 lost", "lost": 1}, {"why": "the line broke"}],
        }
    ]
    assert kept["ok"] is False
    again = Book(path, "abd", {"seed": 7}, ["one"])
    again.keep("one", {"ok": True, "lost": 0})
    assert json.loads(path.read_text())["ok"] is True


def test_a_slow_adoption_is_not_made_good_by_another_try(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    book = Book(path, "abc", {"seed": 7}, [ADOPTION])
    book.adopt({"ok": False, "adopt_s": 9.0})
    book.adopt({"ok": True, "adopt_s": 1.5})
    assert book.adopted["tries"] == 2
    assert json.loads(path.read_text())["ok"] is False


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, None),
        ({"lost": 1, "doubled": 2}, "1 lost, 2 doubled"),
        ({"violations": 1}, "1 violations"),
        ({"without_file": 3}, "3 without_file"),
        ({"steady_after_s": None}, "no talks as before"),
        ({"worst_silence_s": 20.0}, None),
        ({"worst_silence_s": 20.5}, "20.5 s of silence, 20 at most"),
    ],
)
def test_a_row_is_ok_when_nothing_was_lost_and_nobody_in_silence_for_too_long(
    told: dict[str, float | None], why: str | None
) -> None:
    row = {"lost": 0, "doubled": 0, "violations": 0, "worst_silence_s": 5.6, "steady_after_s": 1.0, **told}
    judged = judged_whole(row, 20.0)
    assert (judged["ok"], judged.get("why")) == (why is None, why)


def test_an_asterisk_that_starts_anew_uses_the_other_half_of_the_ports() -> None:
    before = "[general]\nrtpstart = 12100\nrtpend = 12199\nstrictrtp = yes\n"
    after = other_half(before, 12_100, 12_299)
    assert after == "[general]\nrtpstart = 12200\nrtpend = 12299\nstrictrtp = yes\n"
    assert other_half(after, 12_100, 12_299) == before


def test_violations_are_those_of_every_kind() -> None:
    before = {'ivr_violations_total{kind="doubled"}': 1.0, "ivr_violations_created": 5.0}
    after = {**before, 'ivr_violations_total{kind="late"}': 2.0, "ivr_violations_created": 9.0}
    assert grown(before, after, "ivr_violations_total") == 2


# The agreement

CALL = CallId("a-1.1")


def record(call: str) -> CallRecord:
    return CallRecord(CallId(call), NodeId("a"), 0, "waiting")


def agent(name: str, state: AgentState = "idle", token: str | None = None) -> AgentRecord:
    held = None if token is None else Token(token)
    return AgentRecord(AgentId(name), (), NodeId("a"), True, state, 0, 0, token=held)


def offer(token: str, name: str) -> Offer:
    return Offer(Token(token), CALL, NodeId("a"), AgentId(name), NodeId("a"), TopicId("t"), 0, 0, 0)


def channel(name: str, app: str = "Stasis", data: str = "ivr-a,caller,1") -> list[str]:
    return ["PJSIP/trunk-1", "caller", "1", "7", "Up", app, data, "", "", "", "3", "12", "", name]


def found(held: Dump, *channels: list[str], bridges: str = "") -> set[str]:
    return disagreements(held, channels, bridges, "ivr-a")


def test_a_call_and_its_channel_agree() -> None:
    held = Dump(calls={CALL: record("a-1.1")})
    assert found(held, channel("a-1.1")) == set()
    assert found(held) == {"call a-1.1 has no channel"}
    assert found(Dump(), channel("a-1.1")) == {"channel a-1.1 belongs to no call"}
    assert found(Dump(), channel("a-1.1", "Playback"), channel("leg", data="ivr-a,leg,x")) == set()


def test_an_agent_has_one_call_that_is_there_and_is_not_idle_while_somebody_waits() -> None:
    assert found(Dump(agents={AgentId("x"): agent("x", "offered", "gone")})) == {"x is held by gone, which is no more"}
    twice = Dump(calls={CALL: record("a-1.1")}, offers={Token(each): offer(each, "x") for each in ("e:1", "e:2")})
    assert found(twice, channel("a-1.1")) == {"x has 2 offers or talks"}
    over = Dump(offers={Token("e:1"): offer("e:1", "x")})
    assert found(over) == {"the offer e:1 is for a call that is over"}
    waits = {"etat-civil~0": (CALL,)}
    held = Dump(calls={CALL: record("a-1.1")}, agents={AgentId("x"): agent("x")}, waiting=waits)
    assert found(held, channel("a-1.1")) == {"x is idle while somebody waits"}


def test_a_bridge_has_two_channels() -> None:
    shown = (
        "Bridge-ID Chans Type Technology Duration\nbr-1 2 stasis simple_bridge 00:00:01\nbr-2 3 stasis softmix 00:00:01"
    )
    assert found(Dump(), bridges=shown) == {"3 channels are in the bridge br-2"}


async def test_only_what_stands_is_wrong() -> None:
    looks = iter([{"a", "b"}, {"a"}, {"c"}])

    async def look() -> set[str]:
        return next(looks)

    assert await standing(look, fall_s=30.0, every_s=0.01) == set()

    async def always() -> set[str]:
        return {"a"}

    assert await standing(always, fall_s=0.1, every_s=0.01) == {"a"}


def test_a_counter_that_began_anew_counts_whole() -> None:
    before = {'ivr_repairs_total{kind="x"}': 5.0, "ivr_calls": 9.0}
    assert grown(before, {'ivr_repairs_total{kind="x"}': 7.0, "ivr_calls": 99.0}, "ivr_repairs") == 2
    assert grown(before, {'ivr_repairs_total{kind="x"}': 1.0, "ivr_repairs_created": 1e9}, "ivr_repairs") == 1


# The relay


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1_000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def ends(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


async def test_when_one_end_of_a_relay_goes_the_other_learns_it() -> None:
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"unread")
        assert await ends(reader)
        gone.set()
        writer.close()

    server = await asyncio.start_server(listen, HOST, 0)
    async with server, Relay(lambda: (HOST, int(server.sockets[0].getsockname()[1]))) as relay:
        _, writer = await asyncio.open_connection(HOST, relay.port)
        writer.transport.abort()  # as the socket of a process that was killed
        await asyncio.wait_for(gone.wait(), 5.0)


async def test_a_relay_passes_cuts_holds_and_mends(echo: int) -> None:
    async with Relay(lambda: (HOST, echo)) as relay:
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        relay.hold()
        writer.write(b"two")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(3), 0.1)
        relay.mend()
        assert await reader.readexactly(3) == b"two"
        relay.cut()
        assert await ends(reader)
        writer.close()
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        assert await ends(reader)
        writer.close()
        relay.mend()
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        writer.write(b"three")
        assert await reader.readexactly(5) == b"three"
        writer.close()
