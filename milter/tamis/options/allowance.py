"""What an account's user may change in an hour: so many times, and so much of it on record."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from sqlalchemy import Connection

from tamis.options.attempts import HOUR, Attempts
from tamis.store import changes
from tamis.store.database import Database

CHANGES = 300  # each is on record, and mail waits where the store's disk is full
OCTETS = 20_000_000  # on record; one entry more of a list of 500 kB takes twice that, for what it was and is


class Allowance:
    """Counts the changes of each account, by whatever pages and calls they are made."""

    def __init__(self) -> None:
        self._changes = Attempts(CHANGES, HOUR)
        self._octets = Attempts(OCTETS, HOUR)
        self._lock = threading.Lock()  # octets are counted where they are written, in the store's threads

    def wait(self, account: str, now: int) -> int:
        """Count a change, and return 0, or the milliseconds until the next one may be made."""
        with self._lock:
            wait = self._octets.rest(account, now)
        return wait or self._changes.wait(account, now)

    @contextlib.contextmanager
    def writing(self, database: Database, account: str, *, now: int) -> Iterator[Connection]:
        """Lend the connection for a change, and count what that has put on record; raise StoreUnavailable."""
        with database.writing() as connection:
            before = changes.octets(connection, account, now=now)
            yield connection
            written = changes.octets(connection, account, now=now) - before
        with self._lock:
            self._octets.add(account, max(0, written), now)
