"""The work of `ivr plan`: what a draft would change, its publication, and the way back."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from ivr.commands.terminal import ERR, OUT
from ivr.plan import format_faults, load
from ivr.publish.errors import PublishError
from ivr.publish.publication import Refused, differences, prepare
from ivr.publish.serving import SHELF, laid_out
from ivr.publish.shelf import Shelf
from ivr.publish.store import Publications
from ivr.publish.version import Files
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from ivr.core.plan import SiteId
    from ivr.ledger.store import Ledger
    from ivr.plan import Loaded
    from ivr.prompts.staging import Staging
    from ivr.publish.publication import Publication
    from ivr.publish.version import Published, Version

PARIS = ZoneInfo("Europe/Paris")


class _Room:
    """What a command works with: the store, the shelf, and the version in force."""

    def __init__(self, settings: Settings, store: Publications, ledger: Ledger, redis: object) -> None:
        self.settings = settings
        self.store = store
        self.ledger = ledger
        self.redis = redis
        self.shelf = Shelf(settings.state_dir / SHELF)

    async def current(self) -> tuple[Published, Loaded] | None:
        found = await self.store.current()
        return (found, self.shelf.lay(found)) if found is not None else None


@contextlib.asynccontextmanager
async def _room(settings: Settings, site: SiteId) -> AsyncIterator[_Room]:
    from ivr.ledger.store import Ledger  # noqa: PLC0415 - each command imports what it needs
    from ivr.queueing.connect import connect  # noqa: PLC0415

    redis = connect(settings.redis_url, timeout_s=3)
    try:
        async with Ledger(settings.ledger) as ledger:
            yield _Room(settings, Publications(redis, ledger, site), ledger, redis)
    finally:
        await redis.aclose()


def diff(plan: Path | None) -> None:
    """Dire en français ce que le brouillon changerait de ce qui est publié."""
    settings = Settings()
    draft = _draft(plan or settings.plan)

    async def read() -> tuple[str, ...] | None:
        async with _room(settings, _site(draft)) as room:
            current = await room.current()
            if current is None:
                return None
            return tuple(change.sentence for change in differences(draft, Files.of(draft.folder), *current))

    told = asyncio.run(read())
    if told is None:
        OUT.print("Rien n'est encore publié : le brouillon serait la première version.")
    else:
        _tell(told)


def publish(plan: Path | None, note: str, author: str, *, yes: bool) -> None:
    """Publier le brouillon : vérifié, montré, puis servi par tous ; les appels en cours finissent sur leur version."""
    settings = Settings()
    draft = _draft(plan or settings.plan)
    files = Files.of(draft.folder)

    async def work(sounds: Staging | None) -> tuple[Version, float] | None:
        async with _room(settings, _site(draft)) as room:
            return await _publish(room, draft, files, sounds, author, note, yes=yes, prove=True)

    with _sounds(draft, settings) as sounds:
        _done(asyncio.run(work(sounds)))


def rollback(version: int | None, note: str, author: str, *, yes: bool) -> None:
    """Revenir à une version : elle est publiée de nouveau, sous un nouveau numéro."""
    settings = Settings()
    site = _any_site(settings)

    async def work() -> tuple[Version, float] | None:
        async with _room(settings, site) as room:
            current = await room.current()
            number = version or (current[0].version.parent if current is not None else 0)
            if not number:
                raise PublishError("Il n'y a pas de version d'avant.")
            old = await room.store.version(number)
            with laid_out(old.files, settings.plan) as folder, _sounds(draft := load(folder), settings) as sounds:
                words = note or f"retour à la version {number}"
                return await _publish(room, draft, old.files, sounds, author, words, yes=yes)

    _done(asyncio.run(work()))


def history(last: int) -> None:
    """Les versions publiées, la plus récente d'abord."""
    from rich.table import Table  # noqa: PLC0415 - each command imports what it needs

    settings = Settings()
    site = _any_site(settings)

    async def read() -> list[Version]:
        async with _room(settings, site) as room:
            return await room.store.history(last)

    table = Table("n°", "quand", "qui", "pourquoi", "changements")
    for version in asyncio.run(read()):
        table.add_row(
            str(version.number),
            when(version.at),
            version.author,
            version.note,
            _plural(len(version.diff), "changement"),
        )
    OUT.print(table)


def show(version: int, out: Path | None) -> None:
    """Une version : qui, quand, pourquoi, ce qu'elle a changé ; avec --out, ses fichiers."""
    settings = Settings()
    site = _any_site(settings)

    async def read() -> Published:
        async with _room(settings, site) as room:
            return await room.store.version(version)

    found = asyncio.run(read())
    head = found.version
    OUT.print(f"Version {head.number} ({head.content}), {head.author}, {when(head.at)}", markup=False)
    if head.note:
        OUT.print(head.note, markup=False)
    _tell(head.diff)
    if out is not None:
        if out.exists():
            raise PublishError(f"{out} existe déjà : donnez un dossier nouveau.")
        found.files.lay(out, settings.plan, marks=False)
        OUT.print(f"{len(found.files.texts)} fichiers écrits dans {out}", markup=False)


# -- the work ------------------------------------------------------------------


async def _publish(
    room: _Room,
    draft: Loaded,
    files: Files,
    sounds: Staging | None,
    author: str,
    note: str,
    *,
    yes: bool,
    prove: bool = False,
) -> tuple[Version, float] | None:
    current = await room.current()
    if current is not None and current[0].version.digest == files.digest:
        if sounds is not None:  # which it lacked
            sounds.replace()
        OUT.print(f"Rien ne change : la version {current[0].version.number} est déjà celle-ci.")
        return None
    owed = [file for file in await room.ledger.files(still_open=True) if file.site == room.store.site]
    ready = prepare(
        draft,
        files,
        current,
        author=author or getpass.getuser(),
        note=note,
        now=time.time_ns() // 1_000_000,
        waiting=await _waiting(room),
        owed=owed,
    )
    if prove:
        _prove(draft)
    _tell(ready.published.version.diff)
    _tell_moved(ready)
    if not yes and not typer.confirm(f"Publier la version {ready.published.version.number} ?"):
        return None
    began = time.monotonic()
    if sounds is not None:  # a worker may follow at once: what it has never played must be there
        sounds.add()
    await room.store.publish(ready.published, ready.moved)
    if sounds is not None:
        sounds.replace()
    room.shelf.remember(ready.published)  # what is typed next goes by it, also where no worker runs
    _tell_new_agents(ready, current)
    return ready.published.version, time.monotonic() - began


def _prove(draft: Loaded) -> None:
    """Refuse a draft that leaves a caller with nothing, with the story of it. It takes some seconds, and shows them."""
    from ivr.prove.shown import proof_of  # noqa: PLC0415 - each command imports what it needs

    if draft.plan is None:
        raise Refused([format_faults(draft.faults)])
    found = proof_of(draft.plan, draft.sentences)
    if not found.ok:
        raise Refused([found.story])
    OUT.print(f"Prouvé : {found.states} états d'un appel, chacun mène à une personne, une réponse ou une promesse.")


async def _waiting(room: _Room) -> dict[str, int]:
    """Return how many callers wait, by topic; none where no worker has run."""
    from collections import Counter  # noqa: PLC0415

    from ivr.queueing.errors import StateLost  # noqa: PLC0415
    from ivr.queueing.queue import Queue  # noqa: PLC0415
    from ivr.queueing.retry import Retry  # noqa: PLC0415

    queue = Queue(room.redis, room.store.site, (), retry=Retry(attempts=2))  # type: ignore[arg-type]
    try:
        dump = await queue.dump()
    except StateLost as lost:
        if lost.found is None:
            return {}
        queue.epoch = lost.found
        dump = await queue.dump()
    calls = dump.calls.values()
    return dict(Counter(str(call.topic) for call in calls if call.state in {"waiting", "offered"}))


def _draft(folder: Path) -> Loaded:
    loaded = load(folder)
    if loaded.plan is None:
        raise Refused([format_faults(loaded.faults)])
    return loaded


def _site(draft: Loaded) -> SiteId:
    if draft.plan is None:
        raise Refused([format_faults(draft.faults)])
    return draft.plan.site


def _any_site(settings: Settings) -> SiteId:
    """Return whose versions are asked for, though the draft may be broken: what this machine serves tells too."""
    from ivr.core.plan import SiteId  # noqa: PLC0415

    last = Shelf(settings.state_dir / SHELF).last()
    return SiteId(last.version.site) if last is not None else _site(_draft(settings.plan))


@contextlib.contextmanager
def _sounds(draft: Loaded, settings: Settings) -> Iterator[Staging | None]:
    """Refuse a version that callers could not hear: its sounds are built first, beside those that they hear now.

    None: they are all there.
    """
    from ivr.prompts import missing  # noqa: PLC0415 - each command imports what it needs
    from ivr.prompts.staging import staging  # noqa: PLC0415
    from ivr.prompts.studio import make_sounds  # noqa: PLC0415

    if draft.plan is None:
        raise Refused([format_faults(draft.faults)])
    out = Path(settings.sounds)
    if not missing(draft, out):
        yield None
        return
    with contextlib.ExitStack() as ending:
        try:
            sounds = ending.enter_context(staging(out))
        except OSError as error:
            raise PublishError(
                f"Les sons ne peuvent pas être écrits dans {out} ({error.strerror}) : voyez IVR_SOUNDS_DIR."
            ) from error
        make_sounds(draft.folder, sounds.folder, ERR)
        if silent := missing(draft, sounds.folder):
            raise Refused([format_faults(silent)])
        yield sounds


def _tell(sentences: Iterable[str]) -> None:
    told = tuple(sentences)
    for sentence in told:
        OUT.print(f"  - {sentence}", markup=False, soft_wrap=True)
    if not told:
        OUT.print("Aucun changement.")


def _tell_moved(ready: Publication) -> None:
    for before, after in sorted(ready.moved.items()):
        OUT.print(f"  - Les dossiers ouverts de {before} vont à {after}.", markup=False)


def _tell_new_agents(ready: Publication, current: tuple[Published, Loaded] | None) -> None:
    """Say what else a new phone needs."""
    known = current[1].plan.agents.keys() if current is not None and current[1].plan is not None else set()
    if new := sorted(agent.name for name, agent in ready.plan.agents.items() if name not in known):
        OUT.print(
            f"Postes nouveaux ({', '.join(new)}) : « ivr asterisk render --out … » puis les commandes qu'il donne, "
            "sans toucher aux appels.",
            markup=False,
            soft_wrap=True,
        )


def _done(done: tuple[Version, float] | None) -> None:
    if done is not None:
        version, took = done
        OUT.print(f"Version {version.number} publiée en {took:.1f} s ; les appels en cours finissent sur la leur.")


def when(ms: int) -> str:
    """Return an instant as it is read in a town hall."""
    return f"{datetime.fromtimestamp(ms / 1000, PARIS):%d/%m/%Y %H:%M}"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count > 1 else ''}"
