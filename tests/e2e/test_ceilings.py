"""What a usual call may cost: round trips to Redis, requests to Asterisk, lines in the log."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import pytest

from ivr.lab.scenes import SOON_S, within

if TYPE_CHECKING:
    from ivr.lab.phones import Phone
    from tests.e2e.trial import Trial

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

CALLS: Final = 20
ROUND_TRIPS: Final = 8
REQUESTS: Final = 16
BY_THE_CLOCK: Final = frozenset({"reap", "lease", "clock"})


async def served(trial: Trial, agent: Phone) -> None:
    """One usual call: a key in the menu, the agent rings and answers, they talk, the caller hangs up."""
    call, ringing = await trial.joined(agent)
    await call.hangup()
    await within(SOON_S, "the agent's line ends", ringing.closed)
    await trial.nothing_left()


async def spent(trial: Trial) -> dict[str, float]:
    """Round trips by command, but for those of the clock, and requests, so far."""
    metrics = await trial.metrics()
    trips = {
        found[1]: count
        for name, count in metrics.items()
        if (found := re.fullmatch(r'ivr_queue_round_trips_total\{command="(.*)"\}', name))
    }
    return {
        **{name: count for name, count in trips.items() if name not in BY_THE_CLOCK},
        "requests": metrics["ivr_ari_requests_total"],
    }


async def cost(trial: Trial, agent: Phone, calls: int) -> dict[str, float]:
    """What so many calls, one after the other, cost each."""
    before = await spent(trial)
    for _ in range(calls):
        await served(trial, agent)
    after = await spent(trial)
    return {name: (after[name] - before.get(name, 0)) / calls for name in after if after[name] != before.get(name, 0)}


def logged(trial: Trial) -> list[dict[str, object]]:
    """The worker's log at the level of production."""
    return [json.loads(line) for line in trial.house.worker.log.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("line", ["ws", "http"], indirect=True)
@pytest.mark.parametrize("calls", [1, CALLS])
async def test_a_usual_call_keeps_below_its_ceilings(trial: Trial, calls: int) -> None:
    agent = await trial.agent()
    said = len(logged(trial))
    each = await cost(trial, agent, calls)
    requests = each.pop("requests")
    assert requests <= REQUESTS, each
    assert sum(each.values()) <= ROUND_TRIPS, each
    lines = logged(trial)[said:]
    assert [line["event"] for line in lines] == ["call ended"] * calls
    assert {line["level"] for line in lines} == {"info"}
