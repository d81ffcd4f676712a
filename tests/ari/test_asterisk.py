"""The client against the running Asterisk: its own description of ARI, and calls that never leave the machine."""

from __future__ import annotations

import asyncio
import types
import typing
from typing import TYPE_CHECKING, Any, get_args

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from ivr.ari import (
    EVENT_TYPES,
    AnyEvent,
    AriClient,
    AriDisconnected,
    AriRefused,
    Conflict,
    Connected,
    Disconnected,
    Event,
    NotFound,
    Replaced,
    Unprocessable,
)
from ivr.ari import models as m
from ivr.ari.events import EventModel
from ivr.ari.operations import OPERATIONS
from ivr.ari.resource import nothing
from ivr.stack.stack import Stack, StackConfig
from tests.ari.conftest import QUICK, Heard
from tests.plans import NUMBER, small_plan
from tests.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

MODELS = [model for model in vars(m).values() if isinstance(model, type) and m.Model in model.__bases__]
PROMPT_MS = 400
MANY, LONG = 700, 900
STACK_OF_A_THREAD = 496 * 1024


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "music").mkdir()
    (folder / "music" / "hold.alaw").write_bytes(b"\xd5" * 8_000)
    (folder / "fr").mkdir()
    (folder / "fr" / "short.alaw").write_bytes(b"\xd5" * 8 * PROMPT_MS)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(prompts: Path) -> AsyncIterator[Stack]:
    async with Stack(StackConfig(plan=small_plan(), prompts_dir=prompts)) as running:
        # ARI records only into a folder that is there (500 otherwise).
        (running.spool / "recording").mkdir(exist_ok=True)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def docs(stack: Stack) -> dict[str, dict[str, Any]]:
    """Asterisk's own description, by resource."""
    names = {operation.resource for operation in OPERATIONS.values()} | {"events"}
    headers = {"Authorization": aiohttp.encode_basic_auth(stack.ari_user, stack.ari_password)}
    found: dict[str, dict[str, Any]] = {}
    async with aiohttp.ClientSession(headers=headers) as session:
        for name in names:
            async with session.get(f"{stack.ari_url}/api-docs/{name}.json") as response:
                assert response.status == 200
                found[name] = await response.json()
    return found


def make(stack: Stack, heard: Heard, transport: str = "ws", **settings: Any) -> AriClient:
    settings = {"on_event": heard, "on_state": heard, "backoff": QUICK, **settings}
    return AriClient(
        stack.ari_url,
        stack.ari_user,
        stack.ari_password,
        stack.app,
        transport=transport,  # type: ignore[arg-type]
        **settings,
    )


# The contract with /ari/api-docs


def documented(docs: dict[str, dict[str, Any]], resource: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for api in docs[resource]["apis"]:
        for operation in api["operations"]:
            yield api["path"], operation


async def test_every_operation_is_as_documented(docs: dict[str, dict[str, Any]]) -> None:
    for ours in OPERATIONS.values():
        found = [
            (path, operation)
            for path, operation in documented(docs, ours.resource)
            if operation["nickname"] == ours.nickname
        ]
        assert len(found) == 1, ours.name
        path, theirs = found[0]
        assert (path, theirs["httpMethod"]) == (ours.path, ours.method), ours.name
        params = {param["name"]: param for param in theirs.get("parameters", ())}
        kinds = {name: param["paramType"] for name, param in params.items()}
        ways = {
            **dict.fromkeys(ours.path_params, "path"),
            **dict.fromkeys((*ours.required, *ours.optional), "query"),
            **({ours.body: "body"} if ours.body else {}),
        }
        assert ways.items() <= kinds.items(), ours.name
        must = {name for name, param in params.items() if param.get("required") and param["paramType"] == "query"}
        assert must == set(ours.required), ours.name


def properties(models: dict[str, Any], name: str) -> dict[str, Any]:
    """Its fields with those that it inherits."""
    fields = dict(models[name]["properties"])
    for parent, model in models.items():
        if name in model.get("subTypes", ()):
            fields |= properties(models, parent)
    return fields


def fits(kind: object, documented: str, *, nullable: bool) -> bool:
    """Whether a field's type reads what is documented."""
    if isinstance(kind, types.UnionType):
        inner = [arg for arg in get_args(kind) if arg is not types.NoneType]
        return nullable and len(inner) == 1 and fits(inner[0], documented, nullable=False)
    if typing.get_origin(kind) is tuple:
        return documented.startswith("List[") and fits(get_args(kind)[0], documented[5:-1], nullable=False)
    if typing.get_origin(kind) is dict:
        return documented == "object"
    if isinstance(kind, type) and issubclass(kind, m.Model):
        return documented == kind.__name__
    return documented in {str: ("string", "Date"), int: ("int", "long"), bool: ("boolean",)}[kind]  # type: ignore[index]


def check(model: type[msgspec.Struct], models: dict[str, Any]) -> None:
    theirs = properties(models, model.__name__)
    hints = typing.get_type_hints(model)
    for field in msgspec.structs.fields(model):
        where = f"{model.__name__}.{field.name}"
        assert field.name in theirs, where
        assert not field.required or theirs[field.name].get("required"), f"{where} may be absent"
        assert fits(hints[field.name], theirs[field.name]["type"], nullable=not field.required), where


async def test_every_event_is_as_documented(docs: dict[str, dict[str, Any]]) -> None:
    models = docs["events"]["models"]
    assert set(models["Event"]["subTypes"]) >= EVENT_TYPES
    for event in get_args(AnyEvent):
        assert issubclass(event, EventModel)
        check(event, models)


async def test_every_model_is_as_documented(docs: dict[str, dict[str, Any]]) -> None:
    models = {name: model for doc in docs.values() for name, model in doc["models"].items()}
    for model in MODELS:
        check(model, models)


async def test_every_operation_is_understood(stack: Stack, transport: str) -> None:
    """Each is asked of things that are not there: it is granted or refused for that, never for its form."""
    values: dict[str, Any] = {
        "bridgeId": "br.none",
        "type": "mixing",
        "media": "sound:none",
        "eventSource": "channel:none",
        "moduleName": "res_none.so",
        "endpoint": "Local/none@nowhere",
        "app": stack.app,
        "extension": None,
        "context": None,
        "priority": None,
        "label": None,
        "timeout": 1,
        "variables": {"X": "1"},
        "filter": {},
        "applicationName": "none",
        "tech": "PJSIP",
        "only": "system",
        "formats": None,
        "otherChannelId": None,
        "originator": None,
        "format": "wav",
        "ifExists": "fail",
        "beep": False,
        "maxDurationSeconds": 1,
        "maxSilenceSeconds": 1,
        "terminateOn": "#",
        "offsetms": 0,
        "skipms": 0,
        "reason_code": None,
        "reason": "busy",
        "absorbDTMF": False,
        "mute": False,
        "channel": "none",
    }
    refused: dict[str, int] = {}
    async with make(stack, Heard(), transport) as client:
        await client.wait_connected()
        for operation in OPERATIONS.values():
            names = (*operation.path_params, *operation.required, *operation.optional, operation.body)
            params = {name: values.get(name, "none") for name in names if name}
            if "endpoint" in params:
                params["channelId"] = f"leg.made.{operation.nickname}"  # what is made is not what is missing
            reply = client._submit(operation, params, nothing, {})
            try:
                await reply
            except AriRefused as error:
                refused[operation.name] = error.status
    granted = set(OPERATIONS) - set(refused)
    assert set(refused.values()) <= {404, 409, 422}
    assert granted >= {"bridges.createWithId", "channels.list", "asterisk.getInfo", "asterisk.ping"}
    assert refused["playbacks.stop"] == refused["channels.hangup"] == 404


# Requests


async def test_a_list_of_any_length_is_told_whole(stack: Stack, transport: str) -> None:
    async with make(stack, Heard(), transport) as client:
        await client.wait_connected()
        names = {f"long.{transport}.{n}" for n in range(MANY)}
        made = [client.bridges.createWithId(bridgeId=name, type="mixing", name=name.ljust(LONG, "x")) for name in names]
        try:
            await asyncio.gather(*made)
            listed = await client.bridges.list()
            assert names <= {bridge.id for bridge in listed}
            assert sum(len(bridge.name) for bridge in listed) > STACK_OF_A_THREAD
        finally:
            await asyncio.gather(*(client.bridges.destroy(bridgeId=name) for name in names))
        assert (await client.asterisk.ping()).ping == "pong"


async def test_odd_names_survive_the_way(stack: Stack, transport: str) -> None:
    odd = f"br/ é+&=?#% {transport}"
    async with make(stack, Heard(), transport) as client:
        await client.wait_connected()
        made = await client.bridges.create(bridgeId=odd, type="mixing", name=odd)
        assert (made.id, made.name, made.technology) == (odd, odd, "simple_bridge")
        assert odd in {bridge.id for bridge in await client.bridges.list()}
        with pytest.raises(Conflict):
            await client.bridges.create(bridgeId=odd)
        with pytest.raises((NotFound, Unprocessable, AriRefused)):
            await client.bridges.addChannel(bridgeId=odd, channel="none")
        await client.bridges.destroy(bridgeId=odd)

        async def forgotten() -> bool:
            try:
                await client.bridges.get(bridgeId=odd)
            except NotFound:
                return True
            return False

        await until(forgotten)  # a moment after Asterisk said that it is gone


async def test_thousands_in_flight_are_all_answered(stack: Stack, transport: str) -> None:
    async with make(stack, Heard(), transport, timeout_ms=30_000) as client:
        await client.wait_connected()
        replies = [client.asterisk.ping() for _ in range(3_000)]
        assert {reply.ping for reply in await asyncio.gather(*replies)} == {"pong"}
        assert client.stats.late_answers == client.stats.timeouts == 0


async def test_the_largest_request_that_leaves_is_read(stack: Stack) -> None:
    async with make(stack, Heard()) as client:
        await client.wait_connected()
        with pytest.raises(NotFound):
            await client.channels.setChannelVar(channelId="none", variable="v", value="x" * 59_000)
        assert client.connected


# Calls


def seen(heard: Heard, event_type: str, **ids: str) -> Callable[[], list[Event]]:
    return lambda: [
        event
        for event in heard.events
        if event.type == event_type and all(getattr(event, name) == value for name, value in ids.items())
    ]


async def record(client: AriClient, heard: Heard, call: str, name: str) -> None:
    client.channels.record(channelId=call, name=name, format="wav", lane=call)
    await client.recordings.getLive(recordingName=name, lane=call)
    client.recordings.stop(recordingName=name, lane=call)
    await heard.until(seen(heard, "RecordingFinished", channel_id=call, recording=name))
    assert name in {stored.name for stored in await client.recordings.listStored()}
    await client.recordings.deleteStored(recordingName=name)


async def stop_until_refused(client: AriClient, playback: str) -> None:
    """Asterisk tells the end of a playback a moment before it forgets it."""
    async with asyncio.timeout(5):
        while True:
            await client.playbacks.stop(playbackId=playback)


async def test_a_call_from_its_start_to_its_end(stack: Stack, transport: str) -> None:
    heard = Heard()
    leg, bridge, playback = f"leg.{transport}.1", f"br.{transport}.1", f"pb.{transport}.1"
    recording = f"{transport} é.1"
    async with make(stack, heard, transport) as client:
        await client.wait_connected()
        # One half of the Local channel is our leg, the other a caller on the dialplan's own way in.
        client.channels.originate(
            channelId=leg,
            endpoint=f"Local/{NUMBER.lstrip('+')}@caller",
            app=stack.app,
            appArgs="leg,é,e:1",
            callerId="<0639980001>",
            variables={"IVR_TEST": "a,b=c"},
            lane=leg,
        )
        await heard.until(lambda: len(seen(heard, "StasisStart")()) >= 1)
        (start,) = seen(heard, "StasisStart")()
        call = start.channel_id
        assert call is not None
        assert call != leg
        begun = start.decode()
        assert begun.args[:2] == ("caller", NUMBER.lstrip("+"))  # type: ignore[union-attr]
        assert abs(begun.at_ms - m.instant_ms(begun.channel.creationtime)) < 60_000  # type: ignore[union-attr]

        client.channels.setChannelVar(channelId=call, variable="TIMEOUT(absolute)", value="60", lane=call)
        client.channels.answer(channelId=call, lane=call)
        await heard.until(seen(heard, "StasisStart", channel_id=leg))
        assert seen(heard, "StasisStart", channel_id=leg)()[0].decode().args == ("leg", "é", "e:1")  # type: ignore[union-attr]
        assert (await client.channels.getChannelVar(channelId=leg, variable="IVR_TEST")).value == "a,b=c"
        await client.channels.setChannelVars(channelId=call, variables={"A": "1", "TIMEOUT(absolute)": "90"})
        assert {leg, call} <= {channel.id for channel in await client.channels.list()}
        assert (await client.channels.get(channelId=call)).state == "Up"

        media = "sound:/var/lib/standardiste/prompts/fr/short"
        client.channels.startMoh(channelId=call, mohClass="hold", lane=call)
        client.channels.play(channelId=call, playbackId=playback, media=media, lane=call)
        await heard.until(seen(heard, "PlaybackFinished", channel_id=call, playback_id=playback))
        with pytest.raises(NotFound):
            await stop_until_refused(client, playback)
        client.channels.play(channelId=call, playbackId=f"{playback}b", media=[media] * 20, lane=call)
        client.playbacks.stop(playbackId=f"{playback}b", lane=call)
        await heard.until(seen(heard, "PlaybackFinished", playback_id=f"{playback}b"))

        await record(client, heard, call, recording)
        client.bridges.create(bridgeId=bridge, type="mixing", lane=call)
        await client.bridges.addChannel(bridgeId=bridge, channel=call, lane=call)
        assert (await client.bridges.get(bridgeId=bridge)).channels == (call,)
        await client.bridges.removeChannel(bridgeId=bridge, channel=call)
        await heard.until(seen(heard, "ChannelLeftBridge", channel_id=call, bridge_id=bridge))

        client.channels.hangup(channelId=call, reason="busy", lane=call)
        client.bridges.destroy(bridgeId=bridge, lane=call)
        for channel in (call, leg):
            await heard.until(seen(heard, "StasisEnd", channel_id=channel))
            await heard.until(seen(heard, "ChannelDestroyed", channel_id=channel))
        with pytest.raises(NotFound):
            await client.channels.answer(channelId=call)
        for event in heard.events:
            assert event.decode().application == stack.app  # all of them can be read
        assert not client.stats.malformed
        assert not client.stats.ignored.total()


async def test_what_is_in_the_dialplan_is_a_conflict_not_a_timeout(stack: Stack) -> None:
    heard = Heard()
    async with make(stack, heard) as client:
        await client.wait_connected()
        client.channels.originate(channelId="leg.x.1", endpoint=f"Local/{NUMBER.lstrip('+')}@caller", app="none")
        await heard.until(seen(heard, "StasisStart"))
        call = heard.events[0].channel_id
        assert call is not None
        client.channels.continueInDialplan(channelId=call, context="fallback", extension="nobody", priority=1)
        await heard.until(seen(heard, "StasisEnd", channel_id=call))
        with pytest.raises(Conflict):
            await client.channels.answer(channelId=call)
        await client.channels.hangup(channelId=call)
        # It left our application, and our application keeps hearing of it: its end comes.
        assert [event.type for event in heard.events][:2] == ["StasisStart", "StasisEnd"]


# The connection


async def test_replaced_by_its_successor_which_keeps_the_name(stack: Stack, transport: str) -> None:
    heard, later = Heard(), Heard()
    async with make(stack, heard, transport) as client:
        await client.wait_connected()
        async with make(stack, later, transport) as successor:
            await successor.wait_connected()
            await heard.until(lambda: heard.states[-1] == Replaced())
            assert isinstance(client.asterisk.ping().exception(), AriDisconnected)
            # The first one's closed socket has not taken the name away from the second.
            successor.channels.originate(
                channelId=f"leg.r.{transport}", endpoint=f"Local/{NUMBER.lstrip('+')}@caller", app=stack.app
            )
            await later.until(seen(later, "StasisStart"))
            call = later.events[0].channel_id
            assert call is not None
            await successor.channels.hangup(channelId=call)
            await later.until(seen(later, "ChannelDestroyed", channel_id=call))
            assert later.states == [Connected(1)]
        client.resume()
        await heard.until(lambda: heard.states[-1] == Connected(2))
        await client.asterisk.ping()


async def test_asterisk_restarted_is_found_again_with_the_filter_set(stack: Stack) -> None:
    heard = Heard()
    async with make(stack, heard) as client:
        await client.wait_connected()
        await stack.restart_asterisk()
        await heard.until(lambda: heard.states[-1] == Connected(2))
        assert isinstance(heard.states[1], Disconnected)
        await client.asterisk.ping()
        assert client.connected


async def test_a_polite_end_leaves_no_warning(stack: Stack, transport: str) -> None:
    before = stack.errors()
    async with make(stack, Heard(), transport) as client:
        await client.wait_connected()
        await client.asterisk.ping()
    assert stack.errors() == before


async def test_quick_changes_of_hands_never_end_in_deafness(stack: Stack) -> None:
    """About one in a hundred of these openings is deaf at first (22.10.1): each is found out and made anew."""
    heard = [Heard(), Heard()]
    clients = [make(stack, each) for each in heard]
    clients[1].suspend("standby")
    async with clients[0], clients[1]:
        at = 0
        await clients[at].wait_connected()
        for turn in range(100):
            if turn % 2:
                clients[at].suspend("opened again while it closes")
                clients[at].resume()
            else:
                clients[1 - at].resume()
                clients[at].suspend("the other opens while this one closes")
                at = 1 - at
            await clients[at].wait_connected()
            if turn % 10 == 0:
                leg = f"leg.turn.{turn}"
                endpoint = f"Local/{NUMBER.lstrip('+')}@caller"
                began = seen(heard[at], "StasisStart")
                before = len(began())
                await clients[at].channels.originate(channelId=leg, endpoint=endpoint, app=stack.app)
                await heard[at].until(lambda: len(began()) > before)  # noqa: B023 - run out within this turn
                await clients[at].channels.hangup(channelId=leg)
        assert not any("hearing" in bridge.id for bridge in await clients[at].bridges.list())
