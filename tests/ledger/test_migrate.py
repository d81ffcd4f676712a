"""Every ledger has the newest schema once it is open, whatever it was, and loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, inspect

from ivr.ledger.migrate import migrate
from ivr.ledger.schema import HEAD, META
from ivr.ledger.store import File, Ledger, LedgerError
from ivr.ledger.upgrade import FOLDER

if TYPE_CHECKING:
    from tests.ledger.conftest import Look

# As the program before there were migrations made it.
FILES = (
    "CREATE TABLE files (id VARCHAR NOT NULL, site VARCHAR NOT NULL, kind VARCHAR NOT NULL, topic VARCHAR NOT NULL, "
    "owner VARCHAR NOT NULL, caller_ref VARCHAR NOT NULL, recording VARCHAR NOT NULL, opened_ms BIGINT NOT NULL, "
    "due_ms BIGINT NOT NULL, closed_ms BIGINT, PRIMARY KEY (id))"
)
NUMBERS = "CREATE TABLE numbers (caller_ref VARCHAR NOT NULL, number VARCHAR NOT NULL, PRIMARY KEY (caller_ref))"


async def test_a_ledger_from_before_migrations_is_adopted_whole(url: str, look: Look) -> None:
    await look.rows(FILES)
    await look.rows(NUMBERS)
    await look.rows("INSERT INTO files VALUES ('a-1.1','pessac','message','voirie','voirie','r1','m/1',1,2,NULL)")
    await look.rows("INSERT INTO numbers VALUES ('r1', '+33639980001')")
    async with Ledger(url) as ledger:
        kept = File("a-1.1", "pessac", "message", "voirie", "group:voirie", "r1", "m/1", 1, 2, call="a-1.1")
        assert await ledger.files() == [kept]
        assert await ledger.numbers() == {"r1": "+33639980001"}
        assert (await ledger.close("a-1.1", 3)).closed_ms == 3
    async with Ledger(url) as ledger:
        assert len(await ledger.files()) == 1
    assert await look.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_workers_that_open_a_new_ledger_at_once_take_turns(url: str, look: Look) -> None:
    async def open_and_close() -> None:
        async with Ledger(url) as ledger:
            assert await ledger.files() == []

    await asyncio.gather(*(open_and_close() for _ in range(4)))
    assert await look.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_a_ledger_of_a_newer_program_is_left_alone(url: str, look: Look) -> None:
    await look.rows("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    await look.rows("INSERT INTO alembic_version VALUES ('9999')")
    with pytest.raises(LedgerError, match="newer version of this program"):
        async with Ledger(url):
            pytest.fail("it opened")
    assert await look.rows("SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.sqlite
def test_the_head_is_the_folders() -> None:
    assert ScriptDirectory(str(FOLDER)).get_current_head() == HEAD


@pytest.mark.sqlite
def test_migrations_end_where_the_tables_are(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/migrated.sqlite")
    with engine.connect() as connection:
        migrate(connection)
        connection.commit()
    migrated = MetaData()
    migrated.reflect(engine)
    engine.dispose()
    there = {name: table for name, table in migrated.tables.items() if name != "alembic_version"}
    assert {name: _shape(table) for name, table in there.items()} == {
        name: _shape(table) for name, table in META.tables.items()
    }


def _shape(table: Any) -> Any:
    columns = {column.name: (str(column.type), column.nullable, column.primary_key) for column in table.columns}
    return columns, {index.name: [column.name for column in index.columns] for index in table.indexes}


@pytest.mark.sqlite
def test_migrations_are_part_of_the_package() -> None:
    assert (FOLDER / "env.py").exists()
    assert inspect(META.tables["files"]).primary_key
    assert Path(FOLDER, "versions", "__init__.py").exists()
