"""`ivr graph`: the call plan as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.commands.terminal import ERR
from ivr.errors import IvrError
from ivr.settings import Settings

if TYPE_CHECKING:
    from ivr.plan.graph import Graph

STDOUT = Path("-")


class NotWritten(IvrError):
    """A picture could not be written."""

    language = "fr"


def graph(
    plan: Annotated[Path | None, typer.Argument(help="Dossier du plan ; par défaut IVR_PLAN.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Fichier SVG : une image, pour tous.")] = None,
    mermaid: Annotated[Path | None, typer.Option(help="Fichier Mermaid, pour un document Markdown.")] = None,
    dot: Annotated[Path | None, typer.Option(help="Fichier DOT, pour Graphviz.")] = None,
) -> None:
    """Dessiner le plan d'appel ; sans option, en Mermaid à l'écran. « - » comme fichier : l'écran."""
    from ivr.plan import graph as graphs  # noqa: PLC0415 - each command imports what it needs
    from ivr.plan.picture import svg as picture  # noqa: PLC0415

    made = read(plan or Settings().plan)
    asked = [(svg, picture), (mermaid, graphs.mermaid), (dot, graphs.dot)]
    if all(file is None for file, _ in asked):
        asked = [(STDOUT, graphs.mermaid)]
    for file, write in asked:
        if file is not None:
            _put(file, write(made))


def read(folder: Path) -> Graph:
    """Return the graph of a folder's plan; PlanError tells every fault."""
    from ivr.plan import load_or_raise  # noqa: PLC0415 - each command imports what it needs
    from ivr.plan.graph import graph_of  # noqa: PLC0415

    made, loaded = load_or_raise(folder)
    return graph_of(made, {prompt: said.get(made.language, "") for prompt, said in loaded.texts.items()})


def _put(file: Path, text: str) -> None:
    if file == STDOUT:
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotWritten(
            f"{file} ne peut être écrit ({error.strerror}). Choisissez un fichier d'un dossier qui existe."
        ) from None
    ERR.print(f"{file} : écrit.", soft_wrap=True, markup=False)
