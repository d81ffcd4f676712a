"""`ivr drain`: empty a node of calls before its Asterisk is restarted."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ivr.commands.terminal import OUT
from ivr.errors import IvrError
from ivr.settings import Settings

if TYPE_CHECKING:
    from ivr.telephony.drain import Node

GRACE_S: Final = 120
"""The node stays closed so long after the deadline: time enough to restart it."""
LOOK_EVERY_S: Final = 0.5
_RESTART: Final = "asterisk -rx 'core restart gracefully'"


class NoDrain(IvrError):
    """A sentence in French that says why, and what to do."""

    language = "fr"


def drain(
    lasting: Annotated[str, typer.Option("--for", help="Attendre la fin des appels aussi longtemps : 10m.")] = "10m",
    *,
    off: Annotated[bool, typer.Option("--off", help="Reprendre les appels.")] = False,
) -> None:
    """Ne plus prendre de nouveaux appels sur ce nœud et attendre la fin des autres, avant de redémarrer Asterisk."""
    from ivr.plan.fields import milliseconds  # noqa: PLC0415 - each command imports what it needs

    length = milliseconds(lasting)
    if length is None or length < 1_000:  # noqa: PLR2004 - a second
        raise NoDrain(f"« {lasting} » n'est pas une durée : écrivez par exemple 10m, 45 s ou 1 h.")
    if not asyncio.run(_drain(Settings(), length // 1_000, off=off)):
        raise typer.Exit(1)


async def _drain(settings: Settings, seconds: int, *, off: bool) -> bool:
    """Whether the node is as was asked: empty, or taking calls again."""
    from ivr.provision.secrets import Secrets  # noqa: PLC0415 - each command imports what it needs
    from ivr.telephony.drain import NodeAway, node_at  # noqa: PLC0415

    accounts = Secrets.load_or_create(settings.secrets_file).ari_accounts(settings.ari_user)
    async with node_at(settings.ari_url, accounts) as node:
        if node is None:
            raise NoDrain(f"Asterisk ne répond pas à {settings.ari_url}. « ivr doctor » dit pourquoi.")
        try:
            if off:
                await node.open()
                OUT.print(f"Nœud {settings.node} : prend de nouveau les appels.")
                return True
            return await _empty(node, settings.node, seconds)
        except NodeAway as error:
            raise NoDrain(
                "Asterisk ne répond plus ; s'il a redémarré, il prend de nouveau les appels. « ivr doctor » le dit."
            ) from error


async def _empty(node: Node, name: str, seconds: int) -> bool:
    closed_until = int(time.time()) + seconds + GRACE_S
    await node.close(closed_until)
    clock = datetime.fromtimestamp(closed_until, UTC).astimezone().strftime("%H:%M")
    OUT.print(f"Nœud {name} : plus de nouveaux appels jusqu'à {clock} ; l'opérateur reçoit 503 et essaie ailleurs.")
    deadline = time.monotonic() + seconds
    told = None
    while (now := await node.left()).lines:
        if time.monotonic() > deadline:
            OUT.print(
                f"Il reste {_count(now.callers, 'appel')}. Attendre encore : [bold]ivr drain[/bold]. "
                "Reprendre les appels : [bold]ivr drain --off[/bold]. Redémarrer quand même les coupe."
            )
            return False
        if now != told:
            OUT.print(f"  encore {_count(now.callers, 'appel')}, {_count(now.lines, 'ligne')}")
            told = now
        await asyncio.sleep(LOOK_EVERY_S)
    OUT.print(
        f"Plus aucun appel. Redémarrez : [bold]{_RESTART}[/bold] ; ensuite le nœud reprend les appels de lui-même. "
        "Sans redémarrer : [bold]ivr drain --off[/bold]"
    )
    return True


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}"
