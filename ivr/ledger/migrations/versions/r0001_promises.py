"""The first ledger: files and numbers. One that was made before there were migrations has them already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Both tables exist."""
    op.create_table(
        "files",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("caller_ref", sa.String, nullable=False),
        sa.Column("recording", sa.String, nullable=False),
        sa.Column("opened_ms", sa.BigInteger, nullable=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("closed_ms", sa.BigInteger),
        if_not_exists=True,
    )
    op.create_table(
        "numbers",
        sa.Column("caller_ref", sa.String, primary_key=True),
        sa.Column("number", sa.String, nullable=False),
        if_not_exists=True,
    )
