"""Faults of files and of YAML itself."""

from __future__ import annotations

from typing import Final

from ivr.plan.messages.message import Message

FILES: Final[dict[str, Message]] = {
    "no-folder": Message(
        "Le dossier « {folder} » n'existe pas.",
        "The folder “{folder}” does not exist.",
        "Donnez le dossier d'un site, par exemple dialplan/pessac.",
        "Give a site's folder, for instance dialplan/pessac.",
    ),
    "no-file": Message(
        "Il manque le fichier {name}.",
        "The file {name} is missing.",
        "Créez {name} dans ce dossier : un plan se compose de {all}.{hint_fr}",
        "Create {name} in this folder: a plan is made of {all}.{hint_en}",
    ),
    "unknown-file": Message(
        "Le fichier {name} n'est pas lu : ce nom ne fait pas partie du plan.",
        "The file {name} is not read: that name is no part of a plan.",
        "Un plan se compose de {all}.{hint_fr}",
        "A plan is made of {all}.{hint_en}",
    ),
    "unreadable": Message(
        "Le fichier ne peut pas être lu : {reason}.",
        "The file cannot be read: {reason}.",
        "Vérifiez que c'est bien un fichier et que vous avez le droit de le lire.",
        "Check that it is a file and that you may read it.",
    ),
    "not-utf8": Message(
        "Le fichier n'est pas enregistré en UTF-8 : un caractère est illisible ici.",
        "The file is not saved as UTF-8: a character cannot be read here.",
        "Dans l'éditeur, choisissez « Enregistrer avec l'encodage UTF-8 ».",
        "In the editor, choose “Save with encoding UTF-8”.",
    ),
    "bad-character": Message(
        "Ce caractère invisible n'est pas permis ({name}).",
        "This invisible character is not allowed ({name}).",
        "Effacez-le, ou tapez de nouveau la ligne.",
        "Delete it, or type the line again.",
    ),
    "too-large": Message(
        "Le fichier est trop grand : {size} ko, {limit} ko au plus.",
        "The file is too large: {size} kB, {limit} kB at most.",
        "Un plan tient en quelques pages : vérifiez que c'est le bon fichier.",
        "A plan fits on a few pages: check that this is the right file.",
    ),
    "too-many-nodes": Message(
        "Le fichier contient trop d'éléments : {limit} au plus.",
        "The file holds too many items: {limit} at most.",
        "Un plan tient en quelques pages : vérifiez que c'est le bon fichier.",
        "A plan fits on a few pages: check that this is the right file.",
    ),
    "too-deep": Message(
        "Les éléments sont trop emboîtés pour un plan.",
        "The nesting is too deep for a plan.",
        "Retirez des niveaux de crochets, d'accolades ou de retrait.",
        "Remove levels of brackets, braces or indentation.",
    ),
    "too-many": Message(
        "{count} autres fautes ne sont pas affichées.",
        "{count} more faults are not shown.",
        "Corrigez les premières, puis vérifiez de nouveau.",
        "Mend the first ones, then check again.",
    ),
}

SYNTAX: Final[dict[str, Message]] = {
    "tab": Message(
        "Une tabulation sert de retrait.",
        "A tab is used as indentation.",
        "Remplacez-la par des espaces (deux par niveau).",
        "Replace it by spaces (two per level).",
    ),
    "odd-space": Message(
        "Une espace insécable, venue d'un traitement de texte ou d'une page web, se cache ici.",
        "A non-breaking space, from a word processor or a web page, hides here.",
        "Effacez-la, et tapez une espace ordinaire à sa place s'il en faut une.",
        "Delete it, and type an ordinary space in its place if one is needed.",
    ),
    "space-after-colon": Message(
        "Il manque une espace après les deux-points.",
        "A space is missing after the colon.",
        "Écrivez « clé: valeur », avec une espace après « : ».",
        "Write “key: value”, with a space after the “:”.",
    ),
    "no-colon": Message(
        "Cette ligne n'a pas de deux-points.",
        "This line has no colon.",
        "Écrivez « clé: valeur » ; la suite d'un texte se met en retrait.",
        "Write “key: value”; the rest of a text is indented.",
    ),
    "colon-in-text": Message(
        "Deux-points inattendus ici : soit le texte contient « : », soit le retrait est faux.",
        "An unexpected colon: either the text holds a “:”, or the indentation is wrong.",
        "Mettez le texte entre guillemets doubles, ou alignez la ligne sur ses voisines.",
        "Put the text in double quotes, or align the line with its neighbours.",
    ),
    "quote-open": Message(
        "Des guillemets sont ouverts ici et jamais refermés.",
        "A quote is opened here and never closed.",
        'Fermez-les, ou entourez le texte de guillemets doubles : "L\'état civil".',
        'Close it, or put the text in double quotes: "L\'état civil".',
    ),
    "text-after-quote": Message(
        "Du texte suit des guillemets fermants.",
        "Text follows a closing quote.",
        'Entourez tout le texte de guillemets doubles : "L\'état civil".',
        'Put the whole text in double quotes: "L\'état civil".',
    ),
    "bracket-open": Message(
        "Un crochet ou une accolade s'ouvre ici et n'est pas refermé, ou il manque une virgule.",
        "A bracket or brace opens here and is not closed, or a comma is missing.",
        "Fermez-le ({close}) et séparez les éléments par des virgules.",
        "Close it ({close}) and separate the items by commas.",
    ),
    "indentation": Message(
        "Le retrait de cette ligne ne correspond à rien.",
        "The indentation of this line matches nothing.",
        "Alignez-la exactement sur les lignes de même niveau (deux espaces par niveau).",
        "Align it exactly with the lines of the same level (two spaces per level).",
    ),
    "quote-needed": Message(
        "Une valeur ne peut pas commencer par « {char} ».",
        "A value cannot begin with “{char}”.",
        "Mettez-la entre guillemets doubles.",
        "Put it in double quotes.",
    ),
    "star-unquoted": Message(
        "La touche * doit être écrite entre guillemets.",
        "The key * must be written in quotes.",
        'Écrivez "*": … ; mais * répète toujours le menu et ne se redéfinit pas.',
        'Write "*": …; but * always repeats the menu and is not redefined.',
    ),
    "hash-comment": Message(
        "Cette ligne commence par # : c'est un commentaire, pas un choix.",
        "This line begins with #: it is a comment, not an option.",
        "Retirez-la : la touche # ramène toujours au menu précédent.",
        "Remove it: the key # always leads back to the previous menu.",
    ),
    "no-modeline": Message(
        "{file} ne nomme pas son schéma : l'éditeur ne peut ni compléter ni vérifier ce fichier.",
        "{file} does not name its schema: the editor can neither complete nor check this file.",
        "Ajoutez en première ligne : # yaml-language-server: $schema=../schema/{schema}",
        "Add as the first line: # yaml-language-server: $schema=../schema/{schema}",
    ),
    "modeline-kind": Message(
        "Cette ligne nomme le schéma d'un autre fichier ({found}) : l'éditeur signalera de fausses fautes.",
        "This line names the schema of another file ({found}): the editor will show faults that are none.",
        "Dans {file}, écrivez : # yaml-language-server: $schema=../schema/{schema}",
        "In {file}, write: # yaml-language-server: $schema=../schema/{schema}",
    ),
    "documents": Message(
        "« --- » commence un second document : un fichier n'en contient qu'un.",
        "“---” begins a second document: a file holds only one.",
        "Retirez la ligne « --- », ou séparez les fichiers.",
        "Remove the “---” line, or split the files.",
    ),
    "alias": Message(
        "Les ancres et les renvois de YAML (& et *) ne sont pas admis dans un plan.",
        "YAML anchors and aliases (& and *) are not allowed in a plan.",
        "Recopiez la valeur ; un texte qui commence par & ou * se met entre guillemets.",
        "Copy the value; a text that begins with & or * goes in quotes.",
    ),
    "tag": Message(
        "Les étiquettes de YAML comme « {tag} » ne sont pas admises dans un plan.",
        "YAML tags such as “{tag}” are not allowed in a plan.",
        "Retirez-la, ou mettez le texte entre guillemets.",
        "Remove it, or put the text in quotes.",
    ),
    "complex-key": Message(
        "Une clé doit être un simple mot ou un chiffre.",
        "A key must be a plain word or digit.",
        "Écrivez « clé: valeur ».",
        "Write “key: value”.",
    ),
    "syntax": Message(
        "Ce YAML n'est pas lisible ici ({problem}).",
        "This YAML cannot be read here ({problem}).",
        "Vérifiez le retrait, les deux-points suivis d'une espace et les guillemets.",
        "Check the indentation, the colons followed by a space and the quotes.",
    ),
    "duplicate-key": Message(
        "« {key} » est déjà défini à la ligne {line}.",
        "“{key}” is already defined on line {line}.",
        "Gardez un seul des deux, ou changez-en un.",
        "Keep only one of the two, or change one.",
    ),
}
