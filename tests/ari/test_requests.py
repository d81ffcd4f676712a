"""Requests: what they look like, in what order they go, and every end that they can have."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING

import pytest

from ivr.ari import (
    AriDisconnected,
    AriFailed,
    AriRefused,
    AriTimeout,
    Conflict,
    NotFound,
    Reply,
    Unprocessable,
)
from ivr.ari.ws import WINDOW
from tests.ari.conftest import APP, Heard, make
from tests.ari.fake import LOSE, FakeAri, Say, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.unit

BRIDGE = {
    "id": "br.1",
    "technology": "simple_bridge",
    "bridge_type": "mixing",
    "bridge_class": "stasis",
    "creator": "Stasis",
    "name": "",
    "channels": ["a", "b"],
    "creationtime": "2026-01-01T00:00:00.000+0000",
}


async def test_an_answer_is_typed(fake: FakeAri, heard: Heard, transport: str) -> None:
    fake.on("GET", "bridges/br.1", Say(200, BRIDGE))
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        assert (await client.bridges.get(bridgeId="br.1")).channels == ("a", "b")
        assert (await client.asterisk.ping()).ping == "pong"
        assert await client.channels.list() == ()
        assert await client.channels.answer(channelId="x") is None  # type: ignore[func-returns-value]
        assert {asked.via for asked in fake.asked if asked.path != "channels"} == {transport}
        assert {asked.via for asked in fake.asked if asked.path == "channels"} == {"http"}


async def test_ids_values_and_bodies_arrive_as_they_were(fake: FakeAri, heard: Heard, transport: str) -> None:
    odd = "leg/1 é+&=?#%.2"
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        client.channels.originateWithId(
            channelId=odd,
            endpoint="PJSIP/agent-léa@node b",
            app=APP,
            appArgs="leg,a-1.2,e:3",
            timeout=20,
            callerId='"Mairie & Cie" <0536490000>',
            variables={"X": "é,+", "TIMEOUT(absolute)": "60"},
        )
        client.channels.play(channelId="c", playbackId="pb.c.1", media=["sound:/a b", "sound:/c"])
        await client.bridges.addChannel(bridgeId="b", channel=["x", "y"], mute=False)
    called, played, added = fake.wanted
    assert (called.method, called.path) == ("POST", f"channels/{odd}")
    assert called.query == {
        "endpoint": "PJSIP/agent-léa@node b",
        "app": APP,
        "appArgs": "leg,a-1.2,e:3",
        "timeout": "20",
        "callerId": '"Mairie & Cie" <0536490000>',
    }
    assert called.body == {"variables": {"X": "é,+", "TIMEOUT(absolute)": "60"}}
    assert (played.path, played.query) == ("channels/c/play/pb.c.1", {"media": "sound:/a b,sound:/c"})
    assert added.query == {"channel": "x,y", "mute": "false"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, AriRefused),
        (403, AriRefused),
        (404, NotFound),
        (409, Conflict),
        (412, Unprocessable),
        (422, Unprocessable),
        (500, AriFailed),
        (503, AriFailed),
    ],
)
async def test_a_refusal_is_a_typed_error_with_its_facts(
    fake: FakeAri, heard: Heard, transport: str, status: int, kind: type[Exception]
) -> None:
    fake.on("DELETE", "playbacks/pb", refuse(status, "it says why"))
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        reply = client.playbacks.stop(playbackId="pb")
        with pytest.raises(kind, match="it says why") as caught:
            await reply
        assert type(caught.value) is kind
        assert isinstance(caught.value, (AriRefused, AriFailed))
        assert (caught.value.status, caught.value.operation) == (status, "playbacks.stop")
        assert caught.value.target == "playbacks/pb"
        assert reply.exception() is caught.value


async def test_a_refusal_harms_no_other_request(fake: FakeAri, heard: Heard, transport: str) -> None:
    fake.on("POST", "channels/bad/answer", refuse(409, "Channel not in Stasis application"))
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        replies = [client.channels.answer(channelId=name) for name in ("a", "bad", "b")]
        results = await asyncio.gather(*replies, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), Conflict, type(None)]
        assert client.connected


async def test_an_unreadable_answer_fails_its_reader_alone(fake: FakeAri, heard: Heard, transport: str) -> None:
    fake.on("GET", "bridges/br.1", Say(200, {"id": 7}))
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        with pytest.raises(AriFailed, match="unreadable"):
            await client.bridges.get(bridgeId="br.1")
        await client.asterisk.ping()


async def test_many_are_in_flight_and_late_answers_find_theirs(fake: FakeAri, heard: Heard) -> None:
    late = asyncio.Event()
    fake.on("POST", "channels/slow/answer", Say(after=late))
    async with make(fake, heard) as client:
        await client.wait_connected()
        slow = client.channels.answer(channelId="slow")
        quick = [client.asterisk.ping() for _ in range(200)]
        await asyncio.gather(*quick)
        assert not slow.done()
        late.set()
        await slow


async def test_the_order_of_a_lane_holds(fake: FakeAri, heard: Heard, transport: str) -> None:
    late = asyncio.Event()
    fake.on("POST", "channels/c1/answer", Say(after=late))
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        client.channels.answer(channelId="c1", lane="c1")
        replies: list[Reply[None]] = []
        for n in range(20):
            for call in ("c1", "c2", "c3"):
                variable = {"variable": "n", "value": str(n), "lane": call}
                replies.append(client.channels.setChannelVar(channelId=call, **variable))  # type: ignore[arg-type]
        others = [reply for reply in replies if "c1" not in reply.target]
        await asyncio.gather(*others)  # no lane waits for another
        if transport == "http":
            assert not [path for path in fake.paths() if path == "channels/c1/variable"]
        late.set()
        await asyncio.gather(*replies)
    for call in ("c1", "c2", "c3"):
        values = [a.query["value"] for a in fake.asked if a.path == f"channels/{call}/variable"]
        assert values == [str(n) for n in range(20)]


async def test_a_list_keeps_nobody_waiting(fake: FakeAri, heard: Heard) -> None:
    late = asyncio.Event()
    fake.on("GET", "channels", Say(200, [], after=late))
    async with make(fake, heard, "ws") as client:
        await client.wait_connected()
        slow = client.channels.list()
        await client.channels.answer(channelId="x")
        await fake.until(lambda: "channels" in fake.paths())
        assert not slow.done()
        late.set()
        assert await slow == ()
        cut_off = asyncio.Event()
        fake.on("GET", "bridges", Say(200, [], after=cut_off))
        lost = client.bridges.list()
        await fake.until(lambda: "bridges" in fake.paths())
        fake.cut(APP)
        with pytest.raises(AriDisconnected):
            await lost
        cut_off.set()
    assert {asked.via for asked in fake.wanted if asked.path in {"channels", "bridges"}} == {"http"}
    assert {asked.via for asked in fake.wanted if asked.path.endswith("answer")} == {"ws"}


async def test_a_lost_answer_is_a_timeout_and_its_late_one_is_nobodys(fake: FakeAri, heard: Heard) -> None:
    late = asyncio.Event()
    fake.on("POST", "channels/c/answer", Say(after=late))
    async with make(fake, heard) as client:
        await client.wait_connected()
        with pytest.raises(AriTimeout) as caught:
            await client.channels.answer(channelId="c", timeout_ms=20)
        assert (caught.value.timeout_ms, caught.value.sent) == (20, True)
        late.set()
        await client.asterisk.ping()
        await fake.emit(APP, "StasisEnd", channel={"id": "c"})
        await heard.until(lambda: heard.events)
        assert (client.stats.timeouts, client.stats.late_answers) == (1, 1)
        assert client.connected


async def test_a_request_that_is_never_answered_ends_the_connection(fake: FakeAri, heard: Heard) -> None:
    """What is behind it would wait for ever; what became of it the next connection shows."""
    never = asyncio.Event()
    fake.on("POST", "channels/c/answer", Say(after=never), times=1)
    async with make(fake, heard, timeout_ms=50) as client:
        await client.wait_connected()
        stuck, behind = client.channels.answer(channelId="c"), client.channels.ring(channelId="d")
        with pytest.raises(AriDisconnected, match=r"no answer to channels\.answer in 50 ms") as caught:
            await stuck
        assert caught.value.sent
        await asyncio.wait({asyncio.ensure_future(_settled(behind))})
        await heard.until(lambda: client.stats.connections == 2)
        await client.channels.answer(channelId="c")
        assert client.stats.timeouts == 1


async def _settled(reply: Reply[None]) -> None:
    with contextlib.suppress(AriDisconnected):
        await reply


async def test_no_more_than_a_window_is_on_its_way(fake: FakeAri, heard: Heard) -> None:
    answer = asyncio.Event()
    fake.on("POST", "channels/[^/]+/ring", Say(after=answer))

    def asked() -> int:
        return sum(path.endswith("ring") for path in fake.paths())

    async with make(fake, heard) as client:
        await client.wait_connected()
        replies = [client.channels.ring(channelId=f"c{n}") for n in range(2 * WINDOW)]
        probe = client.asterisk.ping()  # behind them all
        await fake.until(lambda: asked() == WINDOW)
        assert not probe.done()
        answer.set()
        await asyncio.gather(*replies, probe)
        assert [path for path in fake.paths() if path.endswith("ring")] == [
            f"channels/c{n}/ring" for n in range(2 * WINDOW)
        ]


async def test_a_timeout_over_http_frees_its_lane(fake: FakeAri, heard: Heard) -> None:
    never = asyncio.Event()
    fake.on("POST", "channels/c/answer", Say(after=never))
    async with make(fake, heard, "http") as client:
        await client.wait_connected()
        slow = client.channels.answer(channelId="c", lane="c", timeout_ms=30)
        too_late = client.channels.ring(channelId="c", lane="c", timeout_ms=1)
        after = client.channels.hangup(channelId="c", lane="c")
        with pytest.raises(AriTimeout) as unsent:
            await too_late
        assert unsent.value.sent is False
        await after
        assert isinstance(slow.exception(), AriTimeout)
        assert fake.paths() == ["channels/c/answer", "channels/c"]


async def test_a_doubled_answer_counts_once(fake: FakeAri, heard: Heard) -> None:
    fake.on("GET", "asterisk/ping", Say(200, {"ping": "pong", "timestamp": "", "asterisk_id": ""}, times=2))
    async with make(fake, heard) as client:
        await client.wait_connected()
        calls: list[Reply[object]] = []
        reply = client.asterisk.ping()
        reply.add_done_callback(calls.append)  # type: ignore[arg-type]
        await reply
        await client.asterisk.ping()
        await client.channels.answer(channelId="c")
        assert calls == [reply]
        assert client.stats.late_answers == 2


async def test_a_cut_over_http_fails_its_request_and_no_other(fake: FakeAri, heard: Heard) -> None:
    fake.on("POST", "channels/c/answer", LOSE)
    async with make(fake, heard, "http") as client:
        await client.wait_connected()
        with pytest.raises(AriDisconnected) as caught:
            await client.channels.answer(channelId="c")
        assert caught.value.sent
        await client.asterisk.ping()


@pytest.mark.parametrize(
    "end",
    [
        lambda fake: fake.cut(APP),
        lambda fake: asyncio.ensure_future(fake.close(APP, 1001)),
    ],
    ids=["cut", "close 1001"],
)
async def test_all_in_flight_fail_when_the_connection_ends(
    fake: FakeAri, heard: Heard, transport: str, end: Callable[[FakeAri], object]
) -> None:
    fake.on("POST", "channels/.*/answer", Say(after=asyncio.Event()))
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        replies = [client.channels.answer(channelId=str(n), lane=str(n % 3)) for n in range(9)]
        await fake.until(lambda: len(fake.paths()) >= (9 if transport == "ws" else 3))
        ending = end(fake)
        results = await asyncio.gather(*replies, return_exceptions=True)
        assert {type(result) for result in results} == {AriDisconnected}
        if isinstance(ending, asyncio.Future):
            await ending


async def test_without_a_connection_a_request_fails_at_once(fake: FakeAri, heard: Heard, transport: str) -> None:
    client = make(fake, heard, transport)
    reply = client.asterisk.ping()
    assert isinstance(reply.exception(), AriDisconnected)
    async with client:
        await client.wait_connected()
        await client.asterisk.ping()
    closed = client.channels.hangup(channelId="c")
    with pytest.raises(AriDisconnected, match="closed") as caught:
        await closed
    assert caught.value.sent is False
    assert fake.paths() == ["asterisk/ping"]


async def test_closing_fails_what_is_in_flight(fake: FakeAri, heard: Heard, transport: str) -> None:
    fake.on("POST", "channels/c/answer", LOSE if transport == "ws" else Say(after=asyncio.Event()))
    client = make(fake, heard, transport)
    async with client:
        await client.wait_connected()
        reply = client.channels.answer(channelId="c")
        await fake.until(fake.paths)
    assert isinstance(reply.exception(), AriDisconnected)


@pytest.mark.filterwarnings("error")
async def test_a_failure_that_nobody_awaits_says_nothing(fake: FakeAri, heard: Heard, transport: str) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    fake.on("DELETE", "playbacks/.*", refuse(404, "gone"))
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        for n in range(10):
            client.playbacks.stop(playbackId=str(n), lane="c")
        await client.asterisk.ping(lane="c")
        gc.collect()
    gc.collect()
    assert complaints == []


async def test_a_reply_can_be_awaited_often_called_back_and_given_up(fake: FakeAri, heard: Heard) -> None:
    late = asyncio.Event()
    fake.on("GET", "asterisk/ping", Say(200, {"ping": "pong", "timestamp": "", "asterisk_id": ""}, late))
    async with make(fake, heard) as client:
        await client.wait_connected()
        reply = client.asterisk.ping()
        with pytest.raises(asyncio.InvalidStateError):
            reply.result()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply, 0.001)
        called = asyncio.Event()
        reply.add_done_callback(lambda _: called.set())
        late.set()
        first, second = await asyncio.gather(reply, reply)
        assert first == second == await reply
        await called.wait()
        again = asyncio.Event()
        reply.add_done_callback(lambda _: again.set())
        await again.wait()


async def test_a_request_too_large_for_asterisk_fails_alone(fake: FakeAri, heard: Heard) -> None:
    async with make(fake, heard) as client:
        await client.wait_connected()
        huge = client.channels.setChannelVar(channelId="c", variable="v", value="x" * 70_000)
        with pytest.raises(AriRefused, match="413"):
            await huge
        await client.asterisk.ping()
        assert len(heard.states) == 1


async def test_an_empty_id_is_refused_before_it_becomes_another_path(fake: FakeAri, heard: Heard) -> None:
    async with make(fake, heard) as client:
        await client.wait_connected()
        with pytest.raises(ValueError, match="channelId is empty"):
            client.channels.hangup(channelId="")
