"""What Asterisk's refusals say of a call, and what the end of an agent's leg says of the agent."""

from __future__ import annotations

import pytest

from ivr.ari import AriClient
from ivr.core.caller import CallId
from ivr.core.plan import Agent, AgentId
from ivr.telephony.events import leg_failure
from ivr.telephony.line import Line
from ivr.telephony.phones import Phones
from tests.ari.fake import FakeAri, refuse

pytestmark = pytest.mark.unit

ALICE = Agent(AgentId("alice"), "Alice", ())


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (400, "Provided originator channel was not found", []),
        (400, "Endpoint must be specified", ["failed"]),
        (500, "Allocation failed", ["failed"]),
    ],
)
async def test_an_agent_has_not_failed_because_the_caller_is_gone(status: int, message: str, told: list[str]) -> None:
    heard: list[str] = []
    async with FakeAri() as fake:
        fake.on("POST", "channels/leg.*", refuse(status, message))
        async with AriClient(fake.url, fake.user, fake.password, "ivr-a") as client:
            await client.wait_connected()
            Line(client, "ivr-a", CallId("a-1.1"), "/sounds", "fr", phones := Phones()).dial(
                "e:1", ALICE, 5_000, lambda: heard.append("failed")
            )
            await client.asterisk.ping(lane="a-1.1")
            assert len(phones) == (status == 500)
            phones.forget()
    assert heard == told
    assert len(phones) == 0


@pytest.mark.parametrize("cause", range(128))
def test_a_call_that_fails_never_makes_an_agent_absent(cause: int) -> None:
    assert leg_failure(cause) in {"miss", "busy", "failed"}


def test_what_the_usual_refusals_mean() -> None:
    assert {cause: leg_failure(cause) for cause in (17, 19, 21, 34)} == {
        17: "busy",
        19: "miss",
        21: "failed",
        34: "failed",
    }
