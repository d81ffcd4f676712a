"""A worker knows whether its node takes calls; a command has it closed and counts who is left."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from ivr.ari import AriClient
from ivr.telephony.drain import VARIABLE, Drain, Left, NodeAway, node_at
from tests.ari.fake import FakeAri, Say, refuse
from tests.telephony.test_messages import CHANNEL

pytestmark = pytest.mark.unit

NOW = 1_790_000_000.5


def said(value: str) -> Say:
    return Say(200, {"value": value})


@pytest.mark.parametrize(
    ("value", "on"), [("", False), ("0", False), ("1790000000", False), ("1790000001", True), ("soon", False)]
)
async def test_a_node_is_closed_until_the_second_that_the_dialplan_has(value: str, on: bool) -> None:
    async with FakeAri() as fake, AriClient(fake.url, fake.user, fake.password, "ivr-a", event_filter=()) as ari:
        fake.on("GET", "asterisk/variable", said(value))
        await ari.wait_connected()
        assert await Drain(ari, lambda: NOW).look() is on
        assert [asked.query for asked in fake.wanted] == [{"variable": VARIABLE}]


async def test_what_was_known_holds_while_asterisk_does_not_answer_and_is_said_once() -> None:
    async with FakeAri() as fake, AriClient(fake.url, fake.user, fake.password, "ivr-a", event_filter=()) as ari:
        await ari.wait_connected()
        drain = Drain(ari, lambda: NOW)
        with capture_logs() as logs:
            assert await drain.look() is False  # 404
            fake.on("GET", "asterisk/variable", said("1800000000"))
            assert await drain.look() is True
            fake.on("GET", "asterisk/variable", refuse(500, "shutting down"))
            assert await drain.look() is True
            fake.on("GET", "asterisk/variable", said(""))
            assert await drain.look() is False
        assert [line["event"] for line in logs if line.get("part") == "drain" or "node" in line["event"]] == [
            "the node takes no new calls",
            "the node takes calls again",
        ]


async def test_a_node_is_closed_opened_and_counted() -> None:
    async with FakeAri() as fake:
        names = ("PJSIP/trunk-1", "PJSIP/trunk-2", "PJSIP/agent-lucie-3")
        fake.on("GET", "channels", Say(200, [{**CHANNEL, "id": name, "name": name} for name in names]))
        async with node_at(fake.url, [(fake.user, fake.password)]) as node:
            assert node is not None
            assert await node.left() == Left(callers=2, lines=3)
            await node.close(1_790_000_600)
            await node.open()
            fake.on("GET", "channels", refuse(503, "no"))
            with pytest.raises(NodeAway):
                await node.left()
        sent = [asked.query for asked in fake.wanted if asked.method == "POST"]
        assert sent == [{"variable": VARIABLE, "value": "1790000600"}, {"variable": VARIABLE, "value": "0"}]


async def test_a_node_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.telephony.reach.PATIENCE_S", 0.05)
    async with node_at("http://127.0.0.1:9/ari", [("ivr", "x")]) as node:
        assert node is None
