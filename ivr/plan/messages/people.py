"""Faults of who answers when, and of what agents say about themselves."""

from __future__ import annotations

from typing import Final

from ivr.plan.messages.message import Message

PEOPLE: Final[dict[str, Message]] = {
    "expected-yes-no": Message(
        "« {key} » attend true (oui) ou false (non).",
        "“{key}” expects true or false.",
        "Écrivez « {key}: true », ou retirez la ligne.",
        "Write “{key}: true”, or remove the line.",
    ),
    "expected-decimal": Message(
        "« {key} » attend un nombre{bounds_fr}.",
        "“{key}” expects a number{bounds_en}.",
        "Écrivez par exemple « {key}: {example} ».",
        "Write for instance “{key}: {example}”.",
    ),
    "widening-target": Message(
        "Un élargissement nomme des équipes, ou tout le monde : l'un des deux.",
        "A widening names groups, or everyone: one of the two.",
        "Écrivez « {{after: 60 s, groups: [accueil]}} » ou « {{after: 3 min, everyone: true}} ».",
        "Write “{{after: 60 s, groups: [accueil]}}” or “{{after: 3 min, everyone: true}}”.",
    ),
    "widen-order": Message(
        "Cet élargissement vient à {after}, pas après le précédent ({before}).",
        "This widening comes at {after}, not after the one before ({before}).",
        "Rangez-les du plus court au plus long, chacun compté depuis le début de l'attente.",
        "Put them from the shortest to the longest, each counted from the beginning of the wait.",
    ),
    "widen-already": Message(
        "« {group} » répond déjà à « {topic} » à ce moment.",
        "“{group}” answers “{topic}” by then already.",
        "Retirez ce nom : il n'élargit rien.",
        "Remove the name: it widens nothing.",
    ),
    "widen-after-everyone": Message(
        "Tout le monde répond déjà à « {topic} » à ce moment.",
        "Everyone answers “{topic}” by then already.",
        "Retirez cet élargissement, ou mettez-le avant « everyone: true ».",
        "Remove this widening, or put it before “everyone: true”.",
    ),
    "never-reached": Message(
        "« {key} » n'arrive jamais : l'attente s'arrête à {longest}.",
        "“{key}” never comes: the wait ends at {longest}.",
        "Choisissez une durée plus courte que « waiting.longest » de site.yaml.",
        "Choose a shorter duration than “waiting.longest” of site.yaml.",
    ),
    "ring-at-once-unused": Message(
        "« ring_at_once » ne sert qu'avec « strategy: ring-many ».",
        "“ring_at_once” has a use with “strategy: ring-many” only.",
        "Retirez la ligne, ou écrivez « strategy: ring-many ».",
        "Remove the line, or write “strategy: ring-many”.",
    ),
    "overflow-empty": Message(
        "« overflow » ne dit ni après quelle attente, ni pour combien d'appelants par agent.",
        "“overflow” says neither after what wait nor for how many callers per agent.",
        "Écrivez par exemple « overflow: {{wait: 5 min, ratio: 4}} » : un seul des deux suffit.",
        "Write for instance “overflow: {{wait: 5 min, ratio: 4}}”: one of the two is enough.",
    ),
    "no-agent-sentences": Message(
        "outcomes.yaml donne des codes aux agents, mais « agent_sentences » manque dans site.yaml.",
        "outcomes.yaml gives codes to the agents, but “agent_sentences” is missing in site.yaml.",
        "Ajoutez « agent_sentences: » avec ready, outcome_kept, wrap_longer et refused.",
        "Add “agent_sentences:” with ready, outcome_kept, wrap_longer and refused.",
    ),
    "code-id-twice": Message(
        "« {id} » est déjà l'identifiant de la touche {key}.",
        "“{id}” is the identifier of the key {key} already.",
        "Donnez à chaque touche un identifiant à elle.",
        "Give each key an identifier of its own.",
    ),
    "no-time-for-outcome": Message(
        "Sans temps après l'appel (« wrap: 0 s »), aucun agent ne peut dire le résultat.",
        "With no time after the call (“wrap: 0 s”) no agent can say how it went.",
        "Écrivez par exemple « wrap: 45 s » dans site.yaml, ou retirez les « outcomes ».",
        "Write for instance “wrap: 45 s” in site.yaml, or remove the “outcomes”.",
    ),
}
