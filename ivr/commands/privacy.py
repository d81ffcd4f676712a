"""`ivr privacy`: what the town hall owes to those who ask to be forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.commands.terminal import OUT, plan_of
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ivr.queueing.queue import Queue
    from ivr.telephony.erasure import Erased

privacy_app = typer.Typer(help="Les données des appelants.", no_args_is_help=True)


@privacy_app.callback()
def privacy() -> None:
    """Les données des appelants."""


@privacy_app.command("erase")
def erase(number: Annotated[str, typer.Argument(help="Le numéro de la personne, comme elle le donne.")]) -> None:
    """Effacer ce qui est connu par un numéro : le numéro, les messages enregistrés, ce que la file retient."""
    done = asyncio.run(_erase(Settings(), number))
    _show(done)
    if done.left or not done.queue:
        raise typer.Exit(1)


async def _erase(settings: Settings, number: str) -> Erased:
    from ivr.ledger.journal import Journal  # noqa: PLC0415 - each command imports what it needs
    from ivr.ledger.store import Ledger  # noqa: PLC0415
    from ivr.provision.secrets import Secrets  # noqa: PLC0415
    from ivr.queueing.connect import connect  # noqa: PLC0415
    from ivr.queueing.queue import Queue  # noqa: PLC0415
    from ivr.queueing.routing import routing_of  # noqa: PLC0415
    from ivr.telephony import erasure  # noqa: PLC0415
    from ivr.telephony.reach import reached  # noqa: PLC0415

    plan = plan_of(settings)
    secrets = Secrets.load_or_create(settings.secrets_file)
    redis = connect(settings.redis_url)
    ledger = Ledger(settings.ledger)
    forget = forgetting(Queue(redis, plan.site, routing_of(plan).lines))
    try:
        async with reached(settings.ari_url, secrets.ari_accounts(settings.ari_user), "erasure") as ari:
            return await erasure.erase(
                number,
                plan=plan,
                ref_key=secrets.caller_key,
                ledger=ledger,
                journal=Journal(settings.journal),
                ari=ari,
                forget=forget,
                node=settings.node,
            )
    finally:
        await ledger.disconnect()
        await redis.aclose()


def forgetting(queue: Queue) -> Callable[[str], Awaitable[object]]:
    """What has the queue forget a caller's ref, under whatever epoch is in force."""
    from ivr.queueing.errors import StateLost  # noqa: PLC0415 - each command imports what it needs

    async def forget(ref: str) -> None:
        try:
            await queue.forget(ref)
        except StateLost as lost:
            if lost.found is None:
                return  # an empty site remembers nobody
            queue.epoch = lost.found
            await queue.forget(ref)

    return forget


def _show(done: Erased) -> None:
    OUT.print("Numéro effacé." if done.number else "Ce numéro n'était pas (ou plus) connu.")
    if done.recordings:
        count = len(done.recordings)
        OUT.print(f"{count} message{'s' if count > 1 else ''} enregistré{'s' if count > 1 else ''} effacé(s).")
    if done.still_open:
        OUT.print(
            f"{done.still_open} dossier(s) encore ouvert(s) pour cet appelant ({done.ref}) : sans numéro, personne ne "
            "pourra rappeler. `ivr files` les montre, `ivr files close` les clôt.",
            markup=False,
        )
    if done.left:
        OUT.print("Restent à effacer à la main, dans le dossier `recording` d'Asterisk (/var/spool/asterisk) :")
        for name in done.left:
            OUT.print(f"  rm recording/{name}.wav", markup=False)
        OUT.print("Ou relancez cette commande quand Asterisk répond.")
    OUT.print(
        "Ce que la file d'attente retenait de cet appelant est effacé."
        if done.queue
        else "Ce que la file d'attente retient de cet appelant (sans numéro) n'a pas pu être effacé."
    )
