"""Exports: one at a time for an account, in a file without a name, handed out as fast as it is taken."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable
from typing import IO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tamis.config import Config
from tamis.desk import export
from tamis.options.pool import Clerk, Pool

log = logging.getLogger(__name__)

AT_ONCE = 2  # that are made
MOST = 20  # that are made or handed out, each with a file
PIECE = 1 << 18  # octets that are sent at once
PATIENCE = 60.0  # seconds in which a browser has to take them


class Busy(Exception):
    """The account's last export is not through yet, or too many others are not."""


class Exports:
    """Makes them in threads of its own."""

    def __init__(self, config: Config) -> None:
        self._pool = Pool(config, threads=AT_ONCE, name="exports")
        self._accounts: set[str] = set()

    async def make(self, account: str, *, now: int) -> Response:
        """Return all that is kept about an account as a download; raise Busy, StoreUnavailable, OSError."""
        if account in self._accounts or len(self._accounts) >= MOST:
            raise Busy
        self._accounts.add(account)
        try:
            file = await self._pool.run(lambda clerk: _made(clerk, account, now))
        except BaseException:
            self._accounts.discard(account)
            raise
        return Download(file, export.file_name(account), lambda: self._accounts.discard(account))

    def close(self) -> None:
        """Finish what has begun."""
        self._pool.close()


class Download(Response):
    """A file that is sent a piece at a time, and closed then."""

    def __init__(self, file: IO[bytes], name: str, done: Callable[[], None]) -> None:
        length = file.seek(0, 2)
        file.seek(0)
        headers = {
            "content-length": str(length),
            "content-disposition": f'attachment; filename="{name}"',
        }
        super().__init__(headers=headers, media_type="application/zip")
        self._file = file
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while piece := await asyncio.to_thread(self._file.read, PIECE):
                async with asyncio.timeout(PATIENCE):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            log.info("export not taken")
        finally:
            self._file.close()
            self._done()


def _made(clerk: Clerk, account: str, now: int) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed once it is sent
    try:
        with clerk.database.reading() as connection:
            export.write(connection, account, clerk.accounts, file, tempfile.TemporaryFile, now=now)
    except BaseException:
        file.close()
        raise
    return file
