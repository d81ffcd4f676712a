"""Who has the PIN or the token sets states, nobody else; wrong PINs lock it for an hour."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from ivr.core.plan import CrisisId, CrisisProfile, PromptId
from ivr.publish.admin import Admin
from ivr.publish.asking import crisis_state, forced_state, instant, told
from ivr.publish.errors import PublishError
from ivr.publish.store import TRIES, TRIES_WITHIN_MS
from ivr.web.health import serve_health
from ivr.web.states import routes
from tests.plans import small_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.core.plan import Plan
    from ivr.publish.store import Publications

NOW = 1_767_265_200_000
"""2026-01-01 12:00 in Paris."""
HOUR = 3_600_000
FLOOD = CrisisProfile(CrisisId("inondation"), "Inondation", PromptId("horaires"), length_ms=4 * HOUR)
PIN, TOKEN = "123456", "jeton"
redis_layer = pytest.mark.redis


def plan() -> Plan:
    return replace(small_plan(), crises={FLOOD.id: FLOOD})


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2 h", NOW + 2 * HOUR),
        ("45min", NOW + 45 * 60_000),
        ("1 j", NOW + 24 * HOUR),
        ("14:30", NOW + 2 * HOUR + 30 * 60_000),
        ("11h00", NOW + 23 * HOUR),
        ("2026-01-02 08:00", NOW + 20 * HOUR),
    ],
)
def test_ends_are_read_as_people_write_them(text: str, ms: int) -> None:
    assert instant(text, NOW) == ms


@pytest.mark.unit
@pytest.mark.parametrize("text", ["", "demain", "25:00", "2025-12-31 08:00"])
def test_an_end_that_is_none_or_past_is_refused(text: str) -> None:
    with pytest.raises(PublishError):
        instant(text, NOW)


@pytest.mark.unit
def test_what_the_plan_does_not_know_is_refused() -> None:
    with pytest.raises(PublishError, match="Profils : inondation"):
        crisis_state(plan(), "tempete", "", "x", NOW)
    with pytest.raises(PublishError, match="Horaires"):
        forced_state(plan(), "2 h", "panne", "guichet", "x", NOW, is_open=True)
    with pytest.raises(PublishError, match="pourquoi"):
        forced_state(plan(), "2 h", " ", "", "x", NOW, is_open=True)
    assert crisis_state(plan(), "inondation", "", "x", NOW).until == NOW + 4 * HOUR


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admin(store: Publications, clock: Clock) -> Admin:
    return Admin(store, plan, clock, pin=PIN, token=TOKEN)


@redis_layer
async def test_a_phone_begins_a_crisis_and_ends_it(admin: Admin) -> None:
    assert await admin.dialled(f"{PIN}1", "alice")
    on = (await admin.states()).crisis
    assert on is not None
    assert (on.id, on.until, on.by) == (FLOOD.id, NOW + 4 * HOUR, "alice")
    assert not await admin.dialled(f"{PIN}2", "alice")  # no second profile
    assert await admin.dialled(f"{PIN}0", "alice")
    assert (await admin.states()).crisis is None


@redis_layer
async def test_wrong_pins_lock_it_for_an_hour(admin: Admin, clock: Clock) -> None:
    for _ in range(TRIES):
        assert not await admin.dialled("0000001", "bob")
    assert not await admin.dialled(f"{PIN}1", "alice")
    assert (await admin.states()).crisis is None
    clock.now += TRIES_WITHIN_MS
    assert await admin.dialled(f"{PIN}1", "alice")
    for _ in range(TRIES - 1):
        assert not await admin.dialled("0000001", "bob")
    assert await admin.dialled(f"{PIN}0", "alice")  # the right one clears what was wrong before


@redis_layer
async def test_over_http_with_the_token_alone(admin: Admin) -> None:
    async def ready() -> Mapping[str, bool]:
        return {}

    bind = "127.0.0.1:18097"
    head = {"Authorization": f"Bearer {TOKEN}"}
    async with serve_health(bind, CollectorRegistry(), ready, routes(admin)), aiohttp.ClientSession() as http:

        async def ask(method: str, path: str, body: object = None, headers: Mapping[str, str] = head) -> int:
            async with http.request(method, f"http://{bind}{path}", json=body, headers=headers) as reply:
                return reply.status

        assert await ask("POST", "/crisis", {"profile": "inondation"}, {}) == 401
        assert await ask("POST", "/crisis", {"profile": "inondation"}, {"Authorization": "Bearer non"}) == 401
        assert (await admin.states()).crisis is None
        assert await ask("POST", "/crisis", {"profile": "tempete"}) == 422
        assert await ask("POST", "/crisis", ["x"]) == 400
        assert await ask("POST", "/crisis", {"profile": "inondation", "until": "1 h", "by": "Claire"}) == 200
        assert await ask("POST", "/forced", {"state": "closed", "until": "2 h"}) == 422
        assert await ask("POST", "/forced", {"state": "closed", "until": "2 h", "reason": "panne"}) == 200
        assert told(plan(), await admin.states()) == [
            "Crise « Inondation » jusqu'au 01/01/2026 13:00 (Claire).",
            "Fermé de force jusqu'au 01/01/2026 14:00 : panne (http).",
        ]
        assert await ask("DELETE", "/crisis") == 200
        assert await ask("DELETE", "/forced") == 200
        assert told(plan(), await admin.states()) == ["Aucune crise, rien de forcé."]
