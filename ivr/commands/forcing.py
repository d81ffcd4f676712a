"""The work of `ivr crisis` and `ivr force`: what holds for a while whatever the plan says, and ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import re
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ivr.commands.terminal import OUT, served_plan
from ivr.core.plan import CrisisId, HoursId
from ivr.core.schedule import Forced
from ivr.publish.errors import PublishError
from ivr.publish.states import CRISIS, CrisisState, field_of
from ivr.publish.store import Publications
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ivr.core.plan import Plan
    from ivr.publish.states import State, States

PARIS = ZoneInfo("Europe/Paris")
_SPAN = re.compile(r"(\d+) *(min|m|h|j)")
_SECONDS = {"min": 60, "m": 60, "h": 3_600, "j": 86_400}


def show() -> None:
    """Print the crisis that is on, and what is forced."""
    settings = Settings()
    plan = served_plan(settings)
    for line in told(plan, asyncio.run(_states(settings, plan))):
        OUT.print(line, markup=False, soft_wrap=True)


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
    OUT.print(_forced(state), markup=False, soft_wrap=True)


def end_force(hours: str) -> None:
    """Let the hours hold again."""
    settings = Settings()
    plan = served_plan(settings)
    ended = asyncio.run(_unset(settings, plan, prefix=f"forced:{hours}"))
    OUT.print("Les horaires reprennent." if ended else "Rien n'était forcé.")


# -- what is meant -----------------------------------------------------------------


def crisis_state(plan: Plan, profile: str, until: str, by: str, now: int) -> CrisisState:
    """Return the crisis that is asked for; PublishError says what is wrong with it."""
    name = CrisisId(profile)
    if name not in plan.crises:
        known = ", ".join(sorted(plan.crises)) or "aucun : ajoutez-en dans crisis.yaml"
        raise PublishError(f"Le profil de crise « {profile} » n'est pas dans le plan publié. Profils : {known}.")
    end = instant(until, now) if until else now + plan.crises[name].length_ms
    return CrisisState(name, end, by, now)


def forced_state(plan: Plan, until: str, reason: str, hours: str, by: str, now: int, *, is_open: bool) -> Forced:
    """Return the forced state that is asked for; PublishError says what is wrong with it."""
    if hours and HoursId(hours) not in plan.schedules:
        known = ", ".join(sorted(plan.schedules)) or "aucun"
        raise PublishError(f"Les horaires « {hours} » ne sont pas dans le plan publié. Horaires : {known}.")
    if not reason.strip():
        raise PublishError("Dites pourquoi (--reason) : c'est ce que montrent le journal et les écrans.")
    named = HoursId(hours) if hours else None
    return Forced(named, open=is_open, since=now, until=instant(until, now), reason=reason.strip(), by=by)


def instant(text: str, now: int) -> int:
    """Return an end as it is written: an hour of the next 24, a day and an hour, or a duration from now."""
    given = text.strip()
    here = datetime.fromtimestamp(now / 1000, PARIS)
    if found := _SPAN.fullmatch(given):
        return now + int(found[1]) * _SECONDS[found[2]] * 1_000
    for form in ("%H:%M", "%Hh%M"):
        with contextlib.suppress(ValueError):
            read = datetime.strptime(given, form)  # noqa: DTZ007 - the zone is put on below
            at = here.replace(hour=read.hour, minute=read.minute, second=0, microsecond=0)
            at = at if at > here else at + timedelta(days=1)
            return round(at.timestamp() * 1_000)
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(given)
        end = round((at if at.tzinfo is not None else at.replace(tzinfo=PARIS)).timestamp() * 1_000)
        if end <= now:
            raise PublishError(f"« {given} » est déjà passé.")
        return end
    raise PublishError(f"« {given} » : écrivez une heure (14:30), un jour (2026-03-01 08:00) ou une durée (2 h).")


def told(plan: Plan, states: States) -> list[str]:
    """Return what is set, a sentence each."""
    lines = [_forced(state) for state in states.forced]
    if (on := states.crisis) is not None:
        label = plan.crises[on.id].label if on.id in plan.crises else on.id
        lines.insert(0, f"Crise « {label} » jusqu'au {when(on.until)} ({on.by}).")
    return lines or ["Aucune crise, rien de forcé."]


def _forced(state: Forced) -> str:
    what = "Ouvert" if state.open else "Fermé"
    which = f" (horaires {state.hours})" if state.hours is not None else ""
    return f"{what} de force{which} jusqu'au {when(state.until)} : {state.reason} ({state.by})."


def when(ms: int) -> str:
    """Return an instant as it is read in a town hall."""
    return f"{datetime.fromtimestamp(ms / 1000, PARIS):%d/%m/%Y %H:%M}"


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
