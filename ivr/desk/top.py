"""`ivr top`: the wallboard in a terminal, once or every second; it says so when Redis is away, and comes back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ivr.desk import words
from ivr.desk.board import Board, board
from ivr.desk.errors import DeskError
from ivr.desk.link import in_words, linked
from ivr.queueing.errors import QueueError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ivr.desk.board import Node, People
    from ivr.desk.link import Link
    from ivr.settings import Settings

EVERY_S: Final = 1.0
LONG_MS: Final = 3 * words.MINUTE_MS
"""A wait that is shown in red."""
TALKS_SHOWN: Final = 12
COUNTS_ABREAST: Final = 2
_STYLES: Final = {
    "talking": "green",
    "offered": "yellow",
    "idle": "bold green",
    "paused": "magenta",
    "cooldown": "red",
    "away": "dim",
}


def frame(seen: Board | None, trouble: str = "") -> RenderableType:
    """Return one picture: the last board that could be read, and what is wrong now."""
    parts: list[RenderableType] = []
    if trouble:
        parts.append(Text(f" {trouble} ", style="bold white on red"))
    if seen is not None:
        parts += [_head(seen), _lines(seen), _people(seen), _talks(seen), _foot(seen)]
    return Group(*parts)


def _head(seen: Board) -> RenderableType:
    waiting = sum(line.waiting for line in seen.lines)
    ringing = sum(line.ringing for line in seen.lines)
    facts = (
        f"{waiting} en attente",
        words.plural(ringing, "sonne", "sonnent"),
        f"{len(seen.talks)} en ligne",
        f"{seen.in_menus} au menu",
    )
    text = Text(f"{seen.name}  {words.clock_s(seen.now)}\n", style="bold")
    return text.append(" · ".join(facts), style="bold cyan")


def _grid(*titles: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold", expand=False, padding=(0, 2, 0, 0))
    for title in titles:
        made.add_column(title, overflow="fold", justify="left")
    return made


def _under(title: str, body: RenderableType) -> RenderableType:
    return Group(Text(f"\n{title}", style="bold underline"), Padding(body, (0, 0, 0, 1)))


def _lines(seen: Board) -> RenderableType:
    """Topics with callers, the longest wait first; those without on one line."""
    made = _grid("Motif", "Attend", "Sonne", "Depuis")
    quiet = [line.label for line in seen.lines if line.oldest_ms is None]
    for line in seen.lines:
        if line.oldest_ms is not None:
            style = "bold red" if line.oldest_ms >= LONG_MS else ""
            numbers = (str(line.waiting or "–"), str(line.ringing or "–"))
            made.add_row(line.label, *numbers, words.lasting(line.oldest_ms), style=style)
    rest = Text(f"Personne : {' · '.join(quiet)}", style="dim") if quiet else Text()
    return _under("File d'attente", Group(made, rest) if made.row_count else rest)


def _talks(seen: Board) -> RenderableType:
    if not seen.talks:
        return _under("Conversations", Text("aucune", style="dim"))
    made = _grid("Agent", "Motif", "Durée")
    for talk in seen.talks[:TALKS_SHOWN]:
        made.add_row(talk.agent, talk.topic, "" if talk.ms is None else words.lasting(talk.ms))
    if len(seen.talks) > TALKS_SHOWN:
        made.add_row(f"… et {len(seen.talks) - TALKS_SHOWN} de plus", "", "")
    return _under("Conversations", made)


def _people(seen: Board) -> RenderableType:
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for people in seen.people:
        style = _STYLES.get(people.state, "")
        title = f"{words.STATES.get(people.state, people.state)} ({len(people.who)})"
        made.add_row(Text(title, style=style), Text(_names(people), style="dim" if people.state == "away" else ""))
    return _under("Agents", made)


def _names(people: People) -> str:
    told = []
    for name, since, more in people.who:
        inside = ", ".join(filter(None, (since, more)))
        told.append(f"{name} ({inside})" if inside else name)
    return ", ".join(told)


def _foot(seen: Board) -> RenderableType:
    nodes = ", ".join(_node(node) for node in seen.nodes) or "aucun"
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    for _ in range(COUNTS_ABREAST):
        made.add_column(no_wrap=True)
        made.add_column(justify="right", no_wrap=True, style="bold")
    cells = [cell for word, count in seen.counts for cell in (word, f"{count}   ")]
    width = 2 * COUNTS_ABREAST
    for at in range(0, len(cells), width):
        made.add_row(*cells[at : at + width])
    return Group(_under("Cumul", made), Text(f"\nNœuds : {nodes}"))


def _node(node: Node) -> str:
    state = words.plural(node.calls, "appel")
    return f"{node.name} ({state}{'' if node.served else ', plus de standard'})"


# Where it is shown


async def top(settings: Settings, console: Console, *, once: bool = False) -> None:
    """Show the board until interrupted; `once` shows one picture, or raises DeskError where there is none."""
    async with linked(settings) as link:
        if once:
            with in_words():
                console.print(frame(await _look(link)))
            return
        watch = Watch(link)
        with Live(console=console, screen=console.is_terminal, auto_refresh=False, transient=True) as live:
            while True:
                live.update(await watch.picture(), refresh=True)
                await asyncio.sleep(EVERY_S)


class Watch:
    """Looks again and again: what cannot be read now is told above what was seen last."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._seen: Board | None = None
        self._away_since: int | None = None

    async def picture(self) -> RenderableType:
        """Return the picture of this instant."""
        try:
            self._seen = await _look(self._link)
        except DeskError as error:
            self._away_since = None
            return frame(None, str(error))
        except QueueError:
            now = self._link.queue.clock()
            self._away_since = now if self._away_since is None else self._away_since
            told = f"Redis ne répond pas depuis {words.lasting(now - self._away_since)} : ce qui suit date d'avant."
            return frame(self._seen, told if self._seen is not None else "Redis ne répond pas ; nouvel essai…")
        self._away_since = None
        return frame(self._seen)


async def _look(link: Link) -> Board:
    held = await link.dump()
    return board(link.plan, held, link.queue.clock())
