"""`/healthz` (alive), `/readyz` (able to take calls) and `/metrics` of one worker."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from prometheus_client import CollectorRegistry


@asynccontextmanager
async def serve_health(
    bind: str,
    registry: CollectorRegistry,
    ready: Callable[[], Awaitable[Mapping[str, bool]]],
    routes: Iterable[web.RouteDef] = (),
) -> AsyncIterator[None]:
    """Serve the three addresses, and `routes`, on `bind` ("host:port") while the context lasts.

    `/readyz` answers 503 while any part named by `ready` is False.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_request: web.Request) -> web.Response:
        parts = dict(await ready())
        return web.json_response(parts, status=200 if all(parts.values()) else 503)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics), *routes]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    host, _, port = bind.rpartition(":")
    try:
        await web.TCPSite(runner, host, int(port)).start()
        yield
    finally:
        await runner.cleanup()
