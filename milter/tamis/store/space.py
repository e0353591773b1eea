"""Leaves nothing of what was deleted in an SQLite file's write-ahead log, and gives its free pages back.

PostgreSQL looks after both itself.
"""

from __future__ import annotations

from collections.abc import Callable

from tamis.store import dialect
from tamis.store.database import Database

STEP = 100  # pages that are given back in one transaction
TRIES = 100  # at emptying the log, which does not go while somebody reads


def relieve(database: Database) -> None:
    """Write the log into the file, as else a worker would have to that commits a ticket meanwhile."""
    with database.reading() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").all()


def empty_log(database: Database, pause: Callable[[], None]) -> bool:
    """Write the log into the file and make it empty; tell whether nobody who read was in the way."""
    with database.reading() as connection:
        if connection.dialect.name != "sqlite":
            return True
        waits = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        try:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")  # else writers would wait with us
            for _ in range(TRIES):
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").all()
                if not connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
                    return True
                pause()
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {waits}")
    return False


def give_back(database: Database, pause: Callable[[], None]) -> bool:
    """Cut free pages off the file; tell whether it was made so that it can be done."""
    with database.reading() as connection:
        if connection.dialect.name != "sqlite":
            return True
        if not connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one():
            return False
    while free := _free(database):
        with database.writing() as connection:
            dialect.cut(connection, STEP)
        if _free(database) >= free:
            break
        relieve(database)
        pause()
    return True


def _free(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())
