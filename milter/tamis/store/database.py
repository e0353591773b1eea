"""One connection to the database, used by one thread, that comes back by itself."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from tamis.config import Store as Settings
from tamis.interfaces import StoreUnavailable
from tamis.store import dialect


class Refused(StoreUnavailable):
    """The database is there and does not take what is written."""


class Database:
    """Opens its connection on first use, so never before a fork, and anew after an error."""

    def __init__(self, settings: Settings) -> None:
        self._url = dialect.parse(settings.url)
        self._engine = dialect.engine(self._url, settings.timeout)
        self._timeout = settings.timeout
        self.file = dialect.path(self._url)  # where the database is one
        self.opened: tuple[int, int] | None = None  # device and inode of the file that is open
        self._connection: Connection | None = None
        self.generation = 0  # how often a connection was opened

    @property
    def exists(self) -> bool:
        """Whether the database's file, where it is one, is there."""
        return self.file is None or self.file.exists()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend the connection for reading; raise StoreUnavailable."""
        with self._translated():
            connection = self._open()
            dialect.wait(connection, self._timeout)
            yield connection
            dialect.roll_back(connection)  # else a statement by the driver would leave one open

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend the connection in a transaction, committed at the end of the block; raise StoreUnavailable.

        There is one such at a time, so what is read in it stands until what follows from it is written.
        """
        with self.adding() as connection:
            dialect.lock(connection, dialect.WRITE_LOCK)
            yield connection

    @contextlib.contextmanager
    def lazily(self) -> Iterator[Connection]:
        """Lend the connection as writing() does, but do not keep the lock until the commit is on the disk.

        The next one by writing() or adding(), anybody's, takes it there. A machine that fails before undoes
        it.
        """
        with self.reading() as connection:
            dialect.sync(connection, "NORMAL")
        try:
            with self.writing() as connection:
                dialect.defer(connection)
                yield connection
        finally:
            with self.reading() as connection:
                dialect.sync(connection, "FULL")

    @contextlib.contextmanager
    def adding(self) -> Iterator[Connection]:
        """Lend the connection likewise, beside others who write, where the database can; for workers."""
        with self._translated():
            connection = self._open()
            dialect.begin(connection, self._timeout)
            yield connection
            dialect.commit(connection)

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(DBAPIError):
                connection.close()

    def _open(self) -> Connection:
        found = self._identity()
        if self._connection is not None and found != self.opened:
            self.close()  # else we would write to a file that was moved away, as when a backup is restored
        if self._connection is None:
            self.opened = found
            self._connection = self._engine.connect()
            self.generation += 1
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        if self.file is None:
            return None
        try:
            found = os.stat(self.file)  # noqa: PTH116  # on the way of each commit
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the database's errors into StoreUnavailable, without the values that were written."""
        driver = self._engine.dialect.loaded_dbapi
        try:
            yield
        except (IntegrityError, DataError, driver.IntegrityError, driver.DataError) as error:
            self._roll_back()
            raise Refused(type(error).__name__) from None  # PostgreSQL's text would quote the values
        except UnicodeEncodeError:
            self._roll_back()
            raise Refused("a text that is not UTF-8") from None
        except DBAPIError as error:
            self.close()
            raise StoreUnavailable(self._text(error.orig)) from None
        except driver.Error as error:
            self.close()
            raise StoreUnavailable(self._text(error)) from None
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._connection is not None:
            try:
                dialect.roll_back(self._connection)
            except (DBAPIError, self._engine.dialect.loaded_dbapi.Error):
                self.close()

    def _text(self, error: BaseException | None) -> str:
        where = str(self.file or dialect.shown(self._url))
        lines = str(error).splitlines() or [type(error).__name__]
        return f"{where}: {lines[0]}"
