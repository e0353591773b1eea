"""Configurations, tickets and running stores for tests; the databases are real ones."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection

from tamis import config as configuration
from tamis.accounts import Accounts
from tamis.config import Config
from tamis.preferences import Value
from tamis.service import parts
from tamis.store import settings, tickets
from tamis.store.database import Database
from tamis.store.sources import Tables
from tamis.store.thread import Store, milliseconds_now
from tamis.ticket import Action, Direction, Means, Outcome, Ticket, new_id, timestamp

NOON = 1_795_435_200_000  # 2026-11-23T12:00:00Z


class FullDatabase(Database):
    """Has no room on its disk, until it is given some."""

    full = True

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend the connection."""
        with super().writing() as connection:
            pages = 1 if self.full else 1_000_000  # SQLite takes fewer than it has as those that it has
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            yield connection


def write_config(folder: Path, *, more: str = "") -> Path:
    """Write a configuration whose store lies in a folder; return its path."""
    path = folder / "tamis.toml"
    path.write_text(
        f"""
[mail]
domains = ["example.org", "example.com"]
[store]
url = "sqlite:///{folder}/tamis.db"
timeout = "200ms"
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


async def until(condition: Callable[[], object], *, seconds: float = 1.0) -> bool:
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


@contextlib.contextmanager
def locked(config: Config) -> Iterator[None]:
    """Hold the database's lock, as another program may."""
    with contextlib.closing(sqlite3.connect(path_of(config), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
