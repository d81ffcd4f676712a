"""Faults of the plan as a whole: what leads where, who answers, what is said."""

from __future__ import annotations

from typing import Final

from ivr.plan.messages.message import Message

RULES: Final[dict[str, Message]] = {
    "unknown-reference": Message(
        "{kind_fr} « {value} » n'existe pas.",
        "There is no {kind_en} “{value}”.",
        "{hint_fr}Ajoutez « {value} » dans {file}, ou corrigez le nom.",
        "{hint_en}Add “{value}” to {file}, or mend the name.",
    ),
    "successor-of-living": Message(
        "« {value} » a un successeur, mais est encore dans {file}.",
        "“{value}” has a successor, but is still in {file}.",
        "Retirez-le de {file}, ou retirez cette ligne.",
        "Remove it from {file}, or remove this line.",
    ),
    "unreachable-menu": Message(
        "Aucun choix ne mène au menu « {menu} ».",
        "No option leads to the menu “{menu}”.",
        "Ajoutez un choix « menu: {menu} » dans un autre menu, ou retirez-le.",
        "Add an option “menu: {menu}” in another menu, or remove it.",
    ),
    "parent-unclear": Message(
        "Plusieurs menus mènent à « {menu} » ({menus}) : lequel est son parent ?",
        "Several menus lead to “{menu}” ({menus}): which one is its parent?",
        "Ajoutez « parent: {first} » : c'est là que ramène la touche #.",
        "Add “parent: {first}”: that is where the key # leads back to.",
    ),
    "parent-loop": Message(
        "De parent en parent, le menu « {menu} » n'atteint jamais le premier menu.",
        "From parent to parent, the menu “{menu}” never reaches the first menu.",
        "Corrigez « parent » : la touche # doit finir par ramener à « {root} ».",
        "Mend “parent”: the key # must at last lead back to “{root}”.",
    ),
    "root-parent": Message(
        "Le premier menu n'a pas de parent.",
        "The first menu has no parent.",
        "Retirez la ligne « parent ».",
        "Remove the line “parent”.",
    ),
    "no-options": Message(
        "Le menu « {menu} » n'a aucun choix.",
        "The menu “{menu}” has no option.",
        "Ajoutez-en un, ou faites-en une « information » du menu précédent.",
        "Add one, or make it an “information” of the menu before.",
    ),
    "too-many-options": Message(
        "Le menu « {menu} » a {count} choix : on en retient cinq au plus.",
        "The menu “{menu}” has {count} options: people remember five at most.",
        "Regroupez des choix dans un sous-menu, ou retirez les moins demandés.",
        "Group options in a sub-menu, or remove the least asked for.",
    ),
    "many-levels": Message(
        "Le menu « {menu} » est au troisième niveau : deux se suivent mieux.",
        "The menu “{menu}” is at the third level: two are easier to follow.",
        "Remontez ses choix d'un niveau, si la place le permet.",
        "Move its options one level up, if there is room.",
    ),
    "too-many-levels": Message(
        "Le menu « {menu} » est au niveau {depth} : trois niveaux au plus.",
        "The menu “{menu}” is at level {depth}: three levels at most.",
        "Remontez ses choix d'un niveau.",
        "Move its options one level up.",
    ),
    "too-long-before-human": Message(
        "Jusqu'à « {topic} », l'appelant écoute environ {seconds} s : 40 s au plus.",
        "Up to “{topic}” the caller listens for about {seconds} s: 40 s at most.",
        "Raccourcissez les textes de l'accueil et des menus.",
        "Shorten the texts of the greeting and of the menus.",
    ),
    "spoken-key-missing": Message(
        "Le texte dit « tapez {key} », mais le menu « {menu} » n'a pas ce choix.",
        "The text says “tapez {key}”, but the menu “{menu}” has no such option.",
        "Ajoutez le choix {key} dans menu.yaml, ou corrigez le texte.",
        "Add the option {key} in menu.yaml, or mend the text.",
    ),
    "key-not-spoken": Message(
        "Le choix {key} du menu « {menu} » n'est annoncé nulle part dans son texte.",
        "The option {key} of the menu “{menu}” is announced nowhere in its text.",
        "Ajoutez « Pour …, tapez {key}. » au texte « {prompt} ».",
        "Add “Pour …, tapez {key}.” to the text “{prompt}”.",
    ),
    "topic-without-option": Message(
        "Aucun choix ne mène au motif « {topic} ».",
        "No option leads to the topic “{topic}”.",
        "Ajoutez un choix « topic: {topic} », ou retirez le motif.",
        "Add an option “topic: {topic}”, or remove the topic.",
    ),
    "group-without-agents": Message(
        "L'équipe « {group} » n'a aucun agent.",
        "The group “{group}” has no agent.",
        "Ajoutez « {group} » aux « groups » d'un agent dans agents.yaml.",
        "Add “{group}” to the “groups” of an agent in agents.yaml.",
    ),
    "group-without-topic": Message(
        "L'équipe « {group} » ne répond à aucun motif.",
        "The group “{group}” answers no topic.",
        "Nommez-la dans les « groups » d'un motif, ou retirez-la.",
        "Name it in the “groups” of a topic, or remove it.",
    ),
    "listed-twice": Message(
        "« {value} » est cité deux fois.",
        "“{value}” is named twice.",
        "Gardez-le une seule fois.",
        "Keep it once.",
    ),
    "no-prompt-text": Message(
        "Le message « {prompt} » n'a ni texte en « {language} » ni enregistrement.",
        "The prompt “{prompt}” has neither a text in “{language}” nor a recording.",
        "Écrivez son texte, ou déposez {recording}.",
        "Write its text, or put {recording} there.",
    ),
    "unused-prompt": Message(
        "Le message « {prompt} » ne sert nulle part.",
        "The prompt “{prompt}” is used nowhere.",
        "Retirez-le, ou citez-le dans un menu ou une annonce.",
        "Remove it, or name it in a menu or an announcement.",
    ),
    "unspeakable": Message(
        "Le message « {prompt} » contient « {char} », que la voix ne sait pas dire.",
        "The prompt “{prompt}” holds “{char}”, which the voice cannot say.",
        "Écrivez-le en toutes lettres.",
        "Write it in words.",
    ),
    "premium-number": Message(
        "{number} est un numéro surtaxé.",
        "{number} is a premium number.",
        "Une mairie se joint au prix d'un appel local : choisissez un 01 à 05 ou un 09.",
        "A town hall is reached at a local price: choose an 01 to 05 or an 09 number.",
    ),
    "number-twice": Message(
        "Le numéro {number} est cité deux fois.",
        "The number {number} is named twice.",
        "Gardez-le une seule fois : un numéro du site n'est pas celui d'un relais.",
        "Keep it once: a number of the site is not that of a relay.",
    ),
    "no-relay": Message(
        "Aucun numéro de relais : les appels des personnes sourdes passeront par le menu.",
        "No relay number: calls by deaf people will go through the menu.",
        "Ajoutez sous « relays: » les numéros d'où appelle le service de relais.",
        "Add the numbers that the relay service calls from below “relays:”.",
    ),
    "prompt-not-built": Message(
        "Le son du message « {prompt} » ({language}) manque.",
        "The audio of the prompt “{prompt}” ({language}) is missing.",
        "Lancez « ivr prompts build ».",
        "Run “ivr prompts build”.",
    ),
    "music-not-built": Message(
        "La musique d'attente manque.",
        "The hold music is missing.",
        "Lancez « ivr prompts build ».",
        "Run “ivr prompts build”.",
    ),
    "prompt-outdated": Message(
        "Le son du message « {prompt} » ({language}) ne correspond plus à son texte.",
        "The audio of the prompt “{prompt}” ({language}) no longer matches its text.",
        "Lancez « ivr prompts build ».",
        "Run “ivr prompts build”.",
    ),
    "recording-unusable": Message(
        "L'enregistrement « {name} » ne peut pas servir : {reason_fr}.",
        "The recording “{name}” cannot be used: {reason_en}.",
        "Réenregistrez-le en WAV (PCM 16 bits), à voix posée, sans saturer.",
        "Record it again as WAV (16-bit PCM), in a calm voice, without clipping.",
    ),
}
