"""How much is changed at a time, and how long it rests then, so that mail does not wait for its tickets."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from tamis.store.database import Database

AIM = 0.003  # seconds for which one transaction holds the lock: about as long as a ticket's own commit
FIRST = 20  # rows of the first one
LEAST, MOST = 10, 500  # rows of one
GROWTH = 1.5  # times as many rows in the next one, at most
SHARE = 8  # times as long as something took it is left to others after it
SHORTEST = 0.005  # seconds of pause


@dataclass(frozen=True, slots=True)
class Pace:
    """Leaves time to others between two transactions."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def after(self, begun: float) -> None:
        """Pause after a transaction that began at a time of the clock."""
        self.sleep(max(SHORTEST, SHARE * (self.clock() - begun)))

    def short(self) -> None:
        """Pause after something that took next to no time."""
        self.sleep(SHORTEST)


@dataclass(slots=True)
class Stride:
    """How many rows go into one transaction, by how long those before held the lock."""

    clock: Callable[[], float]
    rows: int = FIRST

    @contextlib.contextmanager
    def step(self, database: Database, rows: int) -> Iterator[Connection]:
        """Lend a database's connection for a transaction with so many rows; raise StoreUnavailable."""
        with database.lazily() as connection:
            locked = self.clock()
            yield connection
        self.learn(rows, self.clock() - locked)

    def learn(self, rows: int, seconds: float) -> None:
        """Take note of a transaction with so many rows."""
        if seconds > AIM or rows >= self.rows:
            wanted = rows * GROWTH if seconds * GROWTH < AIM else rows * AIM / seconds
            self.rows = min(MOST, max(LEAST, round(wanted)))
