"""A person asks to be forgotten: what is known by their number goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.ari import AriError, NotFound
from ivr.core.caller import CallId
from ivr.errors import IvrError
from ivr.ledger.errors import JournalUnreadable
from ivr.queueing.errors import QueueError
from ivr.telephony.callers import e164, identify
from ivr.telephony.messages import left_by

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ivr.ari import AriClient
    from ivr.core.plan import Plan
    from ivr.ledger.journal import Journal
    from ivr.ledger.store import File, Ledger

    Forget = Callable[[str], Awaitable[object]]
    """Has the queue forget a caller's ref."""


JOURNAL_PATIENCE_S: Final = 10.0
"""Longer than a worker takes that brings the journal in."""


class NoNumber(IvrError):
    """What was typed is no telephone number."""

    def __init__(self, typed: str) -> None:
        super().__init__(
            f"« {typed} » n'est pas un numéro de téléphone : écrivez-le comme 05 56 00 00 00 ou +33556000000"
        )


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done. `left` are recordings that could not be reached; `still_open` files that stay owed."""

    ref: str
    number: bool
    recordings: tuple[str, ...]
    left: tuple[str, ...]
    still_open: int
    queue: bool


async def erase(
    typed: str,
    *,
    plan: Plan,
    ref_key: bytes,
    ledger: Ledger,
    journal: Journal,
    ari: AriClient | None,
    forget: Forget | None,
    node: str,
) -> Erased:
    """Erase a number as a caller's own would be: in ledger and journal, the recordings, what the queue remembers.

    `ari` and `forget` are None where Asterisk or Redis is out of reach. Safe to do again. Raises LedgerError.
    """
    number = e164(typed)
    if number is None:
        raise NoNumber(typed)
    ref = identify(CallId(""), number, "", plan, ref_key).ref
    # The journal first: nobody brings it in meanwhile, so what is erased there comes back nowhere.
    waiting = await asyncio.to_thread(_in_journal, journal, ref)
    noted = await asyncio.to_thread(_from_journal, journal, [number])
    known = {file.id: file for file in (*waiting, *await ledger.files_of([ref]))}
    files = list(known.values())
    wanted = {file.recording for file in files if file.recording}
    if ari is not None:
        wanted |= {
            stored.name for stored in await ari.recordings.listStored() if _is_of(stored.name, ref, plan, ref_key)
        }
    gone = {name for name in sorted(wanted) if ari is not None and await _deleted(ari, name, node)}
    await asyncio.to_thread(_from_journal, journal, sorted(gone))
    had = await ledger.erase(ref, sorted(gone))
    forgotten = forget is not None
    if forget is not None:
        try:
            await forget(ref)
        except QueueError:
            forgotten = False
    return Erased(
        ref=ref,
        number=had or noted,
        recordings=tuple(sorted(gone)),
        left=tuple(sorted(wanted - gone)),
        still_open=sum(file.closed_ms is None for file in files),
        queue=forgotten,
    )


def _in_journal(journal: Journal, ref: str) -> list[File]:
    """The files of a caller that are not in the ledger yet."""
    try:
        return [entry.file for entry in journal.entries() if entry.file.caller_ref == ref]
    except OSError as error:
        raise JournalUnreadable(journal.folder, error) from error


def _from_journal(journal: Journal, texts: Sequence[str]) -> bool:
    """Whether any of these stood in the journal; none does any more."""
    try:
        if not journal.folder.exists():
            return False
        with journal.alone(JOURNAL_PATIENCE_S):
            return journal.erase(texts)
    except OSError as error:
        raise JournalUnreadable(journal.folder, error) from error


def _is_of(name: str, ref: str, plan: Plan, key: bytes) -> bool:
    left = left_by(name)
    return left is not None and identify(*left, "", plan, key).ref == ref


async def _deleted(ari: AriClient, name: str, node: str) -> bool:
    """Whether a recording is no more; one that is not here may be on the disk of the node of its call."""
    try:
        await ari.recordings.deleteStored(recordingName=name)
    except NotFound:
        return name.partition("/")[2].startswith(f"{node}-")
    except AriError:
        return False
    return True
