"""The files of a site as an admin writes them: shape only, no cross-references.

One model per file; a field's description is what an editor shows, in French. Every
default is the product's own, so that a file holds only what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ivr.plan.cases import TestsFile
from ivr.plan.continuity import AbsenceEntry, Chain, CrisisFile, OutsidesFile
from ivr.plan.fields import DAY_MS, Between, CodeKey, Decimal, OptionKey, PhoneNumbers, Share, Slug, Slugs, Words
from ivr.plan.strict import Strict
from ivr.plan.timetable import HoursFile

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

Language = Literal["fr", "en"]


class AnnouncementsEntry(Strict):
    """The sentences that are not menus, each by the id of its prompt."""

    greeting: Slug = Field(description="L'accueil, avant le premier menu.")
    invalid: Slug = Field(description="La touche n'est pas un choix.")
    no_input: Slug = Field(description="Aucune touche n'a été tapée.")
    to_human: Slug = Field(description="L'appelant est dirigé vers une personne.")
    queued: Slug = Field(description="Début de l'attente.")
    patience: Slug = Field(description="Pendant l'attente, de temps en temps.")
    unstaffed: Slug = Field(description="Personne ne peut répondre.")
    leave_message: Slug = Field(description="Invitation à laisser un message, avant le signal.")
    message_kept: Slug = Field(description="Le message est enregistré et confié à quelqu'un.")
    goodbye: Slug = Field(description="Au revoir.")
    fallback: Slug = Field(description="Secours : les postes de l'accueil vont sonner.")
    fallback_message: Slug = Field(description="Secours : invitation à laisser un message.")
    fallback_kept: Slug = Field(description="Secours : le message est enregistré.")
    full_callback: Slug = Field(description="Trop d'appels : l'appelant, dont le numéro est connu, sera rappelé.")
    full_message: Slug = Field(description="Trop d'appels, numéro caché : invitation à laisser un message bref.")
    overflow: Slug = Field(description="Longue attente : la touche 2 laisse un message, sinon l'attente continue.")
    closed: Slug | None = Field(default=None, description="C'est fermé : quand on rouvre, et les urgences.")
    closing: Slug | None = Field(default=None, description="Fermeture pendant l'attente : l'appelant sera rappelé.")
    callback_kept: Slug | None = Field(default=None, description="Un agent rappellera, sans message : au revoir.")


class AgentSentencesEntry(Strict):
    """What an agent hears who dials a code, each by the id of its prompt."""

    ready: Slug = Field(description="*1 : l'agent reçoit de nouveau des appels.")
    outcome_kept: Slug = Field(description="*3 : le résultat de l'appel est noté.")
    wrap_longer: Slug = Field(description="*4 : le temps après l'appel est prolongé.")
    refused: Slug = Field(description="Le code n'a rien changé.")


class WaitingEntry(Strict):
    """What a caller who waits lives through."""

    ring: Annotated[int, Between(5_000, 120_000)] = Field(
        default=20_000, description="Durée de sonnerie chez un agent avant de passer au suivant."
    )
    first_patience: Annotated[int, Between(5_000, 600_000)] = Field(
        default=20_000, description="Délai avant le premier message d'attente."
    )
    patience_every: Annotated[int, Between(15_000, 600_000)] = Field(
        default=60_000, description="Délai entre deux messages d'attente."
    )
    longest: Annotated[int, Between(60_000, 7_200_000)] = Field(
        default=900_000, description="Attente la plus longue ; ensuite l'appelant peut laisser un message."
    )


class MessageEntry(Strict):
    """The message that a caller leaves."""

    longest: Annotated[int, Between(15_000, 600_000)] = Field(
        default=120_000, description="Durée maximale d'un message."
    )
    due: Annotated[int, Between(DAY_MS, 30 * DAY_MS)] = Field(
        default=2 * DAY_MS, description="Délai pour rappeler, en jours."
    )


class SuccessorsEntry(Strict):
    """Who takes the callers and the files of what is in the plan no more, each as `gone: heir`."""

    topics: dict[Slug, Slug] = Field(default={}, description="Motif retiré : celui qui reçoit ses appelants.")
    groups: dict[Slug, Slug] = Field(default={}, description="Équipe retirée : celle qui reçoit ses dossiers.")
    agents: dict[Slug, Slug] = Field(default={}, description="Agent parti : celui qui reçoit ses dossiers.")


class SiteFile(Strict):
    """site.yaml: who answers, on which numbers, and how callers are kept."""

    id: Slug = Field(description="Identifiant du site ; ne change plus une fois en service.")
    name: Words = Field(description="Nom du site.")
    language: Language = Field(default="fr", description="Langue des textes.")
    languages: tuple[Language, ...] = Field(
        default=(), description="Autres langues, que l'appelant choisit par une touche (option language)."
    )
    numbers: PhoneNumbers = Field(min_length=1, description="Numéros publics du site.")
    relays: PhoneNumbers = Field(default=(), description="Numéros d'où appellent les services de relais.")
    general: Slug = Field(description="Motif de l'accueil général : touche 0, et dernier recours.")
    continuity: Chain | None = Field(
        default=None,
        min_length=1,
        description="Quand personne ne répond à un motif qui n'a pas de chaîne à lui, étape par étape.",
    )
    announcements: AnnouncementsEntry = Field(description="Annonces du site.")
    waiting: WaitingEntry = Field(default=WaitingEntry(), description="L'attente.")
    message: MessageEntry = Field(default=MessageEntry(), description="Le message laissé par l'appelant.")
    max_calls: int = Field(
        default=200, ge=1, le=2_000, description="Appels à la fois ; au-delà, une phrase et une promesse de rappel."
    )
    wrap: Annotated[int, Between(0, 900_000)] = Field(
        default=45_000, description="Temps d'un agent après chaque appel ; 0 s : aucun."
    )
    agent_sentences: AgentSentencesEntry | None = Field(
        default=None, description="Ce qu'entend un agent qui compose un code ; sans elles, aucun code."
    )
    successors: SuccessorsEntry = Field(
        default=SuccessorsEntry(), description="Qui prend la suite de ce qui est retiré du plan."
    )


TARGETS: Final = ("topic", "menu", "information", "outside", "language", "digits")


class DigitsEntry(Strict):
    """A number that the caller types; then the people of a topic, who see it."""

    prompt: Slug = Field(description="Message qui demande le numéro.")
    length: int = Field(ge=1, le=20, description="Nombre de chiffres, au plus ; # termine avant.")
    topic: Slug = Field(description="Motif où mène le numéro.")


class PilotEntry(Strict):
    """A department on trial: a share of the callers, some hours; the others go to another topic."""

    share: Share = Field(default=1.0, ge=0, le=1, description="Part des appelants : 20 % ; le même appelant y reste.")
    hours: Slug | None = Field(default=None, description="Seulement dans ces horaires (hours.yaml).")
    otherwise: Slug = Field(alias="else", description="Motif de tous les autres appels.")


class OptionEntry(Strict):
    """What one key does: exactly one of a topic, a menu, an information, an outside body, a language, digits."""

    topic: Slug | None = Field(default=None, description="Motif : les personnes qui y répondent.")
    menu: Slug | None = Field(default=None, description="Un autre menu.")
    information: Slug | None = Field(default=None, description="Message qui répond, puis retour au menu.")
    outside: Slug | None = Field(default=None, description="Organisme à appeler (outsides.yaml), puis retour au menu.")
    language: Language | None = Field(default=None, description="Langue de toute la suite, puis le menu de nouveau.")
    digits: DigitsEntry | None = Field(default=None, description="Demander un numéro, puis un motif.")
    pilot: PilotEntry | None = Field(default=None, description="Essai : une part des appels de ce motif seulement.")

    @model_validator(mode="after")
    def _one_target(self) -> OptionEntry:
        count = sum(getattr(self, name) is not None for name in TARGETS)
        if count != 1:
            raise PydanticCustomError("option-target", "one target", {"count": count})
        if self.pilot is not None and self.topic is None:
            raise PydanticCustomError("pilot-target", "no topic")
        return self


class MenuEntry(Strict):
    """A menu: what is said, and what each key does."""

    prompt: Slug = Field(description="Message lu à l'appelant.")
    short_prompt: Slug | None = Field(default=None, description="Message plus court, à la répétition.")
    parent: Slug | None = Field(default=None, description="Menu où ramène la touche #.")
    options: dict[OptionKey, OptionEntry] = Field(description="Les choix, par touche de 1 à 9.")
    input_timeout: Annotated[int, Between(1_000, 30_000)] = Field(
        default=5_000, description="Temps pour taper, compté de la fin du message."
    )
    max_no_input: int = Field(default=2, ge=1, le=5, description="Silences avant de passer à une personne.")
    max_invalid: int = Field(default=2, ge=1, le=5, description="Erreurs avant de passer à une personne.")


class MenuFile(Strict):
    """menu.yaml: the tree that callers cross with the keys."""

    root: Slug = Field(description="Le premier menu.")
    menus: dict[Slug, MenuEntry] = Field(description="Les menus.")


class WideningEntry(Strict):
    """After so long a wait, more people answer: some groups, or everyone."""

    after: Annotated[int, Between(5_000, 7_200_000)] = Field(description="Attente au bout de laquelle ils répondent.")
    groups: Slugs | None = Field(default=None, min_length=1, description="Équipes qui répondent aussi.")
    everyone: bool | None = Field(default=None, description="true : tous les agents répondent aussi.")

    @model_validator(mode="after")
    def _one_target(self) -> WideningEntry:
        if (self.groups is None) == (self.everyone is not True):
            raise PydanticCustomError("widening-target", "one target")
        return self


class OverflowEntry(Strict):
    """When a waiting caller is offered to leave a message: one of the two is enough."""

    wait: Annotated[int, Between(30_000, 7_200_000)] | None = Field(
        default=None, description="Attente au bout de laquelle on propose un message."
    )
    ratio: Decimal | None = Field(
        default=None, ge=0.5, le=100, description="Appelants en attente par agent présent, au-delà de quoi on propose."
    )

    @model_validator(mode="after")
    def _something(self) -> OverflowEntry:
        if self.wait is None and self.ratio is None:
            raise PydanticCustomError("overflow-empty", "neither")
        return self


Strategy = Literal["longest-idle", "ordered", "ring-many"]


class TopicEntry(Strict):
    """What a caller wants, in the citizen's words."""

    label: Words = Field(description="Le motif, dans les mots de l'habitant.")
    groups: Slugs = Field(min_length=1, description="Équipes qui y répondent.")
    strategy: Strategy = Field(
        default="longest-idle",
        description="Qui sonne : longest-idle, l'agent libre depuis le plus longtemps ; ordered, le premier libre dans"
        " l'ordre de agents.yaml ; ring-many, plusieurs à la fois.",
    )
    ring_at_once: int | None = Field(
        default=None, ge=2, le=5, description="Postes qui sonnent à la fois, avec ring-many (3 si rien n'est dit)."
    )
    widen: tuple[WideningEntry, ...] = Field(default=(), description="Qui répond aussi, de plus en plus large.")
    overflow: OverflowEntry | None = Field(default=None, description="Quand proposer de laisser un message.")
    hours: Slug | None = Field(default=None, description="Ses horaires (hours.yaml) ; sans eux, ceux du site.")
    continuity: Chain | None = Field(
        default=None,
        min_length=1,
        description="Quand personne ne répond, étape par étape ; sans elle, celle de site.yaml.",
    )


class TopicsFile(Strict):
    """topics.yaml: what people call for."""

    topics: dict[Slug, TopicEntry] = Field(description="Les motifs.")


class GroupEntry(Strict):
    """Agents who answer the same topics."""

    label: Words = Field(description="Nom de l'équipe.")


class GroupsFile(Strict):
    """groups.yaml: the teams."""

    groups: dict[Slug, GroupEntry] = Field(description="Les équipes.")


class AgentEntry(Strict):
    """A person with a phone."""

    name: Words = Field(description="Prénom et nom.")
    groups: Slugs = Field(min_length=1, description="Équipes de cet agent.")
    substitutes: Slugs = Field(default=(), description="Agents qui répondent dans ses équipes quand il est absent.")
    absences: tuple[AbsenceEntry, ...] = Field(default=(), description="Absences prévues.")
    calendar: Words | None = Field(
        default=None,
        description="Agenda iCal de l'agent : un fichier .ics du dossier, ou une adresse https. Seuls les moments"
        " d'absence en sont gardés.",
    )


class AgentsFile(Strict):
    """agents.yaml: the people, each with the teams that they belong to."""

    agents: dict[Slug, AgentEntry] = Field(description="Les agents.")


class OutcomeEntry(Strict):
    """How a call can have gone, as its agent says by *3 and the key."""

    id: Slug = Field(description="Identifiant, dans les chiffres ; ne change plus une fois en service.")
    label: Words = Field(description="Le résultat, en clair.")
    follow_up: bool = Field(default=False, description="true : il reste à faire, le dossier reste à l'agent.")


class PauseEntry(Strict):
    """Why an agent takes no calls, as they say by *2 and the key."""

    id: Slug = Field(description="Identifiant, dans les chiffres ; ne change plus une fois en service.")
    label: Words = Field(description="La raison, en clair.")
    length: Annotated[int, Between(60_000, 12 * 3_600_000)] = Field(description="Durée prévue.")
    prompt: Slug = Field(description="Message qui confirme la pause à l'agent.")


class OutcomesFile(Strict):
    """outcomes.yaml: what agents say about their calls and about themselves. It may be absent."""

    outcomes: dict[CodeKey, OutcomeEntry] = Field(default={}, description="Résultats d'un appel, par touche de 1 à 9.")
    pauses: dict[CodeKey, PauseEntry] = Field(default={}, description="Raisons de pause, par touche de 1 à 9.")


Spoken = Annotated[Words, Field(max_length=1_500)]


class PromptEntry(Strict):
    """A spoken text; none when it is only a recording."""

    text: Spoken | None = Field(default=None, description="Texte dans la langue du site.")
    fr: Spoken | None = Field(default=None, description="Texte français.")
    en: Spoken | None = Field(default=None, description="Texte anglais.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if value is None:
            return {}
        return {"text": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell editors of the short form too: the text alone."""
        long_form = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [{"type": ["string", "null"]}, long_form]}


class PromptsFile(Strict):
    """prompts.yaml: every sentence that a caller can hear."""

    prompts: dict[Slug, PromptEntry] = Field(description="Les messages.")


FILES: Final[dict[str, type[Strict]]] = {
    "site.yaml": SiteFile,
    "menu.yaml": MenuFile,
    "topics.yaml": TopicsFile,
    "groups.yaml": GroupsFile,
    "agents.yaml": AgentsFile,
    "outcomes.yaml": OutcomesFile,
    "outsides.yaml": OutsidesFile,
    "crisis.yaml": CrisisFile,
    "hours.yaml": HoursFile,
    "tests.yaml": TestsFile,
    "prompts.yaml": PromptsFile,
}
OPTIONAL: Final = frozenset({"outcomes.yaml", "outsides.yaml", "crisis.yaml", "hours.yaml", "tests.yaml"})
