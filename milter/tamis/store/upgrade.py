"""Makes the database, brings its schema up to date, and tells how it is."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sqlalchemy import Connection, column, func, inspect, select, table

from tamis.config import Store as Settings
from tamis.interfaces import StoreUnavailable
from tamis.store import chains, dialect, secrets
from tamis.store.database import Database
from tamis.store.owners import IS_THERE
from tamis.store.schema import REVISION, account

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION = table("alembic_version", column("version_num"))  # Alembic's own


def prepare(settings: Settings) -> None:
    """Make the database and its keys where they are missing, and migrate it; leave no connection open."""
    url = dialect.parse(settings.url)
    with contextlib.closing(Database(settings)) as database:
        if database.exists and _is_ready(database):
            return  # without a lock, so that reading needs to wait for nobody
        with dialect.created(url):
            with database.reading() as connection:
                dialect.write_ahead(connection)
            with database.adding() as connection:
                dialect.check(connection)
                dialect.be_patient(connection)
                dialect.lock(connection, dialect.WRITE_LOCK)
                _upgrade(connection)
                secrets.make(connection)
                chains.seal_past(connection)  # of tickets that a migration has chained


def describe(settings: Settings) -> str:
    """Return a sentence on the database, which is not changed; raise StoreUnavailable."""
    url = dialect.parse(settings.url)
    shown = dialect.shown(url)
    with contextlib.closing(Database(settings)) as database:
        if not database.exists:
            dialect.check_folder(url)
            return f"{shown} is not there yet: `tamis serve` makes it"
        with database.writing() as connection:  # so that it tells whether it can be written, too
            dialect.check(connection)
            found = _revision(connection)
            if found is None:
                return f"{shown} is empty: `tamis serve` makes its tables"
            count = connection.execute(select(func.count()).select_from(account).where(IS_THERE)).scalar_one()
            journal = dialect.journal(connection)
    wanted = "" if found == REVISION else f" (`tamis serve` migrates to {int(REVISION)})"
    return f"{shown} schema {int(found)}{wanted}, {journal}, {count} accounts"


def _is_ready(database: Database) -> bool:
    with database.reading() as connection:
        return _revision(connection) == REVISION and secrets.exist(connection)


def _revision(connection: Connection) -> str | None:
    """Return the migration that the database is at, None before the first; raise StoreUnavailable."""
    if not inspect(connection).has_table(VERSION.name):
        return None
    found = connection.execute(select(VERSION.c.version_num)).scalar_one_or_none()
    if found is not None and not (found.isdecimal() and found <= REVISION):
        raise StoreUnavailable(
            f"the database has schema {found}, this Tamis knows {REVISION}: a newer Tamis has migrated it"
        )
    return found


def _upgrade(connection: Connection) -> None:
    if _revision(connection) == REVISION:
        return
    if not dialect.may_make_tables(connection):
        raise StoreUnavailable(
            f"there are no tables of schema {int(REVISION)}, which this role may not make:"
            " run `tamis alias list` with the URL of the role that may, then the GRANTs of docs/store.md"
        )
    from alembic import command, config  # a quarter of a second that no other start needs to spend

    script = config.Config()
    script.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script.attributes["connection"] = connection
    command.upgrade(script, "head")
