"""A file's data against its model: every fault placed, and what can still be read kept.

A broken entry must not hide the faults of its neighbours: what is at fault is cut out
and the rest is validated again, so that the rules of `ivr.plan.check` see all the rest.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from difflib import get_close_matches
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ivr.plan.faults import fault
from ivr.plan.messages import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from ivr.plan.faults import Fault, Place
    from ivr.plan.source import Loc, Source

M = TypeVar("M", bound=BaseModel)

_ROUNDS: Final = 50
_KEY: Final = "[key]"
_CONSEQUENCES: Final = frozenset(
    {
        "too_short",
        "option-target",
        "widening-target",
        "overflow-empty",
        "chain-step",
        "absence-order",
        "one-off-days",
        "one-off-order",
        "case-expects-nothing",
    }
)
_AT_KEY: Final = frozenset({"option-target", "overflow-empty"})
_EXPECTED: Final = {
    "string_type": "expected-text",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "expected-mapping"),
    **dict.fromkeys(("tuple_type", "list_type"), "expected-list"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "expected-yes-no"),
}
_GONE: Final[dict[str, object]] = {"gone": None}
_FRENCH: Final = {
    "nom": "name", "libelle": "label", "libellé": "label", "titre": "label", "equipe": "groups",
    "équipe": "groups", "equipes": "groups", "équipes": "groups", "group": "groups", "groupe": "groups",
    "groupes": "groups", "motif": "topic", "motifs": "topics", "agent": "agents", "choix": "options",
    "option": "options", "touches": "options", "message": "prompt", "messages": "prompts", "texte": "text",
    "langue": "language", "numero": "numbers", "numéro": "numbers", "numeros": "numbers",
    "numéros": "numbers", "number": "numbers", "relais": "relays", "annonces": "announcements",
    "attente": "waiting", "racine": "root", "accueil": "general", "goto": "menu", "info": "information",
    "queue": "topic", "file": "topic", "sonnerie": "ring", "delai": "input_timeout",
    "délai": "input_timeout", "timeout": "input_timeout", "stratégie": "strategy", "strategie": "strategy",
    "élargir": "widen", "elargir": "widen", "après": "after", "apres": "after", "tous": "everyone",
    "tout-le-monde": "everyone", "débordement": "overflow", "debordement": "overflow", "résultats": "outcomes",
    "resultats": "outcomes", "durée": "length", "duree": "length", "suivi": "follow_up", "suite": "follow_up",
    "continuité": "continuity", "continuite": "continuity", "chaîne": "continuity", "chaine": "continuity",
    "organisme": "outside", "extérieur": "outside", "exterieur": "outside", "organismes": "outsides",
    "rappel": "callback", "rappeler": "callback", "langues": "languages", "chiffres": "digits",
    "remplaçant": "substitutes", "remplacant": "substitutes", "remplaçants": "substitutes",
    "remplacants": "substitutes", "suppléant": "substitutes", "suppléants": "substitutes", "congés": "absences",
    "conges": "absences", "absence": "absences", "agenda": "calendar", "calendrier": "calendar", "du": "from",
    "de": "from", "début": "from", "debut": "from", "au": "to", "à": "to", "fin": "to", "raison": "reason",
    "motif-absence": "reason", "horaires": "hours", "semaine": "weekly", "fériés": "public_holidays",
    "feries": "public_holidays", "vacances": "school_holidays", "le": "on",
    "profil": "profiles", "profils": "profiles", "crises": "profiles",
}  # fmt: skip


def hints(word: str, known: Iterable[str]) -> dict[str, str]:
    """Return the two sentences that propose what `word` was meant to be, empty if nothing is near."""
    choices = list(known)
    translated = _FRENCH.get(word.lower(), "")
    near = [translated] if translated in choices else get_close_matches(word, choices, n=1, cutoff=0.6)
    if not near:
        return {"hint_fr": "", "hint_en": ""}
    return {"hint_fr": f"Vouliez-vous écrire « {near[0]} » ? ", "hint_en": f"Did you mean “{near[0]}”? "}


def validate(source: Source, model: type[M]) -> M | None:
    """Return what the file holds, faults added to `source`; what is at fault is left out."""
    if source.data is None:
        keys = ", ".join(name for name, field in model.model_fields.items() if field.is_required())
        if not keys:
            return model()
        source.faults.append(fault("empty-file", source.value(()), keys=keys))
        return None
    data: Any = copy.deepcopy(source.data)
    for turn in range(_ROUNDS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False)
        if turn == 0:
            source.faults += _faults(details, source, model)
        left = [_cut(data, detail) for detail in details]
        if not all(left):
            return None
        data = _swept(data)
    return None


def _faults(details: list[ErrorDetails], source: Source, model: type[BaseModel]) -> Iterator[Fault]:
    locs = [_loc(detail) for detail in details]
    bad_keys = {_loc(detail) for detail in details if detail["loc"][-1:] == (_KEY,)}
    for detail, loc in zip(details, locs, strict=True):
        deeper = any(len(other) > len(loc) and other[: len(loc)] == loc for other in locs)
        if deeper and detail["type"] in _CONSEQUENCES:
            continue  # a consequence of the fault inside
        if loc in bad_keys and detail["loc"][-1:] != (_KEY,):
            continue
        yield _fault(detail, loc, source, model)


def _loc(detail: ErrorDetails) -> Loc:
    loc = detail["loc"]
    return loc[:-1] if loc[-1:] == (_KEY,) else loc


def _fault(detail: ErrorDetails, loc: Loc, source: Source, model: type[BaseModel]) -> Fault:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    name = next((str(part) for part in reversed(loc) if isinstance(part, str)), source.file)
    at_key, at_value = source.key(loc), source.value(loc)
    if kind in MESSAGES:
        place = at_key if detail["loc"][-1:] == (_KEY,) or kind in _AT_KEY else at_value
        return fault(kind, _within(place, context), **{"key": name, **context})
    match kind:
        case "missing":
            owner = next((part for part in reversed(loc[:-1]) if isinstance(part, str)), None)
            around, inside = (f" dans « {owner} »", f" in “{owner}”") if owner is not None else ("", "")
            return fault("missing-key", source.key(loc[:-1]), key=name, where_fr=around, where_en=inside)
        case "extra_forbidden":
            keys = _allowed(model, loc[:-1])
            return fault("unknown-key", at_key, key=name, keys=", ".join(keys), **hints(name, keys))
        case "too_short":
            return fault("empty-list", at_value, key=name)
        case "string_too_long":
            return fault("too-long", at_value, key=name, limit=context.get("max_length", ""))
        case "literal_error":
            return fault("not-in-list", at_value, key=name, value=given, expected=context.get("expected", ""))
    if given is None:
        return fault("empty-value", at_key, key=name)
    if kind in _EXPECTED:
        return fault(_EXPECTED[kind], at_value, key=name)
    match kind:
        case "float_parsing" | "float_type" | "finite_number":
            return fault("expected-decimal", at_value, key=name, **_bounds(model, loc))
        case "int_parsing" | "int_type" | "greater_than_equal" | "less_than_equal":
            code = "expected-number" if isinstance(context.get("ge", context.get("le", 0)), int) else "expected-decimal"
            return fault(code, at_value, key=name, **_bounds(model, loc))
        case _:
            return fault("invalid-value", at_value, key=name, problem=detail["msg"])


def _within(place: Place, context: Mapping[str, Any]) -> Place:
    """Return the place inside a value at which it is wrong, where the fault says it (`whole`, `offset`)."""
    text, offset = context.get("whole"), context.get("offset")
    if not isinstance(text, str) or not isinstance(offset, int):
        return place
    start = place.source_line.find(text, place.column - 1)  # after a quote, if there is one
    return place if start < 0 else replace(place, column=start + offset + 1)


def _bounds(model: type[BaseModel], loc: Loc) -> dict[str, str]:
    owner = _model_at(model, loc[:-1])
    field = _fields(owner).get(str(loc[-1])) if owner is not None else None
    limits = {
        side: getattr(item, side)
        for item in (field.metadata if field else ())
        for side in ("ge", "le")
        if hasattr(item, side)
    }
    low, high = limits.get("ge"), limits.get("le")
    if low is None or high is None:
        return {"bounds_fr": "", "bounds_en": "", "example": "2"}
    return {
        "bounds_fr": f" de {low} à {high}",
        "bounds_en": f" from {low} to {high}",
        "example": str(min(high, max(low, 2))),
    }


def _allowed(model: type[BaseModel], loc: Loc) -> list[str]:
    owner = _model_at(model, loc)
    return list(_fields(owner)) if owner is not None else []


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by the key that an admin writes."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """Return the model that reads the mapping at `loc`."""
    here: Any = model
    for part in loc:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = _fields(here).get(str(part))
            here = _present(field.annotation) if field is not None else None
        else:  # a mapping or a list of entries: its values
            here = next((inner for inner in reversed(get_args(here)) if inner is not Ellipsis), None)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _present(kind: Any) -> Any:
    """Return the type of what may be left out, when it is there."""
    return next(inner for inner in get_args(kind) if inner is not NoneType) if NoneType in get_args(kind) else kind


def _cut(data: Any, detail: ErrorDetails) -> bool:
    """Mark what is at fault in `data` as gone; False if that is the whole file."""
    loc = _loc(detail)
    if detail["type"] == "missing":
        loc = loc[:-1]  # an entry without a part that it needs is no entry
    if not loc or not isinstance(data, dict):
        return False
    owner: Any = data
    here: Any = data
    last: str | int = loc[0]
    for part in loc:
        if isinstance(here, dict | list):
            if here is _GONE or (isinstance(here, dict) and part not in here):
                return True  # went with another fault
            owner, last = here, part
            here = here[part]  # type: ignore[index]
        else:  # a short form: the fault lies in the text that stands for the mapping
            break
    owner[last] = _GONE
    return True


def _swept(data: Any) -> Any:
    """Return `data` without what is gone."""
    if isinstance(data, dict):
        return {key: _swept(value) for key, value in data.items() if value is not _GONE}
    if isinstance(data, list):
        return [_swept(value) for value in data if value is not _GONE]
    return data
