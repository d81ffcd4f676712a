"""What callers said to the dialplan's fallback, while no worker was there: each message becomes an owned file.

The fallback names a recording after the call and, if it may be shown, the number. It is copied to a name without
the number, the promise is committed, and only then does the first name go: whatever is cut short is done again.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.ari import AriError, Conflict, NotFound
from ivr.core.caller import CallId
from ivr.ledger.errors import LedgerError
from ivr.ledger.store import File, of_group
from ivr.ledger.workdays import due
from ivr.telephony.callers import e164, identify

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.ari import AriClient
    from ivr.core.plan import Plan
    from ivr.ledger.store import Ledger

FOLDER: Final = "fallback/"
LOOK_EVERY_S: Final = 180.0
AGAIN_S: Final = 10.0
"""After a failure."""
_log = log.get("messages")


def left_by(name: str) -> tuple[CallId, str] | None:
    """The call and the number (digits, or nothing) in the name of a fallback's recording; None for any other."""
    call, dash, digits = name.removeprefix(FOLDER).rpartition("-")
    if not name.startswith(FOLDER) or not dash or not call or not (digits == "" or digits.isdecimal()):
        return None
    # The dialplan keeps digits alone: a number of another form than ours has lost its plus.
    return CallId(call), digits if digits.startswith("0") or e164(f"+{digits}") is None else f"+{digits}"


class FallbackMessages:
    """Finds the fallback's messages of one node, at each connect (`look`) and every few minutes."""

    def __init__(self, ari: AriClient, ledger: Ledger, plan: Plan, ref_key: bytes, now: Callable[[], int]) -> None:
        self._ari = ari
        self._ledger = ledger
        self.plan = plan
        self._ref_key = ref_key
        self._now = now
        self._wanted = asyncio.Event()

    def look(self) -> None:
        """Look now."""
        self._wanted.set()

    async def run(self) -> None:
        """Look for ever; says once that it cannot, and once that it can again."""
        down = False
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S if down else LOOK_EVERY_S):
                    await self._wanted.wait()
            self._wanted.clear()
            if not self._ari.connected:
                continue
            try:
                found = await self.adopt()
            except (AriError, LedgerError) as error:
                if not down:
                    _log.error("messages left to the fallback have no file yet", reason=str(error))
                down = True
                continue
            if found:
                _log.info("messages left to the fallback have an owner", count=found)
            if down:
                _log.info("messages left to the fallback can be looked for again")
            down = False

    async def adopt(self) -> int:
        """Give every message of a call that is over its file; how many. Raises AriError, LedgerError."""
        found = [(stored.name, left_by(stored.name)) for stored in await self._ari.recordings.listStored()]
        count = 0
        for name, left in found:
            if left is not None and not await self._lives(left[0]):
                await self._keep(name, *left)
                count += 1
        return count

    async def _lives(self, call: CallId) -> bool:
        """Whether the caller may still be speaking."""
        try:
            await self._ari.channels.get(channelId=call)
        except NotFound:
            return False
        return True

    async def _keep(self, name: str, call: CallId, number: str) -> None:
        kept = kept_as(call)
        try:
            await self._ari.recordings.copyStored(recordingName=name, destinationRecordingName=kept)
        except Conflict:
            pass  # copied before we were cut short
        except NotFound:
            return  # another worker was quicker
        await self._ari.recordings.getStored(recordingName=kept)  # the only one from here on: it must be there
        caller = identify(call, number, "", self.plan, self._ref_key)
        general = self.plan.topics[self.plan.general]
        opened = min(began(call) or self._now(), self._now())
        file = File(
            id=f"{call}.fallback",
            site=self.plan.site,
            kind="message",
            topic=general.id,
            owner=of_group(general.groups[0]),
            caller_ref=caller.ref,
            recording=kept,
            opened_ms=opened,
            due_ms=due(opened, self.plan.message_due_days),
            call=call,
        )
        await self._ledger.promise(file, caller.number)
        with contextlib.suppress(NotFound):
            await self._ari.recordings.deleteStored(recordingName=name)


def kept_as(call: CallId) -> str:
    """The name of the copy: without a dot, since Asterisk (22.10) drops what follows the last one."""
    return f"message/{call.replace('.', '_')}-fallback"


def began(call: CallId) -> int | None:
    """When Asterisk made a channel, from its id `<node>-<Unix seconds>.<n>`: Unix ms, None for any other id."""
    seconds = call.rpartition("-")[2].partition(".")[0]
    return int(seconds) * 1000 if seconds.isdecimal() else None
