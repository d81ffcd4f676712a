"""tests.yaml as an admin writes it: what must happen to a caller, at an hour, with these keys and these people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ivr.plan.fields import Slug, Slugs, Words  # noqa: TC001 - pydantic reads them
from ivr.plan.hours import HoursError, week
from ivr.plan.moments import moment
from ivr.plan.strict import Strict

EXPECTED: Final = ("hears", "reaches", "waits", "ends")
_KEYS: Final = re.compile(r"[0-9*#]{0,64}")


@dataclass(frozen=True, slots=True)
class When:
    """An instant, or a day of any ordinary week (Monday 0) and a minute of it."""

    instant: datetime | None = None
    day: int = 0
    minute: int = 0


def _when(value: Any) -> When:
    if isinstance(value, str):
        if (exact := moment(value)) is not None:
            return When(exact)
        try:
            found = week(f"{value}-24h")
        except HoursError:
            pass
        else:
            named = [(day, ranges[0][0]) for day, ranges in enumerate(found.days) if ranges]
            if len(named) == 1:
                return When(None, *named[0])
    raise PydanticCustomError("bad-case-time", "bad time", {"value": "" if value is None else str(value)[:40]})


def _keys(value: Any) -> str:
    text = "" if value is None else str(value).replace(" ", "")
    if not _KEYS.fullmatch(text):
        raise PydanticCustomError("bad-case-keys", "bad keys", {"value": text[:40]})
    return text


CaseTime = Annotated[
    When, BeforeValidator(_when), WithJsonSchema({"type": "string", "examples": ["lun 10h", "2026-12-25 10h"]})
]
CaseKeys = Annotated[str, BeforeValidator(_keys), WithJsonSchema({"type": ["string", "integer"]})]


class CaseEntry(Strict):
    """One caller, and what must happen."""

    name: Words = Field(description="Le cas, en une phrase.")
    at: CaseTime | None = Field(default=None, description="Quand : « lun 10h » (une semaine ordinaire), ou une date.")
    keys: CaseKeys = Field(default="", description="Les touches, dans l'ordre : 21, 3#.")
    present: Slugs | None = Field(default=None, description="Équipes où il y a quelqu'un ; toutes si rien n'est dit.")
    busy: Slugs = Field(default=(), description="Équipes dont tous les agents sont en ligne.")
    hidden: bool = Field(default=False, description="true : le numéro de l'appelant est masqué.")
    crisis: Slug | None = Field(default=None, description="La crise en cours (crisis.yaml).")
    hears: Slugs = Field(default=(), description="Messages entendus, dans cet ordre, d'autres entre eux.")
    reaches: Slug | None = Field(default=None, description="Motif dont une personne répond.")
    waits: Slug | None = Field(default=None, description="Motif pour lequel l'appelant attend.")
    ends: Literal["answered", "informed", "promised", "left"] | None = Field(
        default=None, description="Comment l'appel finit : answered, informed, promised ou left."
    )

    @model_validator(mode="after")
    def _expects(self) -> CaseEntry:
        if not any(getattr(self, name) for name in EXPECTED):
            raise PydanticCustomError("case-expects-nothing", "nothing expected")
        return self


class TestsFile(Strict):
    """tests.yaml: what the plan must do, case by case. It may be absent."""

    __test__ = False

    tests: tuple[CaseEntry, ...] = Field(default=(), description="Les cas.")
