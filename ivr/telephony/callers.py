"""From what the trunk said to a Caller."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

import phonenumbers

from ivr.core.caller import Caller, CallerRef, CallId

if TYPE_CHECKING:
    from ivr.core.plan import Plan

HIDDEN: Final = "prohib"
_DIALLED: Final = re.compile(r"\+?[0-9 ().-]{3,40}")


def e164(number: str, region: str = "FR") -> str | None:
    """Return the number in E.164; None for anything else, short and emergency numbers too."""
    if not _DIALLED.fullmatch(number):
        return None  # phonenumbers would find one in names and in addresses
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def identify(call: CallId, number: str, presentation: str, plan: Plan, key: bytes) -> Caller:
    """Return the caller; `number` and `presentation` are CALLERID(num) and CALLERID(num-pres).

    `ref` is the HMAC-SHA-256 of the number under the site's key, cut to 16 hex digits; a
    caller without a number is known by the call alone.
    """
    known = None if presentation.startswith(HIDDEN) else e164(number)
    ref = hmac.new(key, (known or f"call:{call}").encode(), hashlib.sha256).hexdigest()[:16]
    return Caller(
        ref=CallerRef(ref),
        number=known,
        privacy="hidden" if presentation.startswith(HIDDEN) else "open",
        klass="relay" if known is not None and known in plan.relays else "normal",
    )
