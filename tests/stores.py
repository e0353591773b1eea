"""Configurations, tickets and running stores for tests; the databases are real ones."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, make_url
from tests.servers.postgresql import TEMPLATE, PostgreSQL

from tamis import config as configuration
from tamis.accounts import Accounts
from tamis.config import Config
from tamis.preferences import Value
from tamis.service import parts
from tamis.store import settings, tickets, upgrade
from tamis.store.database import Database
from tamis.store.sources import Tables
from tamis.store.thread import Store, milliseconds_now
from tamis.ticket import Action, Direction, Means, Outcome, Ticket, new_id, timestamp

URL = "store.url"  # the file in a test's folder that tells where its store is, if not there
TIMEOUT = "store.timeout"  # likewise, how long it waits for a lock, if not for PATIENCE
PATIENCE = 60  # seconds that a test waits at most, and a store for a lock: machines may be busy
PROMISED = 1.0  # seconds after which a change by another process is in force at the latest
NOON = 1_795_435_200_000  # 2026-11-23T12:00:00Z


class FullDatabase(Database):
    """Has no room on its disk, until it is given some."""

    full = True

    @contextlib.contextmanager
    def adding(self) -> Iterator[Connection]:
        """Lend the connection."""
        with super().adding() as connection:
            pages = 1 if self.full else 1_000_000  # SQLite takes fewer than it has as those that it has
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            yield connection


on_every_store = pytest.mark.usefixtures("either")  # a test that runs on SQLite and on PostgreSQL
on_every_empty_store = pytest.mark.usefixtures("either_empty")  # which has no tables yet


gives_up_soon = pytest.mark.usefixtures("hasty")  # a test that is about a lock that lasts too long


@pytest.fixture
def hasty(tmp_path: Path) -> None:
    """Let the store of a test's folder wait for no lock for long."""
    (tmp_path / TIMEOUT).write_text("200ms")


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Let the store of a test's folder be of either kind."""
    if request.param == "sqlite":
        yield
    else:
        with _elsewhere(request.getfixturevalue("with_tables"), tmp_path, TEMPLATE):
            yield


@pytest.fixture(params=["sqlite", "postgresql"])
def either_empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Let it be a new one of either kind."""
    if request.param == "sqlite":
        yield
    else:
        with _elsewhere(request.getfixturevalue("postgresql"), tmp_path, "template0"):
            yield


@contextlib.contextmanager
def _elsewhere(server: PostgreSQL, folder: Path, template: str) -> Iterator[None]:
    name = server.new(template)
    (folder / URL).write_text(server.url(name))
    yield
    server.drop(name)


@pytest.fixture(scope="session")
def with_tables(postgresql: PostgreSQL) -> PostgreSQL:
    """Return the server once the database that others are copied from has tables."""
    store = Config.model_validate({"mail": {"domains": ["example.org"]}}).store
    upgrade.prepare(store.model_copy(update={"url": postgresql.url(TEMPLATE)}))
    return postgresql


def url_of(folder: Path) -> str:
    """Return where the store of a folder is."""
    elsewhere = folder / URL
    return elsewhere.read_text() if elsewhere.exists() else f"sqlite:///{folder}/tamis.db"


def timeout_of(folder: Path) -> str:
    """Return how long the store of a folder waits."""
    own = folder / TIMEOUT
    return own.read_text() if own.exists() else f"{PATIENCE}s"


def write_config(folder: Path, *, more: str = "") -> Path:
    """Write a configuration whose store lies in a folder; return its path."""
    path = folder / "tamis.toml"
    path.write_text(
        f"""
[mail]
domains = ["example.org", "example.com"]
[store]
url = "{url_of(folder)}"
timeout = "{timeout_of(folder)}"
{more}
"""
    )
    return path


def make_config(folder: Path, *, more: str = "") -> Config:
    """Return a configuration whose store lies in a folder, and make the store."""
    config = configuration.load(str(write_config(folder, more=more)))
    parts.prepare_store(config)
    return config


def make_ticket(
    account: str | None = "bob@example.org",
    *,
    message_id: str | None = "<1@example.net>",
    milliseconds: int = NOON,
    ticket_id: str | None = None,
) -> Ticket:
    """Return a ticket of one marked message."""
    outcome = Outcome(
        "bob+x@example.org",
        account,
        "clean",
        "spam",
        "none",
        Action.MARK,
        score=7.3,
        reasons=("SUBJECT_ALL_CAPS",),
    )
    return Ticket(
        id=ticket_id or new_id(milliseconds),
        time=timestamp(milliseconds),
        direction=Direction.INCOMING,
        mode="enforce",
        message_id=message_id,
        queue_id="4XyzAB",
        sender="anna@example.net",
        sender_account=None,
        recipients=(outcome,),
        means=Means.UNIFORM,
    )


def write_settings(config: Config, address: str, **values: Value) -> None:
    """Set values of an account, as another process does; "_" in a key stands for "."."""
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        settings.change(connection, address, {key.replace("_", "."): one for key, one in values.items()})


def keep(config: Config, given: Sequence[Ticket]) -> None:
    """Write tickets, as a worker does."""
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        tickets.add(connection, tickets.rows(given))


@contextlib.asynccontextmanager
async def running(
    config: Config, database: Database | None = None, *, now: Callable[[], int] | None = None
) -> AsyncIterator[Store]:
    """Run a store on the running loop, on a database or by a clock of the test's own where it gives one."""
    loop = asyncio.get_running_loop()
    if database is None and now is None:
        store = parts.store(config, loop)
    else:
        database = database or Database(config.store)
        tables = Tables(database)
        store = Store(
            database,
            Accounts(config, [tables], tables),
            watched=[tables],
            remember=config.resend.remember,
            loop=loop,
            now=now or milliseconds_now,
        )
    store.start()
    try:
        yield store
    finally:
        store.close()


async def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> bool:
    """Wait until a condition holds; tell whether it came to hold in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return True
        await asyncio.sleep(0.01)
    return False


def stored(config: Config, statement: str = "SELECT id FROM ticket") -> Sequence[tuple[object, ...]]:
    """Return rows of the database, read by a connection of its own."""
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def path_of(config: Config) -> Path:
    """Return the database's file."""
    return Path(config.store.url.removeprefix("sqlite:///"))


class Other:
    """Somebody else's connection to a database, who knows nothing of Tamis; a value's place is "?" to all."""

    def __init__(self, config: Config) -> None:
        url = make_url(config.store.url)
        self._connection: Any
        self._mark = "?"
        if url.get_backend_name() == "sqlite":
            self._connection = sqlite3.connect(path_of(config), isolation_level=None)
        else:
            self._mark = "%s"
            of = {"host": str(url.query["host"]), "user": url.username, "dbname": url.database}
            self._connection = psycopg.connect(autocommit=True, **of)  # type: ignore[arg-type]
        self.close = self._connection.close

    def execute(self, statement: str, values: Sequence[object] = ()) -> Any:
        """Run a statement; return the driver's cursor."""
        return self._connection.execute(statement.replace("?", self._mark), values)


@contextlib.contextmanager
def other(config: Config) -> Iterator[Other]:
    """Lend somebody else's connection."""
    with contextlib.closing(Other(config)) as connection:
        yield connection


@contextlib.contextmanager
def locked(config: Config) -> Iterator[None]:
    """Keep all from writing, as another program may."""
    with other(config) as connection:
        if config.store.url.startswith("sqlite"):
            connection.execute("BEGIN EXCLUSIVE")
        else:
            connection.execute("BEGIN")
            names = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            connection.execute(f"LOCK TABLE {', '.join(name for (name,) in names)} IN EXCLUSIVE MODE")
        yield
        connection.execute("ROLLBACK")
