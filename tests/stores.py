"""Configurations, tickets and running stores for tests; the databases are real ones."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis import config as configuration
from tamis.config import Config
from tamis.interfaces import UNCOUNTED, Metrics
from tamis.preferences import Value
from tamis.service import parts
from tamis.store import local, settings
from tamis.store.database import Database
from tamis.store.directory import CachedDirectory
from tamis.store.remote import RemoteTickets
from tamis.store.writer import Writer
from tamis.ticket import Action, Direction, Means, Outcome, Ticket, new_id, timestamp

NOON = 1_795_435_200_000  # 2026-11-23T12:00:00Z


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


@dataclass(frozen=True, slots=True)
class Store:
    """A worker's two sides of the store, and the name that the writer listens under."""

    directory: CachedDirectory
    tickets: RemoteTickets
    name: bytes


@contextlib.contextmanager
def writing(
    database: Database | None = None,
    *,
    metrics: Metrics = UNCOUNTED,
    listener: socket.socket | None = None,
    control: tuple[socket.socket, Callable[[], bool]] | None = None,
) -> Iterator[bytes]:
    """Run a writer on a thread until the end of the block, and its last connection's; lend its name.

    Where the test gives them, it is on the test's database and listener, and obeys the test, too.
    """
    ours, its = socket.socketpair()
    with contextlib.closing(listener or local.listen()) as taken, ours, its:
        writer = Writer(taken, metrics=metrics, open_database=lambda one: database or Database(one))
        writer.obey(its, lambda: False)
        if control is not None:
            writer.obey(*control)
        thread = threading.Thread(target=writer.run)
        thread.start()
        try:
            yield taken.getsockname()
        finally:
            ours.close()
            thread.join()


@contextlib.asynccontextmanager
async def running(
    config: Config, database: Database | None = None, *, metrics: Metrics = UNCOUNTED
) -> AsyncIterator[Store]:
    """Run a store on the running loop; the test's database, where it gives one, is the writer's."""
    loop = asyncio.get_running_loop()
    directory = parts.directory(config, loop)
    directory.start()
    with writing(database, metrics=metrics) as name:
        tickets = RemoteTickets(name, config.store, loop=loop)
        tickets.start()
        try:
            yield Store(directory, tickets, name)
        finally:
            await tickets.close()
            directory.close()


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
