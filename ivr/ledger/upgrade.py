"""The migrations, run by alembic. Imported only where there is something to do: it takes half a second."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from ivr.ledger.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Connection

FOLDER: Final = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, version: str) -> None:
    """The schema of `version` ("" before there was any) becomes the newest. LedgerError when it is unknown here."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version and version not in known:
        raise LedgerError(f"the ledger was made by a newer version of this program (schema {version})")
    command.upgrade(config, "head")
