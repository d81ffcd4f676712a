"""A number tells when an agent last answered its caller."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Numbers have their new column; those that were known so far are their callers' who are owed something."""
    op.add_column("numbers", sa.Column("met_ms", sa.BigInteger, nullable=False, server_default="0"))
