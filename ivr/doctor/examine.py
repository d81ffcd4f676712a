"""Looks at one part after the other, and says of each what it found as soon as it has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ivr.doctor import asterisk, checks, facts, machine, servers, sip, stores
from ivr.plan import load
from ivr.provision.render import TEMPLATES
from ivr.publish.serving import differs, laid_out, published

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from ivr.doctor.finding import Finding
    from ivr.settings import Settings

_MAX_CALLS = 200
"""Of a plan that cannot be read: what plans have when they do not say."""


async def examine(
    settings: Settings, *, prompts: Path | None, call: bool, looking: Callable[[str], None]
) -> AsyncIterator[list[Finding]]:
    """Yield the findings of one section after the other; `looking` is told its name before each."""
    looking("plan")
    loaded = await asyncio.to_thread(load, settings.plan)
    made = loaded.plan
    served = published(settings.state_dir, loaded)
    behind = served.version.number if served is not None and differs(served, settings.plan) else 0
    yield checks.plan(made, loaded.faults, str(settings.plan), behind)
    looking("secrets")
    secrets, accounts = await asyncio.to_thread(machine.secrets, settings)
    yield checks.secrets(secrets)
    looking("ari")
    there = await asterisk.look(settings, accounts)
    yield servers.ari(there)
    looking("modules")
    yield servers.modules(there, servers.required((TEMPLATES / "modules.conf").read_text(encoding="utf-8")))
    yield servers.codecs(there)
    looking("rtp")
    max_calls = made.max_calls if made is not None else _MAX_CALLS
    yield servers.rtp(await asyncio.to_thread(machine.rtp, settings, there.lines, max_calls))
    looking("redis")
    store = await stores.redis(settings.redis_url)
    yield servers.redis(store)
    looking("emergency")
    spare = settings.emergency_redis_url
    yield servers.emergency(await stores.redis(spare) if spare else None)
    looking("versions")
    yield checks.versions(await asyncio.to_thread(machine.versions, there.version, store.version))
    looking("clock")
    yield checks.clock(facts.Clock(store.drift_ms, machine.synchronised()))
    looking("ledger")
    yield servers.ledger(await stores.ledger(settings))
    looking("disk")
    yield checks.disks(machine.disks(settings))
    looking("prompts")
    folder = prompts if prompts is not None else machine.folder_of_prompts(settings)
    if served is not None:
        with laid_out(served.files, settings.plan) as laid:
            yield checks.prompts(await asyncio.to_thread(machine.prompts, load(laid), folder))
    elif made is not None:
        yield checks.prompts(await asyncio.to_thread(machine.prompts, loaded, folder))
    if call and made is not None:
        looking("call")
        yield servers.call(await sip.call(settings, made.numbers[0]))
