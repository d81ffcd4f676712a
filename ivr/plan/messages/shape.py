"""Faults of one value: a key, a type, a form."""

from __future__ import annotations

from typing import Final

from ivr.plan.messages.message import Message

SHAPE: Final[dict[str, Message]] = {
    "empty-file": Message(
        "Le fichier est vide.",
        "The file is empty.",
        "Il doit contenir au moins : {keys}.",
        "It must hold at least: {keys}.",
    ),
    "missing-key": Message(
        "Il manque « {key} »{where_fr}.",
        "“{key}” is missing{where_en}.",
        "Ajoutez une ligne « {key}: … ».",
        "Add a line “{key}: …”.",
    ),
    "unknown-key": Message(
        "« {key} » n'est pas une clé connue ici.",
        "“{key}” is not a known key here.",
        "{hint_fr}Clés admises : {keys}.",
        "{hint_en}Keys allowed: {keys}.",
    ),
    "empty-value": Message(
        "« {key} » n'a pas de valeur.",
        "“{key}” has no value.",
        "Écrivez la valeur après les deux-points, ou retirez la ligne.",
        "Write the value after the colon, or remove the line.",
    ),
    "expected-text": Message(
        "« {key} » attend un texte.",
        "“{key}” expects a text.",
        "Écrivez « {key}: texte » sur une ligne.",
        "Write “{key}: text” on one line.",
    ),
    "expected-number": Message(
        "« {key} » attend un nombre entier{bounds_fr}.",
        "“{key}” expects a whole number{bounds_en}.",
        "Écrivez par exemple « {key}: {example} ».",
        "Write for instance “{key}: {example}”.",
    ),
    "expected-mapping": Message(
        "« {key} » attend des lignes « clé: valeur » en retrait.",
        "“{key}” expects indented “key: value” lines.",
        "Mettez-les sous « {key}: », avec deux espaces de plus.",
        "Put them below “{key}:”, indented by two more spaces.",
    ),
    "expected-list": Message(
        "« {key} » attend une liste.",
        "“{key}” expects a list.",
        "Écrivez « {key}: [un, deux] », ou une ligne « - … » par élément.",
        "Write “{key}: [one, two]”, or one “- …” line per item.",
    ),
    "list-unbracketed": Message(
        "« {value} » : pour en citer plusieurs, il faut des crochets.",
        "“{value}”: to name several, brackets are needed.",
        "Écrivez « {key}: [{value}] ».",
        "Write “{key}: [{value}]”.",
    ),
    "option-bare": Message(
        "Le choix {key} ne dit pas ce qu'est « {value} » : un motif, un menu, un message ?",
        "The option {key} does not say what “{value}” is: a topic, a menu, a prompt?",
        "Écrivez « {key}: {{topic: {value}}} » pour un motif, « {key}: {{menu: {value}}} » pour un menu.",
        "Write “{key}: {{topic: {value}}}” for a topic, “{key}: {{menu: {value}}}” for a menu.",
    ),
    "not-inside": Message(
        "« {key} » n'est pas assez en retrait : cette ligne n'appartient à rien.",
        "“{key}” is not indented enough: this line belongs to nothing.",
        "Ajoutez deux espaces devant, pour qu'elle soit dans ce qui la précède.",
        "Put two more spaces before it, so that it is inside what comes before it.",
    ),
    "empty-list": Message(
        "« {key} » est vide.",
        "“{key}” is empty.",
        "Nommez-en au moins un entre les crochets.",
        "Name at least one between the brackets.",
    ),
    "too-long": Message(
        "Le texte de « {key} » est trop long : {limit} caractères au plus.",
        "The text of “{key}” is too long: {limit} characters at most.",
        "Partagez-le en deux, ou gardez l'essentiel : on l'écoute au téléphone.",
        "Split it in two, or keep the essentials: it is heard on the phone.",
    ),
    "not-in-list": Message(
        "« {value} » n'est pas admis pour « {key} ».",
        "“{value}” is not allowed for “{key}”.",
        "Valeurs admises : {expected}.",
        "Values allowed: {expected}.",
    ),
    "invalid-value": Message(
        "La valeur de « {key} » n'est pas admise ({problem}).",
        "The value of “{key}” is not allowed ({problem}).",
        "Corrigez la valeur.",
        "Mend the value.",
    ),
    "bad-id": Message(
        "« {value} » ne peut pas servir de nom ici.",
        "“{value}” cannot be a name here.",
        "Un nom s'écrit en minuscules sans accent, chiffres et tirets, une lettre d'abord : « {suggestion} ».",
        "A name is lower case without accents, digits and hyphens, a letter first: “{suggestion}”.",
    ),
    "bad-option-key": Message(
        "« {value} » n'est pas une touche de 1 à 9.",
        "“{value}” is not a key from 1 to 9.",
        "{hint_fr}",
        "{hint_en}",
    ),
    "reserved-key": Message(
        "La touche {value} est réservée : {use_fr}.",
        "The key {value} is reserved: {use_en}.",
        "Retirez ce choix, ou donnez-lui une touche de 1 à 9.",
        "Remove this option, or give it a key from 1 to 9.",
    ),
    "bad-duration": Message(
        "« {value} » n'est pas une durée.",
        "“{value}” is not a duration.",
        "Écrivez un nombre et son unité : 20 s, 2 min, 1 h.",
        "Write a number and its unit: 20 s, 2 min, 1 h.",
    ),
    "duration-range": Message(
        "La durée « {value} » est hors des bornes : de {low} à {high}.",
        "The duration “{value}” is out of bounds: from {low} to {high}.",
        "Choisissez une durée entre {low} et {high}.",
        "Choose a duration between {low} and {high}.",
    ),
    "bad-number": Message(
        "« {value} » n'est pas un numéro de téléphone.",
        "“{value}” is not a phone number.",
        "Écrivez dix chiffres (05 36 49 00 00) ou la forme internationale (+33536490000).",
        "Write ten digits (05 36 49 00 00) or the international form (+33536490000).",
    ),
    "pilot-target": Message(
        "Un essai (« pilot ») ne va qu'avec un motif.",
        "A trial (“pilot”) goes with a topic only.",
        "Donnez « topic: » à ce choix, ou retirez « pilot ».",
        "Give this option a “topic:”, or remove “pilot”.",
    ),
    "option-target": Message(
        "Un choix mène à une seule chose : topic, menu, information, outside, language ou digits ({count} ici).",
        "An option leads to one thing only: topic, menu, information, outside, language or digits ({count} here).",
        "Écrivez par exemple « 1: {{topic: etat-civil}} ».",
        "Write for instance “1: {{topic: etat-civil}}”.",
    ),
    "text-twice": Message(
        "Le texte en « {language} » est donné deux fois : par « text » et par « {language} ».",
        "The “{language}” text is given twice: by “text” and by “{language}”.",
        "Gardez un seul des deux.",
        "Keep only one of the two.",
    ),
}
