"""The connection: how it opens, what it delivers, how it ends and comes back."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from ivr.ari import AriClient, AriDisconnected, Backoff, Connected, Disconnected, Event, Replaced, State
from ivr.ari.wire import ALWAYS_ALLOWED
from ivr.errors import IvrError
from tests.ari.conftest import APP, Heard, make
from tests.ari.fake import FakeAri, Say, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.unit


def channel(name: str) -> dict[str, object]:
    caller = {"name": "", "number": "0536490000"}
    return {
        "id": name,
        "name": f"PJSIP/{name}",
        "state": "Up",
        "caller": caller,
        "connected": caller,
        "dialplan": {"context": "from-trunk", "exten": "1", "priority": 2},
        "creationtime": "2026-01-01T00:00:00.000+0000",
    }


async def test_the_filter_is_set_and_the_hook_runs_before_connected(
    fake: FakeAri, heard: Heard, transport: str
) -> None:
    order: list[object] = []

    async def resync(client: AriClient) -> None:
        order.append(("hook", fake.asked[0].path, client.connected))
        await fake.emit(APP, "StasisStart", channel=channel("c1"), args=["caller"])
        await fake.emit(APP, "ChannelDtmfReceived", channel=channel("c1"), digit="1", duration_ms=80)
        await client.channels.list()
        await client.asterisk.ping()
        order.append("resynced")

    def note(what: Event | State) -> None:
        order.append(what.type if isinstance(what, Event) else what)
        heard(what)

    async with make(fake, heard, transport, on_event=note, on_state=note, on_connect=resync) as client:
        await client.wait_connected()
        await fake.emit(APP, "StasisEnd", channel=channel("c1"))
        await heard.until(lambda: len(heard.events) == 3)
    assert order == [
        ("hook", f"applications/{APP}/eventFilter", False),
        "resynced",
        Connected(1),
        "StasisStart",
        "ChannelDtmfReceived",
        "StasisEnd",
    ]


async def test_the_filter_names_what_asterisk_would_else_hold_back(fake: FakeAri, heard: Heard) -> None:
    async with make(fake, heard, event_filter={"StasisStart", "StasisEnd"}) as client:
        await client.wait_connected()
        assert fake.filters[APP] == {"StasisStart", "StasisEnd", *ALWAYS_ALLOWED}
        assert fake.asked[0].body["disallowed"] == []
    with pytest.raises(ValueError, match="ChannelVarset"):
        make(fake, heard, event_filter={"ChannelVarset"})


async def test_an_event_knows_whom_it_concerns_and_is_parsed_by_him(fake: FakeAri, heard: Heard) -> None:
    playback = {"id": "pb.c1.3", "media_uri": "sound:x", "target_uri": "channel:c1", "state": "done"}
    recording = {"name": "c1.2", "format": "wav", "target_uri": "channel:c1", "state": "done", "duration": 4}
    endpoint = {"technology": "PJSIP", "resource": "agent-lea", "channel_ids": [], "state": "online"}
    contact = {"uri": "sip:x", "contact_status": "Reachable", "aor": "agent-lea"}
    async with make(fake, heard) as client:
        await client.wait_connected()
        await fake.emit(APP, "StasisStart", channel=channel("c1"), args=["caller", "", "+33"])
        await fake.emit(APP, "PlaybackFinished", playback=playback)
        await fake.emit(APP, "RecordingFinished", recording=recording)
        await fake.emit(APP, "ContactStatusChange", endpoint=endpoint, contact_info=contact)
        await fake.emit(APP, "ChannelDestroyed", channel={"id": "c1"})
        await heard.until(lambda: len(heard.events) == 5)
    start, played, recorded, changed, half = heard.events
    assert (start.channel_id, start.type) == ("c1", "StasisStart")
    match start.decode():
        case started:
            assert type(started).__name__ == "StasisStart"
            assert started.at_ms == 1_767_225_600_000
            assert getattr(started, "args", None) == ("caller", "", "+33")
    assert (played.channel_id, played.playback_id) == ("c1", "pb.c1.3")
    assert (recorded.channel_id, recorded.recording) == ("c1", "c1.2")
    assert (changed.channel_id, changed.endpoint) == (None, "PJSIP/agent-lea")
    with pytest.raises(ValueError, match="missing required field"):
        half.decode()  # its own task's trouble, never the reader's


async def test_what_is_unknown_unwanted_or_unreadable_is_counted_and_dropped(fake: FakeAri, heard: Heard) -> None:
    async with make(fake, heard, event_filter={"StasisStart"}) as client:
        await client.wait_connected()
        for text in ("not json", "[]", '{"no": "type"}', '{"type": "StasisStart", "channel": 7}'):
            await fake.emit_raw(APP, text)
        await fake.emit_raw(APP, '{"type": "FutureThing", "application": "x"}')
        await fake.emit_raw(APP, '{"type": "StasisEnd", "channel": {"id": "c"}}')
        await fake.emit_raw(APP, '{"type": "ApplicationReplaced", "application": "another"}')
        await fake.emit(APP, "StasisStart", channel=channel("c1"), args=[])
        await fake.emit(APP, "StasisStart", channel=channel("c1"), args=[])  # doubled: the layer above knows
        await heard.until(lambda: len(heard.events) == 2)
        assert client.stats.malformed == 4
        assert client.stats.ignored == {"FutureThing": 1, "StasisEnd": 1, "ApplicationReplaced": 1}
        assert client.connected


@pytest.mark.parametrize(
    "end",
    [
        lambda fake: fake.cut(APP),
        lambda fake: asyncio.ensure_future(fake.close(APP, 1001)),
        lambda fake: asyncio.ensure_future(fake.close(APP, 1000)),
    ],
    ids=["cut", "close 1001", "close 1000"],
)
async def test_it_comes_back_after_any_end(
    fake: FakeAri, heard: Heard, transport: str, end: Callable[[FakeAri], object]
) -> None:
    async with make(fake, heard, transport) as client:
        for round_ in range(1, 4):
            await heard.until(lambda n=round_: heard.states[-1:] == [Connected(n)])  # type: ignore[misc]
            assert client.connected
            ending = end(fake)
            await heard.until(lambda: isinstance(heard.states[-1], Disconnected))
            assert isinstance(client.asterisk.ping().exception(), AriDisconnected)
            if isinstance(ending, asyncio.Future):
                await ending
        await heard.until(lambda: heard.states[-1] == Connected(4))
        await client.asterisk.ping()
        lost = [state for state in heard.states if isinstance(state, Disconnected)]
        assert [(state.attempt, state.retry_ms) for state in lost] == [(1, 1)] * 3
    assert sum(asked.path.endswith("eventFilter") for asked in fake.asked) == 4


async def test_a_server_that_is_not_there_is_tried_with_backoff(fake: FakeAri, heard: Heard) -> None:
    fake.refuse_connections = 2
    async with make(fake, heard) as client:
        await client.wait_connected()
        await fake.stop()
        await heard.until(lambda: len(heard.states) >= 8)
        await fake.listen()
        await heard.until(lambda: heard.states[-1] == Connected(2))
        await client.asterisk.ping()
    first, second, up, *rest = heard.states
    assert isinstance(first, Disconnected)
    assert isinstance(second, Disconnected)
    assert "503" in first.reason
    assert [(first.attempt, first.retry_ms), (second.attempt, second.retry_ms)] == [(1, 1), (2, 2)]
    assert up == Connected(1)
    lost = [state for state in rest if isinstance(state, Disconnected)]
    assert [state.retry_ms for state in lost[:4]] == [1, 2, 4, 4]


async def test_a_wrong_password_is_said(fake: FakeAri, heard: Heard) -> None:
    client = AriClient(fake.url, "ivr", "wrong", APP, on_state=heard, backoff=Backoff(first_ms=60_000))
    async with client:
        await heard.until(lambda: heard.states)
    (state,) = heard.states
    assert isinstance(state, Disconnected)
    assert "401" in state.reason
    assert "wrong" not in state.reason


async def test_the_first_account_that_opens_is_used(fake: FakeAri, heard: Heard, transport: str) -> None:
    accounts = [("new", "not yet"), (fake.user, fake.password)]
    async with make(fake, heard, transport, accounts=lambda: accounts) as client:
        await client.wait_connected()
        await client.asterisk.ping()
    assert heard.states == [Connected(1)]


async def test_a_password_that_is_taken_away_is_changed_at_once(fake: FakeAri, heard: Heard, transport: str) -> None:
    """Asterisk asks for it at every request, also over the socket that it opened: nobody above hears a refusal."""
    accounts = [(fake.user, fake.password)]
    async with make(fake, heard, transport, accounts=lambda: accounts) as client:
        await client.wait_connected()
        accounts[:] = [("ivr-1", "new")]
        fake.user, fake.password = "ivr-1", "new"
        with pytest.raises(AriDisconnected) as lost:
            await client.channels.answer(channelId="a-1.1")
        assert lost.value.sent
        await heard.until(lambda: heard.states[-1] == Connected(2))
        await client.asterisk.ping()
    assert [type(state) for state in heard.states] == [Connected, Disconnected, Connected]
    assert "401" in str(heard.states[1])


async def test_accounts_that_cannot_be_read_are_a_failed_connection(fake: FakeAri, heard: Heard) -> None:
    tries = 0

    def accounts() -> list[tuple[str, str]]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise IvrError("secrets.json: not a file of secrets")
        return [(fake.user, fake.password)]

    async with make(fake, heard, accounts=accounts) as client:
        await client.wait_connected()
    assert isinstance(heard.states[0], Disconnected)
    assert "secrets.json" in heard.states[0].reason


async def test_without_its_filter_it_is_not_connected(fake: FakeAri, heard: Heard) -> None:
    fake.on("PUT", "applications/.*/eventFilter", refuse(500, "broken"), times=1)
    async with make(fake, heard) as client:
        await client.wait_connected()
    first, second = heard.states
    assert isinstance(first, Disconnected)
    assert "applications.filter" in first.reason
    assert second == Connected(1)


async def test_a_failed_resync_is_a_failed_connection(fake: FakeAri, heard: Heard, transport: str) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    fake.on("GET", "channels", refuse(503, "not yet"), times=1)
    tries = 0

    async def resync(client: AriClient) -> None:
        nonlocal tries
        tries += 1
        await fake.emit(APP, "StasisStart", channel=channel(f"try {tries}"), args=[])
        await client.channels.list()
        if tries == 2:
            raise ZeroDivisionError

    async with make(fake, heard, transport, on_connect=resync) as client:
        await client.wait_connected()
        await heard.until(lambda: heard.events)
    assert [type(state) for state in heard.states] == [Disconnected, Disconnected, Connected]
    assert [event.decode().channel.id for event in heard.events] == ["try 3"]  # type: ignore[union-attr]
    assert [context["message"] for context in complaints] == ["on_connect failed"]
    assert client.stats.handler_errors == 1


async def test_a_connection_lost_in_the_resync_starts_over(fake: FakeAri, heard: Heard) -> None:
    async def resync(client: AriClient) -> None:
        if fake.connections == 1:
            fake.cut(APP)
            with pytest.raises(AriDisconnected):
                await client.channels.list()
            await asyncio.Event().wait()  # abandoned with its connection

    async with make(fake, heard, on_connect=resync) as client:
        await client.wait_connected()
    assert [type(state) for state in heard.states] == [Disconnected, Connected]


async def test_one_bad_event_handler_deafens_nobody(fake: FakeAri, heard: Heard) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def handle(event: Event) -> None:
        heard(event)
        if event.channel_id == "bad":
            raise KeyError(event.channel_id)

    async with make(fake, heard, on_event=handle) as client:
        await client.wait_connected()
        for name in ("a", "bad", "b"):
            await fake.emit(APP, "StasisEnd", channel=channel(name))
        await heard.until(lambda: len(heard.events) == 3)
        assert client.stats.handler_errors == len(complaints) == 1


async def test_replaced_means_silence_until_resumed(fake: FakeAri, heard: Heard, transport: str) -> None:
    fake.on("POST", "channels/c/answer", Say(after=asyncio.Event()))
    other_heard = Heard()
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        in_flight = client.channels.answer(channelId="c")
        await fake.until(fake.paths)
        async with make(fake, other_heard, transport) as other:
            await other.wait_connected()
            await heard.until(lambda: heard.states[-1] == Replaced())
            assert not client.connected
            with pytest.raises(AriDisconnected, match="replaced"):
                await in_flight
            asked = len(fake.asked)
            assert isinstance(client.channels.hangup(channelId="c").exception(), AriDisconnected)
            await other.asterisk.ping()
            assert len(fake.asked) == asked + 1
            assert fake.connections == 2  # it does not fight for the name
        client.resume()
        await heard.until(lambda: heard.states[-1] == Connected(2))
        await client.asterisk.ping()
    assert [type(state) for state in heard.states] == [Connected, Replaced, Connected]


async def test_replaced_in_the_middle_of_the_resync(fake: FakeAri, heard: Heard) -> None:
    async def resync(client: AriClient) -> None:
        await fake.emit(APP, "StasisStart", channel=channel("c"), args=[])
        await fake.emit(APP, "ApplicationReplaced")
        await asyncio.Event().wait()

    async with make(fake, heard, on_connect=resync):
        await heard.until(lambda: heard.states)
        await fake.until(lambda: not fake._sockets)
    assert heard.all == [Replaced()]


async def test_suspended_it_closes_and_waits(fake: FakeAri, heard: Heard, transport: str) -> None:
    async with make(fake, heard, transport) as client:
        await client.wait_connected()
        client.suspend("the lease is lost")
        client.suspend("said once")
        assert heard.states[-1] == Disconnected("the lease is lost", 0, None)
        assert isinstance(client.asterisk.ping().exception(), AriDisconnected)
        await fake.until(lambda: not fake._sockets)
        assert fake.connections == 1
        client.resume()
        await heard.until(lambda: heard.states[-1] == Connected(2))


async def test_suspended_by_an_event_nothing_more_is_delivered(fake: FakeAri, heard: Heard) -> None:
    async def resync(client: AriClient) -> None:
        for name in ("a", "b", "c"):
            await fake.emit(APP, "StasisEnd", channel=channel(name))
        await client.asterisk.ping()

    def stop(event: Event) -> None:
        heard(event)
        client.suspend("enough")

    client = make(fake, heard, on_event=stop, on_connect=resync)
    async with client:
        await heard.until(lambda: isinstance(heard.states[-1], Disconnected) if heard.states else False)
        await fake.until(lambda: not fake._sockets)
    assert [event.channel_id for event in heard.events] == ["a"]


async def test_a_standby_suspended_before_it_runs_opens_no_socket(fake: FakeAri, heard: Heard) -> None:
    client = make(fake, heard)
    client.suspend("standby")
    async with client:
        client.resume()
        await client.wait_connected()
    assert fake.connections == 1


async def test_run_lasts_until_closed(fake: FakeAri, heard: Heard) -> None:
    client = make(fake, heard)
    running = asyncio.create_task(client.run())
    await client.wait_connected()
    await client.close()
    await running
    await client.close()
    assert [type(state) for state in heard.states] == [Connected]
    with pytest.raises(RuntimeError):
        await client.run()


async def test_run_cancelled_leaves_nothing(fake: FakeAri, heard: Heard, transport: str) -> None:
    client = make(fake, heard, transport)
    running = asyncio.create_task(client.run())
    await client.wait_connected()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await fake.until(lambda: not fake._sockets)
    assert isinstance(client.asterisk.ping().exception(), AriDisconnected)


async def test_a_silent_peer_is_a_dead_one(heard: Heard) -> None:
    """A frozen Asterisk keeps its socket open and says nothing, not even a pong."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()
        await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = AriClient(f"http://127.0.0.1:{port}/ari", "u", "p", APP, on_state=heard, timeout_ms=30)
    async with client:
        await heard.until(lambda: heard.states)
    await gone.wait()
    server.close()
    await server.wait_closed()
    (state,) = heard.states[:1]
    assert isinstance(state, Disconnected)
    assert "Timeout" in state.reason


def test_backoff_grows_to_its_cap_and_never_to_nothing() -> None:
    calm = Backoff(first_ms=100, factor=2, max_ms=5_000, jitter=0)
    delays = [calm.delay_ms(n, Random(0)) for n in (1, 2, 3, 6, 7, 1000)]
    assert delays == [100, 200, 400, 3200, 5000, 5000]
    wild = Backoff(first_ms=1, factor=1, max_ms=1, jitter=1)
    assert all(wild.delay_ms(1, Random(seed)) >= 1 for seed in range(50))
    spread = {Backoff().delay_ms(1, Random(seed)) for seed in range(50)}
    assert min(spread) >= 80
    assert max(spread) <= 120
    assert len(spread) > 5
