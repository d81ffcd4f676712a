"""The work of `ivr crisis` and `ivr force`: what holds for a while whatever the plan says, and ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import time
from typing import TYPE_CHECKING

from ivr.commands.terminal import OUT, served_plan
from ivr.publish.asking import crisis_state, forced_state, forced_words, told, when
from ivr.publish.states import CRISIS, field_of
from ivr.publish.store import Publications
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ivr.core.plan import Plan
    from ivr.publish.states import State, States


def show() -> None:
    """Print the crisis that is on, and what is forced."""
    settings = Settings()
    plan = served_plan(settings)
    for line in told(plan, asyncio.run(_states(settings, plan))):
        OUT.print(line, markup=False, soft_wrap=True)


def pin() -> None:
    """Print what an admin dials, and the token of an HTTP call."""
    from ivr.provision.secrets import Secrets  # noqa: PLC0415 - each command imports what it needs

    settings = Settings()
    secrets = Secrets.load_or_create(settings.secrets_file)
    for n, profile in enumerate(served_plan(settings).crises.values(), 1):
        OUT.print(f"*9{secrets.admin_pin}{n}  entrer en crise « {profile.label} »", markup=False)
    OUT.print(f"*9{secrets.admin_pin}0  sortir de la crise", markup=False)
    OUT.print(f"Jeton HTTP : {secrets.admin_token}", markup=False)


def begin_crisis(profile: str, until: str, by: str) -> None:
    """Put the site in a crisis."""
    settings = Settings()
    plan = served_plan(settings)
    state = crisis_state(plan, profile, until, by or getpass.getuser(), now_ms())
    asyncio.run(_set(settings, plan, state))
    OUT.print(f"Crise « {plan.crises[state.id].label} » jusqu'au {when(state.until)}.", markup=False)


def end_crisis() -> None:
    """End the crisis that is on."""
    settings = Settings()
    plan = served_plan(settings)
    ended = asyncio.run(_unset(settings, plan, prefix=CRISIS))
    OUT.print("La crise est finie." if ended else "Aucune crise n'était en cours.")


def force(until: str, reason: str, hours: str, by: str, *, is_open: bool) -> None:
    """Open or close against the hours."""
    settings = Settings()
    plan = served_plan(settings)
    state = forced_state(plan, until, reason, hours, by or getpass.getuser(), now_ms(), is_open=is_open)
    asyncio.run(_set(settings, plan, state))
    OUT.print(forced_words(state), markup=False, soft_wrap=True)


def end_force(hours: str) -> None:
    """Let the hours hold again."""
    settings = Settings()
    plan = served_plan(settings)
    ended = asyncio.run(_unset(settings, plan, prefix=f"forced:{hours}"))
    OUT.print("Les horaires reprennent." if ended else "Rien n'était forcé.")


def now_ms() -> int:
    """Return the time, Unix ms."""
    return time.time_ns() // 1_000_000


# -- the store -----------------------------------------------------------------


@contextlib.asynccontextmanager
async def _store(settings: Settings, plan: Plan) -> AsyncIterator[Publications]:
    from ivr.ledger.store import Ledger  # noqa: PLC0415 - each command imports what it needs
    from ivr.queueing.connect import connect  # noqa: PLC0415

    redis = connect(settings.redis_url, timeout_s=3)
    ledger = Ledger(settings.ledger)
    try:
        yield Publications(redis, ledger, plan.site)
    finally:
        await redis.aclose()
        await ledger.disconnect()


async def _states(settings: Settings, plan: Plan) -> States:
    async with _store(settings, plan) as store:
        return (await store.in_force(now_ms())).states


async def _set(settings: Settings, plan: Plan, state: State) -> None:
    async with _store(settings, plan) as store:
        await store.set(state, now_ms())


async def _unset(settings: Settings, plan: Plan, prefix: str) -> int:
    async with _store(settings, plan) as store:
        states = (await store.in_force(now_ms())).states
        names = [field_of(state) for state in states.all()]
        ended = [name for name in names if name == prefix or (prefix == "forced:" and name.startswith(prefix))]
        await store.unset(ended, now_ms())
        return len(ended)
