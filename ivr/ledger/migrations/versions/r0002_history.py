"""History beside the promises: calls, events, outcomes; a file knows its call, and its owner's kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Files have their new columns, an owner is `group:…` or `agent:…`, and history has its tables."""
    for column in ("call", "closed_by"):
        op.add_column("files", sa.Column(column, sa.String, nullable=False, server_default=""))
    op.add_column("files", sa.Column("note", sa.Text, nullable=False, server_default=""))
    # Until now a file's id was its call's, and every owner a group.
    op.execute("UPDATE files SET call = id, owner = 'group:' || owner")
    op.create_index("files_of_call", "files", ["call"])
    op.create_index("files_by_due", "files", ["closed_ms", "due_ms"])
    op.create_index("files_by_caller", "files", ["caller_ref"])
    _history()
    op.create_table(
        "outcomes",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("call", sa.String, primary_key=True),
        sa.Column("agent", sa.String, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("code", sa.String, nullable=False),
    )
    op.create_table(
        "positions",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("epoch", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _history() -> None:
    op.create_table(
        "calls",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        *(
            sa.Column(name, sa.String, nullable=False)
            for name in ("epoch", "caller_ref", "called", "plan", "topic", "outcome", "agent", "node")
        ),
        sa.Column("arrival_ms", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in ("answered_ms", "ended_ms", "wait_ms", "talk_ms")),
        sa.Column("keys", sa.String, nullable=False),
    )
    op.create_index("calls_by_arrival", "calls", ["site", "arrival_ms"])
    op.create_index("calls_by_caller", "calls", ["caller_ref"])
    op.create_table(
        "events",
        *(sa.Column(name, sa.String, primary_key=True) for name in ("site", "epoch", "id")),
        *(sa.Column(name, sa.String, nullable=False) for name in ("call", "agent", "type")),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
    )
    op.create_index("events_of_call", "events", ["site", "call", "at"])
    op.create_index("events_of_agent", "events", ["site", "agent", "at"])
    op.create_index("events_of_type", "events", ["site", "type", "at"])
