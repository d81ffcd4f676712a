"""Crisis and forced states by other ways than a command: a call over HTTP with a token, a phone code with a PIN."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from ivr import log
from ivr.publish.asking import crisis_state, forced_state
from ivr.publish.errors import PublishError
from ivr.publish.states import CRISIS, field_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ivr.core.plan import Plan
    from ivr.publish.states import States
    from ivr.publish.store import Publications

PIN_LENGTH: Final = 6
OFF: Final = "0"
_log = log.get("admin")


class Admin:
    """Sets states on behalf of who proves to be an admin. Raises PublishError for what cannot be, StoreAway."""

    def __init__(
        self, store: Publications, plan: Callable[[], Plan], clock: Callable[[], int], *, pin: str, token: str
    ) -> None:
        self._store = store
        self._plan = plan
        self._clock = clock
        self._pin = pin
        self._token = token

    def knows(self, token: str) -> bool:
        """Return whether that is the token; it takes as long whatever is wrong with it."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    async def states(self) -> States:
        """Return what is set now."""
        return (await self._store.in_force(self._clock())).states

    async def crisis(self, profile: str, until: str, by: str) -> None:
        """Enter a crisis."""
        state = crisis_state(self._plan(), profile, until, by, self._clock())
        await self._store.set(state, self._clock())
        _log.warning("a crisis is on", profile=state.id, until=state.until, by=by)

    async def end_crisis(self, by: str) -> None:
        """End the crisis."""
        await self._store.unset([CRISIS], self._clock())
        _log.warning("the crisis is over", by=by)

    async def force(self, asked: Mapping[str, str], by: str, *, is_open: bool) -> None:
        """Open or close against the hours, as `asked`: until, reason, hours."""
        until, reason, hours = (asked.get(name, "") for name in ("until", "reason", "hours"))
        state = forced_state(self._plan(), until, reason, hours, by, self._clock(), is_open=is_open)
        await self._store.set(state, self._clock())
        _log.warning("forced", open=is_open, hours=hours, until=state.until, by=by)

    async def end_force(self, hours: str, by: str) -> None:
        """Let the hours hold again: those named, else all."""
        forced = (await self.states()).forced
        await self._store.unset([field_of(one) for one in forced if not hours or one.hours == hours], self._clock())
        _log.warning("forced no more", hours=hours, by=by)

    async def dialled(self, digits: str, by: str) -> bool:
        """Take what follows *9: the PIN, then 0 to end the crisis or the place of a profile to begin it.

        False where it changed nothing. Three wrong PINs within an hour, by whomever, and none is looked at for the
        rest of it.
        """
        pin, choice = digits[:PIN_LENGTH], digits[PIN_LENGTH:]
        if not await self._store.may_try(self._clock()):
            _log.error("the PIN was wrong too often; none is taken within the hour", by=by)
            return False
        if not hmac.compare_digest(pin.encode(), self._pin.encode()):
            _log.warning("a wrong PIN was dialled", by=by)
            return False
        await self._store.tried_well()
        profiles = tuple(self._plan().crises)
        if choice == OFF:
            await self.end_crisis(by)
            return True
        if not choice.isdecimal() or int(choice) > len(profiles):
            return False
        try:
            await self.crisis(profiles[int(choice) - 1], "", by)
        except PublishError:
            return False
        return True
