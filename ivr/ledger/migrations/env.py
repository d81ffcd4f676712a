"""Run by alembic on the connection, and in the transaction, that `ivr.ledger.migrate` hands over."""

from __future__ import annotations

from alembic import context

from ivr.ledger.schema import META

context.configure(connection=context.config.attributes["connection"], target_metadata=META)
with context.begin_transaction():
    context.run_migrations()
