"""What differs between two versions of a plan, one sentence in French for each change. Pure.

What no rule here has a sentence for is told by the file that changed, so that nothing differs in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal

from ivr.plan.french import span
from ivr.publish.words import group, groups, listed, menu, step, target, topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ivr.core.plan import Agent, Menu, Plan, PromptId, Topic

Kind = Literal[
    "site", "menu", "option", "topic", "group", "agent", "code", "outside", "crisis", "text", "sound", "file"
]

SHOWN: Final = 90
_SILENT: Final = frozenset({"prompts.yaml", "menu.yaml", "topics.yaml", "groups.yaml", "agents.yaml"})
"""Files of which every meaning has a sentence: a change of comments alone is told only if nothing else is."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two versions: the plan, its texts by prompt and language, and its files and recordings by name."""

    plan: Plan
    texts: Mapping[PromptId, Mapping[str, str]]
    files: Mapping[str, str]
    sounds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: of what kind, of what id, and how it is told."""

    kind: Kind
    id: str
    sentence: str


def diff(old: Side, new: Side) -> tuple[Change, ...]:
    """Return every difference, what callers meet first."""
    found = [
        *_site(old.plan, new.plan),
        *_menus(old.plan, new.plan),
        *_topics(old.plan, new.plan),
        *_groups(old.plan, new.plan),
        *_agents(old.plan, new.plan),
        *_codes(old.plan, new.plan),
        *_others(old.plan, new.plan),
        *_texts(old, new),
    ]
    return (*found, *_files(old, new, told=bool(found)))


_DURATIONS: Final = {
    "ring_timeout_ms": "Un poste sonne",
    "first_patience_ms": "Le premier message d'attente vient après",
    "patience_every_ms": "Les messages d'attente suivants viennent toutes les",
    "message_max_ms": "Un message laissé dure au plus",
    "max_wait_ms": "L'attente dure au plus",
    "wrap_ms": "Après un appel, l'agent a",
}


def _site(old: Plan, new: Plan) -> Iterator[Change]:
    if old.name != new.name:
        yield Change("site", "name", f"Le site s'appelle désormais « {new.name} ».")
    for what, before, after in (
        ("public", old.numbers, new.numbers),
        ("de relais", sorted(old.relays), sorted(new.relays)),
    ):
        for number in sorted(set(after) - set(before)):
            yield Change("site", number, f"Le numéro {what} {number} est ajouté.")
        for number in sorted(set(before) - set(after)):
            yield Change("site", number, f"Le numéro {what} {number} est retiré.")
    if old.general != new.general:
        yield Change("site", "general", f"L'accueil général est désormais le motif {topic(new, new.general)}.")
    for name, words in _DURATIONS.items():
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change("site", name, f"{words} désormais {span(after)} (avant : {span(before)}).")
    if old.max_calls != new.max_calls:
        yield Change("site", "max_calls", f"{new.max_calls} appels à la fois désormais, au lieu de {old.max_calls}.")
    if old.message_due_days != new.message_due_days:
        yield Change(
            "site", "due", f"Un rappel est dû sous {new.message_due_days} j, au lieu de {old.message_due_days} j."
        )
    if old.language != new.language or old.languages != new.languages:
        yield Change("site", "languages", f"Les langues sont désormais : {listed((new.language, *new.languages))}.")
    if old.hours != new.hours:
        yield Change("site", "hours", f"Les horaires du site sont désormais « {new.hours or 'toujours ouvert'} ».")
    for field in fields(new.announcements):
        before, after = getattr(old.announcements, field.name), getattr(new.announcements, field.name)
        if before != after:
            yield Change("site", field.name, f"L'annonce {field.name} est désormais le message « {after} ».")


def _menus(old: Plan, new: Plan) -> Iterator[Change]:
    if old.root != new.root:
        yield Change("menu", new.root, f"Le premier menu est désormais « {new.root} ».")
    for name, after in new.menus.items():
        before = old.menus.get(name)
        if before is None:
            yield Change("menu", name, f"Le {menu(new, after)} est ajouté.")
        else:
            yield from _menu(new, before, after)
        yield from _options(old, new, before, after)
    for name in old.menus.keys() - new.menus.keys():
        yield Change("menu", name, f"Le {menu(old, old.menus[name])} est retiré.")


def _menu(plan: Plan, before: Menu, after: Menu) -> Iterator[Change]:
    here = menu(plan, after)
    if before.prompt != after.prompt:
        yield Change("menu", after.id, f"Le {here} dit désormais le message « {after.prompt} ».")
    if before.short_prompt != after.short_prompt:
        yield Change("menu", after.id, f"Répété, le {here} dit désormais le message « {after.short_prompt} ».")
    if before.parent != after.parent and after.parent is not None:
        back = menu(plan, plan.menus[after.parent])
        yield Change("menu", after.id, f"La touche # du {here} ramène désormais au {back}.")
    if before.input_timeout_ms != after.input_timeout_ms:
        yield Change("menu", after.id, f"Au {here}, on a désormais {span(after.input_timeout_ms)} pour choisir.")
    if before.max_no_input != after.max_no_input:
        yield Change("menu", after.id, f"Au {here}, {after.max_no_input} silences mènent désormais à une personne.")
    if before.max_invalid != after.max_invalid:
        yield Change("menu", after.id, f"Au {here}, {after.max_invalid} erreurs mènent désormais à une personne.")


def _options(old: Plan, new: Plan, before: Menu | None, after: Menu) -> Iterator[Change]:
    here, known = menu(new, after), before.options if before is not None else {}
    for key in sorted(after.options.keys() | known.keys()):
        where, name = f"{after.id}.{key}", f"choix {key} du {here}"
        if key not in after.options:
            yield Change("option", where, f"Le {name} est retiré (il menait {target(old, known[key])}).")
        elif key not in known:
            yield Change("option", where, f"Le {name} est nouveau : il mène {target(new, after.options[key])}.")
        elif after.options[key] != known[key]:
            was = target(old, known[key])
            yield Change(
                "option", where, f"Le {name} mène désormais {target(new, after.options[key])} (avant : {was})."
            )


def _topics(old: Plan, new: Plan) -> Iterator[Change]:
    for name, after in new.topics.items():
        before = old.topics.get(name)
        if before is None:
            yield Change(
                "topic", name, f"Le motif {topic(new, name)} est ajouté, servi par {groups(new, after.groups)}."
            )
        else:
            yield from _topic(new, before, after)
    for name in old.topics.keys() - new.topics.keys():
        heir = new.successors.topics.get(name)
        after_it = f" ; ses appelants vont au motif {topic(new, heir)}" if heir is not None else ""
        yield Change("topic", name, f"Le motif {topic(old, name)} est retiré{after_it}.")


def _topic(plan: Plan, before: Topic, after: Topic) -> Iterator[Change]:
    name, here = after.id, f"Le motif {topic(plan, after.id)}"
    if before.label != after.label:
        yield Change("topic", name, f"Le motif « {before.label} » s'appelle désormais « {after.label} ».")
    if before.groups != after.groups:
        yield Change("topic", name, f"{here} est désormais servi par {groups(plan, after.groups)}.")
    for widening in after.widen:
        if widening not in before.widen:
            also, wait = groups(plan, widening.groups), span(widening.after_ms)
            yield Change("topic", name, f"{here} est désormais servi aussi par {also} après {wait}.")
    for widening in before.widen:
        if widening not in after.widen:
            also, wait = groups(plan, widening.groups), span(widening.after_ms)
            yield Change("topic", name, f"{here} n'est plus servi par {also} après {wait}.")
    if (before.strategy, before.ring_at_once) != (after.strategy, after.ring_at_once):
        how = f"{after.strategy}, {after.ring_at_once} postes" if after.strategy == "ring-many" else after.strategy
        yield Change("topic", name, f"{here} sonne désormais selon {how}.")
    if before.overflow != after.overflow:
        limits = (
            []
            if after.overflow is None
            else [
                *([f"après {span(after.overflow.wait_ms)}"] if after.overflow.wait_ms is not None else []),
                *(
                    [f"au-delà de {after.overflow.ratio:g} appelants par agent"]
                    if after.overflow.ratio is not None
                    else []
                ),
            ]
        )
        offered = f"propose désormais un message {' ou '.join(limits)}" if limits else "ne propose plus de message"
        yield Change("topic", name, f"{here} {offered}.")
    if before.hours != after.hours:
        yield Change("topic", name, f"{here} suit désormais les horaires « {after.hours or 'du site'} ».")
    if before.continuity != after.continuity:
        chain = ", puis ".join(step(plan, each) for each in after.continuity) or "accueil général, puis message"
        yield Change("topic", name, f"{here}, quand personne ne peut répondre : {chain}.")


def _groups(old: Plan, new: Plan) -> Iterator[Change]:
    for name in new.groups.keys() - old.groups.keys():
        yield Change("group", name, f"L'équipe {group(new, name)} est ajoutée.")
    for name in old.groups.keys() - new.groups.keys():
        heir = new.successors.groups.get(name)
        to = f" ; ses dossiers vont à {group(new, heir)}" if heir is not None else ""
        yield Change("group", name, f"L'équipe {group(old, name)} est retirée{to}.")
    for name in new.groups.keys() & old.groups.keys():
        if new.groups[name].label != old.groups[name].label:
            was = old.groups[name].label
            yield Change("group", name, f"L'équipe {was} s'appelle désormais {new.groups[name].label}.")


def _agents(old: Plan, new: Plan) -> Iterator[Change]:
    for name, after in new.agents.items():
        before = old.agents.get(name)
        if before is None:
            yield Change("agent", name, f"{after.name} arrive, équipe {groups(new, after.groups)}.")
        else:
            yield from _agent(old, new, before, after)
    for name in old.agents.keys() - new.agents.keys():
        heir = new.successors.agents.get(name)
        to = f" ; ses dossiers vont à {new.agents[heir].name}" if heir is not None else ""
        yield Change("agent", name, f"{old.agents[name].name} n'est plus au standard{to}.")


def _agent(old: Plan, new: Plan, before: Agent, after: Agent) -> Iterator[Change]:
    if before.name != after.name:
        yield Change("agent", after.id, f"{before.name} s'appelle désormais {after.name}.")
    for name in after.groups:
        if name not in before.groups:
            yield Change("agent", after.id, f"{after.name} rejoint l'équipe {group(new, name)}.")
    for name in before.groups:
        if name not in after.groups:
            yield Change("agent", after.id, f"{after.name} quitte l'équipe {group(old, name)}.")
    if before.substitutes != after.substitutes:
        who = listed(new.agents[each].name for each in after.substitutes)
        yield Change("agent", after.id, f"En son absence, {after.name} est désormais remplacé par {who}.")


def _codes(old: Plan, new: Plan) -> Iterator[Change]:
    for star, before, after in (("*3", old.outcomes, new.outcomes), ("*2", old.pauses, new.pauses)):
        for key in sorted({*before, *after}):
            one, was = after.get(key), before.get(key)
            if one is None and was is not None:
                yield Change("code", f"{star}{key}", f"Le code {star}{key} (« {was.label} ») est retiré.")
            elif one is not None and was is None:
                yield Change("code", f"{star}{key}", f"Le code {star}{key} est nouveau : « {one.label} ».")
            elif one is not None and one != was:
                yield Change("code", f"{star}{key}", f"Le code {star}{key} (« {one.label} ») a changé.")


def _others(old: Plan, new: Plan) -> Iterator[Change]:
    for name in sorted(new.outsides.keys() | old.outsides.keys()):
        body, was = new.outsides.get(name), old.outsides.get(name)
        if body is None and was is not None:
            yield Change("outside", name, f"L'organisme « {was.label} » est retiré.")
        elif body is not None and body != was:
            yield Change("outside", name, f"L'organisme « {body.label} » : désormais le {body.number}.")
    for crisis in sorted(new.crises.keys() | old.crises.keys()):
        profile, past = new.crises.get(crisis), old.crises.get(crisis)
        if profile is None and past is not None:
            yield Change("crisis", crisis, f"Le profil de crise « {past.label} » est retiré.")
        elif profile is not None and past is None:
            yield Change("crisis", crisis, f"Le profil de crise « {profile.label} » est ajouté.")
        elif profile is not None and profile != past:
            yield Change("crisis", crisis, f"Le profil de crise « {profile.label} » a changé.")


def _texts(old: Side, new: Side) -> Iterator[Change]:
    for prompt in sorted(new.texts.keys() | old.texts.keys()):
        if prompt not in new.texts:
            yield Change("text", prompt, f"Le message « {prompt} » est retiré.")
        elif prompt not in old.texts:
            yield Change("text", prompt, f"Le message « {prompt} » est ajouté{_quoted(new.texts[prompt])}.")
        elif new.texts[prompt] != old.texts[prompt]:
            yield Change("text", prompt, f"Le message « {prompt} » dit désormais{_quoted(new.texts[prompt])}.")
    for name in sorted(new.sounds.keys() | old.sounds.keys()):
        if name not in new.sounds:
            yield Change("sound", name, f"L'enregistrement {name} est retiré.")
        elif new.sounds[name] != old.sounds.get(name):
            how = "a changé" if name in old.sounds else "est ajouté"
            yield Change("sound", name, f"L'enregistrement {name} {how}.")


def _quoted(texts: Mapping[str, str]) -> str:
    said = " / ".join(texts[language] for language in sorted(texts, key=lambda name: name != "fr"))
    short = said if len(said) <= SHOWN else f"{said[: SHOWN - 1].rstrip()}…"
    return f" : « {short} »" if said else " un enregistrement"


def _files(old: Side, new: Side, *, told: bool) -> Iterator[Change]:
    """Tell of the files that changed where no sentence can be sure to have told all."""
    for name in sorted(new.files.keys() | old.files.keys()):
        if new.files.get(name) == old.files.get(name) or (told and name in _SILENT):
            continue
        how = "est retiré" if name not in new.files else "a changé" if name in old.files else "est ajouté"
        yield Change("file", name, f"Le fichier {name} {how}.")
