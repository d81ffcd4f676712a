"""The ledger's tables, as the newest migration leaves them. Instants are Unix ms (UTC), durations ms.

A number stands in `numbers` and nowhere else: everything else knows a caller by ref.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text

HEAD: Final = "0004"
"""The newest migration; a test holds it against the folder."""

META: Final = MetaData()

CALLS: Final = Table(
    "calls",
    META,
    Column("site", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("epoch", String, nullable=False),
    Column("caller_ref", String, nullable=False),
    Column("called", String, nullable=False),
    Column("plan", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("node", String, nullable=False),
    Column("arrival_ms", BigInteger, nullable=False),
    Column("answered_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("wait_ms", BigInteger),
    Column("talk_ms", BigInteger),
    Column("keys", String, nullable=False),
    Index("calls_by_arrival", "site", "arrival_ms"),
    Index("calls_by_caller", "caller_ref"),
)
EVENTS: Final = Table(
    "events",
    META,
    Column("site", String, primary_key=True),
    Column("epoch", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("call", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("type", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("fields", Text, nullable=False),
    Index("events_of_call", "site", "call", "at"),
    Index("events_of_agent", "site", "agent", "at"),
    Index("events_of_type", "site", "type", "at"),
)
FILES: Final = Table(
    "files",
    META,
    Column("id", String, primary_key=True),
    Column("site", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("caller_ref", String, nullable=False),
    Column("recording", String, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("call", String, nullable=False),
    Column("closed_by", String, nullable=False),
    Column("note", Text, nullable=False),
    Index("files_of_call", "call"),
    Index("files_by_due", "closed_ms", "due_ms"),
    Index("files_by_caller", "caller_ref"),
)
OUTCOMES: Final = Table(
    "outcomes",
    META,
    Column("site", String, primary_key=True),
    Column("call", String, primary_key=True),
    Column("agent", String, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("code", String, nullable=False),
)
NUMBERS: Final = Table(
    "numbers",
    META,
    Column("caller_ref", String, primary_key=True),
    Column("number", String, nullable=False),
    Column("met_ms", BigInteger, nullable=False, server_default="0"),
)
"""`met_ms` is when an agent last answered the caller, 0 for never: for so long the number may be wanted, though
nothing is owed yet."""
POSITIONS: Final = Table(
    "positions",
    META,
    Column("site", String, primary_key=True),
    Column("epoch", String, nullable=False),
    Column("id", String, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""How far each site's stream is copied: the last line of the last batch."""
PLANS: Final = Table(
    "plans",
    META,
    Column("site", String, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("content", String, nullable=False),
    Column("version", Text, nullable=False),
    Column("files", Text, nullable=False),
    Index("plans_by_content", "site", "content"),
)
"""The published versions of each site's plan, never changed; the one of the highest number is in force."""
