"""What each fault says, in French and in English, and what to do about it.

The braces are filled in by `ivr.plan.faults.fault`; every code of the package
stands here, so that a translator has few pages to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.plan.messages.cases import CASES
from ivr.plan.messages.continuity import CONTINUITY
from ivr.plan.messages.hours import HOURS
from ivr.plan.messages.people import PEOPLE
from ivr.plan.messages.rules import RULES
from ivr.plan.messages.shape import SHAPE
from ivr.plan.messages.source import FILES, SYNTAX

if TYPE_CHECKING:
    from ivr.plan.messages.message import Message

MESSAGES: Final[dict[str, Message]] = FILES | SYNTAX | SHAPE | RULES | PEOPLE | HOURS | CASES | CONTINUITY
