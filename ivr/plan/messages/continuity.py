"""Faults of continuity: chains, outside bodies, languages, absences, crises."""

from __future__ import annotations

from typing import Final

from ivr.plan.messages.message import Message

CONTINUITY: Final[dict[str, Message]] = {
    "chain-step": Message(
        "Une étape de « continuity » est une seule chose : topic, outside, callback ou message ({count} ici).",
        "A step of “continuity” is one thing only: topic, outside, callback or message ({count} here).",
        "Écrivez par exemple « - topic: accueil », puis « - message: accueil » en dernier.",
        "Write for instance “- topic: accueil”, then “- message: accueil” last.",
    ),
    "no-continuity": Message(
        "Le motif « {topic} » ne dit pas ce que deviennent ses appelants quand personne ne répond.",
        "The topic “{topic}” does not say what becomes of its callers when nobody answers.",
        "Ajoutez « continuity: [{{topic: {general}}}, message] » à ce motif, ou à site.yaml pour tous.",
        "Add “continuity: [{{topic: {general}}}, message]” to this topic, or to site.yaml for all.",
    ),
    "chain-without-end": Message(
        "Cette chaîne peut finir sans personne : sa dernière étape n'est ni un rappel ni un message.",
        "This chain can end in nobody: its last step is neither a call back nor a message.",
        "Terminez-la par « - message: … » ou « - callback: … », avec l'équipe qui s'en charge.",
        "End it with “- message: …” or “- callback: …”, with the group that takes charge.",
    ),
    "step-after-end": Message(
        "Cette étape ne sert jamais : un rappel ou un message la précède, et ne peut échouer.",
        "This step is never reached: a call back or a message comes before it, and cannot fail.",
        "Retirez-la, ou mettez-la avant la fin de la chaîne.",
        "Remove it, or put it before the end of the chain.",
    ),
    "chain-to-itself": Message(
        "La chaîne de « {topic} » mène à « {topic} », où personne ne répond déjà.",
        "The chain of “{topic}” leads to “{topic}”, where nobody answers already.",
        "Nommez un autre motif, ou retirez cette étape.",
        "Name another topic, or remove this step.",
    ),
    "step-twice": Message(
        "« {value} » est déjà une étape de cette chaîne.",
        "“{value}” is a step of this chain already.",
        "Retirez la seconde : qui n'a pas répondu ne répondra pas mieux.",
        "Remove the second one: who did not answer will not answer better.",
    ),
    "unused-outside": Message(
        "Ni un choix ni une chaîne ne mène à « {outside} ».",
        "Neither an option nor a chain leads to “{outside}”.",
        "Ajoutez « outside: {outside} » à un choix du menu, ou retirez-le.",
        "Add “outside: {outside}” to an option of the menu, or remove it.",
    ),
    "outside-number-unsaid": Message(
        "Le message « {prompt} » ne dit pas deux fois le numéro {number}.",
        "The prompt “{prompt}” does not say the number {number} twice.",
        "Dites le numéro, puis « Je répète » et le numéro encore : l'appelant prend note.",
        "Say the number, then “I repeat” and the number again: the caller takes notes.",
    ),
    "outside-premium": Message(
        "Le numéro {number} de « {outside} » est surtaxé.",
        "The number {number} of “{outside}” is a premium number.",
        "Choisissez un numéro au prix d'un appel local, ou dites le prix dans le message.",
        "Choose a number at a local price, or tell the price in the prompt.",
    ),
    "emergency-number": Message(
        "{number} est un numéro d'urgence : le standard ne doit pas prétendre y mener.",
        "{number} is an emergency number: the switchboard must not claim to lead there.",
        "Retirez-le ; un message peut dire : « En cas d'urgence, raccrochez et composez le {number}. »",
        "Remove it; a prompt may say: “In an emergency, hang up and dial {number}.”",
    ),
    "emergency-promise": Message(
        "Le message « {prompt} » promet de l'aide en urgence : « {said} ».",
        "The prompt “{prompt}” promises help in an emergency: “{said}”.",
        "Dites plutôt : « En cas d'urgence, raccrochez et composez le 15, le 17, le 18 ou le 112. »",
        "Say instead: “In an emergency, hang up and dial 15, 17, 18 or 112.”",
    ),
    "emergency-key": Message(
        "Le message « {prompt} » donne une touche pour les urgences : « {said} ».",
        "The prompt “{prompt}” gives a key for emergencies: “{said}”.",
        "Aucune touche ne mène aux secours. Dites : « raccrochez et composez le 112 ».",
        "No key leads to the rescue. Say: “hang up and dial 112”.",
    ),
    "own-language": Message(
        "« {language} » est déjà la langue du site.",
        "“{language}” is the language of the site already.",
        "Retirez-la : « languages » ne liste que les autres.",
        "Remove it: “languages” lists the others only.",
    ),
    "unknown-language": Message(
        "Ce choix mène à la langue « {language} », que le site n'a pas.",
        "This option leads to the language “{language}”, which the site does not have.",
        "Ajoutez « languages: [{language}] » dans site.yaml, et les textes traduits dans prompts.yaml.",
        "Add “languages: [{language}]” to site.yaml, and the translated texts to prompts.yaml.",
    ),
    "unused-language": Message(
        "Aucun choix ne mène à la langue « {language} ».",
        "No option leads to the language “{language}”.",
        "Ajoutez au premier menu « 9: {{language: {language}}} », ou retirez-la.",
        "Add “9: {{language: {language}}}” to the first menu, or remove it.",
    ),
    "untranslated": Message(
        "Le message « {prompt} » n'existe pas en « {language} », langue que l'appelant peut choisir.",
        "The prompt “{prompt}” does not exist in “{language}”, a language that callers can choose.",
        "Ajoutez « {language}: … » sous « {prompt} », ou l'enregistrement {recording}.",
        "Add “{language}: …” below “{prompt}”, or the recording {recording}.",
    ),
    "crisis-too-long": Message(
        "Le message de crise « {prompt} » dure environ {seconds} s : plus de {limit} s.",
        "The crisis message “{prompt}” takes about {seconds} s: more than {limit} s.",
        "Raccourcissez-le : ce qui se passe, et ce qu'il faut faire.",
        "Shorten it: what is happening, and what to do.",
    ),
    "prompt-too-long": Message(
        "Le message « {prompt} » dure environ {seconds} s : plus de {limit} s.",
        "The prompt “{prompt}” takes about {seconds} s: more than {limit} s.",
        "Raccourcissez-le, ou répartissez-le sur plusieurs choix : personne ne retient autant, et la surveillance de "
        "la ligne coupe un message d'une minute.",
        "Shorten it, or spread it over several options: nobody remembers so much, and the line's watchdog cuts off a "
        "prompt of a minute.",
    ),
    "own-substitute": Message(
        "« {agent} » ne peut pas être son propre remplaçant.",
        "“{agent}” cannot be their own substitute.",
        "Nommez un autre agent, ou retirez ce nom.",
        "Name another agent, or remove this name.",
    ),
    "substitute-away": Message(
        "« {substitute} » remplace « {agent} », mais est absent aussi {when_fr}.",
        "“{substitute}” stands in for “{agent}”, but is away too {when_en}.",
        "Ajoutez un second remplaçant à « substitutes ».",
        "Add a second one to “substitutes”.",
    ),
    "absence-empties": Message(
        "Plus personne ne répond à « {topic} » {when_fr} : {absent} manque.",
        "Nobody answers “{topic}” any more {when_en}: {absent} is away.",
        "Nommez un remplaçant (« substitutes: … »), ou donnez au motif une chaîne à lui (« continuity: »).",
        "Name a substitute (“substitutes: …”), or give the topic a chain of its own (“continuity:”).",
    ),
    "absence-thins": Message(
        "{when_fr}, plus personne des équipes de « {topic} » : {absent} manque, d'autres répondent plus tard.",
        "{when_en} nobody of the groups of “{topic}” is there: {absent} is away, others answer later.",
        "Nommez un remplaçant : « substitutes: … » dans agents.yaml.",
        "Name a substitute: “substitutes: …” in agents.yaml.",
    ),
    "bad-moment": Message(
        "« {value} » n'est pas une date.",
        "“{value}” is not a date.",
        "Écrivez 2026-12-21, ou 2026-12-21 14h30.",
        "Write 2026-12-21, or 2026-12-21 14h30.",
    ),
    "absence-order": Message(
        "Cette absence finit avant de commencer.",
        "This absence ends before it begins.",
        "Mettez le premier jour à « from » et le dernier à « to ».",
        "Put the first day at “from” and the last at “to”.",
    ),
    "bad-calendar": Message(
        "« {value} » n'est ni un fichier .ics du dossier ni une adresse https.",
        "“{value}” is neither an .ics file of the folder nor an https address.",
        "Écrivez par exemple « calendar: agendas/camille.ics », ou l'adresse https de l'agenda.",
        "Write for instance “calendar: agendas/camille.ics”, or the calendar's https address.",
    ),
    "calendar-unreadable": Message(
        "L'agenda « {value} » ne peut pas être lu : {reason_fr}.",
        "The calendar “{value}” cannot be read: {reason_en}.",
        "Exportez-le de nouveau en iCal, dans le dossier du site.",
        "Export it again as iCal, into the folder of the site.",
    ),
}
