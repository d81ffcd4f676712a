"""Brings a database to the newest schema, in one transaction; two who open it at once take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from ivr.ledger.schema import HEAD

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LOCK: Final = 0x1E_D6_E4
"""Any number: it is this ledger's among PostgreSQL's advisory locks."""


def migrate(connection: Connection) -> None:
    """The database has the newest schema; the caller commits. LedgerError when a newer program made it."""
    if version_of(connection) == HEAD:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    version = version_of(connection)
    if version != HEAD:
        from ivr.ledger.upgrade import upgrade  # noqa: PLC0415 - see there

        upgrade(connection, version)


def version_of(connection: Connection) -> str:
    """The schema that the database has; "" when no migration ever ran."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
