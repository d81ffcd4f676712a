"""Asks Asterisk over ARI, under a name of our own, and the worker over HTTP, what they are."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import aiohttp

from ivr.ari import AriClient, AriError, Disconnected, NotFound
from ivr.doctor import facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivr.ari import State
    from ivr.settings import Settings

PATIENCE_S: Final = 3.0
_RUNNING: Final = "Running"


async def look(settings: Settings, accounts: Sequence[tuple[str, str]]) -> facts.Asterisk:
    """What Asterisk and the worker say of themselves."""
    health = f"http://{settings.http_bind}/readyz"
    known = facts.Asterisk(
        url=settings.ari_url, user=settings.ari_user, app=settings.app, worker=await _worker(health), health=health
    )
    heard = asyncio.Event()
    reasons: list[str] = []

    def on_state(state: State) -> None:
        heard.set()
        if isinstance(state, Disconnected):
            reasons.append(state.reason)

    name = f"ivr-doctor-{os.getpid()}"
    user, password = accounts[0] if accounts else (settings.ari_user, "")
    async with AriClient(settings.ari_url, user, password, name, event_filter=(), on_state=on_state) as client:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await heard.wait()
                return await _ask(client, known)
        except (TimeoutError, AriError):
            return replace(known, problem=_problem(reasons))


async def _ask(client: AriClient, known: facts.Asterisk) -> facts.Asterisk:
    info = await client.asterisk.getInfo(only="system")
    modules = await client.asterisk.listModules()
    apps = await client.applications.list()
    channels = await client.channels.list()
    try:
        trunk = await client.asterisk.getObject(configClass="res_pjsip", objectType="endpoint", id="trunk")
        allowed = next((field.value for field in trunk if field.attribute == "allow"), "")
    except NotFound:
        allowed = None
    return replace(
        known,
        version=info.system.version if info.system else None,
        modules={module.name: module.status == _RUNNING for module in modules},
        apps=frozenset(app.name for app in apps),
        allowed=None if allowed is None else tuple(allowed.strip("()").replace("|", ",").split(",")),
        lines=len(channels),
    )


def _problem(reasons: list[str]) -> str:
    if any("401" in reason for reason in reasons):
        return "password"
    return "refused" if any("Connect" in reason for reason in reasons) else "silent"


async def _worker(url: str) -> Mapping[str, bool] | None:
    """What the worker says of its parts; None when it says nothing."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session,
            session.get(url) as reply,
        ):
            parts = await reply.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    return {str(part): bool(able) for part, able in parts.items()} if isinstance(parts, dict) else None
