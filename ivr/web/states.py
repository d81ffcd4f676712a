"""Crisis and forced states over HTTP, for who has the token: `Authorization: Bearer …`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ivr.errors import IvrError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Protocol

    class States(Protocol):
        """What sets states."""

        def knows(self, token: str) -> bool:
            """Return whether that is the token."""

        async def crisis(self, profile: str, until: str, by: str) -> None:
            """Enter a crisis."""

        async def end_crisis(self, by: str) -> None:
            """End the crisis."""

        async def force(self, asked: Mapping[str, str], by: str, *, is_open: bool) -> None:
            """Open or close."""

        async def end_force(self, hours: str, by: str) -> None:
            """Let the hours hold."""


def routes(states: States) -> list[web.RouteDef]:
    """Return the addresses: POST and DELETE of /crisis and /forced; answers are JSON, 401 without the token."""

    async def begin_crisis(asked: Mapping[str, str], by: str) -> None:
        await states.crisis(asked.get("profile", ""), asked.get("until", ""), by)

    async def end_crisis(_asked: Mapping[str, str], by: str) -> None:
        await states.end_crisis(by)

    async def force(asked: Mapping[str, str], by: str) -> None:
        if asked.get("state") not in {"open", "closed"}:
            raise IvrError("« state » : open ou closed.")
        await states.force(asked, by, is_open=asked["state"] == "open")

    async def end_force(asked: Mapping[str, str], by: str) -> None:
        await states.end_force(asked.get("hours", ""), by)

    return [
        web.post("/crisis", _handler(states, begin_crisis)),
        web.delete("/crisis", _handler(states, end_crisis)),
        web.post("/forced", _handler(states, force)),
        web.delete("/forced", _handler(states, end_force)),
    ]


def _handler(
    states: States, work: Callable[[Mapping[str, str], str], Awaitable[None]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not states.knows(token.strip()):
            return web.json_response({"error": "jeton absent ou faux"}, status=401)
        asked = await _asked(request)
        if asked is None:
            return web.json_response({"error": "un objet JSON est attendu"}, status=400)
        try:
            await work(asked, asked.get("by", "") or "http")
        except IvrError as error:
            return web.json_response({"error": str(error)}, status=422)
        return web.json_response({"ok": True})

    return handle


async def _asked(request: web.Request) -> dict[str, str] | None:
    """Return the words of a request; None where they are no JSON object."""
    if not request.can_read_body:
        return {}
    try:
        found: Any = json.loads(await request.text())
    except ValueError:
        return None
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else None
