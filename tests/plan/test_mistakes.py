"""Ordinary mistakes of an admin: each is told once, at its place, with its cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.plan.folders import broken, seen

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


class Mistake(NamedTuple):
    """One replacement in one file, and the one fault that it must give."""

    file: str
    old: str
    new: str
    found: str
    says: str
    cure: str


MISTAKES = (
    Mistake("menu.yaml", "topic: etat-civil", "topc: etat-civil",
            "menu.yaml:6:11 error unknown-key", "« topc » n'est pas une clé connue ici.",
            "Vouliez-vous écrire « topic » ? Clés admises : topic, menu, information, outside, language, digits,"
            " pilot."),
    Mistake("menu.yaml", "topic: etat-civil", "motif: etat-civil",
            "menu.yaml:6:11 error unknown-key", "« motif » n'est pas une clé connue ici.",
            "Vouliez-vous écrire « topic » ? Clés admises : topic, menu, information, outside, language, digits,"
            " pilot."),
    Mistake("menu.yaml", "topic: etat-civil", "topic: etat-civi",
            "menu.yaml:6:18 error unknown-reference", "Le motif « etat-civi » n'existe pas.",
            "Vouliez-vous écrire « etat-civil » ? Ajoutez « etat-civi » dans topics.yaml,"
            " ou corrigez le nom."),
    Mistake("menu.yaml", "      2: {menu: suite}", "      1: {menu: suite}",
            "menu.yaml:7:7 error duplicate-key", "« 1 » est déjà défini à la ligne 6.",
            "Gardez un seul des deux, ou changez-en un."),
    Mistake("menu.yaml", "      2:", "      02:",
            "menu.yaml:7:7 error bad-option-key", "« 02 » n'est pas une touche de 1 à 9.",
            "Écrivez 2 tout court."),
    Mistake("menu.yaml", "      2:", "      12:",
            "menu.yaml:7:7 error bad-option-key", "« 12 » n'est pas une touche de 1 à 9.",
            "Une touche est un seul chiffre, de 1 à 9."),
    Mistake("menu.yaml", "      2:", "      0:",
            "menu.yaml:7:7 error reserved-key", "La touche 0 est réservée : elle mène à une personne.",
            "Retirez ce choix, ou donnez-lui une touche de 1 à 9."),
    Mistake("menu.yaml", "      2:", '      "#":',
            "menu.yaml:7:7 error reserved-key", "La touche # est réservée : elle ramène au menu précédent.",
            "Retirez ce choix, ou donnez-lui une touche de 1 à 9."),
    Mistake("menu.yaml", "      2:", "      *:",
            "menu.yaml:7:7 error star-unquoted", "La touche * doit être écrite entre guillemets.",
            'Écrivez "*": … ; mais * répète toujours le menu et ne se redéfinit pas.'),
    Mistake("menu.yaml", "{menu: suite}", "{menu: suite, topic: accueil}",
            "menu.yaml:7:7 error option-target",
            "Un choix mène à une seule chose : topic, menu, information, outside, language ou digits (2 ici).",
            "Écrivez par exemple « 1: {topic: etat-civil} »."),
    Mistake("menu.yaml", "{menu: suite}", "{menu: suite",
            "menu.yaml:7:10 error bracket-open",
            "Un crochet ou une accolade s'ouvre ici et n'est pas refermé, ou il manque une virgule.",
            "Fermez-le (}) et séparez les éléments par des virgules."),
    Mistake("menu.yaml", "    options:\n      1: {topic: e", "    options:\n\t1: {topic: e",
            "menu.yaml:6:1 error tab", "Une tabulation sert de retrait.",
            "Remplacez-la par des espaces (deux par niveau)."),
    Mistake("menu.yaml", "prompt: menu-suite", "prompt:menu-suite",
            "menu.yaml:10:12 error space-after-colon", "Il manque une espace après les deux-points.",
            "Écrivez « clé: valeur », avec une espace après « : »."),
    Mistake("menu.yaml", "    prompt: menu-suite\n", "",
            "menu.yaml:9:3 error missing-key", "Il manque « prompt » dans « suite ».",
            "Ajoutez une ligne « prompt: … »."),
    Mistake("menu.yaml", "    prompt: menu-suite\n", "    prompt: menu-suite\n    input_timeout: 5\n",
            "menu.yaml:11:20 error bad-duration", "« 5 » n'est pas une durée.",
            "Écrivez un nombre et son unité : 20 s, 2 min, 1 h."),
    Mistake("menu.yaml", "    prompt: menu-suite\n", "    prompt: menu-suite\n    input_timeout: 2 h\n",
            "menu.yaml:11:20 error duration-range", "La durée « 2 h » est hors des bornes : de 1 s à 30 s.",
            "Choisissez une durée entre 1 s et 30 s."),
    Mistake("menu.yaml", "    prompt: menu-suite\n", "    prompt: menu-suite\n    max_invalid: 12\n",
            "menu.yaml:11:18 error expected-number", "« max_invalid » attend un nombre entier de 1 à 5.",
            "Écrivez par exemple « max_invalid: 2 »."),
    Mistake("site.yaml", "05 36 49 00 00", "05 36 49 00",
            "site.yaml:3:10 error bad-number", "« 05 36 49 00 » n'est pas un numéro de téléphone.",
            "Écrivez dix chiffres (05 36 49 00 00) ou la forme internationale (+33536490000)."),
    Mistake("site.yaml", "05 36 49 00 00", "0899 12 34 56",
            "site.yaml:3:10 warning premium-number", "+33899123456 est un numéro surtaxé.",
            "Une mairie se joint au prix d'un appel local : choisissez un 01 à 05 ou un 09."),
    Mistake("site.yaml", "05 36 49 90 01", "+33536490000",
            "site.yaml:4:9 error number-twice", "Le numéro +33536490000 est cité deux fois.",
            "Gardez-le une seule fois : un numéro du site n'est pas celui d'un relais."),
    Mistake("site.yaml", "general: accueil\n", "",
            "site.yaml:1:1 error missing-key", "Il manque « general ».",
            "Ajoutez une ligne « general: … »."),
    Mistake("site.yaml", "general: accueil", "general: acueil",
            "site.yaml:5:10 error unknown-reference", "Le motif « acueil » n'existe pas.",
            "Vouliez-vous écrire « accueil » ? Ajoutez « acueil » dans topics.yaml, ou corrigez le nom."),
    Mistake("site.yaml", "  goodbye: phrase\n", "",
            "site.yaml:6:1 error missing-key", "Il manque « goodbye » dans « announcements ».",
            "Ajoutez une ligne « goodbye: … »."),
    Mistake("topics.yaml", "groups: [etat-civil]", "groups: []",
            "topics.yaml:7:13 error empty-list", "« groups » est vide.",
            "Nommez-en au moins un entre les crochets."),
    Mistake("topics.yaml", "  etat-civil:", "  État-Civil:",
            "topics.yaml:5:3 error bad-id", "« État-Civil » ne peut pas servir de nom ici.",
            "Un nom s'écrit en minuscules sans accent, chiffres et tirets, une lettre d'abord : « etat-civil »."),
    Mistake("topics.yaml", "label: État civil", "label: 'L'état civil'",
            "topics.yaml:6:15 error text-after-quote", "Du texte suit des guillemets fermants.",
            'Entourez tout le texte de guillemets doubles : "L\'état civil".'),
    Mistake("topics.yaml", "label: État civil", "label: État civil : papiers",
            "topics.yaml:6:23 error colon-in-text",
            "Deux-points inattendus ici : soit le texte contient « : », soit le retrait est faux.",
            "Mettez le texte entre guillemets doubles, ou alignez la ligne sur ses voisines."),
    Mistake("agents.yaml", "  bob:", "  42:",
            "agents.yaml:5:3 error bad-id", "« 42 » ne peut pas servir de nom ici.",
            "Un nom s'écrit en minuscules sans accent, chiffres et tirets, une lettre d'abord : « n42 »."),
    Mistake("agents.yaml", "[etat-civil, accueil]", "[etat-civil]",
            "groups.yaml:2:3 error group-without-agents", "L'équipe « accueil » n'a aucun agent.",
            "Ajoutez « accueil » aux « groups » d'un agent dans agents.yaml."),
    Mistake("agents.yaml", "  bob:\n    name: Bob Durand\n", "  bob:\n   name: Bob Durand\n",
            "agents.yaml:7:5 error indentation", "Le retrait de cette ligne ne correspond à rien.",
            "Alignez-la exactement sur les lignes de même niveau (deux espaces par niveau)."),
    Mistake("agents.yaml", "    name: Bob Durand\n", "    name:\n",
            "agents.yaml:6:5 error empty-value", "« name » n'a pas de valeur.",
            "Écrivez la valeur après les deux-points, ou retirez la ligne."),
    Mistake("agents.yaml", "groups: [etat-civil, accueil]", "groups: {a: b}",
            "agents.yaml:4:13 error expected-list", "« groups » attend une liste.",
            "Écrivez « groups: [un, deux] », ou une ligne « - … » par élément."),
    Mistake("prompts.yaml", "menu-suite: Pour l'accueil, tapez 1.", "menu-suite:",
            "prompts.yaml:5:3 error no-prompt-text",
            "Le message « menu-suite » n'a ni texte en « fr » ni enregistrement.",
            "Écrivez son texte, ou déposez recorded/fr/menu-suite.wav."),
    Mistake("prompts.yaml", "  menu-suite: Pour l'accueil, tapez 1.\n", "",
            "menu.yaml:10:13 error unknown-reference", "Le message « menu-suite » n'existe pas.",
            "Ajoutez « menu-suite » dans prompts.yaml, ou corrigez le nom."),
)  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.found} {mistake.new.strip()}")
def test_a_mistake_is_told_once_with_its_place_and_cure(mistake: Mistake, tmp_path: Path) -> None:
    loaded = broken(tmp_path, mistake.file, mistake.old, mistake.new)
    assert seen(tmp_path, loaded.faults) == [mistake.found]
    (fault,) = loaded.faults
    assert fault.message_fr == mistake.says
    assert fault.cure_fr == mistake.cure
    assert fault.message_en
    assert fault.cure_en
    assert (loaded.plan is None) == (fault.severity == "error")
