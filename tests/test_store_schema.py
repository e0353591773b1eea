"""Making, migrating and checking the database."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from tests.stores import (
    NOON,
    PATIENCE,
    gives_up_soon,
    make_config,
    make_ticket,
    on_every_empty_store,
    on_every_store,
    other,
    path_of,
    stored,
    write_config,
    write_settings,
)

from tamis import config as configuration
from tamis.config import Config
from tamis.interfaces import StoreUnavailable
from tamis.service import parts
from tamis.store import tickets
from tamis.store.database import Database
from tamis.store.schema import REVISION, metadata
from tamis.store.upgrade import MIGRATIONS
from tamis.store.verification import verify

HOUR = 3_600_000  # milliseconds


@on_every_empty_store
def test_migrations_lead_to_the_tables_of_the_code(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_the_code_knows_its_newest_migration() -> None:
    script = AlembicConfig()
    script.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(script).get_heads() == [REVISION]


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_tables_are_known_to_postgresql(table: Table) -> None:
    made = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]

    assert "CREATE TABLE" in made and "ROWID" not in made


def test_database_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_config(tmp_path)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "tamis.db").stat().st_mode) == 0o600


def test_database_writes_ahead_and_to_the_disk(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    found = [stored(config, f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "secure_delete")]

    assert found == [[("wal",)], [(2,)], [(1,)]]


@on_every_store
def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, "bob@example.org", antispam="off")

    parts.prepare_store(config)

    assert stored(config, "SELECT account, key, value FROM setting") == [
        ("bob@example.org", "antispam", '"off"')
    ]


def test_preparing_makes_a_random_key_once(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    configs = [make_config(folder) for folder in folders]

    keys = [parts.installation_key(config) for config in configs]
    parts.prepare_store(configs[0])

    assert [len(key) for key in keys] == [32, 32]
    assert keys[0] != keys[1]
    assert parts.installation_key(configs[0]) == keys[0]


@on_every_store
def test_lost_key_is_made_anew(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    lost = parts.installation_key(config)
    with other(config) as operator:
        operator.execute("DELETE FROM secret")

    with pytest.raises(StoreUnavailable, match="key is missing"):
        parts.installation_key(config)
    parts.prepare_store(config)

    assert parts.installation_key(config) != lost


def test_key_of_a_missing_database_is_unavailable(tmp_path: Path) -> None:
    config = configuration.load(str(write_config(tmp_path)))

    with pytest.raises(StoreUnavailable, match="unable to open"):
        parts.installation_key(config)


def make_old(config: Config, revision: str) -> None:
    """Make the database as an earlier Tamis left it."""
    if config.store.url.startswith("sqlite"):
        path_of(config).touch()
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        script = AlembicConfig()
        script.set_main_option("script_location", str(MIGRATIONS))
        script.attributes["connection"] = connection
        command.upgrade(script, revision)


@on_every_empty_store
def test_database_of_the_first_schema_keeps_what_it_has(tmp_path: Path) -> None:
    config = configuration.load(str(write_config(tmp_path)))
    make_old(config, "0001")
    with other(config) as operator:
        operator.execute("INSERT INTO account VALUES ('bob@example.org', 'active', 1795435200000)")
        operator.execute("INSERT INTO setting VALUES ('bob@example.org', 'antispam', '\"off\"')")

    parts.prepare_store(config)

    assert stored(config, "SELECT account, value FROM setting") == [("bob@example.org", '"off"')]
    assert stored(config, "SELECT address, created, closed FROM account") == [
        ("bob@example.org", 1795435200000, None)
    ]
    assert stored(config, "SELECT * FROM copy_guard") == []
    assert len(parts.installation_key(config)) == 32


@on_every_empty_store
def test_tickets_of_an_earlier_schema_are_chained(tmp_path: Path) -> None:
    config = configuration.load(str(write_config(tmp_path)))
    make_old(config, "0002")
    old = [make_ticket(milliseconds=NOON + hour * HOUR) for hour in range(0, 600, 5) for _ in range(5)]
    with other(config) as operator:
        operator.execute("BEGIN")
        for row in tickets.rows(old).tickets:
            values = [row["id"], row["message_id"], row["body"]]
            operator.execute("INSERT INTO ticket VALUES (?, ?, ?)", values)
            operator.execute("INSERT INTO ticket_account VALUES ('bob@example.org', ?)", [row["id"]])
        operator.execute("COMMIT")

    parts.prepare_store(config)

    with contextlib.closing(Database(config.store)) as database:
        with database.writing() as connection:
            tickets.add(connection, tickets.rows([make_ticket(milliseconds=NOON + 600 * HOUR)]))
        found = verify(database)
    assert (found.faults, found.tickets, found.chains, found.sealed) == (0, 601, 26, 25)


def test_preparing_a_ready_database_waits_for_no_lock(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    with contextlib.closing(sqlite3.connect(tmp_path / "tamis.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        parts.prepare_store(config)


def test_concurrent_starts_migrate_once(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    code = "import sys; from tamis import config; from tamis.service import parts\n"
    code += "parts.prepare_store(config.load(sys.argv[1]))"

    starts = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(4)]
    ended = [one.wait(timeout=PATIENCE) for one in starts]

    assert ended == [0, 0, 0, 0]
    config = configuration.load(str(path))
    assert stored(config, "SELECT * FROM counter") == [("settings", 0)]
    names = ("installation", "pseudonyms", "sealing", "web")
    found = stored(config, "SELECT name, length(value) FROM secret ORDER BY name")
    assert found == [(name, 32) for name in names]


@on_every_store
def test_database_of_a_newer_tamis_is_refused(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    with other(config) as operator:
        operator.execute("UPDATE alembic_version SET version_num = '0999'")

    with pytest.raises(StoreUnavailable, match=r"schema 0999.*newer Tamis"):
        parts.prepare_store(config)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    config = configuration.load(str(write_config(tmp_path)))
    store = config.store.model_copy(update={"url": f"sqlite:///{tmp_path}/none/tamis.db"})

    with pytest.raises(StoreUnavailable, match=r"none of store\.url is not there"):
        parts.prepare_store(config.model_copy(update={"store": store}))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "no url"])
def test_url_that_cannot_be_shared_is_refused(tmp_path: Path, url: str) -> None:
    config = configuration.load(str(write_config(tmp_path)))
    store = config.store.model_copy(update={"url": url})

    with pytest.raises(StoreUnavailable, match=r"store\.url"):
        parts.prepare_store(config.model_copy(update={"store": store}))


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    config = configuration.load(str(write_config(tmp_path)))
    (tmp_path / "tamis.db").write_text("not a database, " * 100)

    with pytest.raises(StoreUnavailable, match="not a database"):
        parts.prepare_store(config)


def test_check_tells_schema_and_number_of_accounts(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    write_settings(config, "bob@example.org")

    found = parts.check_store(config)

    assert found == f"sqlite:///{tmp_path}/tamis.db schema 7, WAL, 1 accounts"


def test_check_makes_no_database(tmp_path: Path) -> None:
    config = configuration.load(str(write_config(tmp_path)))

    found = parts.check_store(config)

    assert found.endswith("is not there yet: `tamis serve` makes it")
    assert not (tmp_path / "tamis.db").exists()


@gives_up_soon
@on_every_store
def test_check_tells_of_a_lock(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    with (
        contextlib.closing(Database(config.store)) as another,
        another.writing(),
        pytest.raises(StoreUnavailable, match=r"database is locked|lock timeout"),
    ):
        parts.check_store(config)


@pytest.mark.parametrize("source", ["file:/nowhere/aliases", "sql:SELECT a FROM nowhere WHERE b = :name"])
@on_every_store
def test_check_asks_the_sources(tmp_path: Path, source: str) -> None:
    config = make_config(tmp_path, more=f'[accounts]\nsources = ["{source}"]')

    with pytest.raises(StoreUnavailable, match="nowhere"):
        parts.check_store(config)
