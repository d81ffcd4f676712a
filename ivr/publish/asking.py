"""What an admin asks for, checked against the plan in force: a crisis, or open or closed by force."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from ivr.core.plan import CrisisId, HoursId
from ivr.core.schedule import Forced
from ivr.publish.errors import PublishError
from ivr.publish.states import CrisisState

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.publish.states import States

PARIS: Final = ZoneInfo("Europe/Paris")
_SPAN: Final = re.compile(r"(\d{1,4}) *(min|m|h|j)")
_SECONDS: Final = {"min": 60, "m": 60, "h": 3_600, "j": 86_400}


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
    lines = [forced_words(state) for state in states.forced]
    if (on := states.crisis) is not None:
        label = plan.crises[on.id].label if on.id in plan.crises else on.id
        lines.insert(0, f"Crise « {label} » jusqu'au {when(on.until)} ({on.by}).")
    return lines or ["Aucune crise, rien de forcé."]


def forced_words(state: Forced) -> str:
    """Return a forced state as a sentence."""
    what = "Ouvert" if state.open else "Fermé"
    which = f" (horaires {state.hours})" if state.hours is not None else ""
    return f"{what} de force{which} jusqu'au {when(state.until)} : {state.reason} ({state.by})."


def when(ms: int) -> str:
    """Return an instant as it is read in a town hall."""
    return f"{datetime.fromtimestamp(ms / 1000, PARIS):%d/%m/%Y %H:%M}"
