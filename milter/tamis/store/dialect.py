"""What SQLite and PostgreSQL do differently; all other SQL is the same for both."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Label,
    LargeBinary,
    String,
    Table,
    any_,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from tamis.interfaces import StoreUnavailable
from tamis.store import driver

# FULL: a commit is on the disk. secure_delete: what is deleted is overwritten. temp_store: sorting writes no
# temporary file (https://www.sqlite.org/pragma.html).
PRAGMAS = ("synchronous = FULL", "secure_delete = ON", "foreign_keys = ON", "temp_store = MEMORY")
HANDOVER = 0.1  # seconds; who holds the lock for longer is no worker with its tickets
RUSH = 0.0005  # seconds between two tries to get the lock from a worker
PATIENCE = 0.005  # seconds between two tries to get it from somebody else
# Our advisory locks on PostgreSQL: "tamis", and one more.
WRITE_LOCK = 0x74616D6973
CHAIN_LOCK = WRITE_LOCK + 1
# What a connection to PostgreSQL is set to. The server, too, notices when a node that holds a lock is gone.
# Who has turned synchronous_commit off for all else has not asked us whether a ticket may be lost.
SETTINGS = text(
    """SELECT set_config('lock_timeout', CAST(:wait AS text), false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)"""
)
# Of a connection to SQLite: whether commits never wait, and whether no statement waits for a lock for now.
IS_WAL = "is WAL"
IS_HASTY = "is hasty"
LEAST_PATIENCE = 2  # seconds to connect; libpq takes no less


def parse(url: str) -> URL:
    """Return a URL that can be used; raise StoreUnavailable."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreUnavailable("store.url: not an SQLAlchemy URL such as sqlite:////PATH") from None
    if is_sqlite(parsed) and parsed.database in (None, "", ":memory:"):
        raise StoreUnavailable("store.url: processes cannot share a database in memory: give a file")
    return parsed


def shown(url: URL) -> str:
    """Return a URL without its passwords."""
    return url.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)


def is_sqlite(url: URL) -> bool:
    """Tell whether a URL is of an SQLite file."""
    return url.get_backend_name() == "sqlite"


def path(url: URL) -> Path | None:
    """Return the database's file, where it is one."""
    return Path(url.database or "").absolute() if is_sqlite(url) else None


def engine(url: URL, timeout: float) -> Engine:
    """Return an engine that opens no connection yet; timeout is the longest wait for a lock in seconds."""
    file = path(url)
    return _server(url, timeout) if file is None else _file(file, timeout)


def _server(url: URL, timeout: float) -> Engine:
    # Of libpq, in seconds and milliseconds; what the URL says goes first.
    wanted = {
        "application_name": "tamis",
        "client_encoding": "utf8",
        "connect_timeout": max(LEAST_PATIENCE, ceil(timeout)),
        "keepalives_idle": 10,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": ceil(max(LEAST_PATIENCE, timeout) * 1000),
    }
    given = {name: value for name, value in wanted.items() if name not in url.query}
    try:
        made = create_engine(
            url, connect_args=given, poolclass=NullPool, hide_parameters=True, use_native_hstore=False
        )
    except ImportError as error:
        raise StoreUnavailable(f"store.url: {error}: pip install 'tamis[postgresql]'") from None

    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(settings.sql, settings.values({"wait": f"{timeout * 1000:.0f}"}))
        cursor.close()
        connection.commit()

    settings = driver.made(SETTINGS, made.dialect)
    event.listen(made, "connect", prepare)
    return made


def _file(file: Path, timeout: float) -> Engine:
    def connect() -> sqlite3.Connection:
        # rw: a file that is away must not come back as an empty one.
        return sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=timeout)

    made = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(made, "connect", _prepare)
    return made


def _prepare(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # begin() below begins, not Python's driver
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute("PRAGMA journal_mode")
    entry.info[IS_WAL] = cursor.fetchone() == ("wal",)
    cursor.close()


def sync(connection: Connection, level: str) -> None:
    """Set whether commits to an SQLite file wait for the disk: FULL, or NORMAL for those that do not."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA synchronous = {level}")


def defer(connection: Connection) -> None:
    """Let the commit of this transaction not wait for PostgreSQL's disk."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def begin(connection: Connection, timeout: float) -> None:
    """Begin a transaction that writes; on SQLite it has the one write lock from its start.

    SQLite's own way to wait for the lock asks ever more seldom, up to 100 ms apart, and so loses it to other
    workers again and again: with two busy workers 1 of 100 tickets took 231 ms, and takes 23 ms so.
    """
    if connection.dialect.name != "sqlite":
        return
    cursor = connection.connection.cursor()
    if IS_HASTY not in connection.info:
        cursor.execute("PRAGMA busy_timeout = 0")
        connection.info[IS_HASTY] = True
    started = time.monotonic()
    while _is_locked(cursor) and (waited := time.monotonic() - started) < timeout:
        time.sleep(RUSH if waited < HANDOVER else PATIENCE)
    if not connection.connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # for the error, by which the caller gives up
    cursor.close()
    if not connection.info[IS_WAL]:
        wait(connection, timeout)


def wait(connection: Connection, timeout: float) -> None:
    """Have SQLite itself wait for locks again, as it shall for all but begin().

    begin() leaves that to what follows, as with a write-ahead log nothing up to the commit waits: a statement
    less is a fight less for Python's lock.
    """
    if connection.dialect.name == "sqlite" and connection.info.pop(IS_HASTY, False):
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {timeout * 1000:.0f}")


def among(kind: str, column: Column[str], name: str) -> ColumnElement[bool]:
    """Return whether a column is one of the values under a name, which listed() has made one; for run().

    A list of variables would make another statement for each number of them. kind is a dialect's name.
    """
    if kind == "sqlite":
        return column.in_(select(func.json_each(bindparam(name)).table_valued("value").c.value))
    return column == any_(bindparam(name, type_=postgresql.ARRAY(String)))


def listed(connection: Connection, values: Sequence[str]) -> str | list[str]:
    """Return texts as the one value that among() takes."""
    return json.dumps(values) if connection.dialect.name == "sqlite" else list(values)


def insert_or(kind: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can be told what becomes of rows that are there; kind is a dialect's name."""
    return sqlite.insert(table) if kind == "sqlite" else postgresql.insert(table)


def snapshot(connection: Connection) -> None:
    """Let the reading that begins here see the database as it is now, whatever others write meanwhile."""
    begins = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN" if begins else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def octets(connection: Connection, column: Column[Any]) -> Label[bytes]:
    """Return a column as octets: what others write into an SQLite file need be neither UTF-8 nor a text."""
    if connection.dialect.name == "sqlite":
        return cast(column, LargeBinary).label(column.name)
    found = column if isinstance(column.type, LargeBinary) else func.convert_to(column, "UTF8")
    return found.label(column.name)


def commit(connection: Connection) -> None:
    """Commit; SQLAlchemy itself would not where all was done by the driver."""
    connection.connection.commit()
    connection.commit()


def roll_back(connection: Connection) -> None:
    """Undo the transaction, whoever began it."""
    connection.connection.rollback()
    connection.rollback()


def _is_locked(cursor: DBAPICursor) -> bool:
    """Try to begin; tell whether another has the lock."""
    try:
        cursor.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # less what extends the code
    return False


def check_folder(url: URL) -> None:
    """Raise StoreUnavailable where the database's file cannot be made in its folder."""
    file = path(url)
    if file is not None and not os.access(file.parent, os.R_OK | os.W_OK | os.X_OK):
        why = "cannot be written" if file.parent.is_dir() else "is not there"
        raise StoreUnavailable(f"the folder {file.parent} of store.url {why}")


@contextlib.contextmanager
def created(url: URL) -> Iterator[None]:
    """Make the database's file where it is missing, readable by its owner only; alone within the block."""
    file = path(url)
    if file is None:
        yield
        return
    check_folder(url)
    with _locked(file.parent) as folder:
        try:
            new = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except FileExistsError:
            pass
        except OSError as error:
            raise StoreUnavailable(f"{file} cannot be made: {error.strerror}") from None
        else:
            if os.geteuid() == 0:  # else the service could not open what root's `tamis account set` made
                owner = os.fstat(folder)
                os.fchown(new, owner.st_uid, owner.st_gid)
            os.close(new)
        yield


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Keep other processes out of the block, by a lock on the folder, as SQLite has its own on the file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def write_ahead(connection: Connection) -> None:
    """Let readers and a writer of an SQLite file not wait for each other; it stays so."""
    if connection.dialect.name == "sqlite":
        # Before the first page is written, after which only VACUUM, that locks all out, would change it.
        connection.exec_driver_sql("PRAGMA auto_vacuum = INCREMENTAL")
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.rollback()


def cut(connection: Connection, pages: int) -> None:
    """Cut free pages off the end of an SQLite file that can give them back, in a transaction that writes."""
    cursor = connection.connection.cursor()
    for _ in range(pages):
        # Python's driver takes one step of a statement without rows, which is one page, whatever it asks for.
        cursor.execute("PRAGMA incremental_vacuum(1)")
    cursor.close()


def lock(connection: Connection, key: int) -> None:
    """Keep other nodes from the same lock until this transaction ends; SQLite's own does that."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def be_patient(connection: Connection) -> None:
    """Wait for locks as long as it takes, in this transaction; on SQLite who makes the file waits so."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")


def journal(connection: Connection) -> str:
    """Return how the database writes, for `tamis check`; raise StoreUnavailable where it does not."""
    if connection.dialect.name != "sqlite":
        return _server_and_way(connection)
    mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
    return "WAL" if mode == "wal" else f"journal {mode}, not WAL"


def check(connection: Connection) -> None:
    """Raise StoreUnavailable for a database on PostgreSQL that cannot be used."""
    if connection.dialect.name != "postgresql":
        return
    encoding = _setting(connection, "server_encoding")
    if encoding != "UTF8":
        raise StoreUnavailable(f"the database's encoding is {encoding}: make it anew with ENCODING UTF8")
    if _setting(connection, "transaction_read_only") == "on":
        raise StoreUnavailable("the database takes no writes: is it a standby's?")


def may_make_tables(connection: Connection) -> bool:
    """Tell whether a role on PostgreSQL may make tables; who opens an SQLite file may."""
    if connection.dialect.name != "postgresql":
        return True
    asked = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
    return bool(connection.exec_driver_sql(asked).scalar_one())


def _server_and_way(connection: Connection) -> str:
    version = _setting(connection, "server_version").split()[0]  # less Debian's own
    by = "SELECT ssl, version, inet_server_addr() FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    is_encrypted, protocol, server = connection.exec_driver_sql(by).one()
    way = "on a unix socket" if server is None else f"by {protocol}" if is_encrypted else "not encrypted"
    unsafe = ", fsync off: it may lose tickets" if _setting(connection, "fsync") == "off" else ""
    return f"PostgreSQL {version} {way}{unsafe}"


def _setting(connection: Connection, name: str) -> str:
    return str(connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one())
