"""Who is behind an address, for one process: a thread that asks the store, and a cache in front of it.

The event loop asks, the thread works: it takes all that waits at once, so that the addresses of several
messages share few queries. What it resolved is kept until something changes, so that most need not wait.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from tamis.interfaces import UNCOUNTED, Metrics, StoreUnavailable
from tamis.preferences import Resolution
from tamis.store.database import Database, Refused

log = logging.getLogger(__name__)

POLL = 0.25  # seconds between looks for changes by others, which we promise to follow within one
AT_ONCE = 500  # lookups in one round
CACHED = 20_000  # resolutions, of about half a kilobyte each

Resolutions: TypeAlias = Mapping[str, Resolution]


class Resolver(Protocol):
    """Answers who is behind addresses; called on the thread."""

    def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Return one Resolution per address, in order; raise StoreUnavailable."""


class Watched(Protocol):
    """Something that resolutions depend on; called on the thread."""

    def changed(self) -> bool:
        """Tell whether there may be changes since the last call; raise StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Addresses to resolve."""

    addresses: Sequence[str]
    future: asyncio.Future[Resolutions]


class CachedDirectory:
    """The Directory of one process; its coroutines run on the loop that it was given."""

    def __init__(
        self,
        database: Database,
        resolver: Resolver,
        *,
        watched: Sequence[Watched],
        loop: asyncio.AbstractEventLoop,
        metrics: Metrics = UNCOUNTED,
    ) -> None:
        self._database = database
        self._resolver = resolver
        self._watched = watched
        self._loop = loop
        self._metrics = metrics
        self._cache: OrderedDict[str, Resolution] = OrderedDict()  # only touched on the loop; latest use last
        self._lookups: queue.SimpleQueue[Lookup | None] = queue.SimpleQueue()  # None: end
        self._thread = threading.Thread(target=self._run, name="directory", daemon=True)
        self._closed = False
        self._next_look = 0.0  # monotonic seconds

    def start(self) -> None:
        """Start the thread; after the fork, in the process that asks."""
        self._thread.start()

    def close(self) -> None:
        """Resolve what waits and end the thread; may be called on any thread."""
        if not self._closed:
            self._closed = True
            self._lookups.put(None)
        self._thread.join()

    async def resolve(self, addresses: Sequence[str]) -> Sequence[Resolution]:
        """Return one Resolution per address, in order; raise StoreUnavailable."""
        cache = self._cache
        found: dict[str, Resolution] = {}
        missing: dict[str, None] = {}
        for address in addresses:
            known = cache.get(address)
            if known is None:
                missing[address] = None
            else:
                cache.move_to_end(address)
                found[address] = known
        if missing:
            if self._closed:
                raise StoreUnavailable("it is closed")
            future: asyncio.Future[Resolutions] = self._loop.create_future()
            self._lookups.put(Lookup(tuple(missing), future))
            found.update(await future)
        return [found[address] for address in addresses]

    async def account(self, address: str) -> str | None:
        """Return the one account behind an address, or None; raise StoreUnavailable."""
        (resolution,) = await self.resolve((address,))
        return resolution.members[0].account if len(resolution.members) == 1 else None

    # The rest runs on the thread, but for what is handed to the loop.

    def _run(self) -> None:
        ended = False
        while not ended:
            lookups = self._take()
            ended = None in lookups
            if time.monotonic() >= self._next_look:
                self._look()
                self._next_look = time.monotonic() + POLL
            self._work([one for one in lookups if one is not None])
        self._database.close()

    def _take(self) -> list[Lookup | None]:
        """Return all lookups that wait; wait for one until the next look is due."""
        lookups: list[Lookup | None] = []
        try:
            lookups.append(self._lookups.get(timeout=max(0.0, self._next_look - time.monotonic())))
            while len(lookups) < AT_ONCE:
                lookups.append(self._lookups.get_nowait())
        except queue.Empty:
            pass
        return lookups

    def _look(self) -> None:
        """Forget what was resolved where something that it depends on has changed."""
        changed = False
        for one in self._watched:
            try:
                changed |= one.changed()
            except StoreUnavailable:
                continue  # who needs a store that is away hears of it; a new connection counts as a change
            except Exception as error:  # as in _work()
                log.error("directory failed error=%s", type(error).__name__)
                changed = True
        if changed:
            self._hand_over(self._cache.clear)

    def _work(self, lookups: Sequence[Lookup]) -> None:
        """Resolve together; where the database takes one of them amiss, each by itself."""
        lookups = [one for one in lookups if not one.future.cancelled()]
        if not lookups:
            return
        try:
            self._resolve(lookups)
        except Refused as error:
            if len(lookups) == 1:
                self._fail(lookups, str(error))
                return
            for one in lookups:
                self._work([one])
        except StoreUnavailable as error:
            self._fail(lookups, str(error))
        except Exception as error:  # else the thread would end, and every message after wait in vain
            log.error("directory failed error=%s", type(error).__name__)
            self._fail(lookups, type(error).__name__)

    def _resolve(self, lookups: Sequence[Lookup]) -> None:
        addresses = list(dict.fromkeys(address for one in lookups for address in one.addresses))
        found = dict(zip(addresses, self._resolver.resolve(addresses), strict=True))
        self._hand_over(lambda: self._keep(lookups, found))

    def _fail(self, lookups: Sequence[Lookup], text: str) -> None:
        self._metrics.store_failed()

        def fail() -> None:
            for one in lookups:
                if not one.future.done():
                    one.future.set_exception(StoreUnavailable(text))

        self._hand_over(fail)

    def _hand_over(self, action: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:  # the loop has ended, and with it all who waited
            log.debug("loop is closed")

    def _keep(self, lookups: Sequence[Lookup], found: Resolutions) -> None:
        """Take resolutions into the cache, on the loop, in the order in which the thread found them.

        The coroutine that asked runs later: it could bring back what a change has made stale meanwhile.
        """
        self._cache.update(found)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        for one in lookups:
            if not one.future.done():
                one.future.set_result(found)
