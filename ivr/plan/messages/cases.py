"""Faults of tests.yaml: what a case says, and what came of it."""

from __future__ import annotations

from typing import Final

from ivr.plan.messages.message import Message

CASES: Final[dict[str, Message]] = {
    "bad-case-time": Message(
        "« {value} » ne dit pas quand.",
        "“{value}” does not say when.",
        "Écrivez « lun 10h » pour une semaine ordinaire, ou « 2026-12-25 10h ».",
        "Write “lun 10h” for an ordinary week, or “2026-12-25 10h”.",
    ),
    "bad-case-keys": Message(
        "« {value} » n'est pas une suite de touches.",
        "“{value}” is no series of keys.",
        'Écrivez les touches à la suite, entre guillemets : keys: "21#".',
        'Write the keys one after the other, quoted: keys: "21#".',
    ),
    "case-expects-nothing": Message(
        "Ce cas n'attend rien.",
        "This case expects nothing.",
        "Ajoutez ce qui doit arriver : hears, reaches, waits ou ends.",
        "Add what must happen: hears, reaches, waits or ends.",
    ),
    "case-fails": Message(
        "Le cas « {name} » ne donne pas ce qu'il attend : {key}: {wanted}, et c'est : {got}.",
        "The case “{name}” does not come out as it says: {key}: {wanted}, and it is: {got}.",
        "Corrigez le plan, ou le cas s'il ne dit plus ce que vous voulez.",
        "Mend the plan, or the case if it no longer says what you want.",
    ),
}
