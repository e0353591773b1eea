"""The store's threads: work that waits for the database does not hold up the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from tamis.accounts import Accounts, plain
from tamis.config import Config
from tamis.service import parts
from tamis.store import owners
from tamis.store.database import Database
from tamis.store.owners import Life

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Clerk:
    """What one thread works with."""

    database: Database
    accounts: Accounts  # without catch-alls: who signs in means his own

    def account(self, typed: str) -> str | None:
        """Return the account's own address that an address stands for; None for others'."""
        for address in _spellings(typed):
            (resolution,) = self.accounts.resolve([address])
            if len(resolution.members) == 1 and resolution.members[0].local:
                (member,) = resolution.members
                return member.account or self.accounts.without_detail(member.address)
        return None

    def living(self, typed: str) -> tuple[str | None, Life | None]:
        """Return likewise the account, and by what it is told later whether it was erased since."""
        account = self.account(typed)
        if account is None:
            return None, None
        with self.database.reading() as connection:
            return account, owners.life(connection, account)


def _spellings(typed: str) -> Iterator[str]:
    """Yield an address as it is typed, and with its domain in the other of its two forms (RFC 5890)."""
    address = plain(typed)
    if address is None:
        return
    yield address
    local, _, domain = address.rpartition("@")
    try:
        forms = {domain.encode("idna").decode(), domain.encode("idna").decode("idna")}
    except UnicodeError:
        return
    if domain in forms:  # else it is another one, as straße.example is to this codec
        yield from (f"{local}@{other}" for other in forms - {domain})


class Pool:
    """A few threads, each with a connection of its own."""

    def __init__(self, config: Config, *, threads: int, name: str) -> None:
        self._config = config
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._own = threading.local()

    async def run(self, work: Callable[[Clerk], Result]) -> Result:
        """Return what work returns; raise StoreUnavailable where it does."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: work(self._clerk()))

    def start(self, work: Callable[[Clerk], None]) -> None:
        """Let work be done behind what is answered now; it raises nothing."""
        self._executor.submit(lambda: work(self._clerk()))

    def close(self) -> None:
        """Finish what has begun, and close the connections."""
        together = threading.Barrier(self._threads)  # so that each thread closes its own
        for one in [self._executor.submit(self._leave, together) for _ in range(self._threads)]:
            one.result()
        self._executor.shutdown()

    def _clerk(self) -> Clerk:
        clerk: Clerk | None = getattr(self._own, "clerk", None)
        if clerk is None:
            database = Database(self._config.store)
            clerk = self._own.clerk = Clerk(database, parts.named_accounts(self._config, database))
        return clerk

    def _leave(self, together: threading.Barrier) -> None:
        together.wait()
        clerk: Clerk | None = getattr(self._own, "clerk", None)
        if clerk is not None:
            clerk.database.close()
