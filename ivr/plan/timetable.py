"""hours.yaml as an admin writes it: schedules in layers, and which is whose."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ivr.plan.fields import Slug, Words  # noqa: TC001 - pydantic reads them
from ivr.plan.hours import CLOSED, HoursError, week
from ivr.plan.moments import moment
from ivr.plan.strict import Strict

if TYPE_CHECKING:
    from ivr.plan.hours import Week

_EXAMPLES: Final = ["lun-ven 8h30-12h, 13h30-17h30; sam 9h-12h", "8h30-12h", "fermé"]


def _syntax(value: Any) -> str:
    """Return what people wrote in opening-hours syntax."""
    if not isinstance(value, str):
        raise PydanticCustomError("hours-empty", "no hours")
    try:
        found: Week = week(value)
    except HoursError as error:
        told = {**error.data, "whole": value, "offset": error.offset}
        raise PydanticCustomError(error.code, "bad hours", told) from None
    return found.syntax


def _date(value: Any) -> date:
    found = moment(value) if isinstance(value, str) else None
    if found is None or found != datetime.combine(found.date(), datetime.min.time(), found.tzinfo):
        raise PydanticCustomError("bad-date", "bad date", {"value": "" if value is None else str(value)[:40]})
    return found.date()


HoursText = Annotated[str, BeforeValidator(_syntax), WithJsonSchema({"type": "string", "examples": _EXAMPLES})]
Date = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "examples": ["2026-12-24"]})]


class OneOffEntry(Strict):
    """A day, or some in a row, with hours of their own."""

    on: Date | None = Field(default=None, description="Le jour : 2026-12-24 ou 24/12/2026.")
    begin: Date | None = Field(default=None, alias="from", description="Premier jour de plusieurs.")
    end: Date | None = Field(default=None, alias="to", description="Dernier jour, compris.")
    hours: HoursText = Field(description="Horaires de ces jours-là, ou « fermé ».")
    reason: Words = Field(description="Raison, lue par les collègues : « Veille de Noël ».")
    prompt: Slug | None = Field(default=None, description="Message dit ces jours-là quand c'est fermé.")

    @model_validator(mode="after")
    def _which_days(self) -> OneOffEntry:
        ranged = self.begin is not None and self.end is not None
        if (self.on is None) != ranged or (self.on is not None and (self.begin or self.end)):
            raise PydanticCustomError("one-off-days", "which days")
        if self.last < self.first:
            raise PydanticCustomError("one-off-order", "inverted")
        return self

    @property
    def first(self) -> date:
        """Return the first day."""
        found = self.on or self.begin
        assert found is not None  # noqa: S101 - the validator's promise
        return found

    @property
    def last(self) -> date:
        """Return the last day."""
        found = self.on or self.end
        assert found is not None  # noqa: S101 - the validator's promise
        return found


class ScheduleEntry(Strict):
    """When people answer, in layers: the last that says something of a day wins."""

    weekly: HoursText = Field(description="La semaine ordinaire : lun-ven 8h30-12h, 13h30-17h30; sam 9h-12h.")
    public_holidays: HoursText = Field(default=CLOSED, description="Les jours fériés ; fermé si rien n'est dit.")
    school_holidays: HoursText | None = Field(
        default=None, description="Les vacances scolaires ; comme la semaine ordinaire si rien n'est dit."
    )
    exceptions: tuple[OneOffEntry, ...] = Field(
        default=(), description="Jours à part ; le dernier qui convient compte."
    )


class HoursFile(Strict):
    """hours.yaml: when people answer. It may be absent: then they always do."""

    site: Slug | None = Field(default=None, description="Horaires du site : le nom d'un des horaires ci-dessous.")
    relay: Slug | None = Field(
        default=None, description="Horaires du service de relais pour les personnes sourdes ; au moins ceux du site."
    )
    zone: Literal["A", "B", "C"] = Field(default="A", description="Zone des vacances scolaires.")
    schedules: dict[Slug, ScheduleEntry] = Field(default={}, description="Les horaires, par nom.")
