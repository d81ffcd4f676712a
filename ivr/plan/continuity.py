"""What happens when the usual people cannot answer, as an admin writes it: chains, outside bodies, absences, crises."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ivr.plan.fields import DAY_MS, SLUG, Between, PhoneNumber, Slug, Slugs, Words, slug_fault
from ivr.plan.moments import Moment, MomentEnd  # noqa: TC001 - pydantic reads them
from ivr.plan.strict import Strict

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

OWN: Final = "*"
"""The owner of a chain's last step that names none: the first group of the topic whose callers it serves."""
STEPS: Final = ("topic", "outside", "callback", "message")
ENDS: Final = ("callback", "message")


def _owner(value: str) -> str:
    return value if value == OWN else slug_fault(value)


Owner = Annotated[
    str,
    BeforeValidator(lambda value: OWN if value is None else value),
    AfterValidator(_owner),
    WithJsonSchema({"type": ["string", "null"], "pattern": SLUG}),
]


class StepEntry(Strict):
    """One step of a continuity chain: exactly one of another topic, an outside body, a call back, a message."""

    topic: Slug | None = Field(default=None, description="Les personnes d'un autre motif, si elles répondent.")
    outside: Slug | None = Field(default=None, description="Dire quel organisme appeler, puis continuer.")
    callback: Owner | None = Field(default=None, description="Fin : cette équipe rappelle.")
    message: Owner | None = Field(default=None, description="Fin : un message, confié à cette équipe.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {value: OWN} if isinstance(value, str) and value in ENDS else value

    @model_validator(mode="after")
    def _one_step(self) -> StepEntry:
        count = sum(getattr(self, name) is not None for name in STEPS)
        if count != 1:
            raise PydanticCustomError("chain-step", "one step", {"count": count})
        return self

    @property
    def ends(self) -> bool:
        """Return whether nothing can come after it, because it cannot fail."""
        return self.callback is not None or self.message is not None

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell editors of the short form too: the last step alone, without its owner."""
        long_form = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [{"enum": list(ENDS)}, long_form]}


Chain = tuple[StepEntry, ...]


class OutsideEntry(Strict):
    """A body outside the site that answers some questions."""

    label: Words = Field(description="Nom de l'organisme.")
    number: PhoneNumber = Field(description="Son numéro.")
    prompt: Slug = Field(description="Message qui le dit, avec le numéro deux fois.")
    note: Words | None = Field(default=None, description="Pour les agents : horaires, remarques. N'est pas lu.")


class OutsidesFile(Strict):
    """outsides.yaml: the bodies outside the site that callers are told of. It may be absent."""

    outsides: dict[Slug, OutsideEntry] = Field(default={}, description="Les organismes.")


class CrisisEntry(Strict):
    """What is said and done while a crisis of this kind is on."""

    label: Words = Field(description="Nom de la crise, pour les agents.")
    message: Slug = Field(description="Message dit à chaque appelant, 20 s au plus.")
    menu: Slug | None = Field(default=None, description="Menu réduit, à la place du premier menu.")
    groups: Slugs = Field(default=(), description="Équipes qui répondent à tout pendant la crise.")
    length: Annotated[int, Between(600_000, 7 * DAY_MS)] = Field(
        default=4 * 3_600_000, description="Durée ; ensuite la crise s'arrête seule (4 h si rien n'est dit)."
    )


class CrisisFile(Strict):
    """crisis.yaml: what a crisis changes, by kind. It may be absent."""

    profiles: dict[Slug, CrisisEntry] = Field(default={}, description="Les crises prévues.")


class AbsenceEntry(Strict):
    """A time when an agent is away. A last day alone counts whole."""

    begin: Moment = Field(alias="from", description="Début : 2026-12-21, ou 2026-12-21 14h.")
    end: MomentEnd = Field(alias="to", description="Fin ; un jour seul est compris en entier.")
    reason: Words | None = Field(default=None, description="Raison, lue par les collègues : restez bref.")

    @model_validator(mode="after")
    def _in_order(self) -> AbsenceEntry:
        if self.end <= self.begin:
            raise PydanticCustomError("absence-order", "inverted")
        return self

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Return its first instant, and the first after it."""
        return self.begin, self.end
