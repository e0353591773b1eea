"""Overwrites what SQLite leaves of former rows in parts of its pages that are out of use.

secure_delete overwrites what is deleted. But rows that move to another page, as pages fill up and empty,
leave a copy where they were. Nothing overwrites it but VACUUM, that locks all out. So we do it in the file:

- While we have the write lock and the log is empty, nobody else writes into the file, and it is up to date.
- Only octets change that belong to no row: whoever reads meanwhile reads the same. Killed at any point, the
  file is as good as before.
- Other connections keep pages in memory, and would write them back with their next change. A commit of ours
  under the same lock makes them forget these. Our own connection is a new one, and has none.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path

from tamis.interfaces import StoreUnavailable
from tamis.store import pages, space
from tamis.store.database import Database

CHUNK = 1 << 20  # octets that are read at once: whole pages, of any size
HOLD = 0.001  # seconds in which one transaction overwrites pages; its commit takes some more
TRIES = 50  # at being the first to write once the log is empty

Clock = Callable[[], float]  # in seconds
Rest = Callable[[float], None]  # after something that began at a time of the clock


def wipe(database: Database, *, clock: Clock, rest: Rest) -> bool:
    """Overwrite what is left in the file; tell whether nobody who read or wrote was in the way.

    A file that has no pointer map stays as it is. Raise StoreUnavailable.
    """
    if database.file is None:
        return True
    if not space.empty_log(database, lambda: rest(clock())):
        return False
    try:
        return _wipe(database, _File(database.file, database.opened), clock, rest)
    except OSError as error:
        raise StoreUnavailable(f"{database.file}: {error.strerror}") from None


def _wipe(database: Database, file: _File, clock: Clock, rest: Rest) -> bool:
    left = file.suspects()
    if left:
        database.close()
    tries = TRIES
    while left and tries:
        begun = clock()
        if not space.empty_log(database, lambda: rest(clock())):
            return False
        with database.writing() as connection:
            if file.is_complete(database.opened):
                tries = TRIES
                _overwrite_some(file, left, clock)
                same = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                connection.exec_driver_sql(f"PRAGMA user_version = {same}")  # something to commit
            else:
                tries -= 1
        rest(begun)
    return not left


def _overwrite_some(file: _File, left: list[int], clock: Clock) -> None:
    end = clock() + HOLD
    file.overwrite(left.pop())
    while left and clock() < end:
        file.overwrite(left.pop())


class _File:
    """The database's file, which is read and written beside SQLite."""

    def __init__(self, path: Path, opened: tuple[int, int] | None) -> None:
        self._descriptor = _descriptor(path, opened)
        self._log = Path(f"{path.resolve()}-wal")
        self._page = self._size()

    def suspects(self) -> list[int]:
        """Return the numbers of pages that look as if something was left on them.

        Others may write meanwhile: what copies they make are of rows that are there.
        """
        found = []
        for start in count(0, CHUNK) if self._page else ():
            some = os.pread(self._descriptor, CHUNK, start)
            if not some:
                break
            for offset in range(0, len(some), self._page):
                if pages.remnants(some[offset : offset + self._page]):
                    found.append((start + offset) // self._page + 1)
        return found

    def is_complete(self, opened: tuple[int, int] | None) -> bool:
        """Tell, under the write lock, whether this is the connection's file, and nothing is in its log."""
        found = os.fstat(self._descriptor)
        is_same = (found.st_dev, found.st_ino) == opened and self._size() == self._page
        return is_same and not self._log.stat().st_size

    def overwrite(self, number: int) -> None:
        """Overwrite what is left on a page, under the write lock."""
        place = pages.place(number, self._page)
        if place is None or not pages.is_in_tree(os.pread(self._descriptor, 1, place)):
            return
        start = (number - 1) * self._page
        for first, end in pages.remnants(os.pread(self._descriptor, self._page, start)):
            os.pwrite(self._descriptor, pages.ZEROS[: end - first], start + first)

    def _size(self) -> int:
        return pages.size(os.pread(self._descriptor, pages.START, 0))


@cache
def _descriptor(path: Path, opened: tuple[int, int] | None) -> int:
    """Open a file for as long as the process lives.

    To close any descriptor of a file takes all locks from it that the process has, SQLite's, too (fcntl(2);
    https://www.sqlite.org/howtocorrupt.html section 2.2).
    """
    return os.open(path, os.O_RDWR)
