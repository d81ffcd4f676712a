"""Calendars that are addresses: read now and then, shared, never lost by one failure, and told of once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.core.plan import Absence, AgentId, SiteId
from ivr.plan.ical import MAX_BYTES, CalendarError
from ivr.staffing.feeds import AGAIN_MS, EVERY_MS, Feeds, fetch
from tests.plan.test_ical import calendar
from tests.plans import small_plan
from tests.queueing.hall import T0, Hand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from ivr.core.plan import Plan

BOB = AgentId("bob")
URL: Final = "https://agenda.example/bob.ics?secret=1"
BUSY: Final = calendar("DTSTART:20260922T080000Z\nDTEND:20260922T090000Z\nSUMMARY:Secret")
SPAN: Final = Absence(1_790_064_000_000, 1_790_067_600_000)


def planned() -> Plan:
    plan = small_plan()
    return replace(plan, agents=dict(plan.agents) | {BOB: replace(plan.agents[BOB], feed=URL)})


class Agenda:
    """A calendar that can be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.holds: bytes | None = BUSY

    async def __call__(self, url: str) -> bytes:
        assert url == URL
        self.asked += 1
        if self.holds is None:
            raise CalendarError("HTTP 500", "HTTP 500")
        return self.holds


@pytest.mark.redis
async def test_a_calendar_is_read_once_for_every_worker_and_kept_without_its_titles(
    redis: Redis, site: SiteId, clock: Hand
) -> None:
    agenda, plan = Agenda(), planned()
    here, there = Feeds(redis, site, clock, agenda), Feeds(redis, site, clock, agenda)
    await here.refresh(plan)
    assert here.absences(plan) == {BOB: (SPAN,)}
    assert there.absences(plan) == {}
    await there.read()
    await there.refresh(plan)
    assert there.absences(plan) == {BOB: (SPAN,)}
    assert agenda.asked == 1
    kept = repr(await redis.hgetall(f"{{{site}}}:feeds"))
    assert "ecret" not in kept
    assert "agenda" not in kept


@pytest.mark.redis
async def test_a_calendar_that_is_away_leaves_what_it_said_and_is_told_of_once(
    redis: Redis, site: SiteId, clock: Hand
) -> None:
    agenda, plan = Agenda(), planned()
    feeds = Feeds(redis, site, clock, agenda)
    await feeds.refresh(plan)
    agenda.holds = None
    clock.ms = T0 + EVERY_MS
    with structlog.testing.capture_logs() as lines:
        await feeds.refresh(plan)
        await feeds.refresh(plan)
        assert agenda.asked == 2
        clock.ms += AGAIN_MS
        await feeds.refresh(plan)
        assert feeds.absences(plan) == {BOB: (SPAN,)}
        agenda.holds = calendar()
        clock.ms += AGAIN_MS
        await feeds.refresh(plan)
    assert feeds.absences(plan) == {BOB: ()}
    assert [(line["log_level"], line["agent"]) for line in lines] == [("warning", "bob"), ("info", "bob")]
    assert "secret" not in repr(lines)


@pytest.mark.redis
async def test_a_copy_that_cannot_be_understood_is_none(redis: Redis, site: SiteId, clock: Hand) -> None:
    agenda, plan = Agenda(), planned()
    await Feeds(redis, site, clock, agenda).refresh(plan)
    (name,) = await redis.hkeys(f"{{{site}}}:feeds")
    feeds = Feeds(redis, site, clock, agenda)
    for value in ("", "7", "[1, [2]]", '{"at": 1}'):
        await redis.hset(f"{{{site}}}:feeds", name, value)
        await feeds.read()
        assert feeds.absences(plan) == {}
    await feeds.refresh(plan)
    assert feeds.absences(plan) == {BOB: (SPAN,)}


@pytest.fixture
async def agendas() -> AsyncIterator[TestServer]:
    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound("ftp://127.0.0.1/elsewhere")

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/good")

    async def round_about(_: web.Request) -> web.Response:
        raise web.HTTPFound("/round")

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * (MAX_BYTES + 1))

    async def good(_: web.Request) -> web.Response:
        return web.Response(body=BUSY, content_type="text/calendar")

    app = web.Application()
    app.add_routes([web.get("/good", good), web.get("/large", large), web.get("/away", away)])
    app.add_routes([web.get("/moved", moved), web.get("/round", round_about)])
    server = TestServer(app)
    async with server:
        yield server


PLAIN: Final[Any] = frozenset({"http"})


@pytest.mark.unit
@pytest.mark.parametrize("path", ["/good", "/moved"])
async def test_an_address_gives_what_it_holds(agendas: TestServer, path: str) -> None:
    assert await fetch(str(agendas.make_url(path)), schemes=PLAIN) == BUSY


@pytest.mark.unit
@pytest.mark.parametrize(
    ("path", "says"), [("/none", "HTTP 404"), ("/large", "larger"), ("/away", "out of https"), ("/round", "for ever")]
)
async def test_an_address_that_gives_no_calendar_says_why(agendas: TestServer, path: str, says: str) -> None:
    with pytest.raises(CalendarError, match=says):
        await fetch(str(agendas.make_url(path)), schemes=PLAIN)


@pytest.mark.unit
async def test_no_address_leads_out_of_https(agendas: TestServer) -> None:
    with pytest.raises(CalendarError, match="out of https"):
        await fetch(str(agendas.make_url("/good")))
