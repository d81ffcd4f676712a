"""Faults of hours: what people wrote, and what it comes to."""

from __future__ import annotations

from typing import Final

from ivr.plan.messages.message import Message

_EXAMPLE_FR: Final = "Écrivez par exemple « lun-ven 8h30-12h, 13h30-17h30; sam 9h-12h »."
_EXAMPLE_EN: Final = "Write for instance “lun-ven 8h30-12h, 13h30-17h30; sam 9h-12h”."

HOURS: Final[dict[str, Message]] = {
    "hours-empty": Message("Il n'y a pas d'horaires ici.", "There are no hours here.", _EXAMPLE_FR, _EXAMPLE_EN),
    "hours-unknown": Message(
        "« {value} » ne se comprend pas dans des horaires.",
        "“{value}” means nothing in hours.",
        _EXAMPLE_FR,
        _EXAMPLE_EN,
    ),
    "hours-unknown-day": Message(
        "« {value} » n'est pas un jour de la semaine.",
        "“{value}” is no day of the week.",
        "Les jours : lun, mar, mer, jeu, ven, sam, dim, ou en entier.",
        "The days: lun, mar, mer, jeu, ven, sam, dim, or whole words, French or English.",
    ),
    "hours-bare-number": Message(
        "« {value} » n'est pas une heure.",
        "“{value}” is no time.",
        "Ajoutez « h » : {value}h, ou {value}h30.",
        "Add “h”: {value}h, or {value}h30.",
    ),
    "hours-bad-time": Message(
        "« {value} » n'est pas une heure du jour.",
        "“{value}” is no time of day.",
        "Écrivez une heure de 0h à 24h, comme 8h30.",
        "Write a time from 0h to 24h, such as 8h30.",
    ),
    "hours-one-time": Message(
        "Il manque la fin après « {value} ».",
        "The end is missing after “{value}”.",
        "Écrivez le début et la fin : 8h30-12h.",
        "Write the beginning and the end: 8h30-12h.",
    ),
    "hours-no-times": Message(
        "Il manque les heures après « {value} ».",
        "The times are missing after “{value}”.",
        "Ajoutez-les (« {value} 8h30-12h »), ou « fermé ».",
        "Add them (“{value} 8h30-12h”), or “closed”.",
    ),
    "hours-inverted": Message(
        "La fin ({end}) vient avant le début ({start}).",
        "The end ({end}) comes before the beginning ({start}).",
        "Inversez-les ; ce qui passe minuit s'écrit en deux : 22h-24h un jour, 0h-2h le lendemain.",
        "Swap them; what passes midnight is written in two: 22h-24h one day, 0h-2h the next.",
    ),
    "hours-empty-range": Message(
        "De {start} à {end}, il n'y a pas de temps.",
        "From {start} to {end} there is no time.",
        "Corrigez l'une des deux heures.",
        "Mend one of the two times.",
    ),
    "hours-overlap": Message(
        "{first} et {second} se recouvrent.",
        "{first} and {second} overlap.",
        "Faites-en un seul créneau, ou séparez-les.",
        "Make them one, or part them.",
    ),
    "hours-order": Message(
        "{second} vient après {first}, mais le précède dans la journée.",
        "{second} is written after {first}, but comes before it in the day.",
        "Écrivez les créneaux d'un jour dans l'ordre.",
        "Write the ranges of a day in order.",
    ),
    "hours-day-twice": Message(
        "Le {day_fr} est donné deux fois.",
        "{day_en} is given twice.",
        "Mettez tous ses créneaux ensemble, séparés par des virgules.",
        "Put all its ranges together, parted by commas.",
    ),
    "bad-date": Message(
        "« {value} » n'est pas une date.",
        "“{value}” is no date.",
        "Écrivez 2026-12-24, ou 24/12/2026.",
        "Write 2026-12-24, or 24/12/2026.",
    ),
    "one-off-days": Message(
        "Cette exception ne dit pas clairement quels jours.",
        "This exception does not say clearly which days.",
        "Écrivez « on: 2026-12-24 » pour un jour, ou « from: » et « to: » pour plusieurs.",
        "Write “on: 2026-12-24” for one day, or “from:” and “to:” for several.",
    ),
    "one-off-order": Message(
        "Le dernier jour vient avant le premier.",
        "The last day comes before the first.",
        "Inversez « from » et « to ».",
        "Swap “from” and “to”.",
    ),
    "one-off-past": Message(
        "Cette exception est passée (le {last}).",
        "This exception is over ({last}).",
        "Retirez-la : le fichier reste court.",
        "Remove it: the file stays short.",
    ),
    "unused-schedule": Message(
        "Personne ne suit les horaires « {name} ».",
        "Nobody follows the hours “{name}”.",
        "Nommez-les (site, relay, ou hours d'un motif), ou retirez-les.",
        "Name them (site, relay, or hours of a topic), or remove them.",
    ),
    "never-open": Message(
        "Avec les horaires « {name} », c'est toujours fermé dans la semaine ordinaire.",
        "With the hours “{name}” it is always closed in an ordinary week.",
        "Donnez au moins un créneau à « weekly ».",
        "Give “weekly” one range at least.",
    ),
    "relay-shorter": Message(
        "Le {day} {date}, le téléphone répond ({phone}) quand le relais pour personnes sourdes ne répond pas.",
        "On {date} the telephone answers ({phone}) while the relay for deaf callers does not.",
        "Donnez au relais les mêmes horaires (relay: {site}) : la loi le demande depuis le 1er octobre 2026.",
        "Give the relay the same hours (relay: {site}): the law demands it since 1 October 2026.",
    ),
    "no-relay-hours": Message(
        "Les horaires du service de relais ne sont pas donnés.",
        "The hours of the relay service are not given.",
        "Ajoutez « relay: {site} » s'il répond aux mêmes heures, comme la loi le demande.",
        "Add “relay: {site}” if it answers at the same hours, as the law demands.",
    ),
    "no-closed-sentence": Message(
        "Le site a des horaires, mais aucune annonce « {key} ».",
        "The site has hours, but no announcement “{key}”.",
        "Ajoutez « {key}: … » sous announcements, avec un message de prompts.yaml.",
        "Add “{key}: …” below announcements, with a prompt of prompts.yaml.",
    ),
    "school-unknown": Message(
        "Les vacances scolaires ne sont connues que jusqu'au {last}.",
        "School holidays are known until {last} only.",
        "Mettez le standard à jour avant cette date, ou écrivez-les en exceptions.",
        "Update the switchboard before then, or write them as exceptions.",
    ),
}
